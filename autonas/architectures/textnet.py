"""Networks for texts: an embedding of every token, an encoder over them, the mean and the maximum over the tokens.

Encoders: none ("bag": the deep averaging network of Iyyer et al 2015), convolutions (Kim 2014; here a chain of one
kernel size), and bidirectional recurrent layers, GRU (Cho et al 2014) or LSTM (Hochreiter and Schmidhuber 1997).
Whole tokens are dropped in training (word dropout, Iyyer et al 2015): they are read as the unknown token, which is
so trained.  No attention, and no pretrained embeddings: nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from autonas.architectures.ops import Dropout, activation
from autonas.core.trial import Value
from autonas.errors import unknown

__all__ = ["BATCHED", "ENCODERS", "TextNet", "build", "view"]

BATCHED = False  # recurrent layers cannot be batched over networks
ENCODERS = ("bag", "conv", "gru", "lstm")
_TOKENS = {"words": 10_000, "characters": 2_000}  # kinds, and how many of the most frequent ones are told apart
_INITIAL = 0.1  # standard deviation of new vectors; at torch's 1, chance outweighs what a few thousand texts teach
_PADDING, _UNKNOWN = 0, 1  # as in the views of tokens


def view(options: Mapping[str, Value]) -> str:
    """Name of the view that it reads."""
    return f"tokens:{_kind(options)}"


def _kind(options: Mapping[str, Value]) -> str:
    tokens = str(options.get("tokens", "words"))
    if tokens not in _TOKENS:
        raise unknown("kind of tokens", tokens, _TOKENS)
    return tokens


class Embedding(nn.Module):
    """Numbers of tokens to vectors: zeros for padding, one vector for all tokens beyond the vocabulary.

    Parameters
    ----------
    vocabulary : int
        Tokens that have a vector of their own; the data ranks tokens by falling frequency.
    size : int
        Length of a vector.
    token_dropout : float
        Share of the tokens that training reads as unknown.
    """

    def __init__(self, vocabulary: int, size: int, token_dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary + 2, size, padding_idx=_PADDING)
        with torch.no_grad():
            self.vectors.weight.mul_(_INITIAL)  # the vector of padding is zero, and stays so
        self.token_dropout = token_dropout

    def forward(self, x: Tensor) -> Tensor:
        """(rows, length) numbers to (rows, length, size)."""
        x = x.long()
        x = torch.where(x < self.vectors.num_embeddings, x, _UNKNOWN)
        if self.training and self.token_dropout:
            dropped = torch.rand(x.shape, device=x.device) < self.token_dropout
            x = torch.where(dropped & (x != _PADDING), _UNKNOWN, x)
        found: Tensor = self.vectors(x)
        return found


class Convolutions(nn.Module):
    """A chain of convolutions over the tokens, each with batch normalisation and an activation."""

    def __init__(self, inputs: int, width: int, layers: int, kernel: int, name: str) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        for layer in range(layers):
            channels = width if layer else inputs
            modules += [
                nn.Conv1d(channels, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(width),
                activation(name),
            ]
        self.chain = nn.Sequential(*modules)
        self.features = width

    def forward(self, x: Tensor) -> Tensor:
        """(rows, length, inputs) to (rows, length, width)."""
        found: Tensor = self.chain(x.transpose(1, 2))
        return found.transpose(1, 2)


class Recurrent(nn.Module):
    """Recurrent layers that read the tokens in both directions, each with half of the width."""

    def __init__(self, kind: str, inputs: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        cell = {"gru": nn.GRU, "lstm": nn.LSTM}[kind]
        half = max(1, width // 2)
        between = dropout if layers > 1 else 0.0  # torch warns of a dropout between the layers of one
        self.cells = cell(inputs, half, layers, batch_first=True, bidirectional=True, dropout=between)
        self.features = 2 * half

    def forward(self, x: Tensor) -> Tensor:
        """(rows, length, inputs) to (rows, length, width)."""
        found: Tensor = self.cells(x)[0]
        return found


class TextNet(nn.Module):
    """See the top of the file.

    Parameters
    ----------
    embedding : Embedding
    encoder : Module
        (rows, length, size) to (rows, length, features).
    head : Module
        (rows, 2 * features) to (rows, outputs).
    """

    def __init__(self, embedding: Embedding, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.embedding, self.encoder, self.head = embedding, encoder, head

    def forward(self, x: Tensor) -> Tensor:
        """(rows, length) numbers of tokens to (rows, outputs)."""
        there = (x != _PADDING).unsqueeze(-1)
        encoded = self.encoder(self.embedding(x))
        mean = (encoded * there).sum(1) / there.sum(1).clamp_min(1)
        largest = torch.where(there, encoded, -torch.inf).amax(1)
        largest = torch.where(there.any(1), largest, 0.0)  # of a text without tokens
        found: Tensor = self.head(torch.cat([mean, largest], dim=1))
        return found


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, length) numbers of tokens to (rows, n_outputs).

    Parameters
    ----------
    options : mapping
        ``tokens`` ("words", "characters"), ``vocabulary`` (tokens with a vector of their own), ``embedding`` (length
        of a vector), ``encoder`` ("bag", "conv", "gru", "lstm"), ``width``, ``layers``, ``kernel``, ``activation``,
        ``dropout``, ``token_dropout``.  The layers of a bag follow the mean and the maximum.
    shape : sequence of int
        Shape of one text: (length,).
    """
    encoder, size = str(options.get("encoder", "bag")), int(options.get("embedding", 32))
    width, layers = int(options.get("width", 64)), int(options.get("layers", 1))
    name, dropout = str(options.get("activation", "relu")), float(options.get("dropout", 0.5))
    embedding = Embedding(
        int(options.get("vocabulary", _TOKENS[_kind(options)])), size, float(options.get("token_dropout", 0.2))
    )
    if encoder not in ENCODERS:
        raise unknown("encoder", encoder, ENCODERS)
    hidden: list[nn.Module] = []
    if encoder == "bag":
        reads: nn.Module = nn.Identity()
        features = 2 * size
        for _ in range(layers):
            hidden += [Dropout(dropout), nn.Linear(features, width), activation(name)]
            features = width
    elif encoder == "conv":
        reads = Convolutions(size, width, layers, int(options.get("kernel", 3)), name)
        features = 2 * width
    else:
        reads = Recurrent(encoder, size, width, layers, dropout)
        features = 2 * reads.features
    return TextNet(embedding, reads, nn.Sequential(*hidden, Dropout(dropout), nn.Linear(features, n_outputs)))

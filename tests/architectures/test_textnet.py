"""Networks for texts: parameters in closed form, padding and unknown tokens, training of every encoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autonas.architectures import textnet
from autonas.errors import OptionError
from autonas.search_space.dry_run import dry_run
from autonas.training.stack import Stack

SMALL = {"vocabulary": 50, "embedding": 8, "width": 12, "layers": 2, "kernel": 3}


def network(**options: object) -> nn.Module:
    torch.manual_seed(0)
    return textnet.build({**SMALL, **options}, (9,), 3)


def tokens(rows: int = 6) -> torch.Tensor:
    """Token numbers as floats, padded."""
    torch.manual_seed(1)
    x = torch.randint(1, 60, (rows, 9)).float()
    x[0, 4:] = 0
    x[1] = 0
    return x


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("bag", (16 + 1) * 12 + (12 + 1) * 12 + (12 + 1) * 3),
        ("conv", 3 * 8 * 12 + 3 * 12 * 12 + 2 * 2 * 12 + (24 + 1) * 3),
        # gates x (inputs + hidden + two biases) x hidden, two directions, two layers
        ("gru", 2 * 3 * (8 + 6 + 2) * 6 + 2 * 3 * (12 + 6 + 2) * 6 + (24 + 1) * 3),
        ("lstm", 2 * 4 * (8 + 6 + 2) * 6 + 2 * 4 * (12 + 6 + 2) * 6 + (24 + 1) * 3),
    ],
)
def test_parameters(encoder, expected):
    count = sum(p.numel() for p in network(encoder=encoder).parameters())
    assert count == (50 + 2) * 8 + expected
    assert dry_run("textnet", {**SMALL, "encoder": encoder}, (9,), 3).parameters == count


@pytest.mark.parametrize("encoder", textnet.ENCODERS)
def test_every_parameter_takes_part_in_training(encoder):
    net, x = network(encoder=encoder, dropout=0.1), tokens(40)
    y = torch.arange(40) % 3
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    first = None
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
        optimizer.step()
        first = loss.item() if first is None else first
    assert loss.item() < 0.7 * first
    assert (net.embedding.vectors.weight[0] == 0).all()  # padding


@pytest.mark.parametrize("encoder", textnet.ENCODERS)
def test_a_text_without_tokens_has_finite_scores(encoder):
    net = network(encoder=encoder).eval()
    assert torch.isfinite(net(tokens())).all()
    assert torch.isfinite(net(torch.zeros(2, 9))).all()


@pytest.mark.parametrize("encoder", ["bag", "gru"])
def test_rare_tokens_are_the_unknown_one(encoder):
    net, x = network(encoder=encoder).eval(), tokens()
    clipped = torch.where(x >= 52, 1.0, x)
    assert (clipped != x).any()
    torch.testing.assert_close(net(x), net(clipped))
    torch.testing.assert_close(net(x), net(x.long()))


def test_a_bag_does_not_know_the_order_or_the_padding():
    net, x = network(encoder="bag").eval(), tokens()
    torch.testing.assert_close(net(x), net(x.flip(1)))
    torch.testing.assert_close(net(x), net(nn.functional.pad(x, (0, 5))))


def test_a_bag_is_mean_and_maximum_of_the_vectors():
    net = network(encoder="bag", layers=0).eval()
    vectors, head = net.embedding.vectors.weight, net.head[-1]
    pooled = torch.cat([vectors[[3, 7, 7]].mean(0), vectors[[3, 7]].amax(0)])
    torch.testing.assert_close(net(torch.tensor([[3.0, 7.0, 7.0, 0.0]]))[0], head(pooled))


def test_all_tokens_dropped_are_all_unknown():
    net = network(encoder="bag", token_dropout=1.0, dropout=0.0).train()
    unknown = torch.where(tokens() > 0, 1.0, 0.0)
    torch.testing.assert_close(net(tokens()), net(unknown))


@pytest.mark.parametrize("encoder", textnet.ENCODERS)
def test_weights_that_live_elsewhere(encoder):
    stack = Stack(lambda: textnet.build({**SMALL, "encoder": encoder}, (9,), 3), [5])
    torch.manual_seed(5)
    alone = textnet.build({**SMALL, "encoder": encoder}, (9,), 3).eval()
    torch.testing.assert_close(stack(tokens()[None])[0], alone(tokens()))
    for parameter in stack.parameters.values():
        parameter.data.mul_(0.5)
    assert not torch.allclose(stack(tokens()[None])[0], alone(tokens()))


def test_views_and_unknown_names():
    assert [textnet.view({}), textnet.view({"tokens": "characters"})] == ["tokens:words", "tokens:characters"]
    with pytest.raises(OptionError, match="Did you mean 'words'"):
        textnet.view({"tokens": "word"})
    with pytest.raises(OptionError, match="Did you mean 'gru'"):
        network(encoder="grü")

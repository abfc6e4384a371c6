"""Weights for a child from its trained parent, so that training goes on from what the parent has learned.

"copy" takes every tensor that still fits (Real et al 2017).  "morph" keeps what the network computes, where the edit
allows it: wider layers (Chen et al 2016), deeper ones, larger kernels (Wei et al 2016), further branches and skips (Wei
et al 2017; Elsken et al 2017), replicated layers (Cai et al 2018b); and comes close where it does not: removed layers
and skips, pruned filters, separable convolutions (Elsken et al 2018).

Nothing is told what the edit was.  Both networks are descriptions (``Graph``); the channels of all their values are
numbered so that equal numbers mean equal values (``morph_values``), and each layer of the child gets the weights that
give it the numbers of its counterpart.  The edit is exact if the outputs have equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from autonas.architectures.graph import Graph
from autonas.architectures.layers_morph import PActivation
from autonas.architectures.morph_match import match_nodes
from autonas.architectures.morph_steps import activation_name
from autonas.architectures.morph_work import Work
from autonas.errors import unknown

__all__ = ["Inherited", "inherit", "inherit_optimizer", "soften"]


@dataclass(frozen=True)
class Inherited:
    """What a child starts from.

    Attributes
    ----------
    state : dict of str to Tensor
        Of the child's network.
    changed : tuple of str
        Nodes of the child that compute something else than in the parent, in the order of computation.
    origin : dict of str to str
        For tensors that are those of the parent, the name there.
    """

    state: dict[str, Tensor]
    changed: tuple[str, ...]
    origin: dict[str, str]

    @property
    def exact(self) -> bool:
        """Whether the child computes what the parent does (in evaluation mode, before noise)."""
        return not self.changed


def inherit(
    parent: Graph,
    state: Mapping[str, Tensor],
    child: Graph,
    how: Literal["copy", "morph"] = "morph",
    rng: np.random.Generator | None = None,
    noise: float = 0.0,
    *,
    grow: Literal["replicate", "zeros"] = "replicate",
    batch: Tensor | None = None,
    names: Mapping[str, str] | None = None,
) -> Inherited:
    """Weights of ``child`` from those of ``parent``.

    Parameters
    ----------
    parent, child : Graph
        Finished, not relaxed; for examples of one shape.
    state : mapping of str to Tensor
        Of the parent's network.
    how : {"copy", "morph"}
    rng : Generator, optional
        Draws which channels are replicated, first weights of what is new, and the noise.
    noise : float
        Standard deviation of what is added to copies of channels and layers and to inserted layers, as a share of that
        of their weights; without it, equal units stay equal in training without dropout.
    grow : {"replicate", "zeros"}
        New channels and branches are copies that share the work (Chen et al 2016; Cai et al 2018b), or get weights of
        zero where they are read.
    batch : (rows, *shape) Tensor, optional
        Examples, on which the statistics of inserted normalisations are measured; with them, an inserted
        normalisation is close to the identity in training, too.
    names : mapping of str to str, optional
        For nodes of the child, the parent's node that they come from; by default it is found out.

    Raises
    ------
    OptionError
        For an unknown ``how`` or ``grow``.
    """
    for given, known in ((how, ("copy", "morph")), (grow, ("replicate", "zeros"))):
        if given not in known:
            raise unknown("inheritance", given, known)
    rng = rng or np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        network = child.network()
    own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    pairs = dict(names) if names is not None else match_nodes(parent, child)
    if how == "copy":
        return _copy(state, own, pairs)
    with torch.no_grad():
        work = Work(parent, child, pairs, state, own, grow == "replicate", rng, noise)
        work.run()
        if batch is not None and work.inserted_norms:
            _measure(network, work.state, work.inserted_norms, batch)
        for name, more in work.noise.items():
            work.state[name] = work.state[name] + more
    changed = tuple(node.name for node in child.nodes if node.name in work.changed)
    return Inherited(work.state, changed, work.origin)


def _copy(state: Mapping[str, Tensor], own: dict[str, Tensor], pairs: Mapping[str, str]) -> Inherited:
    origin = {}
    for name, tensor in own.items():
        node, _, rest = name.partition(".")
        old = f"{pairs.get(node)}.{rest}"
        if old in state and state[old].shape == tensor.shape:
            origin[name] = old
    nodes = dict.fromkeys(name.partition(".")[0] for name in own if name not in origin)
    return Inherited(
        {name: (state[origin[name]].clone() if name in origin else own[name]) for name in own}, tuple(nodes), origin
    )


def _measure(network: nn.Module, state: dict[str, Tensor], norms: Iterable[str], batch: Tensor) -> None:
    """Give inserted normalisations the statistics of what they see in training, and the scale and shift that undo them.

    The statistics change nothing where the running ones are used, and are those of a batch while training goes on.
    """
    network.load_state_dict(state)
    network.eval()
    prefixes = {prefix.removesuffix("."): prefix for prefix in norms}

    def watch(prefix: str, eps: float) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].transpose(0, 1).flatten(1)
            mean, var = x.mean(1), x.var(1, unbiased=False)
            state[f"{prefix}running_mean"], state[f"{prefix}running_var"] = mean, var
            state[f"{prefix}weight"], state[f"{prefix}bias"] = (var + eps).sqrt(), mean.clone()

        return note

    handles = []
    for name, module in network.named_modules():
        if name in prefixes and module.affine:
            handles.append(module.register_forward_pre_hook(watch(prefixes[name], float(module.eps))))
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train()
    network(batch)
    for handle in handles:
        handle.remove()


def inherit_optimizer(
    moments: Mapping[str, Mapping[str, np.ndarray]], origin: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, dict[str, np.ndarray]]:
    """State of an optimiser for the child: that of the parent where a tensor was copied unchanged, else zeros.

    Parameters
    ----------
    moments : mapping of str to mapping
        For each parameter of the parent, its arrays ("exp_avg", ..., "step").
    origin : mapping of str to str
        For tensors that are the parent's, the name there (see :class:`Inherited`).
    shapes : mapping of str to tuple of int
        Of the child's parameters.

    Returns
    -------
    dict
        As ``moments``, for the child's parameters.
    """
    template = next(iter(moments.values()), {})
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, shape in shapes.items():
        old = moments.get(origin.get(name, ""))
        if old is not None:
            found[name] = {key: np.array(array) for key, array in old.items()}
        else:
            found[name] = {
                key: np.zeros(shape if np.ndim(array) else (), dtype=np.asarray(array).dtype)
                for key, array in template.items()
            }
    return found


def soften(child: Graph, parent: Graph, names: Mapping[str, str] | None = None) -> Graph:
    """The child with P-activations (Wei et al 2016) in its new nodes, which then can be inserted whatever they do.

    Activations that are the identity where they would be inserted (``relu``) need none, but do no harm.
    """
    pairs = match_nodes(parent, child) if names is None else names
    nodes = []
    for node in child.nodes:
        soft = [activation_name(layer) not in (None, "identity", "linear") for layer in node.layers]
        if node.name not in pairs and any(soft):
            layers = tuple(PActivation(x) if s else x for x, s in zip(node.layers, soft, strict=True))
            nodes.append(replace(node, layers=layers, parameters=node.parameters + sum(soft)))
        else:
            nodes.append(node)
    found = copy(child)
    found.nodes = nodes
    return found

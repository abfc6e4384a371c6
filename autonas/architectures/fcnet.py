"""Fully connected networks, searched layer by layer (Auto-Net, Mendoza et al 2016; FC-Net, Klein et al 2018).

Depth is a choice, and each layer has its own width, activation, dropout, and way to draw the first weights, with what
depends on these.  Plain by intent: no normalisation, no residuals, no embedding of the input (see ``mlp.py``,
``resmlp.py``).  Where the papers are silent: the constant is 1 / inputs, and a sparse layer is a tenth full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from autonas.architectures.family import ROLE, Section, architectural, number
from autonas.architectures.graph import Graph, Value, Width
from autonas.architectures.layers import Account, Dense, Drop, Flatten, Layer, Shape
from autonas.errors import unknown

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ACTIVATIONS", "BATCHED", "INITS", "SETTINGS", "construct", "space", "view"]

BATCHED = True
ACTIVATIONS = ("relu", "elu", "leaky", "sigmoid", "tanh", "scaled_tanh", "linear")
INITS = (
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "normal", "uniform", "constant", "orthogonal",
    "sparse",
)  # fmt: skip
SETTINGS: dict[str, Any] = {
    "depths": [1, 2, 3, 4, 5, 6],
    "units": [],  # widths to choose from; none: any from 64 to 4096
    "activations": list(ACTIVATIONS),
    "inits": list(INITS),
    "output_dropout": 0.0,
}
_CHILDREN: dict[str, tuple[str, str, dict[str, Any]]] = {  # of which value of which hyperparameter of the layer
    "init_std": ("init", "normal", {"lower": 1e-7, "upper": 0.1, "log": True, "default_value": 0.0005}),
    "leakiness": ("activation", "leaky", {"lower": 0.01, "upper": 0.99, "default_value": 0.3}),
    "tanh_in": ("activation", "scaled_tanh", {"lower": 0.5, "upper": 1.0, "default_value": 0.6667}),
    "tanh_out": ("activation", "scaled_tanh", {"lower": 1.1, "upper": 3.0, "log": True, "default_value": 1.7159}),
}


def view(options: Mapping[str, Any]) -> str:
    """Reads numbers."""
    return "dense"


def space(settings: Mapping[str, Any]) -> Section:
    """``layers`` (unless there is one depth); ``units_i``, ``activation_i``, ``dropout_i`` and ``init_i`` of layer i.

    ``activation_i`` has the children ``leakiness_i``, ``tanh_in_i``, ``tanh_out_i``, and ``init_i`` the child
    ``init_std_i``.  An activation or initialisation that is the only one is no hyperparameter.
    """
    depths = sorted(settings["depths"])
    for given, known in ((settings["activations"], ACTIVATIONS), (settings["inits"], INITS)):
        for name in given:
            if name not in known:
                raise unknown("activation" if known is ACTIVATIONS else "initialisation", name, known)
    found: Section = {"hyperparameters": [], "conditions": []}
    if len(depths) > 1:
        found["hyperparameters"].append(number("layers", depths))
    for i in range(1, depths[-1] + 1):
        own = _layer(settings, i)
        found["hyperparameters"] += own
        deep = [depth for depth in depths if depth >= i]
        for h in own:
            name = h["name"].removesuffix(f"_{i}")
            if name in _CHILDREN:
                parent, value, _ = _CHILDREN[name]
                condition: dict[str, Any] = {"type": "EQ", "parent": f"{parent}_{i}", "value": value}
            elif len(deep) < len(depths):
                condition = {"type": "IN", "parent": "layers", "values": deep}
            else:
                continue
            found["conditions"].append({**condition, "child": h["name"]})
    return found


def _layer(settings: Mapping[str, Any], i: int) -> list[dict[str, Any]]:
    """Hyperparameters of one layer."""
    if settings["units"]:
        units = number(f"units_{i}", settings["units"])
    else:
        units = {
            "name": f"units_{i}", "type": "uniform_int", "lower": 64, "upper": 4096, "log": True, "default_value": 128,
            "meta": ROLE,
        }  # fmt: skip
    dropout = {"name": f"dropout_{i}", "type": "uniform_float", "lower": 0.0, "upper": 0.99, "default_value": 0.5}
    found = [units, dropout]
    if len(settings["activations"]) > 1:
        found.append(architectural(f"activation_{i}", settings["activations"]))
    if len(settings["inits"]) > 1:
        inits = list(settings["inits"])
        found.append({"name": f"init_{i}", "type": "categorical", "choices": inits, "default_value": inits[0]})
    for name, (parent, value, bounds) in _CHILDREN.items():
        known = settings["activations"] if parent == "activation" else settings["inits"]
        if value in known and len(known) > 1:
            found.append({"name": f"{name}_{i}", "type": "uniform_float", **bounds})
    return found


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The layers, and a linear one, of which each depth has its own."""
    options = graph.options
    x = graph.input if len(graph.shape) == 1 else graph.apply("flatten", graph.input, [Flatten()])
    depths = sorted(options["depths"])
    outputs: dict[int, Value] = {}
    for i in range(1, (depths[-1] if graph.relaxed or len(depths) == 1 else int(options["layers"])) + 1):
        units = _units(graph, i)
        most = units.most if isinstance(units, Width) else units
        x = graph.apply(f"dense_{i}", x, [_Dense(most, init=_init(options, i), std=_option(options, "init_std", i))])
        x = _activated(graph, x, i)
        x = graph.apply(f"dropout_{i}", x, [Drop(float(options.get(f"dropout_{i}", 0.0)))], "", units)
        outputs[i] = x

    def output(depth: int) -> Value:
        drop = [Drop(float(options["output_dropout"]))] if options["output_dropout"] else []
        last = _Dense(n_outputs, init="glorot_uniform")
        return graph.apply(f"output_{depth}", outputs[depth], [*drop, last], "output")

    if len(depths) == 1:
        return graph.finish(output(depths[0]))
    chosen = graph.choose("layers", [((depth,), partial(output, depth)) for depth in depths])
    assert chosen is not None
    return graph.finish(chosen)


def _units(graph: Graph, i: int) -> Any:
    """Width of a layer; of a relaxed graph all, if they can be listed."""
    choices = graph.options["units"]
    return graph.width(f"units_{i}", choices) if choices else int(graph.options.get(f"units_{i}", 128))


def _option(options: Mapping[str, Any], name: str, i: int) -> float:
    return float(options.get(f"{name}_{i}", _CHILDREN[name][2]["default_value"]))


def _init(options: Mapping[str, Any], i: int) -> str:
    return str(options.get(f"init_{i}", options["inits"][0]))


def _activated(graph: Graph, x: Value, i: int) -> Value:
    """The layer's activation; of a relaxed graph all of them."""
    options = graph.options
    leakiness, tanh_in, tanh_out = (_option(options, name, i) for name in ("leakiness", "tanh_in", "tanh_out"))

    def case(name: str) -> Value:
        layer = _Activation(name, leakiness, tanh_in, tanh_out)
        return graph.apply(f"activation_{i}_{name}", x, [layer], name)

    if len(options["activations"]) == 1:
        return case(options["activations"][0])
    value = graph.choose(
        f"activation_{i}", [((name,), partial(case, name)) for name in options["activations"]], f"activation_{i}"
    )
    assert value is not None
    return value


@dataclass(frozen=True)
class _Dense(Dense):
    """A linear layer whose first weights are drawn as ``init`` says, and whose biases start at zero."""

    init: str = "he_normal"
    std: float = 0.01

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.dense import linear

        return linear(shapes[0][0], self.out, self.init, self.std)


@dataclass(frozen=True)
class _Activation(Layer):
    """One of :data:`ACTIVATIONS`, with what some of them need."""

    name: str
    leakiness: float
    tanh_in: float
    tanh_out: float

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        from autonas.architectures.dense import ScaledTanh

        made: dict[str, Callable[[], nn.Module]] = {
            "relu": nn.ReLU,
            "elu": nn.ELU,
            "leaky": lambda: nn.LeakyReLU(self.leakiness),
            "sigmoid": nn.Sigmoid,
            "tanh": nn.Tanh,
            "scaled_tanh": lambda: ScaledTanh(self.tanh_in, self.tanh_out),
            "linear": nn.Identity,
        }
        return made[self.name]()

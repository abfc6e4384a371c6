"""Networks as plain PyTorch source, and as ONNX: what is left when AutoNAS is not installed.

The network of a member is traced once (torch.fx) down to the modules of torch, and printed: a constructor for each
module, and the forward pass as straight lines.  The weights of all folds go into a file of tensors beside it, which
``torch.load(..., weights_only=True)`` reads without running code.  What comes before the network (the preparation of
a table, the scaling of images) stays in the model: ``prepare`` gives the array that the network reads.
"""

from __future__ import annotations

import builtins
import inspect
import math
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, fx, nn

from autonas.errors import OptionError
from autonas.training.loop import combine
from autonas.training.network import NetworkLearner

__all__ = ["Bag", "write_onnx", "write_source"]

HEADER = '''"""{title}

Written by AutoNAS {version}.  It needs torch only; the weights lie in {weights!r} beside it.

    model = load()
    model(x)  # x: float32, (rows, {shape}); {meaning}
"""

from pathlib import Path

import torch
from torch import nn
'''

NETWORK = '''

class Network(nn.Module):
    """The network of one fold."""

    def __init__(self):
        super().__init__()
        {body}

    {forward}
'''

BAG = '''

class Model(nn.Module):
    """The networks of all folds; {meaning}."""

    def __init__(self):
        super().__init__()
        self.networks = nn.ModuleList(Network() for _ in range({folds}))

    def forward(self, x):
        {combine}


def load(path=Path(__file__).with_name({weights!r})):
    """The model with its weights, ready to predict."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''

PROBABILITIES = """outputs = torch.stack([network(x) for network in self.networks]).log_softmax(-1)
        {members}scores = outputs.logsumexp(0) - {log_folds!r}
        return (scores / {temperature!r}).softmax(-1)"""
PROBABILITIES_OF_MEMBERS = """outputs = outputs.logsumexp(2) - {log_members!r}
        """
VALUES = """outputs = torch.stack([network(x) for network in self.networks])
        {members}values = outputs.double() * {std!r} + {mean!r}
        return values.clamp({low!r}, {high!r}){exp}.mean(0).float()"""
VALUES_OF_MEMBERS = """outputs = outputs.mean(2)
        """


class _Tracer(fx.Tracer):
    """Stops at the modules of torch, which a reader knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m.__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential | nn.ModuleList)


def _flat(target: str) -> str:
    name = re.sub(r"\W", "_", target)
    return f"layer_{name}" if name[0].isdigit() else name


def _constructor(module: nn.Module) -> str:
    """The call that makes a module of torch like this one."""
    if isinstance(module, nn.RNNBase):
        keys = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
        values = {key: getattr(module, key) for key in keys}
    else:
        values = {}
        for key, parameter in inspect.signature(type(module)).parameters.items():
            if key.startswith("_") or key in ("device", "dtype") or not hasattr(module, key):
                continue
            value = getattr(module, key)
            value = value is not None if isinstance(value, Tensor) or (key == "bias" and value is None) else value
            if value != parameter.default:
                values[key] = value
    arguments = ", ".join(f"{key}={value!r}" for key, value in values.items())
    return f"nn.{type(module).__name__}({arguments})"


def _network_source(network: nn.Module) -> tuple[str, dict[str, str]]:
    """The class ``Network``, and the new name of every tensor."""
    network.eval()
    try:
        graph = _Tracer().trace(network)
    except (fx.proxy.TraceError, TypeError) as error:
        raise OptionError(f"This network cannot be written as a fixed sequence of operations: {error}") from error
    modules = dict(network.named_modules())
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for node in list(graph.nodes):
        if node.op == "call_module" and isinstance(modules[str(node.target)], nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    lines: list[str] = []
    names: dict[str, str] = {}
    for node in graph.nodes:
        target = str(node.target)
        if node.op == "call_module" and target not in names:
            lines.append(f"self.{_flat(target)} = {_constructor(modules[target])}")
            names[target] = _flat(target)
        elif node.op == "get_attr" and target not in names:
            tensor = tensors.get(target, getattr(network, target, None))
            assert isinstance(tensor, Tensor)
            kind = "nn.Parameter" if isinstance(tensor, nn.Parameter) else "self.register_buffer"
            empty = f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype})"
            name = _flat(target)
            lines.append(f"self.{name} = {kind}({empty})" if kind == "nn.Parameter" else f"{kind}({name!r}, {empty})")
            names[target] = name
        if node.op in ("call_module", "get_attr"):
            node.target = names[target]
    source = NETWORK.format(body="\n        ".join(lines), forward=_forward(graph))
    renamed = {}
    for old in network.state_dict():
        for target, name in names.items():  # the tensor itself, or one inside a module of torch
            if old == target or old.startswith(f"{target}."):
                renamed[old] = name + old[len(target) :]
    return source, renamed


def _forward(graph: fx.Graph) -> str:
    """The forward pass, without the marks by which torch frees memory, indented as a method."""
    code = graph.python_code("self")
    source = re.sub(r";  [\w = ]+None", "", code.src).strip()
    source = re.sub(r" ?: _Tensor_| -> _Tensor_", "", source).replace("device(", "torch.device(")
    source = re.sub(r"(?<![\w.])inf\b", 'float("inf")', source)
    strange = [name for name in code.globals if re.search(rf"\b(?<!\.){name}\b", source) and not _known(name)]
    if strange:
        raise OptionError(f"This network uses {', '.join(strange)}, which plain PyTorch source does not have.")
    return "\n".join(f"    {line}" if line else "" for line in source.splitlines()).strip()


def _known(name: str) -> bool:
    return name in ("torch", "inf") or hasattr(builtins, name)


def write_source(learner: NetworkLearner, temperature: float, path: Path, title: str, version: str) -> Path:
    """Write the source to ``path`` and the weights beside it.

    Parameters
    ----------
    learner : NetworkLearner
        Trained.
    temperature : float
        Of its calibration.
    path : path
        Ends in ``.py``.
    title, version : str
        For the head of the file.

    Returns
    -------
    path of the weights, with the suffix ``.pt``.

    Raises
    ------
    OptionError
        If the network cannot be written as a fixed sequence of operations.
    """
    networks = learner.networks()
    source, renamed = _network_source(networks[0])
    weights = path.with_suffix(".pt")
    meaning = "class probabilities, (rows, classes)" if learner.scale is None else "values, (rows, 1)"
    text = HEADER.format(
        title=title, version=version, weights=weights.name, shape=", ".join(map(str, learner.shape)), meaning=meaning
    )
    combine = _combination(learner, networks, temperature)
    text += source + BAG.format(meaning=meaning, folds=len(networks), combine=combine, weights=weights.name)
    path.write_text(text, encoding="utf-8")
    tensors = {
        f"networks.{fold}.{renamed[name]}": tensor.contiguous()
        for fold, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
        if name in renamed
    }
    torch.save(tensors, weights)
    return weights


def _members(learner: NetworkLearner, network: nn.Module) -> int:
    """How many predictions the network makes for each row (TabM: several), or 0 for one without an axis of its own."""
    with torch.no_grad():
        output = network(torch.zeros((2, *learner.shape)))
    return output.shape[1] if output.ndim == 3 else 0


def _combination(learner: NetworkLearner, networks: Sequence[nn.Module], temperature: float) -> str:
    members = _members(learner, networks[0])
    if learner.scale is None:
        inner = PROBABILITIES_OF_MEMBERS.format(log_members=math.log(members)) if members else ""
        return PROBABILITIES.format(members=inner, log_folds=math.log(len(networks)), temperature=float(temperature))
    scale = learner.scale
    return VALUES.format(
        members=VALUES_OF_MEMBERS if members else "", std=scale.std, mean=scale.mean, low=scale.low, high=scale.high,
        exp=".exp()" if scale.log else "",
    )  # fmt: skip


class Bag(nn.Module):
    """All folds of a member as one module, which ONNX takes."""

    def __init__(self, learner: NetworkLearner, temperature: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(learner.networks())
        self.scale, self.temperature = learner.scale, float(temperature)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, ...) to probabilities (rows, classes), or values (rows, 1)."""
        outputs = combine(torch.stack([network(x) for network in self.networks]), self.scale is None)
        if self.scale is None:
            return (outputs.logsumexp(0) / self.temperature).softmax(-1)
        values = (outputs.double() * self.scale.std + self.scale.mean).clamp(self.scale.low, self.scale.high)
        return (values.exp() if self.scale.log else values).mean(0).float()


def write_onnx(learner: NetworkLearner, temperature: float, path: Path) -> None:
    """Write the member as an ONNX file with one input ``x`` and any number of rows.

    Raises
    ------
    OptionError
        If the package onnx is not installed.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise OptionError('ONNX files need two more packages: pip install "autonas[onnx]"')
    example = torch.zeros((2, *learner.shape))
    rows = torch.export.Dim("rows")
    bag = Bag(learner, temperature).eval()
    with warnings.catch_warnings():  # torch's own exporter uses what torch deprecates
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            bag, (example,), path, input_names=["x"], output_names=["y"], dynamic_shapes=({0: rows},), verbose=False
        )

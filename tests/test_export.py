"""What is written as plain source predicts as the model does, without the package."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from autonas import AutoNASClassifier
from autonas.architectures.family import load_family
from autonas.data.task import Problem
from autonas.errors import OptionError
from autonas.export import Bag, write_onnx, write_source
from autonas.search_space.load import load_space
from autonas.training.calibration import softmax
from autonas.training.network import NetworkLearner, Snapshot
from autonas.training.target import TargetScale

SHAPES = {"image": (1, 12, 12), "series": (2, 40), "tabular": (7,), "text": (15,)}
TEMPERATURE = 1.3


def _trained(space, kind, *, regression=False):
    """A learner with random weights of two folds, as if it had been trained."""
    problem = Problem("regression" if regression else "classification", 1 if regression else 3, space.modality)
    learner = NetworkLearner(load_family(space.families[kind]), space.options(space.default(kind)), problem)
    flat = space.families[kind] == "mlp" and space.modality != "tabular"
    learner._shape = (40,) if flat else SHAPES[space.modality]
    learner._n_folds, learner._n_numeric = 2, 7 if space.modality == "tabular" else 0
    torch.manual_seed(0)
    networks = [learner._build() for _ in range(2)]
    for network in networks:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
    states = [network.state_dict() for network in networks]
    if regression:
        learner._scale = TargetScale(np.exp(np.random.default_rng(0).normal(size=100)))
    weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    learner._final = Snapshot(1.0, 0.0, weights, np.zeros((1, 1), dtype=np.float32))
    return learner


def _expected(learner, x):
    scores = learner.predict(x)
    return softmax(scores / TEMPERATURE) if learner.scale is None else scores


def _input(learner, modality):
    x = np.random.default_rng(0).normal(size=(5, *learner.shape)).astype(np.float32)
    return np.abs(5 * x).round() if modality == "text" else x


def _run(path, x, tmp_path):
    """The prediction of an exported file, by an interpreter that cannot see the package."""
    np.save(tmp_path / "x.npy", x)
    code = (
        "import importlib.util, sys, numpy, torch\n"
        f"spec = importlib.util.spec_from_file_location('net', {str(path)!r})\n"
        "net = importlib.util.module_from_spec(spec); spec.loader.exec_module(net)\n"
        "with torch.no_grad():\n"
        f"    y = net.load()(torch.from_numpy(numpy.load({str(tmp_path / 'x.npy')!r})))\n"
        "assert not any(name.startswith('autonas') for name in sys.modules)\n"
        f"numpy.save({str(tmp_path / 'y.npy')!r}, y.numpy())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    return np.load(tmp_path / "y.npy")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tabular", "mlp"), ("tabular", "resmlp"), ("tabular", "tabm"), ("image", "cnn"), ("series", "cnn1d"),
     ("text", "textnet"), ("nasbench201", "cell"), ("enas_rnn", "recurrent"), ("routed", "routed"), ("fcnet", "fcnet")],
)  # fmt: skip
@pytest.mark.parametrize("regression", [False, True], ids=["classes", "values"])
def test_the_source_predicts_as_the_learner(name, kind, regression, tmp_path):
    space = load_space(name)
    learner = _trained(space, kind, regression=regression)
    x = _input(learner, space.modality)
    weights = write_source(learner, TEMPERATURE, tmp_path / "net.py", "A network.", "1.0")
    assert weights == tmp_path / "net.pt"
    source = (tmp_path / "net.py").read_text()
    assert "import autonas" not in source
    namespace = {"__file__": str(tmp_path / "net.py"), "__name__": "net"}
    exec(compile(source, "net.py", "exec"), namespace)
    with torch.no_grad():
        predicted = namespace["load"]()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(predicted, _expected(learner, x), atol=1e-6, rtol=1e-5)


def test_onnx_predicts_as_the_learner(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    learner = _trained(load_space("image"), "cnn")
    x = _input(learner, "image")
    write_onnx(learner, TEMPERATURE, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    np.testing.assert_allclose(session.run(None, {"x": x})[0], _expected(learner, x), atol=1e-6, rtol=1e-5)


def test_the_bag_is_the_learner():
    learner = _trained(load_space("tabular"), "tabm", regression=True)
    x = _input(learner, "tabular")
    with torch.no_grad():
        predicted = Bag(learner, TEMPERATURE).eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(predicted, _expected(learner, x), atol=1e-6)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = rng.normal(size=(80, 8, 8)) + y[:, None, None]
    space = load_space("nasbench201")
    space.settings["cell"] |= {"channels": 4, "stages": 2}
    model = AutoNASClassifier(
        space=space, strategy="random", n_trials=2, cv=2, random_state=0, verbose=0, ensemble_size=1
    )
    return model.fit(X, y), X, y


def test_the_file_of_a_fitted_model_stands_alone(fitted, tmp_path):
    model, X, _ = fitted
    model.export_source(tmp_path / "net.py")
    network = model.model_.network()
    x = model.prepare(X)
    expected = softmax(network.learner.predict(x) / network.temperature)
    np.testing.assert_allclose(_run(tmp_path / "net.py", x, tmp_path), expected, atol=1e-6, rtol=1e-5)
    with pytest.raises(OptionError, match=r"ends in \.py"):
        model.export_source(tmp_path / "net.txt")


def test_a_found_cell_is_trained_again_at_another_size(fitted):
    model, X, y = fitted
    larger = model.augment(X, y, channels=8, repeats=2)
    before, after = model.model_.network(), larger.model_.network()
    assert after.family == before.family
    assert all(after.options[name] == value for name, value in before.options.items() if name.startswith("edge_"))
    sizes = [network.learner.networks()[0].graph.account.parameters for network in (before, after)]
    assert sizes[1] > 2 * sizes[0]
    with pytest.raises(OptionError, match="chanels"):
        model.augment(X, y, chanels=8)


def test_a_model_without_a_network_says_so():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = AutoNASClassifier(n_trials=1, random_state=0, verbose=0).fit(X, y)
    with pytest.raises(OptionError, match="A model with a network was required; the members of this one are: linear"):
        model.export_source("net.py")

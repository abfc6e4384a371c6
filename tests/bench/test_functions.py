from __future__ import annotations

import math

import numpy as np
import pytest

from autonas.bench.functions import FUNCTIONS, get_function
from autonas.errors import OptionError

MINIMISERS = {  # published, but for the last two, which are so by construction
    "branin": [{"x": -math.pi, "y": 12.275}, {"x": math.pi, "y": 2.275}, {"x": 3 * math.pi, "y": 2.475}],
    "hartmann3": [dict(zip(("x0", "x1", "x2"), (0.114614, 0.555649, 0.852547), strict=True))],
    "hartmann6": [
        {f"x{i}": x for i, x in enumerate((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573))},
    ],
    "jenatton": [{"x1": "0", "x2": "0", "r8": 0.0, "x4": 0.5}],
    "layers": [
        {
            "depth": 6, "op0": "conv", "op1": "wide", "op2": "pool", "op3": "conv", "op4": "wide", "op5": "conv",
            "width0": 0.2, "width1": 0.4, "width3": 0.6, "width4": 0.7, "width5": 0.9,
        }
    ],
    "models": [
        {"kind": "f", "shared": 0.35, "f_optimiser": "u"}
        | {f"f{i}": 0.15 + 0.7 * ((i + 1) * 0.618 % 1) for i in range(4)}
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", MINIMISERS)
def test_optima_are_the_known_ones(name):
    function = get_function(name)
    for config in MINIMISERS[name]:
        assert function.space.validate(config).keys() == config.keys()
        assert function.function()(config) == pytest.approx(function.optimum, abs=1e-5)
        assert function.normalised_regret(config) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_configuration_is_better_than_the_optimum(name):
    function = get_function(name)
    regrets = [function.normalised_regret(config) for config in function.space.sample(500, seed=1)]
    assert min(regrets) > 0
    assert np.median(regrets) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "-" in name])
def test_low_fidelities_are_noisy_and_flat_and_full_ones_exact(name):
    function, plain = get_function(name), get_function(name.partition("-")[0])
    config = next(c for c in plain.space.sample(100, seed=2) if plain.function()(c) < -1)
    assert function.function(0)(config) == plain.function()(config)
    low = [function.function(seed)(config, 0.05) for seed in range(200)]
    assert low[:3] == [function.function(seed)(config, 0.05) for seed in range(3)]
    gap = -math.log(0.05) / math.log(100)
    assert np.std(low) == pytest.approx(function.noise(0.05), rel=0.2)
    assert np.mean(low) == pytest.approx(function.value(config, 0.05), abs=5 * np.std(low) / math.sqrt(200))
    assert function.noise(0.05) == pytest.approx(gap * {"g": 2, "m": 3, "b": 4, "t": 5}[name.partition("-")[2][0]])
    assert function.value(config, 0.05) > plain.value(config, 1)


def test_an_unknown_function_lists_the_near_ones():
    with pytest.raises(OptionError, match="Did you mean 'hartmann6'"):
        get_function("hartman6")

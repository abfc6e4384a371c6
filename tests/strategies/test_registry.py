"""Strategies are found by name, and nothing heavy is imported to list them."""

import subprocess
import sys

import pytest

from autonas.errors import OptionError
from autonas.strategies import list_strategies, make_strategy
from autonas.strategies.asha import Asha
from autonas.strategies.auto import Auto
from autonas.strategies.hyperband import Hyperband
from autonas.strategies.kde import Kde
from autonas.strategies.parego import Parego
from autonas.strategies.random import Random
from autonas.strategies.smac import Smac
from autonas.testing.strategy_cases import conditional_space


def test_list():
    listed = dict(list_strategies())
    assert {"random", "smac", "halving", "hyperband"} <= listed.keys()
    assert "base" not in listed
    assert listed["hyperband"].startswith("Hyperband")
    assert all(len(line) < 115 and line.endswith(".") for line in listed.values())


@pytest.mark.parametrize(
    ("spec", "outer", "inner"),
    [
        ("auto", Auto, None),
        ("random", Random, None),
        ("hyperband", Hyperband, Random),
        ("hyperband(smac)", Hyperband, Smac),
        (" hyperband ( random ) ", Hyperband, Random),
        ("asha(kde)", Asha, Kde),
        ("bohb", Hyperband, Kde),
        (" bohb ", Hyperband, Kde),
        ("hyperband(parego(smac))", Hyperband, Parego),
        (Random, Random, None),
    ],
)
def test_make(spec, outer, inner):
    strategy = make_strategy(spec, conditional_space(), ["auc", "cost"], seed=4)
    assert type(strategy) is outer
    assert strategy.seed == 4
    assert strategy.objectives == ("auc", "cost")
    if inner is not None:
        assert type(strategy.sampler) is inner
        assert strategy.sampler.seed == 4


def test_options_go_to_the_strategy():
    assert make_strategy("hyperband", conditional_space(), eta=4, min_fidelity=1 / 16).eta == 4
    assert make_strategy("smac", conditional_space(), initial=3).initial == 3
    assert type(make_strategy("hyperband", conditional_space(), sampler=Smac).sampler) is Smac


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("hyprband", {}, "Unknown strategy 'hyprband'. Did you mean 'hyperband'"),
        ("hyperband(smack)", {}, "Unknown strategy 'smack'. Did you mean 'smac'"),
        ("base", {}, "Unknown strategy 'base'"),
        ("random(smac)", {}, "'random' wraps no other"),
        ("hyperband(smac", {}, "a name around a name"),
        ("hyperband()", {}, "a name around a name"),
        ("hyperband(parego(smac)", {}, "a name around a name"),
        ("bohd", {}, "Unknown strategy 'bohd'. Did you mean 'bohb'"),
        ("", {}, "a name around a name"),
        ("random", {"eta": 3}, "Unknown option of Random 'eta'"),
        ("halving", {"et": 3}, "Unknown option of Halving 'et'. Did you mean 'eta'"),
    ],
)
def test_mistakes(spec, options, message):
    with pytest.raises(OptionError, match=message):
        make_strategy(spec, conditional_space(), **options)


def test_listing_and_importing_are_light():
    code = (
        "import sys; from autonas.strategies import list_strategies; list_strategies();"
        "import autonas.strategies.hyperband, autonas.strategies.smac;"
        "print([m for m in ('ConfigSpace', 'smac', 'sklearn', 'scipy', 'torch', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

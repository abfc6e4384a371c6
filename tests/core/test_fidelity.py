"""Plans of fidelities: z is the share of the full cost, maps rise, and z = 1 is the full problem."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonas.core.fidelity import COSTS, FidelityPlan, Setting, fidelity_plan
from autonas.errors import OptionError

lowest = st.dictionaries(st.sampled_from([n for n in COSTS if n != "seconds"]), st.floats(0.02, 0.9), min_size=1)
fidelities = st.floats(1e-6, 1.0)


@given(lowest, st.lists(fidelities, min_size=2, max_size=6))
def test_every_dimension_rises_with_the_fidelity(low, zs):
    plan = FidelityPlan(low)
    for name, least in low.items():
        shares = [plan.share(name, z) for z in sorted(zs)]
        assert shares == sorted(shares)
        assert all(least <= share <= 1 for share in shares)
        assert plan.share(name, plan.fidelity) == pytest.approx(least)


@given(lowest)
def test_full_fidelity_is_the_full_problem(low):
    assert FidelityPlan(low).at(1.0) == Setting()


@given(lowest, st.floats(0, 1))
def test_the_fidelity_is_the_share_of_the_cost(low, t):
    plan = FidelityPlan(low)
    z = plan.fidelity**t
    assert math.prod(plan.share(name, z) ** COSTS[name] for name in low) == pytest.approx(z)


@given(fidelities)
def test_epochs_alone_are_the_fidelity_itself(z):
    assert fidelity_plan(None).at(z) == Setting(epochs=z)
    assert fidelity_plan({"epochs": [1e-7, 1]}).at(z) == Setting(epochs=z)


def test_sides_of_images_count_squared():
    plan = fidelity_plan({"resolution": [0.25, 1]})
    assert plan.fidelity == 1 / 16
    assert plan.at(0.25).resolution == 0.5


def test_seconds_are_shared_out_over_the_schedule():
    plan = fidelity_plan({"seconds": [3, 81]})
    assert plan.at(1 / 9) == Setting(epochs=1 / 9, seconds=9)
    assert plan.at(1e-3).seconds == pytest.approx(3)
    both = fidelity_plan({"seconds": [3, 81], "data": [1 / 9, 1]}).at(1 / 27)
    assert (both.seconds, both.data) == pytest.approx((81 * 27**-0.6, 27**-0.4))


def test_a_plan_is_written_as_it_was_given():
    given = {"epochs": [0.1, 1.0], "seconds": [5.0, 50.0]}
    assert fidelity_plan(given).as_dict() == given
    assert fidelity_plan(fidelity_plan(given)) == fidelity_plan(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": [0.1, 1]}, "epochs"),
        ({"epochs": 0.1}, "range"),
        ({"epochs": [1, 0.1]}, "0 < lowest < highest"),
        ({"epochs": ["a", "b"]}, "range"),
        ({"epochs": [0, 1]}, "0 < lowest"),
        ({"data": [0.1, 0.5]}, "goes up to 1"),
        ({}, "mapping"),
        ("epochs", "mapping"),
    ],
)
def test_mistakes_are_named(given, message):
    with pytest.raises(OptionError, match=message):
        fidelity_plan(given)


@pytest.mark.parametrize("z", [0.0, -1.0, 1.5, math.nan])
def test_fidelities_lie_in_the_unit_interval(z):
    with pytest.raises(OptionError, match="fidelity in"):
        FidelityPlan().at(z)

import math

import pytest

from autonas.core.constraints import Constraint, parse_objectives, violation
from autonas.errors import OptionError


def test_objectives_and_limits_are_told_apart():
    names, limits = parse_objectives(["log_loss", "n_params < 1e6", "latency<=0.5", "accuracy >= 90", "n_params"])
    assert names == ("log_loss", "n_params")
    assert limits == (
        Constraint("n_params", "<", 1e6), Constraint("latency", "<=", 0.5), Constraint("accuracy", ">=", 90.0),
    )  # fmt: skip
    assert [str(limit) for limit in limits] == ["n_params < 1e+06", "latency <= 0.5", "accuracy >= 90"]
    assert parse_objectives("loss") == (("loss",), ())


@pytest.mark.parametrize(
    "objectives", ["n < ", "n < many", "n == 3", "1 < n", "n < inf", "n < nan", "a b", "", ["loss", 3], ["n < 3"], [],
                   ["loss", "loss"]]
)  # fmt: skip
def test_anything_else_is_refused(objectives):
    with pytest.raises(OptionError):
        parse_objectives(objectives)


@pytest.mark.parametrize(("relation", "inside"), [("<", [0, 1]), ("<=", [0, 1, 2]), (">", [3, 4]), (">=", [2, 3, 4])])
def test_each_relation(relation, inside):
    limit = Constraint("n", relation, 2.0)
    assert [n for n in range(5) if limit.holds(n)] == inside
    assert [n for n in range(5) if limit.violation(n) == 0] == inside
    assert not limit.holds(math.nan)
    assert limit.violation(math.nan) == math.inf


def test_a_violation_grows_with_the_excess_in_units_of_the_bound():
    limit = Constraint("n", "<", 100.0)
    sizes = [limit.violation(n) for n in (99, 100, 101, 200, 1e6, 1e12)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 0 < sizes[1] < 1e-6
    assert limit.violation(200) == pytest.approx(math.log(2))
    assert Constraint("n", ">", -100.0).violation(-200) == pytest.approx(math.log(2))
    assert Constraint("n", ">", 0.0).violation(-1.0) == pytest.approx(math.log(2))


def test_violations_add_up():
    limits = (Constraint("a", "<", 1.0), Constraint("b", ">", 1.0))
    assert violation(limits, {"a": 2.0, "b": 0.0}) == pytest.approx(2 * math.log(2))
    assert violation(limits, {"a": 0.0}) == 0, "what is not known is not exceeded"

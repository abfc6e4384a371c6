"""Every strategy, and every wrapper around another sampler, passes the conformance cases."""

import pytest

from autonas.strategies import list_strategies, make_strategy
from autonas.testing.strategy_cases import CASES

NAMES = [*(name for name, _ in list_strategies()), "halving(smac)", "bohb", "asha(tpe)"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_conformance(name, case):
    case(lambda space, seed=0: make_strategy(name, space, seed=seed))

"""Every packaged space, for every kind of task, passes the conformance cases."""

import pytest

from autonas.search_space.load import list_spaces, load_space
from autonas.testing.space_cases import CASES
from autonas.testing.strategy_cases import conditional_space, finite_space

NAMES = [summary.name for summary in list_spaces()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("kind", ["classification", "regression", None])
@pytest.mark.parametrize("name", NAMES)
def test_packaged(name, kind, case):
    case(load_space(name, kind))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("make", [conditional_space, finite_space])
def test_bare(make, case):
    case(make())

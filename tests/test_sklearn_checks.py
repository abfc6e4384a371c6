"""scikit-learn's own checks of an estimator, on both of ours."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from autonas import AutoNASClassifier, AutoNASRegressor

# No stochastic learner satisfies these exactly; test_estimators.py holds a statistical test instead.
_STOCHASTIC = "weights and repetitions draw other folds, so the models differ by chance"


def _expected(estimator: Any) -> dict[str, str]:
    return {
        "check_sample_weight_equivalence_on_dense_data": _STOCHASTIC,
        "check_sample_weight_equivalence_on_sparse_data": _STOCHASTIC,
    }


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of many kinds
@parametrize_with_checks(
    [
        AutoNASClassifier(n_trials=2, random_state=0, verbose=0),
        AutoNASRegressor(n_trials=2, random_state=0, verbose=0),
    ],
    expected_failed_checks=_expected,
)
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)

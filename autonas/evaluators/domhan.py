"""Train, and stop a curve whose parametric extrapolation will hardly beat the best (Domhan et al 2015)."""

from __future__ import annotations

from autonas.evaluators._stopping import CurveStopping

__all__ = ["EVALUATOR", "Domhan"]


class Domhan(CurveStopping):
    """See ``surrogates/curves/parametric.py``."""

    model = "parametric"


EVALUATOR = Domhan

"""Train, and stop a curve whose end, by a nu-SVR on its start, will hardly beat the best (Baker et al 2017b)."""

from __future__ import annotations

from autonas.evaluators._stopping import CurveStopping

__all__ = ["EVALUATOR", "NuSvrStopping"]


class NuSvrStopping(CurveStopping):
    """See ``surrogates/curves/nusvr.py``."""

    model = "nusvr"


EVALUATOR = NuSvrStopping

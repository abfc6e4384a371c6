"""Train, and stop a curve whose end, by a process of decays, will hardly beat the best (Swersky et al 2014)."""

from __future__ import annotations

from autonas.evaluators._stopping import CurveStopping

__all__ = ["EVALUATOR", "FreezeThawStopping"]


class FreezeThawStopping(CurveStopping):
    """See ``surrogates/curves/freezethaw.py``."""

    model = "freezethaw"


EVALUATOR = FreezeThawStopping

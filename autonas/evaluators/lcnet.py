"""Train, and stop a curve whose end, by a neural network of curves, will hardly beat the best (Klein et al 2017b)."""

from __future__ import annotations

from autonas.evaluators._stopping import CurveStopping

__all__ = ["EVALUATOR", "LcNetStopping"]


class LcNetStopping(CurveStopping):
    """See ``surrogates/curves/lcnet.py``."""

    model = "lcnet"


EVALUATOR = LcNetStopping

"""Train, and stop a curve that is worse than the median of the complete ones (Golovin et al 2017)."""

from __future__ import annotations

from autonas.evaluators._stopping import CurveStopping

__all__ = ["EVALUATOR", "MedianStopping"]


class MedianStopping(CurveStopping):
    """See ``surrogates/curves/median.py``."""

    model = "median"


EVALUATOR = MedianStopping

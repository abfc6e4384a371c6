"""Models of learning curves: what will the loss be in the end, and how sure is that (survey, section 4).

One protocol, :class:`~autonas.surrogates.curves.base.CurveModel`; one file a method.
"""

from __future__ import annotations

import importlib

from autonas.errors import unknown
from autonas.surrogates.curves.base import Curve, CurveModel

__all__ = ["CURVE_MODELS", "Curve", "CurveModel", "make_curve_model"]

CURVE_MODELS = ("last", "median", "parametric", "freezethaw", "lcnet", "nusvr")


def make_curve_model(name: str, seed: int = 0) -> CurveModel:
    """A curve model by its name.

    Raises
    ------
    OptionError
        If there is none of that name.
    """
    if name not in CURVE_MODELS:
        raise unknown("curve model", name, CURVE_MODELS)
    model: CurveModel = importlib.import_module(f"autonas.surrogates.curves.{name}").MODEL(seed=seed)
    return model

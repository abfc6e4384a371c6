"""From many members' out-of-fold predictions to one model: greedy selection, then a second layer."""

from autonas.ensemble.combine import Ensemble
from autonas.ensemble.fit import SIZE, fit_ensemble

__all__ = ["Ensemble", "fit_ensemble", "SIZE"]

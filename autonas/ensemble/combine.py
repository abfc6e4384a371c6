"""The fitted combination: what a person's predictions go through, and what is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autonas.ensemble.boosted import BoostedLayer
from autonas.ensemble.layer import Layer, base_scores, inputs, outputs
from autonas.ensemble.linear import LinearLayer
from autonas.training.calibration import softmax

__all__ = ["Ensemble", "Kind", "average_of"]

Kind = Literal["classification", "regression"]


def average_of(members: Sequence[np.ndarray], weights: np.ndarray, temperature: float) -> np.ndarray:
    """Weighted mean of the members, its log probabilities divided by the temperature."""
    total = np.zeros(members[0].shape)
    for member, weight in zip(members, weights, strict=True):
        if weight > 0:
            total += weight * member
    if temperature == 1:
        return total
    return softmax(np.log(np.maximum(total, 1e-12)) / temperature)


@dataclass
class Ensemble:
    """A fitted combination.

    Attributes
    ----------
    members : list of int
        Which of the members that were given :meth:`predict` needs, in this order.
    weights : (all members,) array
        How much each contributes; sums to 1, 0 for members that are not used.
    loss : float
        Of the metric; the second layer's part comes from models that had not seen the rows.
    """

    kind: Kind
    members: list[int]
    weights: np.ndarray
    loss: float
    average: np.ndarray
    temperature: float = 1.0
    scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    mix: tuple[float, ...] = (1.0,)
    layers: list[Layer] = field(default_factory=list)

    def predict(self, predictions: list[np.ndarray]) -> np.ndarray:
        """Combine the predictions of ``self.members``.

        Parameters
        ----------
        predictions : list of (rows, outputs) arrays
            In the order of ``self.members``: probabilities, or values.

        Returns
        -------
        (rows, outputs) float64 array.  Probabilities sum to 1.  Values lie within the range of the
        members' predictions, of the row at hand or of all rows at the fit, whichever is wider.
        """
        predictions = [np.reshape(p, (len(p), -1)) for p in predictions]
        average = average_of(predictions, self.average, self.temperature)
        total = self.mix[0] * average
        if self.layers:
            X = inputs(predictions, average, self.kind, self.scale)
            base = base_scores(average, self.kind, self.scale)
            for share, layer in zip(self.mix[1:], self.layers, strict=True):
                total += share * outputs(layer.add(X, base), self.kind, self.scale)
        if self.kind == "classification":
            return total / total.sum(axis=1, keepdims=True)
        low = np.minimum(np.min(predictions, axis=0), self.low)
        return np.clip(total, low, np.maximum(np.max(predictions, axis=0), self.high))

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""
        return {
            **{k: v for k, v in self.__dict__.items() if k not in ("mix", "layers")},
            "mix": list(self.mix),
            "layers": [layer.state() for layer in self.layers],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Ensemble:
        """Inverse of :meth:`state`."""
        layers: list[Layer] = [LinearLayer(**s) if "coef" in s else BoostedLayer(**s) for s in state["layers"]]
        return cls(**{**state, "mix": tuple(state["mix"]), "layers": layers})

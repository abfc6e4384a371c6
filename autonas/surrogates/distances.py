"""A Gaussian process that knows its points by their distances only, and the distances of configurations.

The kernel is that of NASBOT (Kandasamy et al 2018), ``k = a exp(-sum_i b_i d_i) + (1 - a) exp(-sum_i c_i e_i^2)``,
where d are the transport distances of two architectures for several ``nu`` and e the normalised ones.  It need not be
positive definite: the covariance of what was seen loses its negative eigenvalues.  Hyperparameters that are not part
of the architecture add one more distance to both sums (Gower 1971: the mean over hyperparameters, for choices
Hamming's), and in a space whose models are no graphs it is the only one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autonas.architectures.family import compile_graph, graph_module
from autonas.core.trial import Config
from autonas.errors import ArchitectureError
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.space import USUAL_SHAPES, SearchSpace
from autonas.surrogates.otmann import LayerGraph, layer_graph, transport_distances

__all__ = ["DistanceProcess", "Geometry", "Point", "gower"]


@dataclass(frozen=True)
class Point:
    """A configuration as the distances see it: the layers, and the row of its other hyperparameters."""

    graph: LayerGraph | None
    row: np.ndarray


def gower(left: np.ndarray, right: np.ndarray, is_choice: np.ndarray) -> np.ndarray:
    """Mean distance over the columns, (n, m) in [0, 1].

    Parameters
    ----------
    left, right : (n, d) and (m, d) arrays
        Places in [0, 1], or codes of choices; NaN where inactive, which is 1 away from any value.
    is_choice : (d,) array of bool
    """
    if not left.shape[1]:
        return np.zeros((len(left), len(right)))
    a, b = left[:, None], right[None]
    missing = np.isnan(a) | np.isnan(b)
    steps = np.where(is_choice, a != b, np.abs(a - b))
    steps = np.where(missing, np.isnan(a) != np.isnan(b), steps)
    mean: np.ndarray = steps.mean(2)
    return mean


class Geometry:
    """Distances between the configurations of a space.

    Parameters
    ----------
    space : SearchSpace
        Its architectures are compared if all its models are made of graphs.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        families = {kind: graph_module(family) for kind, family in space.families.items()}
        self._families = {kind: module for kind, module in families.items() if module is not None}
        self.has_graphs = bool(families) and len(self._families) == len(families)
        self._encoding = VectorEncoding(space)
        names = self._encoding.names
        self._columns = np.array(
            [i for i, name in enumerate(names) if not (self.has_graphs and space.is_architectural(name))], dtype=np.intp
        )
        self._is_choice = self._encoding.n_values[self._columns] > 0

    def point(self, config: Config) -> Point:
        """What the distances see; an architecture that cannot be built has no layers."""
        row = self._encoding.encode([config])[0, self._columns]
        return Point(self._layers(config) if self.has_graphs else None, row)

    def terms(self, left: Sequence[Point], right: Sequence[Point]) -> np.ndarray:
        """Terms of the kernel's two exponents, (n_left, n_right, n_terms): the first half d, the second e^2."""
        rows = [
            np.array([point.row for point in points]).reshape(len(points), len(self._columns))
            for points in (left, right)
        ]
        rest = gower(rows[0], rows[1], self._is_choice)[:, :, None]
        if not self.has_graphs:
            return np.concatenate([rest, rest**2], axis=2)
        distances, normalised = transport_distances(
            [point.graph for point in left if point.graph is not None],
            [point.graph for point in right if point.graph is not None],
        )
        return np.concatenate([distances, rest, normalised**2, rest**2], axis=2)

    def _layers(self, config: Config) -> LayerGraph:
        """The layers of a network with one cell a stage, and one stage where that shows all cells."""
        kind = self.space.kind_of(config)
        module, options = self._families[kind], self.space.options(config)
        settings = {**module.SETTINGS, **options}
        once = {"repeats": 1, "stages": 1 + bool(settings.get("reduction_cell"))}
        free = {name.removeprefix(f"{kind}:") for name in config}
        options.update({name: value for name, value in once.items() if name in settings and name not in free})
        try:
            return layer_graph(compile_graph(module, options, USUAL_SHAPES[self.space.modality], 10))
        except ArchitectureError:
            return layer_graph(None)


_BETA_SD, _SHARE_SD, _NOISE_MEAN, _NOISE_SD = 1.0, 1.0, -4.0, 1.5
_CALLS = 30
_IMPOSSIBLE = 1e10


class DistanceProcess:
    """Posterior of a Gaussian process over distances.

    Parameters ``theta = (ln b, ln c, logit a, ln noise)`` are of maximum posterior, distances being divided by their
    means; the variance is profiled out.

    Parameters
    ----------
    terms : (n, n, n_terms) array
        Between the points that were seen, the first half for the first exponential.
    z : (n,) array
        Targets with mean 0.
    fitted_like : DistanceProcess or None
        Where the parameters come from; None: they are fitted.

    Attributes
    ----------
    variance : float
    fitted : (n,) array
        Posterior mean at the points that were seen.
    """

    def __init__(self, terms: np.ndarray, z: np.ndarray, fitted_like: DistanceProcess | None = None) -> None:
        self._seen, self._z = terms, z
        if fitted_like is None:
            means = terms.mean((0, 1))
            self.scale = np.where(means > 0, means, 1)
            self.theta = self._fit(terms / self.scale, z)
        else:
            self.scale, self.theta = fitted_like.scale, fitted_like.theta
        noise = math.exp(self.theta[-1])
        values, vectors = np.linalg.eigh(self.covariance(terms))
        self._inverse = (vectors / (np.maximum(values, 0) + noise)) @ vectors.T
        self._alpha = self._inverse @ z
        own = (float(z @ self._alpha) + 2) / (len(z) + 2)
        self.variance: float = own if fitted_like is None else fitted_like.variance
        self.fitted: np.ndarray = z - noise * self._alpha

    def covariance(self, terms: np.ndarray) -> np.ndarray:
        """The kernel, 1 where points are equal, from (n, m, n_terms) terms."""
        weights, share, _ = _split(self.theta)
        one, two = _exponentials(terms / self.scale, weights)
        return share * one + (1 - share) * two

    def predict(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation without noise, (m,) each, from the (m, n, n_terms) terms to what was seen."""
        cross = self.covariance(terms)
        rest = 1 - ((cross @ self._inverse) * cross).sum(1)
        return cross @ self._alpha, np.sqrt(self.variance * np.maximum(rest, 1e-8))

    def extended(self, terms: np.ndarray, own: np.ndarray) -> DistanceProcess:
        """As if the mean had come true at more points.

        Parameters
        ----------
        terms : (m, n, n_terms) array
            From these points to those that were seen.
        own : (m, m, n_terms) array
            Between them.
        """
        z = np.concatenate([self._z, self.predict(terms)[0]])
        upper = np.concatenate([self._seen, terms.swapaxes(0, 1)], axis=1)
        return DistanceProcess(np.concatenate([upper, np.concatenate([terms, own], axis=1)]), z, self)

    def _fit(self, terms: np.ndarray, z: np.ndarray) -> np.ndarray:
        from scipy.optimize import minimize

        prior = _prior(terms.shape[2])
        bounds = [(-8.0, 5.0)] * terms.shape[2] + [(-4.0, 4.0), (-10.0, 1.0)]
        found = minimize(
            objective, prior, (terms, z), method="L-BFGS-B", jac=True, bounds=bounds, options={"maxfun": _CALLS}
        )
        theta: np.ndarray = found.x if found.fun < _IMPOSSIBLE else prior
        return theta


def objective(theta: np.ndarray, terms: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log posterior of theta (up to a constant) and its gradient, of scaled (n, n, n_terms) terms."""
    n, half = len(z), terms.shape[2] // 2
    weights, share, noise = _split(theta)
    one, two = _exponentials(terms, weights)
    values, vectors = np.linalg.eigh(share * one + (1 - share) * two + noise * np.eye(n))
    if values[0] < noise / 10:  # far from positive definite
        return _IMPOSSIBLE, np.zeros_like(theta)
    inverse = (vectors / values) @ vectors.T
    alpha = inverse @ z
    variance = (z @ alpha + 2) / (n + 2)
    off = (theta - _prior(terms.shape[2])) / _deviations(terms.shape[2])
    value = (n + 2) / 2 * math.log(variance) + np.log(values).sum() / 2 + (off**2).sum() / 2

    outer = (inverse - np.outer(alpha, alpha) / variance) / 2
    by_first = np.tensordot(outer * share * one, terms[:, :, :half], 2)
    by_second = np.tensordot(outer * (1 - share) * two, terms[:, :, half:], 2)
    by_share = share * (1 - share) * (outer * (one - two)).sum()
    gradient = np.concatenate([-weights * np.concatenate([by_first, by_second]), [by_share, noise * np.trace(outer)]])
    return float(value), gradient + off / _deviations(terms.shape[2])


def _split(theta: np.ndarray) -> tuple[np.ndarray, float, float]:
    return np.exp(theta[:-2]), 1 / (1 + math.exp(-theta[-2])), math.exp(theta[-1])


def _exponentials(terms: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = len(weights) // 2
    return np.exp(-(terms[:, :, :half] @ weights[:half])), np.exp(-(terms[:, :, half:] @ weights[half:]))


def _prior(n_terms: int) -> np.ndarray:
    return np.concatenate([np.full(n_terms, -math.log(n_terms / 2)), [0.0, _NOISE_MEAN]])


def _deviations(n_terms: int) -> np.ndarray:
    return np.concatenate([np.full(n_terms, _BETA_SD), [_SHARE_SD, _NOISE_SD]])

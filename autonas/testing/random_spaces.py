"""Random spaces: every kind of hyperparameter, condition and forbidden clause of ConfigSpace that can be sampled."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from autonas.search_space.space import SearchSpace

__all__ = ["random_space"]

_NEXT = 1_000_003


def random_space(seed: int, *, finite: bool = False, conditions: bool = True, forbidden: bool = True) -> SearchSpace:
    """A small space, the same for equal arguments.

    Parameters
    ----------
    seed : int
    finite : bool
        Without continuous hyperparameters and long ranges.
    conditions, forbidden : bool
        Whether it may have them.
    """
    from ConfigSpace import ConfigurationSpace
    from ConfigSpace.exceptions import InactiveHyperparameterSetError

    rng = np.random.default_rng(seed)
    space = ConfigurationSpace(seed=seed)
    # ConfigSpace sorts by name where conditions leave it free: shuffled names put children before their parents there
    names = [f"h{i}" for i in rng.permutation(int(rng.integers(1, 6 if finite else 9)))]
    kinds = ["categorical", "boolean", "ordinal", "integer", "constant"]
    if not finite:
        kinds += ["weighted", "integer_log", "float", "float_log", "normal", "normal_integer"]
    hyperparameters = [_hyperparameter(name, str(rng.choice(kinds)), rng) for name in names]
    space.add(hyperparameters)
    if conditions:
        for place, child in enumerate(hyperparameters[1:], start=1):
            parents = list(rng.choice(hyperparameters[:place], size=min(place, 2), replace=False))
            if (condition := _condition(child, parents, space, rng)) is None:
                continue
            try:
                space.add(condition)
            except InactiveHyperparameterSetError:  # ConfigSpace's own default breaks a few conditions: another space
                return random_space(seed + _NEXT, finite=finite, conditions=conditions, forbidden=forbidden)
    default = space.get_default_configuration().get_array()
    points = [point.get_array() for point in space.sample_configuration(100)]
    for _ in range(int(rng.integers(4)) if forbidden else 0):
        clause = _clause(hyperparameters, rng)
        clause.set_vector_idx(space.index_of)
        left = [point for point in points if not clause.is_forbidden_vector(point)]
        if len(left) < 20 or clause.is_forbidden_vector(default):  # ConfigSpace samples by rejection
            continue
        space.add(clause)
        points = left
    return SearchSpace(space, name=f"random-{seed}")


def _hyperparameter(name: str, kind: str, rng: np.random.Generator) -> Any:
    import ConfigSpace as C

    n = int(rng.integers(2, 5))
    low = int(rng.integers(1, 4))
    if kind == "categorical":
        return C.Categorical(name, [f"v{i}" for i in range(n)])
    if kind == "weighted":
        return C.Categorical(name, [f"v{i}" for i in range(n)], weights=[float(w) for w in rng.integers(1, 9, n)])
    if kind == "boolean":
        return C.Categorical(name, [True, False])
    if kind == "ordinal":
        return C.OrdinalHyperparameter(name, [low * 2**i for i in range(n)])
    if kind == "constant":
        return C.Constant(name, [3, 0.5, "c"][int(rng.integers(3))])
    if kind == "integer":
        return C.Integer(name, (low, low + n))
    if kind == "integer_log":
        return C.Integer(name, (low, 1000 * low), log=True)
    if kind == "float":
        return C.Float(name, (float(-low), float(n)))
    if kind == "float_log":
        return C.Float(name, (10.0**-low, float(n)), log=True)
    if kind == "normal":
        return C.Float(name, (0.0, float(n)), distribution=C.Normal(mu=1.0, sigma=0.5))
    return C.Integer(name, (0, 20 * n), distribution=C.Normal(mu=10.0, sigma=5.0))


def _value(hyperparameter: Any, rng: np.random.Generator) -> Any:
    value = hyperparameter.sample_value(seed=np.random.RandomState(int(rng.integers(2**31))))
    return value.item() if isinstance(value, np.generic) else value


def _condition(child: Any, parents: list[Any], space: Any, rng: np.random.Generator) -> Any:
    """A condition on up to two parents, or None."""
    import ConfigSpace as C

    def one(parent: Any) -> Any:
        kinds = ["equal", "in"] if space.parents_of[parent.name] else ["equal", "in", "not"]
        kind = rng.choice([*kinds, "less", "greater"] if parent.ORDERABLE else kinds)
        value = _value(parent, rng)
        if kind == "in":
            return C.InCondition(child, parent, list(dict.fromkeys([value, _value(parent, rng)])))
        classes = {
            "equal": C.EqualsCondition,
            "not": C.NotEqualsCondition,
            "less": C.LessThanCondition,
            "greater": C.GreaterThanCondition,
        }
        return classes[str(kind)](child, parent, value)

    shape = rng.choice(["none", "one", "and", "or"])
    if shape == "none":
        return None
    if shape == "one" or len(parents) < 2:
        return one(parents[0])
    return (C.AndConjunction if shape == "and" else C.OrConjunction)(*map(one, parents))


def _clause(hyperparameters: list[Any], rng: np.random.Generator) -> Any:
    """A forbidden clause, relation, or conjunction of two."""
    from ConfigSpace import forbidden

    classes = [c for _, c in inspect.getmembers(forbidden, inspect.isclass) if not inspect.isabstract(c)]
    # ConfigSpace 1.2 samples "<=" as ">=", and prints while it checks ">="
    flawed = (forbidden.ForbiddenLessThanEqualsClause, forbidden.ForbiddenGreaterThanEqualsClause)
    simple: list[Any] = [c for c in classes if issubclass(c, forbidden.ForbiddenClause) and c not in flawed]
    relations = [c for c in classes if issubclass(c, forbidden.ForbiddenRelation)]

    def one() -> Any:
        numbers = [hp for hp in hyperparameters if not isinstance(hp.default_value, str | bool | np.bool_)]
        if len(numbers) > 1 and rng.random() < 0.4:
            left, right = rng.choice(numbers, size=2, replace=False)
            return relations[int(rng.integers(len(relations)))](left, right)
        hyperparameter = hyperparameters[int(rng.integers(len(hyperparameters)))]
        fitting = [c for c in simple if hyperparameter.ORDERABLE or c.__name__[9:11] in {"Eq", "In"}]
        chosen = fitting[int(rng.integers(len(fitting)))]
        value = _value(hyperparameter, rng)
        return chosen(hyperparameter, [value] if chosen is forbidden.ForbiddenInClause else value)

    shape = rng.choice(["one", "and", "or"])
    if shape == "one":
        return one()
    return (forbidden.ForbiddenAndConjunction if shape == "and" else forbidden.ForbiddenOrConjunction)(one(), one())

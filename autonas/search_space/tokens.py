"""A configuration as a sequence of decisions, for policies, Q-learning, tree search and sequence surrogates.

The hyperparameters are decided one by one, parents before children; inactive ones and those with a single value take
care of themselves.  Numbers become a short list of actions.  Masks look ahead: an action is legal only if some
completion breaks no forbidden clause, so no prefix is a dead end (the masks of Baker et al 2017a and Zoph & Le 2017,
for any space).  Left out: values between the points of the grid, but for those that ``Prefix.config(rng)`` draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from autonas.core.trial import Config, Value
from autonas.errors import SpaceError
from autonas.search_space.axis import Axis
from autonas.search_space.space import SearchSpace

__all__ = ["Axis", "Decisions", "Prefix"]

_Leaf = tuple[int, tuple[bool, ...]]  # a parent, and for each of its actions, and last for "inactive", whether it fits


@dataclass
class _Clauses:
    """The forbidden combinations of actions; a set of them is the bits of a number."""

    start: int
    absent: list[int]  # those that an inactive hyperparameter leaves possible
    survive: list[list[int]]  # those that an action leaves possible
    complete: list[int]  # those with nothing left to decide at an index
    touching: list[int]  # those on which a decision has any influence
    parents: list[tuple[int, ...]]  # of what is decided at an index, all that later conditions ask for
    free: list[np.ndarray]  # masks without clauses
    masks: dict[tuple[int, int, tuple[int, ...]], np.ndarray] = field(default_factory=dict)


class Decisions:
    """The sequential view of a space.

    Parameters
    ----------
    space : SearchSpace

    Attributes
    ----------
    axes : tuple of Axis
        In the order of decision.
    vocabulary : tuple of (str, int)
        Every hyperparameter and its number of actions.
    offsets : tuple of int
        ``offsets[i] + action`` numbers the actions of all hyperparameters.
    drawn : frozenset of int
        Hyperparameters whose values may be drawn inside their bins.

    Raises
    ------
    SpaceError
        If forbidden clauses leave nothing of the grid.
    """

    def __init__(self, space: SearchSpace) -> None:
        configspace = space.configspace
        self.space = space
        names = list(configspace)
        index = {name: i for i, name in enumerate(names)}
        special = {index[name] for name in names if configspace.children_of[name]}
        special |= {index[n] for clause in configspace.forbidden_clauses for n in _mentioned(clause)}
        self.axes = tuple(Axis.of(configspace[name], index[name] in special) for name in names)
        self.vocabulary = tuple((axis.name, len(axis.values)) for axis in self.axes)
        self.offsets = tuple(int(n) for n in np.cumsum([0, *(n for _, n in self.vocabulary)])[:-1])
        # a drawn value could leave the side of a threshold on which the middle of its bin lies
        self.drawn = frozenset(i for i, a in enumerate(self.axes) if a.edges is not None and i not in special)

        compiled = [self._compile(configspace.parent_conditions_of[name], index) for name in names]
        self.conditions: tuple[tuple[tuple[_Leaf, ...], ...], ...] = tuple(compiled)
        parents = [{leaf[0] for part in parts for leaf in part} for parts in compiled]
        ancestors: list[set[int]] = []
        for own in parents:
            ancestors.append(own.union(*(ancestors[parent] for parent in own)))

        terms = [term for clause in configspace.forbidden_clauses for term in self._terms(clause, index)]
        size = len(names)
        reach = [set(term).union(*(ancestors[i] for i in term)) for term in terms]
        self.clauses = _Clauses(
            start=(1 << len(terms)) - 1,
            absent=[_bits(i not in term for term in terms) for i in range(size)],
            survive=[
                [_bits(i not in term or action in term[i] for term in terms) for action in range(n)]
                for i, (_, n) in enumerate(self.vocabulary)
            ],
            complete=[_bits(max(term) < i for term in terms) for i in range(size + 1)],
            touching=[_bits(i in r for r in reach) for i in range(size)],
            parents=[tuple(sorted(j for j in set().union(*parents[i:]) if j < i)) for i in range(size)],
            free=[_frozen(np.ones(n, dtype=bool)) for _, n in self.vocabulary],
        )
        if not self.start().is_feasible():
            raise SpaceError(f"The forbidden clauses of the space {space.name!r} leave no decision. Remove some.")

    def start(self) -> Prefix:
        """No decision taken yet."""
        return Prefix(self, (), self.clauses.start)

    def tokens(self, config: Config) -> list[tuple[str, int]]:
        """The decisions that lead to a configuration, or to the nearest point of the grid.

        Off the grid a condition or a clause may speak otherwise than for the configuration itself: what is then
        missing is taken from the defaults, and the nearest legal action replaces an illegal one.
        """
        return self.prefix(config).tokens

    def prefix(self, config: Config) -> Prefix:
        """As :meth:`tokens`, as a complete prefix."""
        prefix = self.start()
        while (name := prefix.name) is not None:
            axis = self.axes[prefix.index]
            action = axis.action(config.get(name, axis.default))
            if not prefix.legal[action]:
                legal = np.flatnonzero(prefix.legal)
                action = int(legal[np.argmin(np.abs(legal - action))])
            prefix = prefix.take(action)
        return prefix

    def decode(self, tokens: Iterable[tuple[str, int]]) -> dict[str, Value]:
        """The configuration to which decisions lead.

        Raises
        ------
        SpaceError
            If they are not one whole sequence of legal decisions.
        """
        prefix = self.start()
        for name, action in tokens:
            if name != prefix.name:
                raise SpaceError(f"The next decision is {prefix.name!r}, but the token names {name!r}.")
            prefix = prefix.take(action)
        return prefix.config()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _compile(self, conditions: Sequence[Any], index: dict[str, int]) -> tuple[tuple[_Leaf, ...], ...]:
        """Conditions as one conjunction of disjunctions."""
        from ConfigSpace import AndConjunction, OrConjunction

        def convert(condition: Any) -> list[list[_Leaf]]:
            if isinstance(condition, AndConjunction):
                return [part for component in condition.components for part in convert(component)]
            if isinstance(condition, OrConjunction):
                parts = product(*(convert(component) for component in condition.components))
                return [[leaf for part in choice for leaf in part] for choice in parts]
            parent = condition.parent.name
            values = self.axes[index[parent]].values
            fits = (bool(condition.satisfied_by_value({parent: value})) for value in values)
            return [[(index[parent], (*fits, False))]]

        return tuple(tuple(part) for condition in conditions for part in convert(condition))

    def _terms(self, clause: Any, index: dict[str, int]) -> list[dict[int, frozenset[int]]]:
        """A forbidden clause as combinations of sets of actions."""
        from ConfigSpace import ForbiddenAndConjunction
        from ConfigSpace.forbidden import ForbiddenConjunction, ForbiddenRelation

        if isinstance(clause, ForbiddenConjunction):
            parts = [self._terms(component, index) for component in clause.components]
            if not isinstance(clause, ForbiddenAndConjunction):
                return [term for part in parts for term in part]
            return [met for choice in product(*parts) if (met := _meet(choice)) is not None]

        def forbidden(**values: Value) -> bool:
            vector = np.full(len(self.axes), np.nan)
            for name, value in values.items():
                vector[index[name]] = self.axes[index[name]].hyperparameter.to_vector(value)
            return bool(clause.is_forbidden_vector(vector))

        if not isinstance(clause, ForbiddenRelation):
            name = clause.hyperparameter.name
            values = self.axes[index[name]].values
            found = frozenset(a for a, value in enumerate(values) if forbidden(**{name: value}))
            return [{index[name]: found}] if found else []
        left, right = clause.left.name, clause.right.name
        terms = []
        for a, value in enumerate(self.axes[index[left]].values):
            others = enumerate(self.axes[index[right]].values)
            found = frozenset(b for b, other in others if forbidden(**{left: value, right: other}))
            if found:
                terms.append({index[left]: frozenset([a]), index[right]: found})
        return terms


class Prefix:
    """Decisions taken so far; immutable, made by :meth:`Decisions.start` and :meth:`take`.

    Attributes
    ----------
    index : int
        Position in the vocabulary of the hyperparameter that is decided next.
    actions : tuple of int
        Of the hyperparameters before it; -1 where one is inactive.
    """

    __slots__ = ("_alive", "actions", "decisions", "index")

    def __init__(self, decisions: Decisions, actions: tuple[int, ...], alive: int) -> None:
        # `alive`: the clauses whose every part is met so far, or not decided
        axes, conditions = decisions.axes, decisions.conditions
        index = len(actions)
        while index < len(axes):
            for part in conditions[index]:
                for parent, fits in part:
                    if fits[actions[parent]]:
                        break
                else:
                    actions += (-1,)
                    alive &= decisions.clauses.absent[index]
                    break
            else:
                if len(axes[index].values) > 1:
                    break
                actions += (0,)
                alive &= decisions.clauses.survive[index][0]
            index += 1
        self.decisions = decisions
        self.actions = actions
        self.index = index
        self._alive = alive

    def __repr__(self) -> str:
        return f"Prefix({self.tokens})"

    @property
    def name(self) -> str | None:
        """Name of the hyperparameter that is decided next; None at the end."""
        return self.decisions.vocabulary[self.index][0] if self.index < len(self.decisions.axes) else None

    @property
    def n_actions(self) -> int:
        """Number of actions of the next decision, legal or not; 0 at the end."""
        return self.decisions.vocabulary[self.index][1] if self.index < len(self.decisions.axes) else 0

    @property
    def axis(self) -> Axis:
        """The next decision."""
        return self.decisions.axes[self.index]

    @property
    def legal(self) -> np.ndarray:
        """(n_actions,) mask of the actions after which a whole configuration can still be reached."""
        decisions, index = self.decisions, self.index
        if not self._alive & decisions.clauses.touching[index]:
            return decisions.clauses.free[index]
        actions = self.actions
        key = (index, self._alive, tuple([actions[j] for j in decisions.clauses.parents[index]]))
        mask = decisions.clauses.masks.get(key)
        if mask is None:
            mask = np.array([self._after(action).is_feasible() for action in range(self.n_actions)])
            decisions.clauses.masks[key] = _frozen(mask)
        return mask

    @property
    def tokens(self) -> list[tuple[str, int]]:
        """Hyperparameters decided so far and their actions; not those that had no choice."""
        vocabulary = self.decisions.vocabulary
        pairs = zip(vocabulary, self.actions, strict=False)
        return [(name, action) for (name, n), action in pairs if n > 1 and action >= 0]

    def take(self, action: int) -> Prefix:
        """The prefix with one more decision.

        Raises
        ------
        SpaceError
            If the action is not legal, or the sequence is whole.
        """
        if not 0 <= action < self.n_actions or not self.legal[action]:
            legal = np.flatnonzero(self.legal).tolist() if self.name else []
            raise SpaceError(f"The decision {self.name!r} cannot be {action}. Legal: {legal}.")
        return self._after(action)

    def roll_out(self, rng: np.random.Generator) -> Prefix:
        """A whole sequence: the remaining decisions, each uniform over its legal actions."""
        prefix = self
        chances = rng.random(len(self.decisions.axes) - self.index).tolist()
        for chance in chances:
            if prefix.index == len(prefix.decisions.axes):
                break
            legal = prefix.legal
            if legal is prefix.decisions.clauses.free[prefix.index]:
                action = int(chance * len(legal))
            else:
                allowed = np.flatnonzero(legal)
                action = int(allowed[int(chance * len(allowed))])
            prefix = prefix._after(action)
        return prefix

    def config(self, rng: np.random.Generator | None = None) -> dict[str, Value]:
        """The configuration of a whole sequence.

        Parameters
        ----------
        rng : Generator or None
            Draws the numbers inside their bins; None: the middle of each.

        Raises
        ------
        SpaceError
            If decisions are missing.
        """
        if self.name is not None:
            raise SpaceError(f"The decision {self.name!r} is missing: take all decisions first.")
        drawn = self.decisions.drawn if rng is not None else ()
        config = {}
        for i, (axis, action) in enumerate(zip(self.decisions.axes, self.actions, strict=True)):
            if action >= 0:
                config[axis.name] = axis.draw(action, rng) if rng is not None and i in drawn else axis.values[action]
        return config

    @property
    def is_single(self) -> bool:
        """Whether a whole sequence stands for one configuration only, not for a box of them."""
        return not any(self.actions[i] >= 0 for i in self.decisions.drawn)

    def _after(self, action: int) -> Prefix:
        alive = self._alive & self.decisions.clauses.survive[self.index][action]
        return Prefix(self.decisions, (*self.actions, action), alive)

    def is_feasible(self) -> bool:
        """Whether some completion breaks no clause; true of every prefix that legal actions lead to."""
        decisions, prefix = self.decisions, self
        size = len(decisions.axes)
        while True:
            if prefix._alive & decisions.clauses.complete[prefix.index]:
                return False
            if prefix.index == size or not prefix._alive:
                return True
            if prefix._alive & decisions.clauses.touching[prefix.index]:
                return bool(prefix.legal.any())
            prefix = prefix._after(0)  # no clause depends on this decision


def _mentioned(clause: Any) -> set[str]:
    """Names of the hyperparameters of a forbidden clause."""
    names = set()
    for part in getattr(clause, "dlcs", (clause,)):
        for side in ("hyperparameter", "left", "right"):
            if hasattr(part, side):
                names.add(str(getattr(part, side).name))
    return names


def _meet(terms: Sequence[dict[int, frozenset[int]]]) -> dict[int, frozenset[int]] | None:
    """All terms at once; None if they contradict each other."""
    met: dict[int, frozenset[int]] = {}
    for term in terms:
        for i, actions in term.items():
            met[i] = met[i] & actions if i in met else actions
    return met if all(met.values()) else None


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def _frozen(mask: np.ndarray) -> np.ndarray:
    mask.flags.writeable = False
    return mask

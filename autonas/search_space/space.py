"""A search space: one conditional ConfigSpace, and what turns one of its configurations into a learner.

ConfigSpace is the one encoding that every search backend consumes.  Configurations cross this boundary as dicts of
plain Python values, active hyperparameters only, in a fixed order: equal configurations are equal as JSON.  A space
from a file (see ``load``) has a top categorical ``model`` over its kinds (Mendoza et al 2016); a space made here from
a bare ConfigSpace needs none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.architectures.family import compile_graph, graph_module, load_family
from autonas.core.fidelity import FidelityPlan
from autonas.core.trial import Value, config_key
from autonas.data.task import Problem
from autonas.errors import ArchitectureError, SpaceError
from autonas.search_space.canonical import canonical
from autonas.search_space.dry_run import DryRun, dry_run
from autonas.search_space.genome import Edit, Genomes, has_genomes
from autonas.search_space.learners import make_learner
from autonas.search_space.points import Points
from autonas.search_space.portfolio import PortfolioEntry
from autonas.training.learner import Learner

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from torch import nn

    from autonas.architectures.graph import Graph
    from autonas.architectures.network import Supernet

__all__ = ["Build", "SearchSpace"]

Build = Callable[[dict[str, Value], Problem, int, str], Learner]
"""``build(config, problem, seed, device)`` of a space that was made without a file."""

MODEL = "model"
EPOCHS = FidelityPlan()
USUAL_SHAPES = {"image": (3, 32, 32), "series": (1, 128), "tabular": (16,), "text": (64,)}
"""Shape of one example by modality, where the data is not known yet."""


class SearchSpace(Points):
    """Conditional space of configurations.

    Parameters
    ----------
    configspace : ConfigurationSpace
    build : callable or None
        Makes the learner of a configuration (see :data:`Build`); None: the family of its kind does.  Worker
        processes get the space pickled, so with several of them it must be a function of a module.
    name, title, modality : str
    families : mapping of str to str
        Family of each kind, the choices of the categorical ``model``.
    settings : mapping of str to mapping
        By kind: options of its family that are not searched.
    final : mapping of str to mapping
        By kind: the settings with which a network that was found is trained at the end (see ``augment``).
    networks : collection of str
        Kinds that are trained as networks.
    portfolio : sequence of PortfolioEntry
        Cheapest first.
    fidelity : FidelityPlan
        What a fidelity below 1 makes smaller; by default the number of epochs.

    Attributes
    ----------
    source : str
        The expanded space as canonical JSON, for the journal.
    hash : str
        SHA-256 of the source.
    """

    def __init__(
        self,
        configspace: ConfigurationSpace,
        build: Build | None = None,
        *,
        name: str = "space",
        title: str = "",
        modality: str = "tabular",
        families: Mapping[str, str] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        final: Mapping[str, Mapping[str, Any]] | None = None,
        networks: Collection[str] = (),
        portfolio: Sequence[PortfolioEntry] = (),
        fidelity: FidelityPlan = EPOCHS,
    ) -> None:
        super().__init__(configspace, name)
        self.title = title
        self.modality = modality
        self.families = dict(families or {})
        self.settings = {kind: dict(given) for kind, given in (settings or {}).items()}
        self.final = {kind: dict(given) for kind, given in (final or {}).items()}
        self.networks = frozenset(networks)
        self.portfolio_entries = tuple(portfolio)
        self.fidelity = fidelity
        self._build = build

    def __repr__(self) -> str:
        return f"SearchSpace({self.name!r}, {len(self.configspace)} hyperparameters)"

    @cached_property
    def source(self) -> str:
        """The expanded space as canonical JSON."""
        expanded = self.configspace.to_serialized_dict()
        parts = {key: expanded[key] for key in ("hyperparameters", "conditions", "forbiddens")}
        if self.fidelity != EPOCHS:
            parts["fidelity"] = self.fidelity.as_dict()
        return json.dumps({"families": self.families, "settings": self.settings, **parts}, sort_keys=True, default=str)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the source, hexadecimal."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def with_fidelity(self, plan: FidelityPlan) -> SearchSpace:
        """The same space with another plan of fidelities."""
        found = copy(self)
        for name in ("source", "hash"):
            found.__dict__.pop(name, None)
        found.fidelity = plan
        return found

    def default(self, kind: str | None = None) -> dict[str, Value]:
        """The default configuration, of the space or of one kind."""
        return self.complete({} if kind is None else {MODEL: kind})

    # --- what a configuration means ----------------------------------------------------------------------------------

    def kind_of(self, config: Mapping[str, Any]) -> str:
        """The kind of model, or the name of the space if it has no kinds."""
        return str(config[MODEL]) if self.families else self.name

    def options(self, config: Mapping[str, Any], genome: str | None = None) -> dict[str, Any]:
        """What the family reads: settings, the kind's own hyperparameters without their prefix, and the shared ones.

        Parameters
        ----------
        genome : str, optional
            The architecture, where the kind's family has genomes.
        """
        if genome is not None and not has_genomes(self.families.get(self.kind_of(config), "")):
            raise SpaceError(f"{self.kind_of(config)!r} has no genomes: its architectures are configurations.")
        architecture = {} if genome is None else {"genome": genome}
        if not self.families:
            return dict(config)
        kind = self.kind_of(config)
        own = {name.removeprefix(f"{kind}:"): value for name, value in config.items() if name != MODEL}
        return {**self.settings.get(kind, {}), **own, **architecture}

    # --- genomes -----------------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether architectures may be genomes: there is one kind, and its family has them."""
        return len(self.families) == 1 and all(map(has_genomes, self.families.values()))

    @property
    def genomes(self) -> Genomes:
        """The genomes of an open space."""
        if not self.open:
            raise SpaceError(f"The space {self.name!r} has no genomes: its architectures are configurations.")
        ((kind, family),) = self.families.items()
        return Genomes(family, self.settings.get(kind, {}))

    def initial(self, rng: np.random.Generator) -> str:
        """A small genome to start from."""
        return self.genomes.initial(rng)

    def mutate_genome(self, genome: str, rng: np.random.Generator) -> tuple[str, Edit]:
        """A changed genome, and the structural edit."""
        return self.genomes.mutate(genome, rng)

    def portfolio(self, facts: Mapping[str, Any]) -> list[tuple[dict[str, Value], float]]:
        """Configurations to begin with, and the share of the time limit that each may use.

        Parameters
        ----------
        facts : mapping
            ``rows``, ``columns``, ``kind``, ``text``, ``categories`` of the data, as far as they are known.
        """
        return [(dict(entry.config), entry.share) for entry in self.portfolio_entries if entry.holds(facts)]

    def build(
        self,
        config: Mapping[str, Any],
        problem: Problem,
        seed: int = 0,
        device: str = "cpu",
        *,
        genome: str | None = None,
    ) -> Learner:
        """The untrained learner of a configuration, and of a genome if the space is open."""
        config = self.validate(config)
        options = self.options(config, genome)
        if self._build is not None:
            return self._build(config, problem, seed, device)
        if not self.families:
            raise SpaceError(f"The space {self.name!r} cannot make learners: give `build` when you make it.")
        return make_learner(self._family(config), options, problem, seed, device)

    # --- networks ----------------------------------------------------------------------------------------------------

    def network(
        self, config: Mapping[str, Any], shape: Sequence[int], n_outputs: int, *, genome: str | None = None
    ) -> nn.Module:
        """The untrained network of a configuration, as a plain module.

        Parameters
        ----------
        config : mapping
        shape : sequence of int
            Shape of one example: (channels, height, width), (channels, time), (features,) or (tokens,).
        n_outputs : int
            Classes, or 1.

        Raises
        ------
        ArchitectureError
            If it is impossible for examples of this shape.
        """
        config = self.validate(config)
        family = load_family(self._network(config))
        found: nn.Module = family.build(self.options(config, genome), tuple(shape), n_outputs, 0)
        return found

    def dry_run(
        self, config: Mapping[str, Any], shape: Sequence[int], n_outputs: int, *, genome: str | None = None
    ) -> DryRun:
        """Parameters, multiply-accumulates, memory and output shape of a configuration, without building it.

        Raises
        ------
        ArchitectureError
            If it is impossible for examples of this shape.
        """
        config = self.validate(config)
        return dry_run(self._network(config), self.options(config, genome), shape, n_outputs)

    def graph(
        self,
        config: Mapping[str, Any],
        shape: Sequence[int] | None = None,
        n_outputs: int = 10,
        *,
        genome: str | None = None,
    ) -> Graph:
        """The labelled graph of a configuration (families that are made of graphs).

        Parameters
        ----------
        shape : sequence of int, optional
            Of one example; by default a usual one of the modality.
        """
        config = self.validate(config)
        family = self._graph_module(self.kind_of(config))
        return compile_graph(family, self.options(config, genome), shape or USUAL_SHAPES[self.modality], n_outputs)

    def canonical(self, config: Mapping[str, Any]) -> str:
        """As :meth:`key`, but architectures that compute the same up to their weights are one.

        Of a family that is not made of graphs, and of an architecture that cannot be built for examples of the usual
        shape, every configuration is its own.
        """
        config = self.validate(config)
        if graph_module(self.families.get(self.kind_of(config), "")) is None:
            return config_key(config)
        try:
            form = canonical(self.graph(config))
        except ArchitectureError:
            return config_key(config)
        rest = {name: value for name, value in config.items() if not self.is_architectural(name)}
        return f"{config_key(rest)} {form}"

    def is_architectural(self, name: str) -> bool:
        """Whether a hyperparameter decides about the architecture (``meta: {role: architecture}``)."""
        return (self.configspace[name].meta or {}).get("role") == "architecture"

    def supernet(
        self,
        shape: Sequence[int],
        n_outputs: int,
        kind: str | None = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> Supernet:
        """All architectures of one kind at once, sharing weights: ``supernet(x, mix)``.

        Parameters
        ----------
        shape : sequence of int
        n_outputs : int
        kind : str, optional
            By default the only one.
        fixed : mapping, optional
            Values, by the family's own names, of hyperparameters that are not relaxed; by default their defaults.
        """
        kinds = list(self.families)
        kind = kind or kinds[0]
        family = self._graph_module(kind)
        options = {**self.options(self.default(kind)), **(fixed or {})}
        found: Supernet = compile_graph(family, options, shape, n_outputs, relaxed=True).network()  # type: ignore[assignment]
        return found

    def _family(self, config: Mapping[str, Any]) -> str:
        return self.families[self.kind_of(config)]

    def _network(self, config: Mapping[str, Any]) -> str:
        """The family of a configuration that is a network."""
        if not self.families or self.kind_of(config) not in self.networks:
            kinds = ", ".join(sorted(self.networks)) or "none"
            raise SpaceError(f"{self.kind_of(config)!r} is no network. Networks of this space: {kinds}.")
        return self._family(config)

    def has_graph(self, config: Mapping[str, Any]) -> bool:
        """Whether the network of a configuration is made of a graph."""
        return graph_module(self.families.get(self.kind_of(config), "")) is not None and (
            self.kind_of(config) in self.networks
        )

    def _graph_module(self, kind: str) -> ModuleType:
        found = graph_module(self.families.get(kind, ""))
        if found is None:
            kinds = [name for name, family in self.families.items() if graph_module(family)]
            raise SpaceError(f"{kind!r} is not made of a graph. Kinds that are: {', '.join(kinds) or 'none'}.")
        return found

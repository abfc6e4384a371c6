"""What families with genomes share: open-ended architectures, of which a space of configurations is a projection.

Such a family is a family of graphs (see ``family``) with three more functions, all on genomes as canonical JSON:
``initial(settings, rng)`` is a small one to start from, ``mutate(genome, settings, rng)`` a changed one and the
structural edit as a plain tuple, ``from_options(options)`` that of a bounded configuration; and perhaps
``crossover(a, b, settings, rng)``.  ``construct`` takes the genome of ``graph.options["genome"]``, and without one that
of the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import ROLE, Section

__all__ = ["PROJECTION", "dump", "genome_of", "projection", "read"]

PROJECTION = {**ROLE, "genome": "replaces"}
"""``meta`` of a hyperparameter that means nothing where a genome is given."""


def projection(section: Section) -> Section:
    """The section, all of whose hyperparameters a genome replaces."""
    return {**section, "hyperparameters": [{**h, "meta": PROJECTION} for h in section["hyperparameters"]]}


def dump(structure: Any) -> str:
    """JSON without spaces, keys in order."""
    return json.dumps(structure, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read(genome: str) -> Any:
    """Inverse of :func:`dump`."""
    return json.loads(genome)


def genome_of(options: Mapping[str, Any], from_options: Any) -> str:
    """The genome among the options, or that of the bounded configuration."""
    given = options.get("genome")
    return str(from_options(options) if given is None else given)

"""Networks whose weights are painted (see ``architectures/hyperneat.py``)."""

from __future__ import annotations

from autonas.training.learners.evolved import EvolvedLearner

__all__ = ["LEARNER", "HyperNeatLearner"]


class HyperNeatLearner(EvolvedLearner):
    """Options: those of the family ``hyperneat``, among them the genome."""

    family = "hyperneat"


LEARNER = HyperNeatLearner

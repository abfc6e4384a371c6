"""Networks with evolved weights (see ``architectures/neat.py``)."""

from __future__ import annotations

from autonas.training.learners.evolved import EvolvedLearner

__all__ = ["LEARNER", "NeatLearner"]


class NeatLearner(EvolvedLearner):
    """Options: those of the family ``neat``, among them the genome."""

    family = "neat"


LEARNER = NeatLearner

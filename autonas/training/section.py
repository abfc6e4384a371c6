"""One stretch of a network's training: its steps from one look at the validation rows to the next.

Who wants a stretch trained (``network.py``) and who takes the steps are two things: the trainers of one configuration
take them in turns, and those of several configurations take them together (``fused.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from autonas.training.loop import Trainer
from autonas.training.pace import Pace

__all__ = ["Section"]


@dataclass
class Section:
    """What is to be trained next.

    Parameters
    ----------
    trainers : sequence of Trainer
        They take turns.
    start, goal : float
        Progress where they stand, and to which they train.
    pace : Pace
    average_from : float
        Progress from which weights are averaged.
    looks : bool
        Whether the validation rows are scored afterwards.

    Attributes
    ----------
    scores : list of Tensor or None
        Scores of each trainer's validation rows at the end, if whoever took the steps has them at hand.
    """

    trainers: Sequence[Trainer]
    start: float
    goal: float
    pace: Pace
    average_from: float
    looks: bool
    scores: list[Tensor] | None = None
    _taken: int = field(default=0, init=False)
    _before: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Take all steps, one trainer after the other."""
        for number, trainer in enumerate(self.trainers):
            self.begin(number)
            while (progress := self.due(trainer)) is not None:
                trainer.take_step(progress)
                self.taken(trainer, progress)
            self.end(trainer)

    def begin(self, number: int = 0) -> None:
        """The turn of a trainer begins."""
        self._taken = 0
        self.pace.begin_turn(self.start, self.goal, len(self.trainers) - number)

    def due(self, trainer: Trainer) -> float | None:
        """Progress by the clock at which the trainer is to take a step now; None: its turn is over."""
        if trainer.by_steps >= self.goal:
            return None
        pace = self.pace
        progress, self._before = pace.in_turn(), pace.clock.elapsed()
        # Each stack takes a step in each turn, so that slow ones stay equal, unless time is up.
        if pace.timed and trainer.step and ((self._taken and progress >= self.goal) or pace.is_over):
            return None
        return progress

    def taken(self, trainer: Trainer, progress: float) -> None:
        """The trainer has taken a step."""
        self._taken += 1
        if max(progress, trainer.by_steps) >= self.average_from:
            trainer.add_to_average()
        if self.pace.timed:
            trainer.wait()
            self.pace.step = self.pace.clock.elapsed() - self._before

    def end(self, trainer: Trainer) -> None:
        """The turn of a trainer is over.

        Raises
        ------
        FloatingPointError
            If the loss of a step was not finite.
        """
        trainer.lead = max(trainer.lead, self.goal - trainer.step / trainer.planned)
        trainer.check_finite()

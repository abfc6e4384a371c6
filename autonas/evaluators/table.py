"""Look the proposed configuration up in a table of trained networks: no training, simulated time (Klein et al 2018).

The space must be that of a table (``read_table(name).space``), and names it; there is no data to hand over.  The
seed draws which of the recorded repeats is seen.  Left out: fidelities, since the tables hold no learning curves.
"""

from __future__ import annotations

from pathlib import Path

from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result
from autonas.data.task import Task
from autonas.errors import SpaceError
from autonas.evaluators.base import Evaluator
from autonas.evaluators.benchmarks import TABLES, read_table
from autonas.search_space.space import SearchSpace
from autonas.training.learner import Report, go_on

__all__ = ["EVALUATOR", "TableLookup"]

SECOND = 1.0  # simulated cost where a table records no time


class TableLookup(Evaluator):
    """Answers at once with what was recorded; ``cost_seconds`` is the recorded training time.

    ``Result.values`` holds the loss under the metric's name, then ``n_params``, ``latency`` and ``seconds`` as far as
    the table has them: further objectives, if a strategy wants them.
    """

    def __init__(self, metric: Metric | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(metric or Metric("loss", "regression"), seed=seed, device=device)

    def prepare(self, space: SearchSpace, task: Task | None = None) -> None:
        """Find the table that the space belongs to.

        Raises
        ------
        SpaceError
            If it is not the space of a table.
        """
        if space.name not in TABLES or space.hash != read_table(space.name).space.hash:
            raise SpaceError(
                f"The evaluator 'table' needs the space of a table, read_table(name).space, not {space!r}. "
                f"Tables: {', '.join(TABLES)}."
            )
        self.space = space
        self.table = read_table(space.name)
        self._loss = self.table.function(self.seed)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None = None,
        workdir: Path | None = None,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; nothing is written."""
        if proposal.fidelity != 1:
            return Result.failure(f"The table {self.table.name} has no learning curves, only full trainings.")
        extras = self.table.values(proposal.config)
        info = {name: extras.pop(name) for name in ("test_error",) if name in extras}
        return Result(
            values={self.metric.name: self._loss(proposal.config), **extras},
            cost_seconds=extras.get("seconds", SECOND),
            info=info,
        )


EVALUATOR = TableLookup

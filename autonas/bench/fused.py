"""How much sooner small networks train as one batched network than one after the other, and how equal the results are.

Random configurations (learning rate, weight decay, dropout, and with them the seed) of perceptrons of one width are
evaluated alone and fused, the whole way: built, trained, validated, saved.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result
from autonas.data.prepare import prepare
from autonas.evaluators.base import Evaluation
from autonas.evaluators.train import PREDICTIONS_FILE, Train
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace

__all__ = ["Comparison", "compare"]

ROWS, COLUMNS = 1000, 20
BATCH, EPOCHS = 64, 20


@dataclass(frozen=True)
class Comparison:
    """Seconds of a number of networks of a width, alone and fused, and the largest differences."""

    networks: int
    folds: int
    width: int
    alone: float
    fused: float
    losses: float
    probabilities: float

    @staticmethod
    def head() -> str:
        """Titles of the columns."""
        return "configurations  folds  width  alone [s]  fused [s]  faster  differences: loss  probability"

    def line(self) -> str:
        """One row."""
        return (
            f"{self.networks:14d}  {self.folds:5d}  {self.width:5d}  {self.alone:9.2f}  {self.fused:9.2f}  "
            f"{self.alone / self.fused:5.1f}x  {self.losses:17.1e}  {self.probabilities:11.1e}"
        )


def compare(widths: Sequence[int], networks: int, folds: int, kind: str = "mlp", seed: int = 0) -> Iterator[Comparison]:
    """Evaluate ``networks`` configurations of each width, on a binary classification of 1000 rows of 20 numbers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=ROWS) > 0).astype(int)
    task = prepare(X, y, kind="classification", cv="holdout" if folds == 1 else folds)
    space = load_space("tabular", "classification")
    train = Train(get_metric("log_loss", "classification"), device="cpu")
    train.prepare(space, task)
    for number, width in enumerate([widths[0], *widths]):
        proposals = [_proposal(space, kind, width, rng) for _ in range(networks)]
        with tempfile.TemporaryDirectory() as folder:
            alone, seconds = _timed(train, [[p] for p in proposals], Path(folder) / "alone")
            fused, together = _timed(train, [proposals], Path(folder) / "fused")
            pairs = [[np.load(Path(folder) / part / str(n) / PREDICTIONS_FILE) for part in ("alone", "fused")]
                     for n in range(networks)]  # fmt: skip
        losses = max(abs(a.loss - b.loss) for a, b in zip(alone, fused, strict=True))
        probabilities = max(float(np.nanmax(np.abs(a - b))) for a, b in pairs)
        if number:  # the first has warmed up
            yield Comparison(networks, folds, width, seconds, together, losses, probabilities)


def _proposal(space: SearchSpace, kind: str, width: int, rng: np.random.Generator) -> Proposal:
    drop = "hidden_dropout" if kind == "resmlp" else "dropout"
    chosen = {"model": kind, f"{kind}:embedding": "none", f"{kind}:width": width, "batch_size": BATCH, "epochs": EPOCHS}
    values = {
        f"{kind}:{drop}": float(rng.uniform(0, 0.5)),
        "lr": float(10 ** rng.uniform(-3.5, -2.0)),
        "weight_decay": float(10 ** rng.uniform(-4.0, -0.5)),
    }
    return Proposal(space.complete({**chosen, **values}))


def _timed(train: Train, groups: Sequence[Sequence[Proposal]], folder: Path) -> tuple[list[Result], float]:
    """Results of all proposals, evaluated group by group, and the seconds that took."""
    start, results, number = time.perf_counter(), [], 0
    for group in groups:
        evaluations = []
        for proposal in group:
            workdir = folder / str(number)
            workdir.mkdir(parents=True)
            evaluations.append(Evaluation(proposal, None, workdir))
            number += 1
        results += train.evaluate_together(evaluations)
    return results, time.perf_counter() - start

"""Gradient-boosted trees with LightGBM (Ke et al 2017), one booster per fold.

The folds grow in turns, a few rounds at a time, so that the clock ends all of them alike.  A fold stops after 80
rounds without gain on its validation rows and keeps its best round; the rows are binned once for all folds.  With
a limited clock a trial of a few rounds raises the learning rate until the usual number of rounds fits.

After :meth:`BoostingLearner.restore`, growth goes on from the best round.  The trees are those of one run if rows
and columns are not sampled; else LightGBM's sampling starts anew, so later trees differ, though not their quality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from autonas.core.clock import Clock
from autonas.core.trial import Value
from autonas.data.task import Problem, Task
from autonas.errors import ModelError
from autonas.training.bit_trees import BitTrees, bit_trees
from autonas.training.calibration import log_mean_exp, log_softmax, weighted_mean
from autonas.training.learner import Report, go_on
from autonas.training.matrix import MatrixLearner, binary_logits

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

__all__ = ["LEARNER", "BoostingLearner"]

_ROUNDS = 3000
_PATIENCE = 80
_USUAL_ROUNDS = 500  # what the cost guard makes room for
_USUAL_RATE = 0.05
_TRIAL_ROUNDS = 5
_FASTEST = 0.2
_SLICE = 10  # rounds of one fold before it is the next one's turn
_ONE_THREAD_ROWS = 2000
_FEW_ROWS = 200  # for which walking through the trees is faster than preparing anything
_TINY = 1e-15


class _Fold:
    """The booster of one fold: finished parts, the part that grows, and the best round so far."""

    def __init__(self) -> None:
        self.parts: list[Booster] = []
        self._written: list[str] = []  # the texts of the parts
        self.growing: Booster | None = None
        self.rounds = self.best_round = 0  # of the growing part
        self.best = np.inf
        self.scores: np.ndarray | None = None  # of the validation rows at the best round
        self.idle = 0  # rounds since the best one
        self.done = False

    @property
    def total(self) -> int:
        """Rounds of all parts."""
        return sum(part.current_iteration() for part in self.parts) + self.rounds

    @property
    def best_total(self) -> int:
        """Rounds up to the best one."""
        return self.total - self.rounds + self.best_round

    def close(self) -> None:
        """Make the growing part, up to its best round, a finished one and let go of its data."""
        self.read(self.texts())
        self.growing, self.rounds, self.best_round = None, 0, 0

    def read(self, texts: list[str]) -> None:
        """Take these texts as the finished parts."""
        self.parts, self._written = [_load(text) for text in texts], texts

    def texts(self) -> list[str]:
        """The parts up to the best round."""
        texts = list(self._written)
        if self.growing is not None and self.best_round:
            texts.append(self.growing.model_to_string(num_iteration=self.best_round))
        return texts

    def raw(self, X: Any) -> np.ndarray:
        """(rows, outputs) raw scores at the best round."""
        threads = 1 if X.shape[0] < _ONE_THREAD_ROWS else 0
        models = [(part, -1) for part in self.parts]  # -1: all rounds
        if self.growing is not None and self.best_round:
            models.append((self.growing, self.best_round))
        scores = [m.predict(X, raw_score=True, num_iteration=n, num_threads=threads) for m, n in models]
        return np.sum(scores, axis=0).reshape(X.shape[0], -1)


def _load(text: str) -> Booster:
    import lightgbm

    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ModelError(f"A saved booster is damaged ({error}). Use another copy, or fit and save again.") from error


class BoostingLearner(MatrixLearner):
    """Options: ``features``, ``learning_rate``, ``leaves``, ``min_rows``, ``column_share``, ``row_share``, ``l2``,
    ``splits`` (best, random), ``target`` (auto, raw).
    """

    fidelity: ClassVar[str] = "rounds"
    default_view: ClassVar[str] = "codes"

    def __init__(self, options: Mapping[str, Value], problem: Problem, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(options, problem, seed, device)
        self._folds: list[_Fold] = []
        self._bits: BitTrees | Literal[False] | None = None  # False: they are no faster
        self._rate = float(self.options.get("learning_rate", 0.05))

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Grow every fold to ``until`` x 3000 rounds, or until it gains no more."""
        if self.progress >= until:
            return
        self._fit_scale(task)
        self._bits = None
        clock = clock or Clock()
        if not self._folds:
            self._folds = [_Fold() for _ in task.folds.pairs]
        if any(fold.growing is None and not fold.done for fold in self._folds):
            self._open(task)
        self._grow(task, round(until * _ROUNDS), clock, report)
        self._scores = task.folds.average(
            [
                self._validation_scores(fold, valid)
                for fold, (_, valid) in zip(self._folds, task.folds.pairs, strict=True)
            ]
        )
        self.progress = until
        if until >= 1:
            for fold in self._folds:
                fold.close()
        self.info.update(rounds=[fold.best_total for fold in self._folds], learning_rate=self._rate)

    def _parameters(self, n_rows: int) -> dict[str, Any]:
        options, classes = self.options, self.problem.n_outputs
        reached = min((fold.total for fold in self._folds), default=0)
        parameters = {
            "learning_rate": self._rate,
            "num_leaves": int(options.get("leaves", 15)),
            "min_data_in_leaf": int(options.get("min_rows", 20)),
            "feature_fraction": float(options.get("column_share", 0.4)),
            "bagging_fraction": float(options.get("row_share", 0.8)),
            "bagging_freq": 1,
            "lambda_l2": float(options.get("l2", 0.01)),
            "extra_trees": options.get("splits", "best") == "random",
            "objective": "regression" if self.scale is not None else "binary" if classes == 2 else "multiclass",
            "metric": "none",  # losses are taken from the scores, which are wanted anyway
            "seed": (self.seed + reached) % 2**31,  # a part that continues another draws other samples
            "data_random_seed": self.seed % 2**31,  # but bins are the same
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "num_threads": 1 if n_rows < _ONE_THREAD_ROWS else 0,  # 0: as OMP_NUM_THREADS says
        }
        return parameters | ({"num_class": classes} if parameters["objective"] == "multiclass" else {})

    def _label(self, task: Task) -> np.ndarray:
        return task.y if self.scale is None else self.scale.forward(task.y)

    def _open(self, task: Task) -> None:
        """Bin the rows once; every fold takes its part of them."""
        import lightgbm

        X, parameters = task.view(self.view), self._parameters(task.n_rows)
        categories = list(getattr(task.preprocessor, "categorical_columns", [])) if self.view == "codes" else []
        whole = lightgbm.Dataset(
            X, self._label(task), weight=task.weight, categorical_feature=categories, params=parameters
        ).construct()
        for fold, pair in zip(self._folds, task.folds.pairs, strict=True):
            if fold.growing is not None or fold.done:
                continue
            parts = []
            for rows in map(np.sort, pair):  # LightGBM takes rows in ascending order
                part = whole.subset(rows.tolist())
                if fold.parts:
                    start = fold.raw(X[rows])
                    part.construct().set_init_score(start if start.shape[1] > 1 else start.ravel())
                parts.append(part)
            fold.growing = lightgbm.Booster(parameters, parts[0])
            fold.growing.add_valid(parts[1], "valid")

    def _grow(self, task: Task, rounds: int, clock: Clock, report: Report) -> None:
        """Rounds in turns over the folds.  Every fold gets one, however short the time."""
        truth = self._label(task)
        valid = [np.sort(rows) for _, rows in task.folds.pairs]
        sizes = [len(rows) for rows in valid]
        seconds, grown = 0.0, 0
        while active := [i for i, fold in enumerate(self._folds) if not fold.done and fold.total < rounds]:
            level = min(self._folds[i].total for i in active)
            # sweeps of one round at first, so that a slow fold does not starve the others
            stop = min(rounds, level + (1 if grown < _TRIAL_ROUNDS else _SLICE))
            begun = clock.elapsed()
            for i in active:
                fold, rows = self._folds[i], valid[i]
                weight = None if task.weight is None else task.weight[rows]
                while not fold.done and fold.total < stop and not (fold.scores is not None and clock.over()):
                    self._round(fold, truth[rows], weight)
            seconds, grown = seconds + clock.elapsed() - begun, grown + stop - level
            # the first round is slow; it decides only where there is no time for a trial
            if grown == _TRIAL_ROUNDS or (grown == 1 and 4 * _TRIAL_ROUNDS * seconds > clock.left()):
                self._afford(seconds / grown, clock)
            loss = float(np.average([fold.best for fold in self._folds], weights=sizes))
            self.curve.append((stop / _ROUNDS, loss))
            if not report(stop / _ROUNDS, {"loss": loss}) or clock.over():
                break

    def _round(self, fold: _Fold, truth: np.ndarray, weight: np.ndarray | None) -> None:
        """One more tree for each class, and its scores on the validation rows."""
        assert fold.growing is not None
        fold.growing.update()
        fold.idle += 1
        # where no split is allowed there is no tree; the next round may draw rows and columns that allow one
        if fold.growing.current_iteration() > fold.rounds:
            fold.rounds += 1
            seen: list[np.ndarray] = []

            def look(scores: np.ndarray, _: Dataset) -> tuple[str, float, bool]:
                seen.append(scores)
                return "", 0.0, False

            fold.growing.eval_valid(look)
            loss = self._score_loss(seen[0], truth, weight)
            if loss < fold.best:
                fold.best, fold.best_round, fold.scores, fold.idle = loss, fold.rounds, seen[0].copy(), 0
        fold.done = fold.idle >= _PATIENCE

    def _score_loss(self, scores: np.ndarray, truth: np.ndarray, weight: np.ndarray | None) -> float:
        """Loss of what LightGBM calls scores: probabilities in classification."""
        if self.scale is not None:
            losses = (scores - truth) ** 2
        else:
            chosen = np.where(truth == 1, scores, 1 - scores) if scores.ndim == 1 else _pick(scores, truth)
            losses = -np.log(np.maximum(chosen, _TINY))
        return weighted_mean(losses, weight)

    def _afford(self, seconds: float, clock: Clock) -> None:
        """Raise the learning rate until the usual number of rounds, at so many seconds each, fits the clock."""
        rate = self._rate
        while rate < _FASTEST and seconds * _USUAL_ROUNDS * _USUAL_RATE / rate > clock.left():
            rate = min(_FASTEST, 1.5 * rate)
        if rate == self._rate:
            return  # setting even the same rate would make LightGBM draw its samples anew
        self._rate = rate
        for fold in self._folds:
            if fold.growing is not None:
                fold.growing.reset_parameter({"learning_rate": rate})

    def _validation_scores(self, fold: _Fold, valid: np.ndarray) -> np.ndarray:
        """Scores in the order of the fold's validation rows, as the contract wants them."""
        assert fold.scores is not None
        scores = fold.scores[np.argsort(np.argsort(valid))]
        if self.scale is not None:
            return self.scale.inverse(scores)[:, None]
        if scores.ndim == 1:
            scores = np.stack([1 - scores, scores], axis=1)
        return np.log(np.maximum(scores, _TINY))

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) scores: the mean over the fold models."""
        raw = self._raw(view)
        if self.scale is not None:
            return np.mean([self.scale.inverse(part) for part in raw], axis=0)
        return log_mean_exp(np.stack([log_softmax(binary_logits(part)) for part in raw]))

    def _raw(self, view: np.ndarray) -> list[np.ndarray]:
        """(rows, outputs) raw scores of every fold."""
        if len(view) < _FEW_ROWS:
            return [fold.raw(view) for fold in self._folds]
        if self._bits is None:
            per_round = self.problem.n_outputs if self.scale is None and self.problem.n_outputs > 2 else 1
            self._bits = bit_trees([fold.texts() for fold in self._folds], per_round) or False
        if not self._bits:
            return [fold.raw(view) for fold in self._folds]
        return np.split(self._bits.totals(view), len(self._folds), axis=1)

    def for_all_rows(self) -> tuple[dict[str, Value], float]:
        """As many rounds as the folds have had up to their best ones, on average, at their rate."""
        rounds = float(np.mean([fold.best_total for fold in self._folds]))
        return {**self.options, "learning_rate": self._rate}, max(1.0, rounds) / _ROUNDS

    def state(self) -> dict[str, Any]:
        """Everything needed to predict and to continue from the best round of every fold."""
        folds = [
            {
                "parts": [text.encode() for text in fold.texts()],
                "best": fold.best,
                "scores": fold.scores,
                "done": fold.done,
            }
            for fold in self._folds
        ]
        return {**super().state(), "rate": self._rate, "folds": folds}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        super().restore(state)
        self._rate, self._folds, self._bits = float(state["rate"]), [], None
        for saved in state["folds"]:
            fold = _Fold()
            fold.read([bytes(text).decode() for text in saved["parts"]])
            fold.best, fold.scores, fold.done = float(saved["best"]), saved["scores"], bool(saved["done"])
            self._folds.append(fold)


def _pick(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return scores[np.arange(len(truth)), truth]


LEARNER = BoostingLearner

"""Racing over folds: who is given up, what is told of it, and what a search keeps of its result."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autonas import AutoNASClassifier
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.prepare import prepare
from autonas.errors import OptionError
from autonas.evaluators import make_evaluator
from autonas.evaluators.base import Evaluator
from autonas.evaluators.race import Race
from autonas.evaluators.train import PREDICTIONS_FILE
from autonas.search_space.load import load_space

RMSE = get_metric("rmse", "regression")
ROWS = 500


class Noisy(Evaluator):
    """Predicts the target with an error of a given deviation, on the rows that the folds validate."""

    def evaluate(self, proposal: Proposal, parent: Path | None, workdir: Path, *args) -> Result:
        Noisy.fits.append((proposal.config["seed"], len(self.task.folds)))
        rng = np.random.default_rng(proposal.config["seed"])
        rows = self.task.folds.covered
        predictions = np.full((ROWS, 1), np.nan)
        predictions[:, 0][rows] = (self.task.y + proposal.config["deviation"] * rng.normal(size=ROWS))[rows]
        np.save(workdir / PREDICTIONS_FILE, predictions)
        return Result({"rmse": RMSE.loss(self.task.y[rows], predictions[rows], None)}, cost_seconds=1.0)

    fits: ClassVar[list[tuple[int, int]]] = []  # seed and number of folds


@pytest.fixture
def race() -> Race:
    Noisy.fits = []
    X = np.arange(float(ROWS))[:, None]
    task = prepare(X, np.sin(X[:, 0]), kind="regression", cv=5)
    found = Race(RMSE, inner=Noisy(RMSE))
    found.prepare(load_space("tabular-small"), task)
    return found


def told(race: Race, folder: Path, deviation: float, seed: int) -> Result:
    folder = folder / f"{deviation}-{seed}"
    folder.mkdir()
    return race.evaluate(Proposal({"deviation": deviation, "seed": seed}), None, folder)


def test_what_is_surely_worse_is_given_up_after_one_fold(race, tmp_path):
    first = told(race, tmp_path, 1.0, 0)
    assert first.status == "ok"
    lost = told(race, tmp_path, 2.0, 1)
    assert Noisy.fits == [(0, 5), (0, 1), (1, 1)]  # the best runs the heat when it has a rival
    assert lost.status == "stopped"
    assert lost.info["given_up_after"] == 1
    assert lost.loss == pytest.approx(2.0, rel=0.2)  # as its five folds would have had
    assert not list((tmp_path / "2.0-1").iterdir())
    better = told(race, tmp_path, 0.5, 2)
    assert better.status == "ok"
    assert Noisy.fits[3:] == [(2, 1), (2, 5)]
    assert told(race, tmp_path, 1.0, 3).status == "stopped"  # the best is another one now, which has run the heat
    assert Noisy.fits[5:] == [(3, 1)]


def test_equals_are_given_up_as_often_as_the_confidence_says(race, tmp_path):
    told(race, tmp_path, 1.0, 0)
    told(race, tmp_path, 2.0, 0)
    best = race._best, race._times
    stopped = 0
    for seed in range(1, 401):
        stopped += told(race, tmp_path, 1.0, seed).status == "stopped"
        race._best, race._times = best
    # 5 %, and the luck of the one that all are compared with
    assert stopped / 400 < 0.12


def test_a_race_over_seeds_has_a_heat_of_one_repeat(race, tmp_path):
    rows = np.arange(ROWS)
    pairs = [(rows[rows % 5 != k], rows[rows % 5 == k]) for _ in range(4) for k in range(5)]
    race.prepare(race.space, prepare(rows[:, None] * 1.0, np.sin(rows), kind="regression", cv=pairs))
    assert [len(heat.task.folds) for heat in race._heats] == [1, 5]
    told(race, tmp_path, 1.0, 0)
    assert told(race, tmp_path, 2.0, 1).info["given_up_after"] == 1
    # worse by 15 %: a hundred rows are too few to be sure of it, five hundred are enough
    assert told(race, tmp_path, 1.15, 2).info["given_up_after"] == 5
    assert Noisy.fits == [(0, 20), (0, 1), (1, 1), (2, 1), (0, 5), (2, 5)]


def test_the_chance_of_a_wrong_verdict_is_shared_by_the_heats(race):
    one = race._sure
    rows = np.arange(ROWS)
    pairs = [(rows[rows % 2 != k], rows[rows % 2 == k]) for _ in range(2) for k in range(2)]
    race.prepare(race.space, prepare(rows[:, None] * 1.0, np.sin(rows), kind="regression", cv=pairs))
    assert (one, race._sure) == pytest.approx((1.6449, 1.9600), abs=1e-4)  # quantiles of 5 and 2.5 %


def test_low_fidelities_and_promotions_do_not_race(race, tmp_path):
    told(race, tmp_path, 1.0, 0)
    for number, proposal in enumerate(
        (Proposal({"deviation": 2.0, "seed": 1}, 1 / 3), Proposal({"deviation": 2.0, "seed": 1}, 1.0, 0, "resume"))
    ):
        (tmp_path / str(number)).mkdir()
        assert race.evaluate(proposal, None, tmp_path / str(number)).status == "ok"
    assert Noisy.fits == [(0, 5), (1, 5), (1, 5)]


@pytest.mark.parametrize(("how", "status"), [("resume", "stopped"), ("morph", "ok")])
def test_a_promoted_best_runs_the_heat_from_scratch_but_an_heir_cannot(race, tmp_path, how, status):
    (tmp_path / how).mkdir()
    assert race.evaluate(Proposal({"deviation": 1.0, "seed": 0}, 1.0, 7, how), None, tmp_path / how).status == "ok"
    assert told(race, tmp_path, 3.0, 1).status == status


def test_what_is_better_by_the_metric_goes_on(tmp_path):
    class Few(Noisy):
        """Wrong by 1 in every row, or right but in every twentieth, which is wrong by 10."""

        def evaluate(self, proposal: Proposal, parent: Path | None, workdir: Path, *args) -> Result:
            far = np.where(np.arange(ROWS) % 20, 0.0, 10.0) if proposal.config["few"] else np.full(ROWS, 1.0)
            predictions = (self.task.y + far)[:, None]
            rows = self.task.folds.covered
            predictions[np.setdiff1d(np.arange(ROWS), rows)] = np.nan
            np.save(workdir / PREDICTIONS_FILE, predictions)
            return Result({"mae": self.metric.loss(self.task.y[rows], predictions[rows], None)})

    mae = get_metric("mae", "regression")
    rows = np.arange(ROWS)
    race = Race(mae, inner=Few(mae))
    race.prepare(load_space("tabular-small"), prepare(rows[:, None] * 1.0, np.sin(rows), kind="regression", cv=5))
    for few in (False, True):
        (tmp_path / str(few)).mkdir()
        result = race.evaluate(Proposal({"few": few}), None, tmp_path / str(few))
        assert result.status == "ok"  # its squared errors are 5 times as large, its absolute ones half
    assert result.loss == pytest.approx(0.5)


def test_what_an_earlier_session_found_counts(race, tmp_path):
    first = told(race, tmp_path, 1.0, 0)
    proposal = Proposal({"deviation": 1.0, "seed": 0})
    again = Race(RMSE, inner=Noisy(RMSE))
    again.prepare(race.space, race.task)
    again.observe(Trial(0, proposal, first, str(tmp_path / "1.0-0")))
    assert told(again, tmp_path, 2.0, 1).status == "stopped"


def test_confidence_is_a_probability():
    with pytest.raises(OptionError, match=r"between 0\.5 and 1"):
        Race(RMSE, confidence=0.5)
    assert isinstance(make_evaluator("race(train)", RMSE, seed=0, device="cpu"), Race)


def test_a_search_finds_the_same_with_fewer_fits(tmp_path):
    X, y = (each[:700] for each in load_digits(return_X_y=True))
    (tmp_path / "small.yaml").write_text(
        "{name: small, title: Two kinds, extends: tabular, kinds: {linear: , kernel: }}"
    )
    options = {"space": str(tmp_path / "small.yaml"), "n_trials": 8, "cv": 5, "random_state": 0, "verbose": 0}
    options |= {"ensemble_size": 1, "strategy": "random"}
    whole = AutoNASClassifier(**options).fit(X, y)
    raced = AutoNASClassifier(**options, evaluator="race(train)").fit(X, y)
    given_up = [t for t in raced.trials_ if t.result.status == "stopped"]
    assert given_up
    assert raced.best_config_ == whole.best_config_
    assert raced.best_score_ == pytest.approx(whole.best_score_)
    losses = {t.proposal.key: t.loss for t in whole.trials_}
    assert all(losses[t.proposal.key] > min(losses.values()) for t in given_up)

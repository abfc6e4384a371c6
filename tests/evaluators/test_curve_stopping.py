"""Curve evaluators: what they stop, what they let go on, and what a search keeps of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.evaluators import check_evaluator, list_evaluators, make_evaluator
from autonas.evaluators.base import Evaluator
from autonas.evaluators.median import MedianStopping
from autonas.evaluators.train import Train
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy

METRIC = get_metric(None, "classification")
WRAPPERS = ("domhan", "freezethaw", "lcnet", "median", "nusvr")
SPACE = SearchSpace(ConfigurationSpace(space={"end": (0.1, 0.6)}, seed=0), name="ends")
STEPS = np.arange(1, 21) / 20


def curve(end: float) -> tuple[tuple[float, float], ...]:
    return tuple((float(z), end + (1 - end) * math.exp(-6 * z)) for z in STEPS)


class Curves(Evaluator):
    """Trains nothing: the curve falls to the configuration's ``end``."""

    offers = frozenset({"fidelity", "curve"})

    def evaluate(self, proposal, parent, workdir, report=None, seconds=None):
        seen = []
        for z, loss in curve(proposal.config["end"]):
            seen.append((z, loss))
            if not report(z, {"loss": loss}):
                break
        status = "stopped" if len(seen) < len(STEPS) else "ok"
        return Result({METRIC.name: seen[-1][1]}, status, curve=tuple(seen), info={"steps": len(seen)})


def taught(name: str, ends: list[float], **options: Any) -> Any:
    """An evaluator that has seen complete curves with these ends."""
    cls = type(make_evaluator(f"{name}(train)", METRIC, seed=0, device="cpu"))
    evaluator = cls(METRIC, inner=Curves(METRIC), **options)
    evaluator.prepare(SPACE, None)
    for number, end in enumerate(ends):
        seen = curve(end)
        evaluator.observe(Trial(number, Proposal({"end": end}), Result({METRIC.name: seen[-1][1]}, curve=seen)))
    return evaluator


def stopped_at(evaluator: Evaluator, end: float, trial_id: int = 99, **proposal: Any) -> float | None:
    for z, loss in curve(end):
        verdict = evaluator.judge(trial_id, Proposal({"end": end}, **proposal), z, {"loss": loss})
        if verdict is not None:
            assert verdict["stopped_at"] == z
            assert {"predicted", "predicted_sd", "to_beat"} <= set(verdict)
            return z
    return None


ENDS = [float(end) for end in np.linspace(0.15, 0.55, 15)]


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_bad_curve_is_stopped_and_a_good_one_never(name):
    bad = stopped_at(taught(name, ENDS), 0.58)
    assert bad is not None
    assert bad <= 0.6
    assert stopped_at(taught(name, ENDS), 0.1) is None


@pytest.mark.parametrize("name", WRAPPERS)
def test_delta_0_stops_nothing(name):
    assert stopped_at(taught(name, ENDS, delta=0.0), 0.58) is None


@pytest.mark.parametrize("name", WRAPPERS)
def test_nothing_is_stopped_before_there_are_complete_curves(name):
    assert stopped_at(taught(name, ENDS[:2]), 0.58) is None


def test_stopped_failed_and_low_trials_teach_no_ends():
    evaluator = taught("domhan", [0.4] * 5)
    for number, (status, fidelity) in enumerate([("stopped", 1.0), ("failed", 1.0), ("ok", 0.3)]):
        result = Result({METRIC.name: 0.01}, status, curve=((0.5, 0.01),))  # type: ignore[arg-type]
        evaluator.observe(Trial(50 + number, Proposal({"end": 0.1}, fidelity=fidelity), result))
    assert stopped_at(evaluator, 0.35) is None


def test_a_promotion_goes_on_with_the_curve_of_its_parent():
    evaluator = taught("median", ENDS)
    seen = curve(0.58)[:6]
    low = Proposal({"end": 0.58}, fidelity=0.3)
    evaluator.observe(Trial(60, low, Result({METRIC.name: seen[-1][1]}, curve=seen)))
    (z, loss) = curve(0.58)[6]
    promoted = Proposal({"end": 0.58}, parent=60, inherit="resume")
    assert evaluator.judge(61, promoted, z, {"loss": loss}) is not None
    assert evaluator.judge(62, Proposal({"end": 0.58}), z, {"loss": loss}) is None  # one point is no curve


def test_learners_that_do_not_train_by_epochs_go_on():
    evaluator = make_evaluator("median", METRIC, seed=0, device="cpu")
    evaluator.prepare(load_space("tabular", "classification"), None)  # type: ignore[arg-type]
    for number in range(5):
        config = evaluator.space.default("mlp")
        evaluator.observe(Trial(number, Proposal(config), Result({METRIC.name: 0.2}, curve=curve(0.2))))
    for kind, stops in (("linear", False), ("mlp", True)):
        verdicts = [
            evaluator.judge(9, Proposal(evaluator.space.default(kind)), z, {"loss": loss}) for z, loss in curve(0.9)
        ]
        assert any(verdicts) == stops


# --- names -----------------------------------------------------------------------------------------------------------


def test_wrappers_are_listed_and_nest():
    assert set(WRAPPERS) <= {name for name, _ in list_evaluators()}
    evaluator = make_evaluator(" domhan( median(train) ) ", METRIC, seed=5, device="cpu")
    assert isinstance(evaluator.inner, MedianStopping)
    assert isinstance(evaluator.inner.inner, Train)
    assert evaluator.inner.inner.seed == 5
    assert evaluator.offers == Train.offers


@pytest.mark.parametrize("spec", ["median(trian)", "medain(train)"])
def test_wrong_names_are_refused_early(spec):
    with pytest.raises(OptionError, match="Did you mean"):
        check_evaluator(spec)


def test_nonsense_is_refused():
    with pytest.raises(OptionError, match="a name around a name"):
        check_evaluator("median(train")
    with pytest.raises(OptionError, match="wraps no other"):
        make_evaluator("train(median)", METRIC, seed=0, device="cpu")
    with pytest.raises(OptionError, match="delta"):
        MedianStopping(METRIC, delta=2)


# --- in a search -----------------------------------------------------------------------------------------------------


def search(folder: Path, evaluator: Evaluator, n_trials: int) -> list[Trial]:
    executor = InProcess(evaluator, SPACE, None)  # type: ignore[arg-type]
    with Journal.open_or_create(folder / "journal.db", {}) as journal, Progress(None, None, METRIC, 0) as progress:
        search = Search(
            SPACE,
            lambda: make_strategy("random", SPACE, (METRIC.name,), 0),
            executor,
            journal,
            Checkpoints(folder, 2**30),
            Limits(Clock(None), n_trials),
            progress,
            evaluator=evaluator,
        )
        executor.on_report = search.heard
        return search.run()


@pytest.mark.parametrize("name", ["domhan", "median"])
def test_a_search_takes_fewer_steps_and_finds_the_same(name, tmp_path):
    for folder in ("all", "some", "resumed"):
        (tmp_path / folder).mkdir()
    everything = search(tmp_path / "all", Curves(METRIC), 30)
    some = search(tmp_path / "some", taught(name, []), 30)
    assert [t.config for t in some] == [t.config for t in everything]
    assert sum(t.result.info["steps"] for t in some) < 0.8 * 30 * len(STEPS)
    assert min(t.loss for t in some) == min(t.loss for t in everything)
    stopped = [t for t in some if t.result.status == "stopped"]
    for trial in stopped:
        assert trial.result.info["stopped_at"] == trial.result.curve[-1][0]
        assert trial.loss == trial.result.curve[-1][1]
    search(tmp_path / "resumed", taught(name, []), 13)
    resumed = search(tmp_path / "resumed", taught(name, []), 30)
    assert [t.result for t in resumed] == [t.result for t in some]

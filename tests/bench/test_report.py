from __future__ import annotations

import numpy as np
import pytest

from autonas.bench.report import Comparison, plot
from autonas.bench.runs import Job, Run


def make(benchmark, strategy, seed, scores, error=""):
    """A run whose score after 25, 50, ... evaluations is as given."""
    job = Job(benchmark, "loss", strategy, seed)
    curve = tuple((float(n), score) for n, score in zip((1, 26, 51), scores, strict=False))
    return Run(job, 100, 1.5, 2.5, 90, error, curve)


@pytest.fixture
def comparison():
    """``a`` is best on both benchmarks for every seed; ``b`` and ``c`` tie on one of them."""
    runs = []
    for seed in range(6):
        runs += [make("one", "a", seed, (0.5, 0.1, 0.01 * seed)), make("two", "a", seed, (0.5, 0.1, 0.0))]
        runs += [make("one", "b", seed, (0.5, 0.2, 0.2)), make("two", "b", seed, (0.5, 0.3, 0.2))]
        runs += [make("one", "c", seed, (0.5, 0.3, 0.3)), make("two", "c", seed, (0.5, 0.3, 0.2))]
    return Comparison(runs, 100)


def test_ranks_are_of_medians_and_ties_are_averaged(comparison):
    names, ranks, draws = comparison.ranks(100)
    assert names == ["a", "b", "c"]
    assert ranks.tolist() == [1, 2.25, 2.75]
    assert (draws == ranks).all()  # no seed changes the order
    assert comparison.ranks(25)[1].tolist() == [2, 2, 2]


def test_intervals_show_how_much_depends_on_the_seeds():
    rng = np.random.default_rng(0)
    runs = [make("one", s, seed, (rng.random(), rng.random(), rng.random())) for s in "ab" for seed in range(10)]
    _, ranks, draws = Comparison(runs, 100).ranks(50)
    assert draws.sum(axis=1) == pytest.approx(np.full(len(draws), 3))
    assert np.quantile(draws[:, 0], [0.025, 0.975]).tolist() == [1, 2]
    assert sorted(ranks) == [1, 2]


def test_scores_are_paired_by_seed_and_a_broken_run_is_left_out(comparison):
    runs = [*comparison.runs.values(), make("one", "a", 5, (0, 0, 0), error="it broke")]
    broken = Comparison(runs, 100)
    assert np.isnan(broken.scores("one", "a", [50])[5, 0])
    assert np.isfinite(broken.scores("two", "a", [50])).all()
    assert "it broke" in broken.text()
    assert broken.ranks(100)[1].tolist() == [1, 2.25, 2.75]


def test_a_strategy_without_scores_somewhere_is_not_ranked(comparison):
    runs = [*comparison.runs.values(), make("one", "d", 0, (0, 0, 0))]
    assert Comparison(runs, 100).ranks(50)[0] == ["a", "b", "c"]


def test_the_text_has_medians_means_and_the_lead(comparison):
    text = comparison.text()
    assert "0.0250 (0.0250)" in text  # a on one: 0, 0.01, ..., 0.05
    assert "@100: a is ahead of b by 1.25 ranks, 95% interval [1.25, 1.25]" in text
    assert "1.500       2.500    0.90" in text


def test_the_plot_is_a_picture(comparison, tmp_path):
    plot(comparison, tmp_path / "scores.png")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")

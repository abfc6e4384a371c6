"""A race between a search in full and one of several fidelities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, mean_squared_error
from typer.testing import CliRunner

from autonas.bench.fidelity import SPACES, Model, Race, median_share, race, read_data, row_losses
from autonas.cli import app
from autonas.data.prepare import prepare
from autonas.errors import DataError, OptionError
from autonas.search_space.load import load_space


def model(seconds: float, *losses: float, fidelity: float = 1.0) -> Model:
    return Model(seconds, fidelity, np.array(losses))


def test_as_good_means_within_one_standard_error_of_the_paired_difference() -> None:
    goal = model(0, 1.0, 2.0, 3.0, 4.0, math.nan)
    # differences 0, 0, 0, d: their mean is d / 4, and so is its standard error
    assert model(0, 1.0, 2.0, 3.0, 4.0, 9.0).is_as_good_as(goal)
    assert not model(0, 1.1, 2.1, 3.1, 4.1 + 1e-9, 0.0).is_as_good_as(goal)
    assert model(0, 0.9, 1.9, 2.9, 3.9 - 1e-9, math.nan).is_as_good_as(goal)
    # 0.1, -0.1, 0.2, 0: mean 0.05, standard deviation 0.129, standard error 0.065
    assert model(0, 1.1, 1.9, 3.2, 4.0, 0.0).is_as_good_as(goal)
    # 0.2, 0, 0.2, 0: mean 0.1, standard deviation 0.115, standard error 0.058
    assert not model(0, 1.2, 2.0, 3.2, 4.0, 0.0).is_as_good_as(goal)


def test_a_search_is_as_good_as_its_best_model_so_far() -> None:
    full = [model(10, 1.0, 1.0), model(20, 0.5, 0.5), model(30, 2.0, 2.0)]
    cheap = [model(1, 3.0, 3.1, fidelity=0.1), model(2, 0.4, 0.5, fidelity=0.3), model(3, 0.1, 0.1)]
    one = Race(0, full, cheap, 30)
    assert one.goal is full[1]
    assert (one.reached, one.share) == pytest.approx((2, 2 / 30))
    assert median_share([one, Race(1, full, cheap[:1], 30)]) == math.inf
    assert len(one.line()) == len(Race.head())


def test_losses_of_rows_are_those_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 60)
    y = rng.integers(3, size=60)
    task = prepare(rng.normal(size=(60, 2)), y, kind="classification")
    assert row_losses(task, p).mean() == pytest.approx(log_loss(y, p))
    target, predicted = rng.normal(size=60), rng.normal(size=(60, 1))
    task = prepare(rng.normal(size=(60, 2)), target, kind="regression")
    assert row_losses(task, predicted).mean() == pytest.approx(mean_squared_error(target, predicted[:, 0]))


@pytest.mark.parametrize("modality", SPACES)
def test_networks_of_the_usual_spaces_train_for_equally_many_epochs(modality: str) -> None:
    space = load_space(SPACES[modality])
    assert space.modality == modality
    assert set(space.families) == space.networks
    assert len({space.options(config)["epochs"] for config in space.sample(50, 0)}) == 1


def test_a_race() -> None:
    digits = load_digits()
    (one,) = race(digits.images[:120], digits.target[:120], trials=2, lowest=1 / 3, seeds=1)
    assert [found.fidelity for found in one.full] == [1, 1]
    assert one.cheap[0].fidelity == pytest.approx(1 / 3)
    assert np.isfinite(one.goal.losses).sum() == 24
    assert 0 < one.reached == one.cheap[-1].seconds or one.reached == math.inf


def test_sets(tmp_path) -> None:
    X, y = read_data("digits")
    assert (X.shape, X.max(), y.shape) == ((1797, 8, 8), 1, (1797,))
    np.savez(tmp_path / "set.npz", X=X[:5], y=y[:5])
    np.testing.assert_array_equal(read_data(str(tmp_path / "set.npz"))[0], X[:5])
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    assert read_data(str(tmp_path / "table.csv"), "b")[1].tolist() == [2, 4]
    with pytest.raises(DataError, match="with the arrays X and y was required"):
        read_data(str(tmp_path / "none.npz"))
    with pytest.raises(DataError, match="with --target COLUMN was required"):
        read_data("iris")
    with pytest.raises(DataError, match="no usual space for series data"):
        next(race(np.zeros((40, 1, 30)), np.arange(40) % 2))


def test_the_command_refuses_impossible_numbers() -> None:
    with pytest.raises(OptionError, match="--lowest in"):
        CliRunner().invoke(app, ["bench", "fidelity", "--lowest", "2"], catch_exceptions=False)

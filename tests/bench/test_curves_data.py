"""The recorded curves, and that recording gives them again."""

from __future__ import annotations

import numpy as np

from autonas.bench.curves import CURVES, TASKS, read_curves, record, report, train, write_curves


def test_there_are_enough_curves_in_a_small_file(tmp_path):
    curves = read_curves()
    assert len(curves) >= 300
    assert {one.task for one in curves} == set(TASKS)
    assert CURVES.stat().st_size <= 300_000
    assert all(one.curve[-1][0] == 1 or one.config["early_stopping"] == "yes" for one in curves)
    assert all(np.diff([z for z, _ in one.curve]).min() > 0 for one in curves)
    write_curves(curves, tmp_path / "again.json.gz")
    assert read_curves(tmp_path / "again.json.gz") == curves


def test_training_again_gives_the_same_curves():
    known = next(one for one in read_curves() if one.task == "wine")
    (again,) = train("wine", [known.config])
    np.testing.assert_allclose(again.curve, known.curve, rtol=1e-3)


def test_random_configurations_are_cheap_networks_of_each_kind():
    assert sorted(one.config["model"] for one in record(("wine",), 2)) == ["mlp", "resmlp"]


def test_the_report_has_a_line_for_each_model():
    wine = [one for one in read_curves() if one.task == "wine"]
    lines = report(wine, ("last", "median")).splitlines()
    assert [line.split()[0] for line in lines] == ["model", "last", "median"]
    assert 0.8 < float(lines[1].split()[1]) <= 1

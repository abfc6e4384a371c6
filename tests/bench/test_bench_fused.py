"""The comparison of fused and separate training finds equal results."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from autonas.bench import fused
from autonas.bench.cli import app


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(fused, "ROWS", 150)
    monkeypatch.setattr(fused, "EPOCHS", 10)


def test_differences_are_those_of_floats():
    one, two = fused.compare([16, 24], networks=3, folds=2)
    assert (one.width, two.width) == (16, 24)
    for found in (one, two):
        assert max(found.losses, found.probabilities) < 1e-4
        assert min(found.alone, found.fused) > 0
        assert len(found.line()) == len(found.head())


def test_the_command_prints_a_row_for_each_width():
    result = CliRunner().invoke(app, ["fused", "--widths", "32", "--networks", "2", "--kind", "tabm"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 2

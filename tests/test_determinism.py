"""Without a time limit a fit repeats exactly, in this process and in another, for every kind of data."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_cases import classifier, outcomes, regressor

HERE = Path(__file__).parent
CASES = ("classes", "numbers", "images", "series", "texts", "one")


def fitted(case: str) -> tuple[Any, Any]:
    """A model of the default space for such data, through its networks where they are small, and what it predicts."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    table = pd.DataFrame(rng.normal(size=(120, 3)) + y[:, None], columns=["a", "b", "c"])
    table["d"] = rng.choice(["x", "y", "z"], 120)
    table.loc[::9, "a"] = np.nan
    if case == "classes":
        return classifier(n_trials=16).fit(table, y), table  # the portfolio, the strategy and a second layer
    if case == "numbers":
        return regressor(n_trials=5).fit(table, table["b"] + y), table
    if case == "one":
        return classifier(n_trials=4, refit="one").fit(table, y), table
    if case == "texts":
        words = np.array(["good", "bad", "so", "so", "film", "book", "very"])
        texts = [" ".join(rng.choice(words[:-2] if label else words[1:], 6)) for label in y[:60]]
        return classifier(n_trials=3).fit(texts, y[:60]), texts
    X = rng.normal(size=(40, 8, 8)) if case == "images" else rng.normal(size=(40, 2, 24))
    X[y[:40] == 1, ..., :4] += 1
    return classifier(n_trials=3, modality="image" if case == "images" else "series").fit(X, y[:40]), X


def summary(case: str) -> str:
    """All that a fit may show: what was tried, with what loss, and the bits of what is predicted."""
    model, X = fitted(case)
    predictions = model.model_.predict(X)
    trials = [(str(t[1]), sorted(t[2].items()), t[3]) for t in outcomes(model)]
    return hashlib.sha256(repr(trials).encode() + predictions.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """The summaries, from another process with another seed of Python's hashes."""
    code = f"import json, test_determinism as t; print(json.dumps({{c: t.summary(c) for c in {CASES!r}}}))"
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE, env=environment
    )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_fit_repeats_here_and_in_another_process(case: str, elsewhere: dict[str, str]) -> None:
    assert summary(case) == elsewhere[case]

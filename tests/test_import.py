"""What may be imported when: start-up is part of the product."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "pandas", "scipy", "smac", "ConfigSpace", "lightgbm", "matplotlib")


@pytest.mark.parametrize(
    "statement",
    [
        "import autonas",
        "import autonas.run.executors, autonas.run.journal",
        "from autonas.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass",
    ],
)
def test_nothing_heavy_is_imported(statement):
    code = f"{statement}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

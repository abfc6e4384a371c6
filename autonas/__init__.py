"""AutoNAS: automated machine learning with neural networks, centred on Bayesian optimisation.

Public names are imported when they are first used, so that ``import autonas`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autonas.data.images import read_images
    from autonas.errors import AutoNASError
    from autonas.estimators import AutoNASClassifier, AutoNASRegressor, load
    from autonas.run.minimize import minimize
    from autonas.run.optimize import Optimizer
    from autonas.search_space.load import list_spaces, load_space

__version__ = "0.1.0"

_HOME = {
    "AutoNASClassifier": "autonas.estimators",
    "AutoNASRegressor": "autonas.estimators",
    "AutoNASError": "autonas.errors",
    "Optimizer": "autonas.run.optimize",
    "list_spaces": "autonas.search_space.load",
    "load": "autonas.estimators",
    "load_space": "autonas.search_space.load",
    "minimize": "autonas.run.minimize",
    "read_images": "autonas.data.images",
}

__all__ = [
    "AutoNASClassifier", "AutoNASError", "AutoNASRegressor", "Optimizer", "__version__", "list_spaces", "load",
    "load_space", "minimize", "read_images",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'autonas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

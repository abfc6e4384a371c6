"""Every error that AutoNAS raises on purpose.

Each says what was required, what was given and what to do.  All derive from
:class:`AutoNASError`; where a built-in error fits, the child is one too, so that
``except ValueError`` keeps working in code that knows nothing of AutoNAS.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArchitectureError", "AutoNASError", "DataError", "OptionError", "SpaceError", "ModelError", "JournalError",
    "unknown",
]  # fmt: skip


class AutoNASError(Exception):
    """Root of all errors of this package."""


class DataError(AutoNASError, ValueError):
    """The data cannot be used as given (shape, target, missing column, unreadable file)."""


class OptionError(AutoNASError, ValueError):
    """An option or a name is not one of those that exist, or has an impossible value."""


class SpaceError(OptionError):
    """A search space, or a configuration of one, is malformed."""


class ArchitectureError(SpaceError):
    """A configuration describes a network that cannot be built for this data; says which part and why."""


class ModelError(AutoNASError, OSError):
    """A saved model is missing, damaged, or of a version that this release cannot read."""


class JournalError(AutoNASError, RuntimeError):
    """A search on disk cannot be continued as asked (other data, other space, damaged)."""


def unknown(what: str, given: object, known: Iterable[str], hint: str = "") -> OptionError:
    """Error for a name that does not exist, with the nearest existing names.

    Parameters
    ----------
    what : str
        What the name should have named ("metric", "strategy", ...).
    given : object
        The name as given.
    known : iterable of str
        The names that exist.
    hint : str
        One more sentence, if there is something else to do.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.5)
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return OptionError(f"Unknown {what} {given!r}.{guess} Available: {', '.join(names)}. {hint}".strip())

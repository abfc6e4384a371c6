"""What a strategy asks for (proposal), what came back (result), and the two together (trial).

These three records are all that strategies, evaluators, the run loop and the journal exchange.
They are immutable and convert to plain JSON and back, so that a search can be replayed from disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Config", "Value", "Inherit", "Status", "Proposal", "Result", "Trial", "config_key"]

Value = str | int | float | bool
Config = Mapping[str, Value]
Inherit = Literal["resume", "copy", "morph", "scratch"]
Status = Literal["ok", "stopped", "failed"]


def config_key(config: Config) -> str:
    """Canonical text of a configuration: equal configurations have equal keys."""
    return json.dumps(dict(config), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Proposal:
    """A configuration that a strategy wants evaluated.

    Parameters
    ----------
    config : mapping of str to plain value
        Active hyperparameters only.
    fidelity : float
        In (0, 1]; 1 is a full evaluation.
    parent : int or None
        Trial whose checkpoint this one starts from.
    inherit : {"resume", "copy", "morph", "scratch"} or None
        How the parent's weights are used; "resume" continues the same configuration; "scratch" leaves them out, so that
        there is something to compare the children of such parents with.
    origin : str
        Who proposed it ("portfolio" or the strategy's name), for the leaderboard.
    genome : str or None
        Canonical JSON of an open-ended architecture that no bounded configuration can say; the configuration then
        holds what else is searched (training hyperparameters).
    """

    config: Config
    fidelity: float = 1.0
    parent: int | None = None
    inherit: Inherit | None = None
    origin: str = ""
    genome: str | None = None

    @property
    def key(self) -> str:
        """Canonical text of the configuration and the genome."""
        key = config_key(self.config)
        return key if self.genome is None else f"{key} {self.genome}"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "config": dict(self.config),
                "fidelity": self.fidelity,
                "parent": self.parent,
                "inherit": self.inherit,
                "origin": self.origin,
                "genome": self.genome,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Proposal:
        """Inverse of :meth:`to_json`."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Result:
    """What an evaluation brought.

    Parameters
    ----------
    values : mapping of str to float
        Loss by objective name; lower is better, always.  Empty for a failed trial.
    status : {"ok", "stopped", "failed"}
        "stopped": ended early by a rule (clock, racing), the values are still valid.
    cost_seconds : float
        What the evaluation took.
    curve : tuple of (fidelity, loss)
        Validation loss of the first objective as training went on.
    error : str
        Why it failed; empty otherwise.
    info : mapping
        Plain JSON extras for a person to read (best epoch, number of parameters, ...).
    """

    values: Mapping[str, float] = field(default_factory=dict)
    status: Status = "ok"
    cost_seconds: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()
    error: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """First objective; infinite for a failed trial."""
        return next(iter(self.values.values()), math.inf) if self.status != "failed" else math.inf

    @classmethod
    def failure(cls, error: str, cost_seconds: float = 0.0) -> Result:
        """A failed evaluation with its reason."""
        return cls(status="failed", error=error, cost_seconds=cost_seconds)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "values": dict(self.values),
                "status": self.status,
                "cost_seconds": self.cost_seconds,
                "curve": self.curve,
                "error": self.error,
                "info": dict(self.info),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Inverse of :meth:`to_json`."""
        raw = json.loads(text)
        raw["curve"] = tuple((float(z), float(v)) for z, v in raw["curve"])
        return cls(**raw)


@dataclass(frozen=True)
class Trial:
    """A proposal, its result and where its weights are.

    ``checkpoint`` is the folder that holds the learner's state and its out-of-fold predictions,
    or None when the trial failed or the folder was dropped under the disk quota.
    """

    id: int
    proposal: Proposal
    result: Result
    checkpoint: str | None = None

    @property
    def config(self) -> Config:
        """Configuration of the proposal."""
        return self.proposal.config

    @property
    def loss(self) -> float:
        """First objective; infinite for a failed trial."""
        return self.result.loss

    @property
    def ok(self) -> bool:
        """Whether the trial has a finite loss."""
        return math.isfinite(self.loss)

"""What the table of trials says beside losses: how low fidelities rank."""

from __future__ import annotations

import numpy as np
from scipy.stats import kendalltau

from autonas import load_space
from autonas.core.goals import get_goals
from autonas.core.trial import Proposal, Result, Trial
from autonas.ensemble import Ensemble
from autonas.leaderboard import leaderboard


def _trials(fidelities):
    rng = np.random.default_rng(0)
    found = []
    for depth in range(1, 7):
        for fidelity in fidelities:
            proposal = Proposal({"model": "linear", "strength": float(depth)}, fidelity)
            found.append(Trial(len(found), proposal, Result({"log_loss": depth + rng.normal()})))
    return found


def _board(trials):
    goals = get_goals(None, None, "classification")
    weights = np.eye(len(trials))[0]
    best = Ensemble("classification", members=[0], weights=weights, loss=0.5, average=np.ones(1))
    return leaderboard(trials, trials, best, goals, load_space("tabular"))


def test_low_fidelities_have_the_tau_that_scipy_finds():
    trials = _trials([1 / 9, 1 / 3, 1.0])
    losses = {z: [t.loss for t in trials if t.proposal.fidelity == z] for z in (1 / 9, 1 / 3, 1.0)}
    board = _board(trials)
    for fidelity in (1 / 9, 1 / 3):
        expected = kendalltau(losses[fidelity], losses[1.0]).statistic
        assert np.allclose(board.loc[board["fidelity"] == fidelity, "tau"], expected)
    assert board.loc[board["fidelity"] == 1, "tau"].isna().all()


def test_one_fidelity_has_no_ranks_to_compare():
    assert "tau" not in _board(_trials([1.0]))

"""The policy: its gradient against finite differences and closed forms, and the toys of the papers."""

from itertools import product

import numpy as np
import pytest
import torch
from ConfigSpace import ConfigurationSpace, EqualsCondition

from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Decisions
from autonas.surrogates.policy import Batch, Updater, make_policy, objective
from autonas.testing.strategy_cases import conditional_space


def flat(n, k):
    return Decisions(SearchSpace(ConfigurationSpace({f"t{i}": [str(a) for a in range(k)] for i in range(n)})))


def nested():
    space = ConfigurationSpace({"a": ["x", "y", "z"], "b": ["0", "1"], "c": ["0", "1", "2"]})
    space.add(EqualsCondition(space["b"], space["a"], "x"))
    return Decisions(SearchSpace(space))


def everything(decisions):
    return [decisions.prefix(config) for config in decisions.space.grid()]


def log_likelihood(policy, wholes):
    batch = Batch(policy.decisions, wholes)
    taken = policy.log_probabilities(batch).gather(-1, batch.slots[..., None])[..., 0]
    return (taken * batch.valid).sum(1), taken, batch


def probability(policy, wholes):
    """That one of the sequences is drawn."""
    return log_likelihood(policy, wholes)[0].detach().exp().sum().item()


@pytest.mark.parametrize("kind", ["tabular", "lstm"])
@pytest.mark.parametrize("make", [lambda: flat(2, 3), nested, lambda: Decisions(conditional_space())])
def test_probabilities_add_up_and_equal_the_samplers(kind, make):
    policy = make_policy(make(), kind, [0.3, -1.0], seed=1, bound=2.5)
    for parameter in policy.parameters():
        parameter.data.mul_(10).add_(0.05)
    rng = np.random.default_rng(0)
    for _ in range(10):
        whole = policy.sample(rng)
        alone, prefix, slot, memory = 0.0, policy.decisions.start(), None, None
        while prefix.name is not None:  # the numpy step against torch's LSTM
            logits, memory = policy.step(slot, memory)
            offset, action = policy.decisions.offsets[prefix.index], whole.actions[prefix.index]
            legal = np.flatnonzero(prefix.legal)
            alone += logits[offset + action] - np.log(np.exp(logits[offset + legal]).sum())
            slot, prefix = offset + action, prefix.take(action)
        assert np.exp(alone) == pytest.approx(probability(policy, [whole]), rel=1e-4)
    if policy.decisions.space.finite:
        assert probability(policy, everything(policy.decisions)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["tabular", "lstm"])
def test_the_gradient_is_that_of_the_expected_reward(kind):
    # sum over all sequences of p A grad log p, against finite differences of sum p R
    decisions = nested()
    policy = make_policy(decisions, kind, seed=2, units=4).double()
    for parameter in policy.parameters():
        parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    wholes = everything(decisions)
    rewards = torch.rand(len(wholes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    @torch.no_grad()
    def expected():
        return (log_likelihood(policy, wholes)[0].exp() * rewards).sum().item()

    likelihood, taken, batch = log_likelihood(policy, wholes)
    baseline = 0.4  # changes nothing in expectation
    weighted = (likelihood.exp().detach() * (rewards - baseline)).float().double()
    (objective(taken, taken.detach(), weighted, None) * batch.valid).sum().backward()
    for parameter in policy.parameters():
        gradient = parameter.grad
        for place in list(np.ndindex(*parameter.shape))[:20]:
            value = float(parameter.data[place])
            parameter.data[place] = value + 1e-5
            above = expected()
            parameter.data[place] = value - 1e-5
            below = expected()
            parameter.data[place] = value
            assert float(gradient[place]) == pytest.approx((above - below) / 2e-5, abs=1e-6)


def test_ppo_without_a_clip_starts_as_reinforce():
    decisions = flat(3, 4)
    policy = make_policy(decisions, "lstm", seed=0)
    rng = np.random.default_rng(1)
    wholes = [policy.sample(rng) for _ in range(8)]
    gains = torch.tensor(rng.normal(size=8), dtype=torch.float32)
    gradients = []
    for clip in (None, 1e9):
        _, taken, batch = log_likelihood(policy, wholes)
        policy.zero_grad()
        (objective(taken, taken.detach(), gains, clip) * batch.valid).sum(1).mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad.numel()]))
    assert gradients[0].abs().max() > 1e-3
    assert torch.allclose(*gradients, atol=1e-6)


def test_the_clip_stops_what_went_far_enough():
    new = torch.tensor([[1.3], [0.7], [1.3], [0.7], [1.1]]).log().requires_grad_()
    gain = torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0])
    objective(new, torch.zeros(5, 1), gain, 0.2).sum().backward()
    # improving and outside: nothing; worsening and outside: all; inside: all (the derivative of r is r)
    assert new.grad.flatten().tolist() == pytest.approx([0, 0, -1.3, 0.7, 1.1])


@pytest.mark.parametrize(
    ("kind", "rate", "clip", "epochs", "batch"),
    [("tabular", 0.1, None, 1, 3), ("tabular", 0.1, 0.2, 4, 10), ("lstm", 0.02, None, 1, 5)],
)
def test_one_string_of_125_is_found(kind, rate, clip, epochs, batch):
    decisions = flat(3, 5)
    policy = make_policy(decisions, kind, seed=0, units=16, layers=1)
    updater = Updater(policy, rate, clip=clip, epochs=epochs)
    target, baseline, rng = (1, 4, 2), 0.0, np.random.default_rng(0)
    for _ in range(1500 // batch):
        wholes = [policy.sample(rng) for _ in range(batch)]
        rewards = [float(whole.actions == target) for whole in wholes]
        updater.update(wholes, [reward - baseline for reward in rewards])
        baseline = 0.95 * baseline + 0.05 * float(np.mean(rewards))
    best = [whole for whole in everything(decisions) if whole.actions == target]
    assert probability(policy, best) > 0.9


def test_skips_go_to_their_rate():
    names = [f"skip{i}" for i in range(6)]
    space = ConfigurationSpace({**{name: ["no", "yes"] for name in names}, "op": ["a", "b", "c"]})
    decisions = Decisions(SearchSpace(space))
    policy = make_policy(decisions, "lstm", seed=0, units=16, layers=1)
    updater = Updater(policy, 0.02, skips=names, skip_rate=0.4, skip_weight=0.8)
    rng = np.random.default_rng(0)
    for _ in range(60):
        updater.update([policy.sample(rng) for _ in range(5)], [0.0] * 5)
    counts = [sum(value == "yes" for value in policy.sample(rng).config().values()) for _ in range(300)]
    assert np.mean(counts) / 6 == pytest.approx(0.4, abs=0.04)
    with pytest.raises(OptionError, match="op has not"):
        Updater(policy, 0.1, skips=["op"])


def test_entropy_keeps_a_policy_open():
    ends = []
    for entropy in (0.0, 0.5):
        decisions = flat(1, 4)
        policy = make_policy(decisions, "tabular", seed=0)
        updater = Updater(policy, 0.1, entropy=entropy)
        whole = decisions.start().take(2)
        for _ in range(200):
            updater.update([whole], [1.0])
        ends.append(probability(policy, [whole]))
    assert ends[0] > 0.99
    # the exact optimum of A log p_2 + w H has p_2 < 1
    assert 0.5 < ends[1] < 0.97


@pytest.mark.parametrize("kind", ["tabular", "lstm"])
def test_a_contextual_policy_tells_tasks_apart(kind):
    decisions = flat(2, 3)
    best = {1.0: (0, 2), -1.0: (2, 1)}
    policy = make_policy(decisions, kind, [1.0], seed=0, units=16, layers=1)
    updater = Updater(policy, 0.1 if kind == "tabular" else 0.01, entropy=0.1)
    rng = np.random.default_rng(0)
    for step in range(200):
        feature = 1.0 if step % 2 else -1.0
        policy.features[0] = feature
        wholes = [policy.sample(rng) for _ in range(10)]
        hits = np.array([sum(a == b for a, b in zip(whole.actions, best[feature], strict=True)) for whole in wholes])
        updater.update(wholes, hits - hits.mean())
    for feature, actions in best.items():
        other = make_policy(decisions, kind, [feature], seed=5, units=16, layers=1, weights=policy.weights())
        wanted = [whole for whole in everything(decisions) if whole.actions == actions]
        assert probability(other, wanted) > 0.8


def test_weights_must_fit():
    weights = make_policy(flat(2, 3), "tabular", [1.0], seed=0).weights()
    with pytest.raises(OptionError, match="same space, kind of policy"):
        make_policy(flat(2, 3), "tabular", seed=0, weights=weights)


def test_the_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    policies = [make_policy(flat(2, 3), "lstm", seed=seed) for seed in (1, 1, 2)]
    Updater(policies[0], 0.1).update([policies[0].decisions.start().take(0).take(0)], [1.0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.allclose(policies[1].weights()["head.weight"], policies[2].weights()["head.weight"])


def test_sequences_of_all_lengths_in_one_batch():
    decisions = nested()
    wholes = everything(decisions)
    policy = make_policy(decisions, "lstm", seed=0)
    together = log_likelihood(policy, wholes)[0].detach().exp().tolist()
    alone = [probability(policy, [whole]) for whole in wholes]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({len(whole.tokens) for whole in wholes}) == 2
    assert len(wholes) == len(list(product("yz", "012"))) + len(list(product("x", "01", "012")))

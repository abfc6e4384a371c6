"""Steps of a stack of networks against plain torch; losses and scores against their definitions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from autonas.architectures import cnn, mlp, resmlp, tabm
from autonas.architectures.regularise import DropPath, scheduled
from autonas.data.task import Folds
from autonas.training.augment import mix_shares
from autonas.training.batches import Batches
from autonas.training.loop import Data, Trainer, combine, losses, private_randomness
from autonas.training.optim import rate
from autonas.training.stack import Stack

BUILDS = {
    "mlp": lambda: mlp.build({"width": 16, "dropout": 0.0, "normalisation": "layer"}, (5,), 3),
    # no bias in front: its gradient is zero but for rounding, which Adam would blow up
    "batch norm": lambda: nn.Sequential(nn.Linear(5, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)),
    "resmlp": lambda: resmlp.build({"width": 16, "hidden_dropout": 0.0}, (5,), 3),
    "tabm": lambda: tabm.build({"width": 32, "members": 4, "dropout": 0.0}, (5,), 3),
    "cnn": lambda: cnn.build({"width": 8, "dropout": 0.0}, (2, 9, 9), 3),
}
OPTIONS = {"batch_size": 16, "epochs": 4, "lr": 0.01, "weight_decay": 0.1}


@pytest.fixture(autouse=True)
def seed():
    with private_randomness("cpu"):
        torch.manual_seed(0)
        yield


def data(family="mlp", rows=48, weighted=False, k=3):
    X = torch.randn(rows, *((2, 9, 9) if family == "cnn" else (5,)))
    weight = torch.rand(rows) * 2 if weighted else None
    parts = np.array_split(np.random.default_rng(0).permutation(rows), k)
    pairs = tuple((np.concatenate([p for j, p in enumerate(parts) if j != i]), parts[i]) for i in range(k))
    return Data(X, torch.randint(3, (rows,)), weight, Folds(pairs, rows))


def reference(trainer, network, fold, steps):
    """The network of one fold trained step by step by an unfused AdamW of torch on plain modules."""
    torch_groups = {"decay": [], "plain": []}
    for name, parameter in network.named_parameters():
        decays = name.endswith("weight") and parameter.ndim >= 2
        torch_groups["decay" if decays else "plain"].append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {"params": torch_groups["decay"], "weight_decay": 0.1},
            {"params": torch_groups["plain"], "weight_decay": 0.0},
        ],
        lr=1.0,
        betas=(0.9, 0.95),
        foreach=False,
    )
    batches = Batches([trainer.data.folds.pairs[fold][0]], [fold], 16, 0, "cpu")
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * rate({}, (step + 0.5) / trainer.planned)
        index = batches(step)[0]
        outputs, y = network(trainer.data.X[index]), trainer.data.y[index]
        if outputs.ndim == 3:
            each = torch.stack([functional.cross_entropy(o, y, reduction="none") for o in outputs.unbind(1)]).mean(0)
        else:
            each = functional.cross_entropy(outputs, y, reduction="none")
        weight = trainer.data.weight
        optimizer.zero_grad()
        (each if weight is None else each * weight[index]).mean().backward()
        optimizer.step()
    return network


@pytest.mark.parametrize(
    ("family", "folds"),
    [("mlp", [0, 1, 2]), ("batch norm", [0, 1, 2]), ("resmlp", [0, 1, 2]), ("tabm", [0, 1, 2]), ("cnn", [1])],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_stack_trains_as_plain_networks_do(family, folds, weighted):
    trainer = Trainer(BUILDS[family], data(family, weighted=weighted), folds, OPTIONS, 0, "cpu")
    start = trainer.stack.copy()
    for _ in range(6):
        trainer.take_step()
    for number, fold in enumerate(folds):
        network = BUILDS[family]()
        network.load_state_dict({name: tensor[number] for name, tensor in start.items()})
        reference(trainer, network, fold, 6)
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(trainer.stack.weights[name][number], tensor, atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("family", ["mlp", "batch norm", "cnn"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_trainer_goes_on_exactly(family, optimizer):
    options = {**OPTIONS, "optimizer": optimizer, "augment": 1.0 if family == "cnn" else 0.0, "mixup": "yes"}
    folds = [0] if family == "cnn" else [0, 1, 2]
    made = data(family)
    first, second = (Trainer(BUILDS[family], made, folds, options, 0, "cpu") for _ in range(2))
    for _ in range(5):
        first.take_step()
    state = copy.deepcopy(first.state())
    for array in state["weights"].values():  # a file keeps values, not strides
        array[...] = np.ascontiguousarray(array)
    state["optimizer"] = {
        n: {k: np.ascontiguousarray(v).reshape(v.shape) for k, v in part.items()}
        for n, part in state["optimizer"].items()
    }
    second.restore(state)
    for _ in range(5):
        first.take_step()
        second.take_step()
    for name, tensor in first.stack.weights.items():
        assert torch.equal(tensor, second.stack.weights[name]), name


@pytest.mark.parametrize("weighted", [False, True])
def test_mixup_trains_on_mixed_inputs_with_soft_labels(weighted):
    made = data(weighted=weighted)
    trainer = Trainer(BUILDS["mlp"], made, [0, 1], {**OPTIONS, "mixup": "yes", "mixup_alpha": 0.8}, 0, "cpu")
    index = trainer.batches(0)
    torch.manual_seed(3)
    loss = trainer._loss(index, True, 0.1)
    torch.manual_seed(3)
    share = mix_shares(0.8, 2, "cpu")
    partner = index.roll(1, 1)
    x = share[..., None] * made.X[index] + (1 - share[..., None]) * made.X[partner]
    hot = functional.one_hot(made.y, 3).float()
    if weighted:  # a row counts as its weight says, whether for its own sake or as a partner
        hot = hot * made.weight[:, None]
    soft = share[..., None] * hot[index] + (1 - share[..., None]) * hot[partner]
    expected = -(soft * trainer.stack(x, training=True).log_softmax(-1)).sum(-1).mean(1).sum()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_inputs_are_neither_changed_nor_mixed_at_the_end_or_in_validation():
    options = {**OPTIONS, "mixup": "yes", "cutout": "yes", "flip": "yes", "augment": 1.0}
    made = data("cnn")
    changed, plain = (Trainer(BUILDS["cnn"], made, [0], o, 0, "cpu") for o in (options, OPTIONS))
    for trainer in (changed, plain):
        trainer.take_step(0.96)
    for name, tensor in plain.stack.weights.items():
        assert torch.equal(tensor, changed.stack.weights[name]), name
    assert changed.judged(changed.scores(64))[0] == plain.judged(plain.scores(64))[0]
    for trainer in (changed, plain):
        trainer.take_step(0.5)
    assert changed.judged(changed.scores(64))[0] != plain.judged(plain.scores(64))[0]


def test_paths_are_dropped_as_progress_says():
    def build():
        return nn.Sequential(nn.Linear(5, 8), DropPath(0.4), nn.Linear(8, 3))

    trainer = Trainer(build, data(), [0, 1, 2], OPTIONS, 0, "cpu")
    (module,) = scheduled(trainer.stack.network)
    seen = []
    for _ in range(trainer.planned):
        trainer.take_step()
        seen.append(module.progress)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.5 / trainer.planned, 1 - 0.5 / trainer.planned)
    trainer.check_finite()
    x = torch.randn(3, 400, 5)
    outputs = trainer.stack(x, training=True)
    bias = trainer.stack.weights["2.bias"][:, None]
    share = (outputs == bias).all(-1).float().mean().item()  # what is dropped leaves the bias alone
    assert share == pytest.approx(0.4 * seen[-1], abs=0.04)
    assert not (trainer.stack(x) == bias).all(-1).any()


def test_every_epoch_uses_other_rows_of_the_fold_and_none_twice():
    rows = [np.arange(0, 70), np.arange(100, 171)]
    batches = Batches(rows, [0, 1], 32, 0, "cpu")
    assert (batches.steps, batches.size) == (3, 23)
    epochs = [np.stack([batches(step).numpy() for step in range(3 * e, 3 * e + 3)], axis=1) for e in range(2)]
    for epoch in epochs:
        for network, allowed in zip(epoch.reshape(2, -1), rows, strict=True):
            assert len(set(network)) == 69
            assert set(network) <= set(allowed)
    assert not np.array_equal(*epochs)
    np.testing.assert_array_equal(batches(1).numpy(), epochs[0][:, 1])  # going back gives the same
    alone = Batches(rows[1:], [1], 32, 0, "cpu")
    assert set(alone(0).numpy()[0]) <= set(rows[1])


def test_losses_are_cross_entropy_and_squared_error():
    logits, y = torch.randn(2, 6, 3), torch.randint(3, (2, 6))
    expected = -logits.log_softmax(-1).gather(-1, y[..., None])[..., 0]
    torch.testing.assert_close(losses(logits, y), expected)
    smooth = 0.9 * expected - 0.1 * logits.log_softmax(-1).mean(-1)
    torch.testing.assert_close(losses(logits, y, 0.1), smooth)
    members = torch.randn(2, 6, 4, 3)
    mean = torch.stack([losses(members[:, :, m], y) for m in range(4)]).mean(0)
    torch.testing.assert_close(losses(members, y), mean)
    values, target = torch.randn(2, 6, 4, 1), torch.randn(2, 6)
    torch.testing.assert_close(losses(values[:, :, 0], target), (values[:, :, 0, 0] - target) ** 2)
    torch.testing.assert_close(losses(values, target), ((values[..., 0] - target[..., None]) ** 2).mean(-1))


def test_members_are_combined_by_their_mean_probability():
    outputs = torch.randn(2, 6, 4, 3)
    torch.testing.assert_close(combine(outputs, True).exp(), outputs.softmax(-1).mean(2))
    torch.testing.assert_close(combine(outputs, False), outputs.mean(2))
    torch.testing.assert_close(combine(outputs[:, :, 0], True), outputs[:, :, 0].log_softmax(-1))


def test_validation_loss_is_weighted_and_scores_are_in_the_order_of_the_rows():
    made = data(weighted=True)
    trainer = Trainer(BUILDS["mlp"], made, [0, 1, 2], OPTIONS, 0, "cpu")
    found, parts = trainer.judged(trainer.scores(chunk=5))
    for fold in range(3):
        valid = torch.from_numpy(made.folds.pairs[fold][1])
        network = BUILDS["mlp"]().eval()
        network.load_state_dict({name: tensor[fold] for name, tensor in trainer.stack.weights.items()})
        logp = network(made.X[valid]).log_softmax(-1).detach()
        np.testing.assert_allclose(parts[fold], logp.numpy(), atol=1e-5)
        each = -logp.gather(1, made.y[valid][:, None])[:, 0]
        assert found[fold] == pytest.approx(
            float((each * made.weight[valid]).sum() / made.weight[valid].sum()), rel=1e-4
        )


def test_the_running_mean_of_weights():
    trainer = Trainer(BUILDS["batch norm"], data(), [0, 1], OPTIONS, 0, "cpu")
    seen = []
    for _ in range(3):
        trainer.take_step()
        trainer.add_to_average()
        seen.append(trainer.stack.copy())
    for name in ("0.weight", "1.running_mean"):
        torch.testing.assert_close(trainer.average[name], torch.stack([s[name] for s in seen]).mean(0))


def test_a_loss_that_is_not_finite_names_the_epoch():
    made = data()
    made.X[made.folds.pairs[0][0][0]] = float("nan")
    trainer = Trainer(BUILDS["mlp"], made, [0], OPTIONS, 0, "cpu")
    for _ in range(2):
        trainer.take_step()
    with pytest.raises(FloatingPointError, match="NaN at epoch 1"):
        trainer.check_finite()


def test_randomness_outside_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with private_randomness("cpu"):
        Stack(BUILDS["mlp"], [5])
    assert torch.equal(torch.rand(2), expected)


def test_networks_of_a_stack_drop_different_units():
    stack = Stack(lambda: torch.nn.Sequential(mlp.Dropout(0.5)), [0, 1, 2])
    out = stack(torch.ones(3, 4, 50), training=True)
    assert not torch.equal(out[0], out[1])
    assert torch.equal(stack(torch.ones(3, 4, 50)), torch.ones(3, 4, 50))


def test_statistics_of_young_normalisations_are_those_of_the_last_batches():
    made = Trainer(BUILDS["batch norm"], data(), [0], OPTIONS, 0, "cpu")
    assert not made.is_unsettled  # nothing was trained
    for _ in range(3):
        made.take_step()
    before = made.stack.copy()
    first = made.stack.weights["0.weight"][0]
    with made.settled():
        inside = made.stack.copy()
    values = [functional.linear(made.data.rows(made.batches(step))[0], first) for step in range(3)]
    torch.testing.assert_close(inside["1.running_mean"][0], torch.stack([v.mean(0) for v in values]).mean(0))
    torch.testing.assert_close(inside["1.running_var"][0], torch.stack([v.var(0) for v in values]).mean(0))
    after = made.stack.copy()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items()), "training goes on as it would have"

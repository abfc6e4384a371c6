"""Every family: shapes, parameter counts in closed form, every choice takes part in training."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn

from autonas.architectures import cnn, cnn1d, mlp, resmlp, tabm
from autonas.architectures.embeddings import Periodic
from autonas.architectures.ops import ACTIVATIONS, Dropout, Scale, activation, linear, normalisation
from autonas.errors import OptionError

SHAPES = {"mlp": (7,), "resmlp": (7,), "tabm": (7,), "cnn": (1, 9, 9), "cnn1d": (2, 20)}
TABLES = ("mlp", "resmlp", "tabm")


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def two_steps(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Every parameter gets a finite gradient, and two steps of training leave finite outputs."""
    torch.manual_seed(0)
    x, y = torch.randn(8, *shape), torch.randint(3, (8,))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        outputs = network(x)
        logits = outputs if outputs.ndim == 2 else outputs.mean(1)
        nn.functional.cross_entropy(logits, y).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
        optimizer.step()
    assert torch.isfinite(network(x)).all()


@pytest.mark.parametrize("family", SHAPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_builds_and_trains(family, name):
    two_steps(
        import_module(f"autonas.architectures.{family}").build({"activation": name}, SHAPES[family], 3), SHAPES[family]
    )


@pytest.mark.parametrize(
    ("family", "name"), [("mlp", "none"), ("mlp", "layer"), ("mlp", "batch"), ("resmlp", "layer"), ("resmlp", "batch")]
)
def test_every_normalisation_builds_and_trains(family, name):
    network = import_module(f"autonas.architectures.{family}").build({"normalisation": name}, (7,), 3)
    kind = {"none": nn.Identity, "layer": nn.LayerNorm, "batch": nn.BatchNorm1d}[name]
    assert any(isinstance(module, kind) for module in network.modules())
    two_steps(network, (7,))


@pytest.mark.parametrize("family", TABLES)
@pytest.mark.parametrize(("embedding", "view"), [("none", "dense"), ("ple", "ple"), ("periodic", "dense")])
def test_every_embedding_builds_and_trains(family, embedding, view):
    module = import_module(f"autonas.architectures.{family}")
    assert module.view({"embedding": embedding}) == view
    network = module.build({"embedding": embedding}, (7,), 3, n_numeric=4)
    assert any(isinstance(m, Periodic) for m in network.modules()) == (embedding == "periodic")
    two_steps(network, (7,))


def test_networks_without_an_embedding_read_the_dense_view():
    assert [module.view({}) for module in (mlp, resmlp, tabm)] == ["dense"] * 3
    assert (cnn.view({}), cnn1d.view({})) == ("image", "series")


@pytest.mark.parametrize("n_numeric", [0, 65])
def test_periodic_is_left_out_without_numbers_or_with_too_many(n_numeric):
    network = mlp.build({"embedding": "periodic"}, (70,), 2, n_numeric=n_numeric)
    assert count(network) == count(mlp.build({}, (70,), 2))


def test_unknown_names_are_named():
    with pytest.raises(OptionError, match="Did you mean 'relu'"):
        activation("rellu")
    with pytest.raises(OptionError, match="batch"):
        normalisation("bach", 3)
    with pytest.raises(OptionError, match="periodic"):
        mlp.view({"embedding": "periodik"})


@pytest.mark.parametrize(("depth", "width", "inputs", "outputs"), [(1, 16, 5, 1), (3, 20, 9, 4)])
def test_parameters_of_an_mlp(depth, width, inputs, outputs):
    expected = inputs + (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs
    assert count(mlp.build({"depth": depth, "width": width}, (inputs,), outputs)) == expected


def test_parameters_of_a_residual_mlp():
    width, hidden, blocks = 20, 30, 3
    block = 2 * width + (width + 1) * hidden + (hidden + 1) * width
    expected = (7 + 1) * width + blocks * block + 2 * width + (width + 1) * 3
    assert count(resmlp.build({"width": width, "hidden_factor": 1.5, "blocks": blocks}, (7,), 3)) == expected


def test_parameters_of_tabm():
    members, width = 4, 32
    first = 7 * width + members * (7 + width + width)  # matrix; factors on inputs and outputs, biases
    second = width * width + members * 3 * width
    expected = first + second + members * (width + 1) * 3
    assert count(tabm.build({"members": members, "width": width}, (7,), 3)) == expected


def test_periodic_features_are_cosines_of_the_numeric_columns():
    torch.manual_seed(0)
    module, x = Periodic(2, frequencies=5, scale=0.3), torch.randn(6, 4)
    out = module(x).detach().numpy()
    assert out.shape == (6, 4 + 2 * 3)
    np.testing.assert_array_equal(out[:, :4], x.numpy())
    f, b, w, c = (p.detach().numpy() for p in (module.frequency, module.phase, module.weight, module.bias))
    for column in range(2):
        waves = np.cos(2 * np.pi * x.numpy()[:, [column]] * f[column] + b[column])
        np.testing.assert_allclose(out[:, 4 + 3 * column : 7 + 3 * column], waves @ w[column] + c[column], atol=1e-5)


def test_tabm_is_as_many_networks_as_it_has_members():
    torch.manual_seed(0)
    network = tabm.build({"members": 4, "depth": 1, "width": 32}, (7,), 3).eval()
    x = torch.randn(10, 7)
    out = network(x)
    assert out.shape == (10, 4, 3)
    assert out.std(dim=1).min() > 0  # no two members are equal
    shared, last = network[2], network[5]
    for m in range(4):  # a member is a plain two-layer network whose matrix has rank-one factors
        matrix = shared.output_factor[m, :, None] * shared.weight * shared.input_factor[m]
        alone = torch.relu(x @ matrix.T + shared.bias[m]) @ last.weight[m] + last.bias[m]
        torch.testing.assert_close(out[:, m], alone, atol=1e-5, rtol=1e-5)


def test_parameters_of_tabm_with_adapters_on_the_first_layer_alone():
    members, width = 4, 32
    expected = members * 7 + (7 + 1) * width + (width + 1) * width + members * (width + 1) * 3
    network = tabm.build({"members": members, "width": width, "adapters": "first"}, (7,), 3)
    assert count(network) == expected
    two_steps(network, (7,))
    with pytest.raises(OptionError, match="Did you mean 'first'"):
        tabm.build({"adapters": "frist"}, (7,), 3)


def test_members_with_adapters_on_the_first_layer_alone_see_other_signs_of_the_inputs():
    torch.manual_seed(0)
    network = tabm.build({"members": 3, "depth": 1, "width": 32, "adapters": "first"}, (7,), 2).eval()
    x, factors, hidden, last = torch.randn(5, 7), network[2].factor, network[3], network[-1]
    assert set(factors.flatten().tolist()) == {-1.0, 1.0}
    out = network(x)
    for m in range(3):
        alone = torch.relu(hidden(x * factors[m])) @ last.weight[m] + last.bias[m]
        torch.testing.assert_close(out[:, m], alone)


@pytest.mark.parametrize("family", TABLES)
@pytest.mark.parametrize("embedding", ["ple", "periodic"])
def test_inputs_are_dropped_in_training_only(family, embedding):
    module = import_module(f"autonas.architectures.{family}")
    torch.manual_seed(0)
    options = {"embedding": embedding, "input_dropout": 0.25, "dropout": 0.0, "hidden_dropout": 0.0}
    network = module.build(options, (400,), 2, n_numeric=4)
    x = torch.ones(50, 400)
    seen = network[0](x)
    assert (seen[:, 4:400] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(network(x)[0], network(x)[1])
    network.eval()
    torch.testing.assert_close(network(x), network(x), atol=0, rtol=0)
    assert torch.equal(network[0](x)[:, :400], x)


def test_initial_weights_follow_he_and_the_last_layer_a_tenth_of_it():
    torch.manual_seed(0)
    hidden, last = linear(400, 500), linear(400, 500, gain=0.1, bias=0.0)
    assert hidden.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert last.weight.std().item() == pytest.approx(0.1 * (2 / 400) ** 0.5, rel=0.02)
    assert hidden.bias.abs().max().item() == pytest.approx(0.3, rel=0.02)
    assert last.bias.abs().max() == 0


def test_the_input_scale_is_fast_on_enough_rows_only():
    assert (Scale.lr_factor(1499), Scale.lr_factor(1500)) == (1.0, 6.0)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_dropout_keeps_the_mean_and_drops_its_share(p):
    torch.manual_seed(0)
    module, x = Dropout(p), torch.ones(500, 401)
    out = module(x)
    rate = round(256 * p) / 256
    assert (out == 0).double().mean().item() == pytest.approx(rate, abs=0.005)
    torch.testing.assert_close(out[out > 0].unique(), torch.tensor([1 / (1 - rate)]))
    assert module.eval()(x) is x


def strides(network: nn.Module) -> list[tuple[int, int]]:
    return [(m.out_channels, m.stride[0]) for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_the_default_cnn_is_the_known_one_at_every_size():
    middle = [(32, 1), (32, 2), (64, 1), (64, 2), (128, 1)]
    assert strides(cnn.build({}, (1, 28, 28), 10)) == middle
    assert strides(cnn.build({}, (1, 8, 8), 10)) == [(32, 1), (32, 1), (64, 2), (64, 1), (128, 2)]
    assert strides(cnn.build({}, (3, 64, 64), 10)) == [(32, 2), *middle[1:], (128, 2)]


@pytest.mark.parametrize("shape", [(1, 3, 3), (3, 11, 17), (2, 41, 41)])
@pytest.mark.parametrize(("stages", "layers"), [(1, 1), (4, 3)])
def test_every_cnn_fits_every_image(shape, stages, layers):
    network = cnn.build({"width": 8, "stages": stages, "layers": layers}, shape, 3).eval()
    assert network(torch.randn(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("time", [2, 24, 1000])
def test_every_series_network_fits_every_length(time):
    network = cnn1d.build({"stages": 4}, (2, time), 3).eval()
    assert network(torch.randn(5, 2, time)).shape == (5, 3)
    channels = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv1d)]
    assert channels == [48, 96, 96, 96]

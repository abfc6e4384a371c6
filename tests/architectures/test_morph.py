"""Inherited weights: what is said to be exact is exact, on real inputs; what is not comes close; training goes on."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from morph_cases import GROW, X, Y, chain, check, conv, gap, lived_in, loaded
from torch import nn
from torch.nn import functional

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Activation, Conv, Deconv, Dense, Flatten, GlobalPool, Norm, Pool
from autonas.architectures.layers_morph import Gate, PActivation
from autonas.architectures.merges import Add, Average, Concat, ShakeShake
from autonas.architectures.morph import inherit, inherit_optimizer, soften
from autonas.errors import OptionError

# --- single moves ----------------------------------------------------------------------------------------------------


@GROW
def test_wider(grow):
    """Chen et al 2016, over convolution, normalisation, pool, flattening and linear layers."""

    def net(width, units):
        graph = Graph({}, (1, 8, 8))
        x = graph.apply("a", graph.input, conv(width))
        x = graph.apply("pool", x, [Pool("max", 2, 2)])
        x = graph.apply("hidden", x, [Flatten(), Dense(units), Activation("tanh")])
        return graph.finish(graph.apply("out", x, [Dense(10)]))

    _, _, found = check(net(6, 12), net(11, 30), grow=grow)
    assert found.state["hidden.1.weight"].shape == (30, 11 * 16)


def test_replicated_units_share_the_work_of_the_original():
    parent = chain(("a", conv(4)), ("b", conv(4)))
    child = chain(("a", conv(8)), ("b", conv(4)))
    old, _, found = check(parent, child)
    ids = [int((old.a[0].weight.flatten(1) - row.flatten()).abs().sum(1).argmin()) for row in found.state["a.0.weight"]]
    assert ids[:4] == [0, 1, 2, 3]
    for unit in range(4):
        copies = [k for k, i in enumerate(ids) if i == unit]
        torch.testing.assert_close(found.state["b.0.weight"][:, copies].sum(1), old.b[0].weight[:, unit])


@GROW
def test_wider_in_sums_and_concatenations(grow):
    def net(width):
        graph = Graph({}, (1, 8, 8))
        a = graph.apply("a", graph.input, conv(width))
        b = graph.apply("b", a, [Conv(width, 3), Norm()])
        total = graph.apply("relu", graph.apply("sum", [a, b], [Add()]), [Activation()])
        both = graph.apply("both", [a, total], [Concat()])
        c = graph.apply("c", both, [Conv(2 * width, 1), Norm()])
        last = graph.apply("end", [both, c], [Add()])
        return graph.finish(graph.apply("classifier", last, [GlobalPool(), Dense(10)]))

    check(net(5), net(12), grow=grow)


@pytest.mark.parametrize("kernels", [(1, 3), (3, 5), (3, 7)])
def test_a_larger_kernel(kernels):
    small, large = kernels
    check(chain(("a_1", conv(5, small))), chain((f"a_{large}", conv(5, large))), grow="zeros")


def test_a_larger_kernel_of_depthwise_and_transposed_convolutions():
    def net(k):
        layers = [Conv(0, k, groups=0), Norm(), Deconv(3, k, 2), Norm(), Activation(), Conv(6, k, groups=3)]
        return chain(("a", conv(6)), ("b", layers))

    check(net(3), net(5))
    check(net(5), net(3), exact=False)


def test_a_dilated_kernel_in_a_dense_one():
    check(chain(("a", [Conv(4, 3, dilation=2)])), chain(("a", [Conv(4, 5)])))
    check(chain(("a", [Conv(4, 3)])), chain(("a", [Conv(4, 3, dilation=2)])), exact=False)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_deeper_after_relu_and_in_front(at):
    """In front the data has both signs: relu(x) - relu(-x) needs twice its channels."""
    names = [("a", conv(6)), ("b", conv(6))]
    check(chain(*names), chain(*names[:at], ("new", conv(6, 3)), *names[at:]))


def test_deeper_by_a_bottleneck_that_cannot_hold_everything_is_not_exact():
    check(chain(("a", conv(6))), chain(("a", conv(6)), ("new", conv(3))), exact=False)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "selu", "silu", "mish"])
def test_deeper_with_any_activation_by_p_activations(name):
    parent, child = chain(("a", conv(6, 3, name))), chain(("a", conv(6, 3, name)), ("new", conv(8, 3, name)))
    check(parent, child, exact=False)
    soft = soften(child, parent)
    assert isinstance(soft.nodes[2].layers[2], PActivation)
    _, network, _ = check(parent, soft)
    assert soft.account.parameters == sum(p.numel() for p in network.parameters()) == child.account.parameters + 1
    x = torch.randn(3, 4)
    phi = PActivation(Activation(name)).module((4,))
    torch.testing.assert_close(phi(x), Activation(name).module((4,))(x))
    phi.a.data.fill_(0.25)
    torch.testing.assert_close(phi(x), 0.25 * x + 0.75 * Activation(name).module((4,))(x))


def with_branch(branch, merge, name="sum", read="relu"):
    graph = Graph({}, (1, 8, 8))
    a = graph.apply("a", graph.input, conv(6))
    terms = [graph.apply("b", a, [Conv(6, 3), Norm()])]
    if branch is not None:
        terms.append(graph.apply("new", a, branch) if branch else a)
    x = graph.apply(name, terms, [merge]) if len(terms) > 1 else terms[0]
    return graph.finish(graph.apply("classifier", x, [Conv(7, 3), Norm(), Activation(read), GlobalPool(), Dense(10)]))


@GROW
@pytest.mark.parametrize(
    "branch",
    [[Conv(6, 3), Norm()], [Conv(6, 5), Norm()], conv(6), [Conv(6, 1)], [Pool("max", 3, 1), Gate()], [Gate()]],
    ids=["twin", "other", "relu", "plain", "pool", "skip"],
)
def test_a_further_term_of_a_sum(branch, grow):
    _, new, _ = check(with_branch(None, Add()), with_branch(branch, Add()), grow=grow)
    new.train()
    functional.cross_entropy(new(X[:64]), Y[:64]).backward()
    last = [p for name, p in new.named_parameters() if name.startswith("new")][-2:]
    assert any(p.grad.abs().max() > 0 for p in last), "the branch never learns"


def test_a_term_without_a_gate_is_not_exact():
    check(with_branch(None, Add()), with_branch([], Add()), exact=False)


@pytest.mark.parametrize("branch", [[], conv(4), [Pool("avg", 3, 1)]], ids=["skip", "conv", "pool"])
def test_a_further_part_of_a_concatenation(branch):
    check(with_branch(None, Concat()), with_branch(branch, Concat()))


def test_a_sum_whose_terms_stand_side_by_side_is_read_from_there():
    check(with_branch(conv(6), Add()), with_branch(conv(6), Concat(), "both"))


def test_a_mean_of_copies_is_the_original():
    """Shake-Shake (Gastaldi 2017) mixes two branches, which are equal then, in training as well."""

    def net(n, layer=None):
        graph = Graph({}, (1, 8, 8))
        a = graph.apply("a", graph.input, conv(6))
        made = [graph.apply(f"branch_{b}", a, [Conv(6), Norm()]) for b in range(1, n + 1)]
        x = graph.apply("mix", made, [layer]) if layer else made[0]
        total = graph.add("sum", [a, x])
        assert total is not None
        return graph.finish(graph.apply("classifier", total, [Activation(), GlobalPool(), Dense(10)]))

    for grow in ("replicate", "zeros"):
        check(net(1), net(2, ShakeShake()), grow=grow)
        check(net(1), net(3, Average()), grow=grow)


def test_replication_divides_a_layer_among_branches_and_noise_tells_them_apart():
    """Cai et al 2018b, with three branches."""

    def net(n):
        graph = Graph({}, (1, 8, 8))
        a = graph.apply("a", graph.input, conv(6))
        x = graph.add("sum", [graph.apply(f"branch_{b}", a, conv(5)) for b in range(1, n + 1)])
        assert x is not None
        return graph.finish(graph.apply("classifier", x, [GlobalPool(), Dense(10)]))

    old, _, found = check(net(1), net(3))
    for b in (1, 2, 3):
        torch.testing.assert_close(found.state[f"branch_{b}.1.weight"], old.branch_1[1].weight.detach() / 3)
    noisy = inherit(net(1), old.state_dict(), net(3), noise=0.01)
    kernels = [noisy.state[f"branch_{b}.0.weight"] for b in (1, 2, 3)]
    assert all(not torch.equal(kernels[i], kernels[j]) for i, j in ((0, 1), (1, 2)))
    assert (kernels[0] - kernels[1]).std() < 0.05 * kernels[0].std()


def test_twice_the_same_value_is_undone_by_the_reader():
    def net(twice):
        graph = Graph({}, (1, 8, 8))
        a = graph.apply("a", graph.input, conv(4))
        x = graph.apply("sum", [a, a], [Add()]) if twice else a
        x = graph.apply("norm", x, [Norm(), Activation(), Conv(5, 3), GlobalPool()])
        return graph.finish(graph.apply("out", x, [Dense(10)]))

    check(net(False), net(True))
    check(net(True), net(False))


# --- what cannot be exact --------------------------------------------------------------------------------------------


def test_a_removed_layer_leaves_the_rest_as_it_was():
    parent = chain(("a", conv(6)), ("b", conv(6)), ("c", conv(6)))
    child = chain(("a", conv(6)), ("c", conv(6)))
    old, _, found = check(parent, child, exact=False)
    assert found.changed == ("c",)
    torch.testing.assert_close(found.state["c.0.weight"], old.c[0].weight.detach())


def test_pruning_keeps_the_largest_filters():
    parent, child = chain(("a", conv(8)), ("b", conv(4))), chain(("a", conv(5)), ("b", conv(4)))
    old, _, found = check(parent, child, exact=False)
    norms = old.a[0].weight.detach().flatten(1).norm(dim=1)
    kept = norms.argsort(descending=True)[:5].sort().values
    torch.testing.assert_close(found.state["a.0.weight"], old.a[0].weight.detach()[kept])
    torch.testing.assert_close(found.state["b.0.weight"], old.b[0].weight.detach()[:, kept])


def test_pruning_filters_of_zeros_is_nearly_exact():
    parent, child = chain(("a", conv(8)), ("b", conv(4))), chain(("a", conv(5)), ("b", conv(4)))
    old = lived_in(parent.network())
    for tensor in (old.a[0].weight, old.a[1].weight, old.a[1].bias):
        tensor.data[[0, 3, 6]] = 0.0
    new = loaded(child, inherit(parent, old.state_dict(), child).state)
    assert gap(old, new) < 1e-5


def test_a_separable_convolution_is_the_closest_and_exact_for_kernels_of_rank_one():
    parent = chain(("a", conv(6)), ("b", conv(5)))
    child = chain(("a", conv(6)), ("b", [Conv(0, 3, groups=0), Conv(5, 1), Norm(), Activation()]))
    old, _, found = check(parent, child, exact=False)
    product = found.state["b.0.weight"][None, :, 0] * found.state["b.1.weight"]
    wanted = old.b[0].weight.detach()
    left = (wanted - product).square().sum() / wanted.square().sum()
    ranks = [torch.linalg.svdvals(wanted[:, i].flatten(1)) for i in range(6)]
    best = sum(float(s[1:].square().sum()) for s in ranks) / float(wanted.square().sum())
    assert float(left) == pytest.approx(best, rel=1e-4)
    old.b[0].weight.data = product
    exact = inherit(parent, old.state_dict(), child)
    assert exact.exact
    assert gap(old, loaded(child, exact.state)) < 1e-5


# --- copy, options, statistics, optimiser ----------------------------------------------------------------------------


def test_copy_takes_what_fits():
    parent, child = chain(("a", conv(6)), ("b", conv(6))), chain(("a", conv(6)), ("b", conv(9)), ("c", conv(6)))
    old = lived_in(parent.network())
    found = inherit(parent, old.state_dict(), child, "copy")
    assert torch.equal(found.state["a.0.weight"], old.a[0].weight)
    assert found.state["b.0.weight"].shape[0] == 9
    assert not found.exact
    assert found.changed == ("b", "c")
    same = inherit(parent, old.state_dict(), parent, "copy")
    assert same.exact
    assert gap(old, loaded(parent, same.state)) == 0


def test_nothing_of_the_parent_is_shared_or_changed():
    parent, child = chain(("a", conv(6))), chain(("a", conv(9)), ("b", conv(9)))
    old = lived_in(parent.network())
    before = copy.deepcopy(old.state_dict())
    rng_state = torch.get_rng_state()
    for how in ("copy", "morph"):
        for tensor in inherit(parent, old.state_dict(), child, how).state.values():
            tensor.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in old.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng_state)


def test_equal_seeds_give_equal_children():
    parent, child = chain(("a", conv(6))), chain(("a", conv(9)), ("b", conv(9)))
    state = parent.network().state_dict()
    one, same, other = (
        inherit(parent, state, child, rng=np.random.default_rng(seed), noise=0.1).state for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_unknown_options_are_refused():
    graph = chain(("a", conv(6)))
    state = graph.network().state_dict()
    with pytest.raises(OptionError, match="morph"):
        inherit(graph, state, graph, "morf")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="zeros"):
        inherit(graph, state, graph, grow="zero")  # type: ignore[arg-type]


def test_an_inserted_normalisation_has_the_statistics_of_the_data():
    parent, child = chain(("a", conv(6))), chain(("a", conv(6)), ("new", conv(6)))
    old = parent.network()
    train(old, 40, 0)
    state = {name: tensor.clone() for name, tensor in old.eval().state_dict().items()}
    found = inherit(parent, state, child, batch=X[:256])
    with torch.no_grad():
        values = loaded(parent, state).train().a(X[:256]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.state["new.1.running_mean"], values.mean(1))
    torch.testing.assert_close(found.state["new.1.running_var"], values.var(1, unbiased=False))
    plain = inherit(parent, state, child)
    new, other = loaded(child, found.state), loaded(child, plain.state)
    assert max(gap(old, new), gap(old, other)) < 1e-5
    with torch.no_grad():
        wanted, got, without = (network.train()(X[:256]) for network in (old, new, other))
    assert 10 * (got - wanted).abs().max() < (without - wanted).abs().max(), "nearly the identity in training, too"


def test_moments_stay_where_a_tensor_stays():
    parent, child = chain(("a", conv(6)), ("b", conv(6))), chain(("a", conv(6)), ("b", conv(6)), ("c", conv(6)))
    old = lived_in(parent.network())
    optimizer = torch.optim.Adam(old.parameters(), lr=1e-3)
    functional.cross_entropy(old.train()(X[:64]), Y[:64]).backward()
    optimizer.step()
    moments = {
        name: {key: value.numpy() for key, value in optimizer.state[parameter].items()}
        for name, parameter in old.named_parameters()
    }
    found = inherit(parent, old.state_dict(), child)
    shapes = {name: tuple(p.shape) for name, p in child.network().named_parameters()}
    carried = inherit_optimizer(moments, found.origin, shapes)
    assert set(carried) == set(shapes)
    np.testing.assert_array_equal(carried["a.0.weight"]["exp_avg"], moments["a.0.weight"]["exp_avg"])
    assert not carried["c.0.weight"]["exp_avg"].any()
    assert all(carried[name]["exp_avg_sq"].shape == shape for name, shape in shapes.items())


# --- training goes on ------------------------------------------------------------------------------------------------


def train(network: nn.Module, steps: int, seed: int, lr: float = 0.01) -> None:
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    network.train()
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(400, size=32))
        optimizer.zero_grad()
        functional.cross_entropy(network(X[rows]), Y[rows]).backward()
        optimizer.step()


def loss(network: nn.Module, training: bool = False) -> float:
    with torch.no_grad():
        return functional.cross_entropy(network.train(training)(X[:400]), Y[:400]).item()


@GROW
def test_training_goes_on_without_a_jump(grow):
    torch.manual_seed(0)
    parent = chain(("a", conv(4)), ("pool", [Pool("max", 2, 2)]), ("b", conv(8)))
    child = chain(("a", conv(6)), ("new", conv(6)), ("pool", [Pool("max", 2, 2)]), ("b", conv(12, 5)))
    old = parent.network()
    train(old, 80, 0)
    before, state = loss(old), copy.deepcopy(old.state_dict())
    assert before < 1.8
    new = loaded(child, inherit(parent, state, child, grow=grow, batch=X[:400]).state)
    assert loss(new) == pytest.approx(before, rel=1e-5)
    assert loss(new, training=True) == pytest.approx(loss(old, training=True), rel=1e-3), "that of a training step, too"
    noisy = loaded(child, inherit(parent, state, child, grow=grow, batch=X[:400], noise=0.01).state)
    assert loss(noisy) == pytest.approx(before, rel=0.05)
    train(noisy, 50, 1, 0.003)
    assert loss(noisy) < 0.9 * before

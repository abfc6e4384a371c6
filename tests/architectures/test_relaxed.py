"""Supernets of families of which some choices change shapes: what they relax, and what they keep."""

from __future__ import annotations

import random

import pytest
import torch

from autonas.architectures.extract import extract
from autonas.architectures.family import compile_graph, graph_module
from autonas.errors import ArchitectureError, OptionError
from autonas.search_space.canonical import canonical
from autonas.search_space.load import load_space

SMALL = {"stages": 2, "repeats": 1, "columns": 4}
FAMILIES = {
    "metaqnn": {"max_depth": 5},
    "genetic_cnn": {"nodes": [3, 4], "widths": [4, 6]},
    "cgp_conv": {"filters": [4, 8]},
    "cgp_res": {"filters": [4, 8]},
    "blockqnn": {"max_length": 5, "channels": 4},
    "autoencoder": {"max_layers": 4},
    "routed": {"channels": 8},
    "evolved_rnn": {"depth": 2, "width": 6},
    "vision": {},
    "nash": {"max_blocks": 3, "widths": [4, 8]},
    "largescale": {"max_blocks": 3, "widths": [4, 8]},
    "hyperneat": {},
}
CASES = [(name, {}) for name in FAMILIES] + [("autoencoder", {"head": "reconstruct"})]


def _setup(name, changes, seed):
    """Family, settings, values of one configuration and of what is not active in it, and data."""
    space = load_space(name)
    (kind, family_name), *_ = space.families.items()
    family = graph_module(family_name)
    sizes = {key: value for key, value in SMALL.items() if key in family.SETTINGS}
    settings = {**family.SETTINGS, **space.settings[kind], **sizes, **FAMILIES[name], **changes}
    rng = random.Random(seed)
    drawn = {}
    for h in family.space(settings)["hyperparameters"]:
        values = h.get("choices", h.get("sequence", [h.get("value", h.get("default_value"))]))
        # no filter has been fitted, so that responses are too small for thresholds
        drawn[h["name"]] = 0.0 if h["name"].endswith("threshold") else rng.choice(list(values))
    torch.manual_seed(seed)
    x = torch.randint(1, 20, (3, 6)).float() if space.modality == "text" else torch.randn(3, 3, 12, 12)
    return family, {**settings, **drawn}, x, rng


def _supernet(name, changes, seed):
    family, options, x, rng = _setup(name, changes, seed)
    network = compile_graph(family, options, x.shape[1:], 3, relaxed=True).network()
    for module in network.modules():  # as if it had been trained: no norm is the identity, and few activations are dead
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.05, 0.2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.4)
    return family, options, x, rng, network


def _possible(name, changes):
    """Supernets of configurations that can be built."""
    found = []
    for seed in range(100):
        try:
            found.append(_supernet(name, changes, seed))
        except ArchitectureError:
            continue
        if len(found) == 2:
            break
    return found


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_every_one_hot_is_the_network_of_its_values(name, changes):
    for family, options, x, rng, shared in _possible(name, changes):
        shared.eval()
        assert shared.choices
        outputs, forms = [], []
        for _ in range(4):
            values = {**options, **{h: rng.choice(known) for h, known in shared.choices.items()}}
            try:
                graph = compile_graph(family, values, x.shape[1:], 3)
            except ArchitectureError:
                continue  # fully connected layers on a large map
            alone = graph.network().eval()
            alone.load_state_dict(extract(shared.graph, graph, shared.state_dict()))
            with torch.no_grad():
                outputs.append(shared(x, shared.one_hot(values)))
                torch.testing.assert_close(outputs[-1], alone(x), atol=1e-5, rtol=1e-4)
            forms.append(canonical(graph))
        assert forms
        assert len(set(forms)) == 1 or any(not torch.equal(output, outputs[0]) for output in outputs)


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_every_choice_of_a_supernet_has_a_gradient(name, changes):
    _, _, x, _, shared = _possible(name, changes)[0]
    mix = {h: torch.full((len(v),), 1 / len(v), requires_grad=True) for h, v in shared.choices.items()}
    shared.eval()(x, mix).square().sum().backward()
    assert [h for h, weights in mix.items() if weights.grad is None or not weights.grad.abs().max() > 0] == []


RELAXED = {
    "metaqnn": {"depth", "kernel_1", "filters_1", "dense", "units_1"},
    "genetic_cnn": {"stage_1_1_2", "stage_2_3_4"},
    "blockqnn": {"length", "type_1", "conv_kernel_1"},
    "autoencoder": {"layers", "filters_1", "kernel_1"},
    "routed": {"module_1_1", "k_1"},
    "evolved_rnn": {"node", "activation_1", "memory"},
    "vision": {"depth", "depth_2_layer_1_size", "depth_2_layer_1_correlation", "depth_1_layer_1_pool"},
    "nash": {"blocks_1", "kernel_1_1"},
    "hyperneat": {"resolution"},
}


@pytest.mark.parametrize("name", RELAXED)
def test_what_is_relaxed(name):
    family, options, x, _ = _setup(name, {}, 0)
    default = {h["name"]: h.get("default_value", h.get("value")) for h in family.space(options)["hyperparameters"]}
    shape = (3, 8, 8) if x.ndim == 4 else x.shape[1:]
    found = compile_graph(family, {**options, **default}, shape, 3, relaxed=True).choices
    assert set(found) >= RELAXED[name]


def test_a_choice_that_changes_shapes_keeps_the_values_that_do_not():
    space = load_space("vision")
    shared = space.supernet((3, 16, 16), 3, fixed={"depth_1_layer_1_rectify": "half"})
    assert shared.choices["depth_1_layer_1_rectify"] == ("none", "half", "abs")  # "both" doubles the channels
    with pytest.raises(OptionError, match=r"depth_1_layer_1_rectify in .*given 'both'"):
        shared.one_hot({"depth_1_layer_1_rectify": "both"})


def test_the_weights_of_several_bits_multiply():
    from autonas.architectures import stagebits

    options = {"nodes": [3], "widths": [4], "kernel": 3}
    shared = compile_graph(stagebits, options, (3, 8, 8), 2, relaxed=True).network().eval()
    bits = {"stage_1_1_2": 0.3, "stage_1_1_3": 0.6, "stage_1_2_3": 0.9}
    x, seen = torch.randn(2, 3, 8, 8), {}
    for node in ("input", "node_1", "node_2", "node_3", "output"):
        module = getattr(shared, f"stage_1_{node}")
        module.register_forward_hook(lambda m, i, o, node=node: seen.update({node: (i[0], o)}))
    shared(x, {name: torch.tensor([1 - p, p]) for name, p in bits.items()})
    first, (one, two, three) = seen["input"][1], (seen[f"node_{i}"][1] for i in (1, 2, 3))
    a, b, c = bits.values()
    torch.testing.assert_close(seen["node_3"][0], b * one + c * two + (1 - b) * (1 - c) * first)
    # node 2 is an end if it reads node 1 and nobody reads it; node 3 if it reads one of the others
    ends = a * (1 - c) * two + (1 - (1 - b) * (1 - c)) * three + (1 - a) * (1 - b) * (1 - c) * first
    torch.testing.assert_close(seen["output"][0], ends)

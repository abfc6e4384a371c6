from __future__ import annotations

from itertools import product

import pytest
import torch

from autonas.architectures import autoencoder
from autonas.architectures.family import compile_graph


def _options(layers, skip="no"):
    found = {"layers": len(layers), "head": "reconstruct"}
    for i, (filters, kernel, stride) in enumerate(layers, 1):
        found |= {f"filters_{i}": filters, f"kernel_{i}": kernel, f"stride_{i}": stride, f"skip_{i}": skip}
    return found


KINDS = list(product((4, 8), (1, 3), (1, 2)))


@pytest.mark.parametrize("size", [16, 28, 9])
def test_the_decoder_mirrors_the_shapes_of_the_encoder(size):
    for layers in product(KINDS, repeat=2):
        graph = compile_graph(autoencoder, _options([*layers, (8, 3, 2)]), (3, size, size), 0)
        shapes = {node.name: node.shape for node in graph.nodes}
        assert shapes["output"] == (3, size, size)
        assert shapes["decode_3"][1:] == shapes["encode_2"][1:]
        assert shapes["decode_2"][1:] == shapes["encode_1"][1:]


def test_a_skip_adds_exactly_the_mirrored_value():
    torch.manual_seed(0)
    layers = [(4, 3, 1), (8, 3, 2), (8, 3, 1)]
    network = compile_graph(autoencoder, _options(layers, "yes"), (3, 8, 8), 0).network().eval()
    seen = {}
    for name in ("encode_2", "decode_3", "skip_2"):
        getattr(network, name).register_forward_hook(lambda m, i, o, name=name: seen.update({name: o}))
    network(torch.randn(2, 3, 8, 8))
    torch.testing.assert_close(seen["skip_2"], seen["encode_2"] + seen["decode_3"])


def test_it_learns_to_give_back_digits():
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    x = torch.from_numpy(load_digits().images[:256]).float()[:, None] / 16
    network = compile_graph(autoencoder, _options([(8, 3, 1), (8, 3, 2)], "yes"), (1, 8, 8), 0).network()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (network(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * float(x.var())

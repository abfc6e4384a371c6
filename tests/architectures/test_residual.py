from __future__ import annotations

import pytest
import torch

from autonas.architectures import residual
from autonas.architectures.family import compile_graph

RESNET20 = {"width": 16, "block": "basic", **{f"{k}_{s}": v for s in (1, 2, 3) for k, v in
            (("blocks", 3), ("branches", 1), ("kernel", 3))}}  # fmt: skip


@pytest.mark.parametrize(("shortcut", "parameters"), [("padding", 269_722), ("projection", 272_474)])
def test_resnet_20_has_the_published_number_of_parameters(shortcut, parameters):
    options = {**RESNET20, "shortcut": shortcut, "shortcuts": [shortcut]}
    graph = compile_graph(residual, options, (3, 32, 32), 10)
    assert graph.account.parameters == parameters


def test_a_block_without_a_branch_is_the_identity():
    graph = compile_graph(residual, {**RESNET20, "shortcut": "projection"}, (3, 16, 16), 10)
    network = graph.network().eval()
    seen = {}
    for name, module in network.named_children():
        if name in ("stage_1_block_1_relu", "stage_1_block_2_relu"):
            module.register_forward_hook(lambda m, i, o, name=name: seen.update({name: o}))
    with torch.no_grad():
        network.stage_1_block_2_branch_1_3[-1].weight.zero_()
        network(torch.randn(2, 3, 16, 16))
    torch.testing.assert_close(*seen.values(), atol=1e-6, rtol=0)


def test_shake_shake_mixes_two_branches_and_adds_one_or_three():
    for count, expected in ((1, 0), (2, 9), (3, 0)):
        branches = {f"branches_{s}": count for s in (1, 2, 3)}
        settings = {"branches": [1, 2, 3], "shake": "yes", "shortcut": "projection"}
        plain = compile_graph(residual, {**RESNET20, **settings, **branches, "shake": "no"}, (3, 8, 8), 4)
        shaken = compile_graph(residual, {**RESNET20, **settings, **branches}, (3, 8, 8), 4)
        assert sum(node.label == "shake" for node in shaken.nodes) == expected
        assert shaken.account == plain.account


def test_outside_training_shake_shake_is_the_mean():
    options = {**RESNET20, "branches": [1, 2, 3], "shake": "yes", "shortcut": "projection"}
    options |= {f"branches_{s}": 2 for s in (1, 2, 3)} | {f"blocks_{s}": 1 for s in (1, 2, 3)}
    network = compile_graph(residual, options, (3, 8, 8), 4).network().eval()
    seen = {}
    network.stage_2_block_1_shake.register_forward_hook(lambda m, i, o: seen.update(inputs=i, output=o))
    x = torch.randn(6, 3, 8, 8)
    network(x)
    torch.testing.assert_close(seen["output"], (seen["inputs"][0] + seen["inputs"][1]) / 2)
    network.train()(x)
    assert not torch.allclose(seen["output"], (seen["inputs"][0] + seen["inputs"][1]) / 2)

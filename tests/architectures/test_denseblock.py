from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from autonas.architectures import denseblock
from autonas.architectures.family import compile_graph

POINT = {f"{k}_{i}": v for i in range(1, 17) for k, v in (("norm", "pre"), ("conv", "conv_3x3"))}


def densenet_bc(depth, growth, classes):
    """Parameters of DenseNet-BC (Huang et al 2017) for CIFAR, counted by hand."""
    per_block, channels = (depth - 4) // 6, 2 * growth
    total = 3 * channels * 9
    for block in range(3):
        for _ in range(per_block):
            total += 2 * channels + channels * 4 * growth + 2 * 4 * growth + 4 * growth * growth * 9
            channels += growth
        if block < 2:
            total += 2 * channels + channels * (channels // 2)
            channels //= 2
    return total + 2 * channels + (channels + 1) * classes


def test_densenet_bc_100_12_has_the_published_number_of_parameters():
    options = {"layers": 16, "repeats": 1, "growth": 12, "bottleneck": True, "compression": 0.5, **POINT}
    graph = compile_graph(denseblock, options, (3, 32, 32), 10)
    assert graph.account.parameters == densenet_bc(100, 12, 10)
    assert round(graph.account.parameters / 1e6, 1) == 0.8  # as printed in the paper


def test_channels_grow_by_the_growth_rate():
    graph = compile_graph(denseblock, {"layers": 3, "repeats": 2, "growth": 8, **POINT}, (3, 16, 16), 10)
    concats = [node.shape[0] for node in graph.nodes if node.label == "concat" and node.name.startswith("stage1")]
    assert concats == [16 + 8 * m for m in range(1, 7)]


def test_a_dense_block_equals_one_written_by_hand():
    class Block(nn.Module):
        def __init__(self, channels, growth, layers):
            super().__init__()
            self.norms = nn.ModuleList(nn.BatchNorm2d(channels + growth * i) for i in range(layers))
            self.convs = nn.ModuleList(
                nn.Conv2d(channels + growth * i, growth, 3, padding=1, bias=False) for i in range(layers)
            )

        def forward(self, x):
            for norm, conv in zip(self.norms, self.convs, strict=True):
                x = torch.cat([x, conv(functional.relu(norm(x)))], dim=1)
            return x

    torch.manual_seed(0)
    options = {"layers": 4, "repeats": 1, "stages": 1, "growth": 8, **POINT}
    network = compile_graph(denseblock, options, (3, 8, 8), 10).network().eval()
    block = Block(16, 8, 4).eval()
    for i in range(4):
        made = getattr(network, f"stage1_cell1_layer{i + 1}_pre_conv_3x3")
        block.norms[i].load_state_dict(made[0].state_dict())
        block.convs[i].load_state_dict(made[2].state_dict())
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        alone = network.classifier(network.final(block(network.stem(x))))
        torch.testing.assert_close(network(x), alone, atol=1e-6, rtol=0)

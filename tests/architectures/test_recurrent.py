from __future__ import annotations

import pytest
import torch
from torch import nn

from autonas.architectures import recurrent, treernn
from autonas.architectures.family import compile_graph

LSTM = {
    "node": "multiply", "activation": "identity", "memory": "_2",
    "node_1": "linear", "activation_1": "sigmoid",  # output gate
    "node_2": "add", "activation_2": "tanh",  # new memory, kept before its activation
    "node_2_1": "multiply", "activation_2_1": "identity",
    "node_2_1_1": "linear", "activation_2_1_1": "sigmoid",  # forget gate
    "node_2_1_2": "memory", "activation_2_1_2": "identity",
    "node_2_2": "multiply", "activation_2_2": "identity",
    "node_2_2_1": "linear", "activation_2_2_1": "sigmoid",  # input gate
    "node_2_2_2": "linear", "activation_2_2_2": "tanh",
}  # fmt: skip


def test_an_lstm_is_a_tree():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 5, batch_first=True)
    network = compile_graph(treernn, {**LSTM, "width": 5, "dropout": 0.0}, (3, 9), 2).network().eval()
    cell = network.loop.cell
    order = {"linear_2_2_1": 0, "linear_2_1_1": 1, "linear_2_2_2": 2, "linear_1": 3}  # torch: i, f, g, o
    with torch.no_grad():
        for name, k in order.items():
            rows = slice(5 * k, 5 * k + 5)
            getattr(cell, name).weight.copy_(torch.cat([lstm.weight_ih_l0[rows], lstm.weight_hh_l0[rows]], dim=1))
            getattr(cell, name).bias.copy_(lstm.bias_ih_l0[rows] + lstm.bias_hh_l0[rows])
        x = torch.randn(4, 3, 9)
        torch.testing.assert_close(network.loop(x).transpose(1, 2), lstm(x.transpose(1, 2))[0], atol=1e-6, rtol=0)


def test_the_published_tree_has_a_choice_for_each_of_15_nodes_and_the_memory():
    names = [h["name"] for h in recurrent.space({**recurrent.SETTINGS, "cell": "tree"})["hyperparameters"]]
    assert len(names) == 2 * 16 + 2


def test_the_number_of_chain_cells_is_that_of_the_paper():
    hyperparameters = recurrent.space({**recurrent.SETTINGS, "nodes": 12})["hyperparameters"]
    size = 1.0
    for h in hyperparameters:
        size *= len(h.get("choices", [0]))
    assert size == pytest.approx(4**12 * 39_916_800)  # 4^N N! counts the input as one more place to read from


def test_a_highway_node_with_a_closed_gate_carries_its_input():
    options = {"nodes": 1, "activation_1": "tanh", "width": 4, "dropout": 0.0}
    network = compile_graph(recurrent, options, (2, 6), 2).network().eval()
    with torch.no_grad():
        network.loop.cell.node_1_gate[0].weight.zero_()
        network.loop.cell.node_1_gate[0].bias.fill_(-100.0)
        assert network.loop(torch.randn(3, 2, 6)).abs().max() == 0  # the first state is zero

"""Malformed space files: each gets its own error, which names the file, the key, what was given and what is allowed."""

from __future__ import annotations

import re

import pytest

from autonas.errors import SpaceError
from autonas.search_space.load import load_space

HEAD = "name: mine\ntitle: Mine\nmodality: image\n"
CELL = HEAD + "kinds:\n  cell:\n    network: true\n    settings: {%s}\n"
DAG = HEAD + "kinds:\n  dag:\n    network: true\n    settings: {%s}\n"
RESIDUAL = HEAD + "kinds:\n  residual:\n    network: true\n    settings: {%s}\n"
PLAIN = """\
name: mine
title: Mine
modality: tabular
kinds:
  linear:
    hyperparameters:
      - {name: strength, type: uniform_float, lower: 0.01, upper: 10.0, default_value: 1.0}
      - {name: features, type: categorical, choices: [dense, ple]}
%s"""
SMALLER = "name: mine\ntitle: Mine\nextends: tabular\n%s"
OWN = "    hyperparameters:\n      - {name: %s}\n"

# a file, and what its message must say: where, what was given, what is allowed
FILES: dict[str, tuple[str, list[str]]] = {
    # --- the settings of families that are graphs
    "unknown setting": (CELL % "node: 4", ["line 7", "kinds.cell.settings.node", "Did you mean 'nodes'", "operations"]),
    "setting as text": (
        CELL % "nodes: four",
        ["kinds.cell.settings.nodes", "a whole number was required", "'four' (text)"],
    ),
    "setting not whole": (CELL % "nodes: 2.5", ["settings.nodes", "a whole number was required", "2.5"]),
    "negative setting": (CELL % "nodes: -1", ["settings.nodes", "a number >= 0", "-1"]),
    "setting no list": (CELL % "operations: conv_3x3", ["settings.operations", "a list was required", "'conv_3x3'"]),
    "empty list": (CELL % "operations: []", ["settings.operations", "at least one value", "sep_conv_3x3"]),
    "number in a list of names": (
        CELL % "operations: [3]",
        ["settings.operations[0]", "text was required", "3 (a number)"],
    ),
    "text in a list of numbers": (RESIDUAL % "widths: [8, wide]", ["settings.widths[1]", "a whole number", "'wide'"]),
    "repeated choice": (RESIDUAL % "kernels: [3, 3]", ["settings.kernels[1]", "3 stands twice"]),
    "boolean as text": (CELL % 'reduction_cell: "no"', ["settings.reduction_cell", "true or false", "'no' (text)"]),
    "unknown operation": (CELL % "operations: [conv_3x3, cnv_3x3]", ["cell.settings", "'cnv_3x3'", "'conv_3x3'"]),
    "even kernel": (CELL % "operations: [conv_4x4]", ["cell.settings", "'conv_4x4'", "odd"]),
    "operation without a size": (CELL % "operations: [max_pool]", ["cell.settings", "'max_pool'", "conv_3x3"]),
    "unknown wiring": (CELL % "wiring: edge", ["cell.settings", "Unknown wiring 'edge'", "'edges'", "pairs"]),
    "distinct inputs of none": (CELL % "distinct: true, inputs: 0", ["cell.settings", "at least two cell inputs"]),
    "unknown skeleton": (
        CELL % "skeleton: residuals",
        ["cell.settings", "'residuals'", "Did you mean 'residual'", "two"],
    ),
    "unknown place of reductions": (CELL % "reductions: middle", ["cell.settings", "'middle'", "early, even, late"]),
    "unknown merge": (DAG % "merges: [sum]", ["dag.settings", "Unknown merge 'sum'", "add, concat"]),
    "fewer at most than at least": (DAG % "min_layers: 8, max_layers: 4", ["dag.settings", "'layers' no value"]),
    "unknown block": (RESIDUAL % "kinds: [basics]", ["residual.settings", "Unknown kind 'basics'", "bottleneck"]),
    "unknown shortcut": (
        RESIDUAL % "shortcuts: [project]",
        ["residual.settings", "'project'", "'projection'", "padding"],
    ),
    "unknown view": (RESIDUAL % "view: serial", ["residual.settings", "Unknown view 'serial'", "image, series"]),
    "view and modality": (RESIDUAL % "view: series", ["kinds.residual", "'series'", "not 'image'", "view: image"]),
    "tokens and modality": (
        HEAD + "kinds:\n  recurrent:\n    settings: {tokens: words}\n",
        ["kinds.recurrent", "'text'", "not 'image'", "tokens"],
    ),
    "leaves of a tree": (
        (HEAD + "kinds:\n  recurrent:\n    settings: {cell: tree, nodes: 3}\n").replace("image", "series"),
        ["recurrent.settings", "2, 4, 8", "given 3"],
    ),
    "settings of a learner": (PLAIN % "    settings: {depth: 3}\n", ["linear.settings", "'linear' has no settings"]),
    "derived hyperparameter with a default that it lacks": (
        CELL % "nodes: 2" + OWN % "normal_block_1_op_1, type: categorical, choices: [identity], default_value: none",
        ["line 9", "hyperparameters[0] (normal_block_1_op_1).default_value", "['identity']", "'none'"],
    ),
    "condition on a derived hyperparameter": (
        CELL % "nodes: 2"
        + OWN % "x, type: constant, value: 1"
        + "    conditions:\n      - {type: EQ, child: x, parent: normal_block_1_op_1, value: conv_9x9}\n",
        ["line 11", "conditions[0].value", "never has the value 'conv_9x9'", "sep_conv_3x3"],
    ),
    # --- families and fragments
    "family that is none": (
        HEAD + "kinds:\n  net: {family: residuals}\n",
        ["kinds.net.family", "'residuals'", "Did you mean 'residual'"],
    ),
    "module that is no family": (HEAD + "kinds:\n  net: {family: layers}\n", ["kinds.net.family", "'layers'", "cell"]),
    "missing hyperparameters": (
        HEAD + "kinds:\n  cnn: {network: true}\n",
        ["kinds.cnn", "'hyperparameters' is missing"],
    ),
    "space as a fragment": (
        CELL % "" + "include: [tabular]\n",
        ["include[0]", "'tabular' is a whole space", "training"],
    ),
    "fragment that is none": (CELL % "" + "include: [trainings]\n", ["include[0]", "trainings.yaml", "'training'"]),
    "fragments as text": (CELL % "" + "include: training\n", ["include", "a list was required", "'training' (text)"]),
    # --- extending another space
    "extends nothing": (SMALLER.replace("tabular", "tabula") % "", ["line 3", "extends", "'tabula'", "'tabular'"]),
    "extends a fragment": (SMALLER.replace("tabular", "training") % "", ["extends", "'training' is a fragment"]),
    "extends itself": (SMALLER.replace("tabular", "./mine.yaml") % "", ["extends", "./mine.yaml extends this file"]),
    "modality of an extension": (SMALLER % "modality: image\n", ["unknown key 'modality'", "kinds"]),
    "kind that the other has not": (SMALLER % "kinds:\n  mlps:\n", ["kinds.mlps", "a mapping was required", "nothing"]),
    "range of an extension": (
        SMALLER % ("kinds:\n  mlp:\n" + OWN % "depth, type: uniform_int, lower: 3, upper: 2"),
        ["line 7", "hyperparameters[0] (depth)", "lower < upper", "3 and 2"],
    ),
    "extension that an entry of the portfolio leaves": (
        SMALLER % ("kinds:\n  mlp:\n" + OWN % "width, type: uniform_int, lower: 8, upper: 32"),
        ["extends tabular", "inherited portfolio[0].config", "'mlp:width' cannot be 64", "[8, 32]"],
    ),
    # --- the rest of a file
    "no file": (HEAD, ["the key 'kinds' is missing", "Required: name, title, modality, kinds"]),
    "tabs": (PLAIN.replace("    hyper", "\thyper") % "", ["not valid YAML", "line"]),
    "yes": (PLAIN % "    network: yes\n", ["line 9", "linear.network", "boolean True", "true or false"]),
    "kind that is a list": (HEAD + "kinds: [cell]\n", ["kinds", "a mapping with at least one kind"]),
    "step of a range": (
        PLAIN.replace("upper: 10.0,", "upper: 10.0, q: 0.1,") % "",
        ["hyperparameters[0].q", "unknown key 'q'", "log"],
    ),
    "default outside": (
        PLAIN.replace("default_value: 1.0", "default_value: 11.0") % "",
        ["(strength).default_value", "[0.01, 10.0]", "11.0"],
    ),
    "weights": (
        PLAIN.replace("[dense, ple]", "[dense, ple], weights: [1]") % "",
        ["(features).weights", "2 numbers >= 0", "[1]"],
    ),
    "condition without a parent": (
        PLAIN % "    conditions:\n      - {type: EQ, child: strength, value: ple}\n",
        ["conditions[0]", "'parent' is missing", "child, parent, value"],
    ),
    "conditions in a circle": (
        PLAIN % "    conditions:\n      - {type: EQ, child: strength, parent: features, value: ple}\n"
        "      - {type: GT, child: features, parent: strength, value: 1.0}\n",
        ["circle", "linear:strength", "linear:features"],
    ),
    "clause that forbids the default": (
        PLAIN % "    forbiddens:\n      - {type: EQUALS, name: features, value: dense}\n",
        ["the default configuration is forbidden", "features == 'dense'", "default_value"],
    ),
    "share": (
        PLAIN % "portfolio:\n  - {config: {model: linear}, share: 0}\n",
        ["portfolio[0].share", "(0, 1]", "given 0"],
    ),
}


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return written


@pytest.mark.parametrize("what", FILES)
def test_a_malformed_file_says_what_is_wrong(write, what):
    text, said = FILES[what]
    path = write(text)
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    for words in said:
        assert words in message, message


def test_no_two_messages_are_alike(write):
    messages = set()
    for text, _ in FILES.values():
        with pytest.raises(SpaceError) as caught:
            load_space(write(text))
        messages.add(re.sub(r"line \d+", "", str(caught.value)))
    assert len(messages) == len(FILES) >= 25


def test_what_these_files_are_made_of_is_well_formed(write):
    settings = (CELL % "nodes: 2", DAG % "pools: 1", RESIDUAL % "widths: [8, 16]")
    for text in (*settings, PLAIN % "", SMALLER % "", SMALLER % "kinds:\n  mlp:\n"):
        assert load_space(write(text)).name == "mine"


def test_an_extension_keeps_what_it_does_not_state(write):
    base, space = load_space("tabular"), load_space(write(SMALLER % "kinds:\n  trees:\n  mlp:\n"))
    assert list(space.families) == ["trees", "mlp"]
    assert space.modality == "tabular"
    assert set(space.configspace) == {
        name
        for name in base.configspace
        if name.partition(":")[0] not in {"linear", "kernel", "boosting", "resmlp", "tabm"}
    }
    kept = [entry.config for entry in base.portfolio_entries if entry.config["model"] in {"trees", "mlp"}]
    assert [entry.config for entry in space.portfolio_entries] == kept
    assert load_space(write(SMALLER % ""), "regression").source == load_space("tabular", "regression").source


def test_an_extension_replaces_and_adds(write):
    text = SMALLER % (
        "kinds:\n  mlp:\n    hyperparameters:\n      - {name: activation, type: constant, value: relu}\n"
        "      - {name: more, type: uniform_int, lower: 1, upper: 2}\n"
        "    conditions:\n      - {type: EQ, child: more, parent: embedding, value: none}\n"
        "  fcnet: {network: true, settings: {depths: [1]}}\n"
        "portfolio:\n  - {config: {model: fcnet}, share: 0.5}\n"
    )
    space = load_space(write(text))
    assert {config["mlp:activation"] for config in space.sample(50) if config["model"] == "mlp"} == {"relu"}
    assert all(("mlp:more" in c) == (c.get("mlp:embedding") == "none") for c in space.sample(100))
    assert space.portfolio_entries[-1].config["model"] == "fcnet"
    assert len(space.portfolio_entries) > 1


def test_own_entries_of_a_kind_replace_the_inherited_ones(write):
    entry = 'portfolio:\n  - {config: {model: mlp, "mlp:depth": 3}, share: 0.5}\n'
    base, space = load_space("tabular"), load_space(write(SMALLER % entry))
    others = [entry for entry in base.portfolio_entries if entry.config["model"] != "mlp"]
    assert list(space.portfolio_entries[:-1]) == others
    assert space.portfolio_entries[-1].config["mlp:depth"] == 3

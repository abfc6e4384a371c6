"""Reading space files: what expands to what, and one clear message for each mistake."""

import json
import re

import pytest

from autonas.errors import OptionError, SpaceError
from autonas.search_space.load import list_spaces, load_space

GOOD = """
name: mine
title: Two kinds
modality: tabular
citation: nobody
kinds:
  linear:
    hyperparameters:
      - {name: strength, type: uniform_float, lower: 0.01, upper: 10.0, log: true, default_value: 1.0}
      - {name: target, type: categorical, choices: [auto, raw]}
  mlp:
    network: true
    hyperparameters:
      - {name: depth, type: uniform_int, lower: 1, upper: 4, default_value: 2}
      - {name: width, type: ordinal, sequence: [16, 32, 64], default_value: 32}
      - {name: norm, type: categorical, choices: [none, layer, batch], default_value: none}
      - {name: momentum, type: uniform_float, lower: 0.0, upper: 1.0, default_value: 0.1}
      - {name: version, type: constant, value: 1}
    conditions:
      - {type: NEQ, child: momentum, parent: norm, value: none}
    forbiddens:
      - type: AND
        clauses: [{type: EQUALS, name: depth, value: 4}, {type: EQUALS, name: width, value: 64}]
include: [schedule]
only:
  classification: [smoothing]
  regression: ["linear:target"]
portfolio:
  - {config: {model: linear, "linear:target": raw}, share: 0.1}
  - {config: {model: mlp, smoothing: 0.1}, share: 0.5, when: {min_rows: 100, kind: classification}}
"""
FRAGMENT = """
fragment: schedule
hyperparameters:
  - {name: lr, type: uniform_float, lower: 1.0e-4, upper: 0.1, log: true, default_value: 0.01}
  - {name: smoothing, type: uniform_float, lower: 0.0, upper: 0.2, default_value: 0.0}
  - {name: soft_epochs, type: uniform_int, lower: 1, upper: 9, default_value: 3}
conditions:
  - {type: GT, child: soft_epochs, parent: smoothing, value: 0.05}
"""


def write(folder, text):
    (folder / "schedule.yaml").write_text(FRAGMENT)
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path, GOOD)


def test_expansion(path):
    space = load_space(path)
    assert space.name == "mine"
    assert space.families == {"linear": "linear", "mlp": "mlp"}
    assert space.networks == {"mlp"}
    assert space.default() == {"model": "linear", "linear:strength": 1.0, "linear:target": "auto"}
    assert space.default("mlp") == {
        "model": "mlp",
        "mlp:depth": 2,
        "mlp:width": 32,
        "mlp:norm": "none",
        "mlp:version": 1,
        "lr": 0.01,
        "smoothing": 0.0,
    }
    assert space.options(space.default("mlp"))["depth"] == 2
    assert space.complete({"model": "mlp", "mlp:norm": "batch", "smoothing": 0.1}).keys() >= {
        "mlp:momentum",
        "soft_epochs",
    }


def test_conditions_forbidden_clauses_and_shared_hyperparameters_hold_in_samples(path):
    space = load_space(path)
    drawn = space.sample(500, seed=0)
    for config in drawn:
        network = config["model"] == "mlp"
        assert ("lr" in config) == network
        assert ("mlp:momentum" in config) == (network and config["mlp:norm"] != "none")
        assert ("soft_epochs" in config) == (network and config["smoothing"] > 0.05)
        assert not (config.get("mlp:depth") == 4 and config.get("mlp:width") == 64)
    assert {config["model"] for config in drawn} == {"linear", "mlp"}


DIALECT = """
name: dialect
title: Every other condition and clause
modality: series
kinds:
  net:
    family: mlp
    hyperparameters:
      - {name: a, type: uniform_int, lower: 1, upper: 4, default_value: 1}
      - {name: b, type: uniform_int, lower: 1, upper: 4, default_value: 4}
      - {name: c, type: ordinal, sequence: [1, 2, 3], default_value: 1}
      - {name: d, type: categorical, choices: [0.5, 1, 2], weights: [1, 1, 2], meta: {role: architecture}}
      - {name: both, type: constant, value: 1.5}
      - {name: either, type: constant, value: "on"}
      - {name: listed, type: constant, value: true}
    conditions:
      - type: AND
        conditions: [{type: GT, child: both, parent: a, value: 2}, {type: LT, child: both, parent: c, value: 3}]
      - type: OR
        child: either
        conditions: [{type: EQ, child: either, parent: a, value: 1}, {type: EQ, child: either, parent: c, value: 3}]
      - {type: IN, child: listed, parent: d, values: [0.5, 2]}
    forbiddens:
      - {type: RELATION_GT, left: a, right: b}
      - {type: CLAUSE_GE, name: c, value: 3}
      - {type: OR, clauses: [{type: IN, name: a, values: [2]}, {type: CLAUSE_LT, name: b, value: 2}]}
"""


def test_every_condition_and_clause_of_the_dialect(tmp_path):
    space = load_space(write(tmp_path, DIALECT))
    drawn = space.sample(400, seed=1)
    for config in drawn:
        a, b, c, d = (config[f"net:{name}"] for name in "abcd")
        assert ("net:both" in config) == (a > 2 and c < 3)
        assert ("net:either" in config) == (a == 1 or c == 3)
        assert ("net:listed" in config) == (d in (0.5, 2))
        assert a <= b
        assert c < 3
        assert a != 2
        assert b >= 2
    assert {config["net:a"] for config in drawn} == {1, 3, 4}
    assert {space.key(config) for config in drawn} == {space.key(config) for config in space.grid()}


def test_only(path):
    both, classes, numbers = (load_space(path, kind) for kind in (None, "classification", "regression"))
    assert {"smoothing", "soft_epochs", "linear:target"} <= set(both.configspace)
    assert set(both.configspace) - set(classes.configspace) == {"linear:target"}
    assert set(both.configspace) - set(numbers.configspace) == {"smoothing", "soft_epochs"}
    assert len({both.hash, classes.hash, numbers.hash}) == 3
    assert "linear:target" not in classes.portfolio_entries[0].config
    assert "smoothing" not in numbers.portfolio_entries[1].config
    with pytest.raises(OptionError, match="classification"):
        load_space(path, "clustering")


def test_portfolio_follows_facts(path):
    space = load_space(path)
    assert [config["model"] for config, _ in space.portfolio({"rows": 99, "kind": "classification"})] == ["linear"]
    both = space.portfolio({"rows": 100, "kind": "classification"})
    assert [(config["model"], share) for config, share in both] == [("linear", 0.1), ("mlp", 0.5)]
    assert len(space.portfolio({"rows": 100, "kind": "regression"})) == 1
    assert len(space.portfolio({})) == 1, "a fact that is not known holds for nothing"


def test_one_kind(tmp_path):
    text = GOOD[: GOOD.index("  mlp:")]
    space = load_space(write(tmp_path, text))
    assert {config["model"] for config in space.sample(20)} == {"linear"}
    assert space.sample(1)[0].keys() == {"model", "linear:strength", "linear:target"}


def test_hash_and_source_follow_the_content(path, tmp_path):
    space = load_space(path)
    assert space.hash == load_space(path).hash
    assert {h["name"] for h in json.loads(space.source)["hyperparameters"]} == set(space.configspace)
    path.write_text(GOOD.replace("upper: 4", "upper: 5"))
    assert load_space(path).hash != space.hash


def test_packaged_spaces():
    names = {summary.name: summary for summary in list_spaces()}
    assert {"tabular", "image", "series"} <= names.keys()
    assert "training" not in names, "a fragment is no space"
    assert names["tabular"].n_hyperparameters == len(load_space("tabular").configspace)
    assert all(s.title and s.citation and s.modality for s in names.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [("tabula", "Did you mean 'tabular'"), ("training", "is a fragment, no space"), ("x", r"path: \./x\.yaml")],
)
def test_unknown_name(name, message):
    with pytest.raises(OptionError, match=message):
        load_space(name)


def test_missing_file(tmp_path):
    for name in (str(tmp_path / "none.yaml"), tmp_path / "none", str(tmp_path)):
        with pytest.raises(SpaceError, match="cannot be read"):
            load_space(name)


# what is replaced in the good file, by what, and the message: each names the key, what was given and what is allowed
MISTAKES = {
    "unknown top key": ("modality:", "modalty: x\nmodality:", r"unknown key 'modalty'\. Did you mean 'modality'"),
    "missing top key": ("title: Two kinds", "", r"the key 'title' is missing"),
    "modality": ("modality: tabular", "modality: table", r"unknown modality 'table'\. Did you mean 'tabular'"),
    "title is a number": ("title: Two kinds", "title: 3", r"title: text was required, given 3 \(a number\)"),
    "no kinds": (GOOD[GOOD.index("kinds:") : GOOD.index("include:")], "kinds: {}\n", r"kinds: .*at least one kind"),
    "kind's name": ("  mlp:", "  m:lp:", r"kinds\.m:lp: a name of letters"),
    "kind's key": ("network: true", "networks: true", r"unknown key 'networks'\. Did you mean 'network'"),
    "network is text": ("network: true", "network: maybe", r"network: true or false was required, given 'maybe'"),
    "family": ("network: true", "network: true\n    family: mpl", r"mlp\.family: there is no family 'mpl'"),
    "exponent": ("lower: 0.01", "lower: 1e-2", r"line 9: .*lower: YAML reads 1e-2 as text\. Write 0\.01"),
    "boolean": ("[auto, raw]", "[off, raw]", r'choices\[0\]: YAML reads off as the boolean False\. Write "off"'),
    "octal": ("upper: 4,", "upper: 04,", r"upper: YAML reads 04 in another base"),
    "quoted number": ("lower: 0.01", 'lower: "0.01"', r"\(strength\)\.lower: .*'0\.01' \(text\)\. Remove the quotes"),
    "infinite": ("upper: 10.0", "upper: .inf", r"upper: a number was required, given inf"),
    "type": ("uniform_int", "uniform_integer", r"unknown type 'uniform_integer'\. Did you mean 'uniform_int'"),
    "missing type": ("type: constant, ", "", r"the key 'type' is missing"),
    "missing key": ("lower: 1, ", "", r"hyperparameters\[0\]: the key 'lower' is missing"),
    "unknown key": ("default_value: 2", "default: 2", r"unknown key 'default'\. Did you mean 'default_value'"),
    "default too large": ("default_value: 2", "default_value: 9", r"line 14: .*\(depth\)\.default_value: .*\[1, 4\]"),
    "default not listed": ("default_value: 32", "default_value: 33", r"one of \[16, 32, 64\] was required, given 33"),
    "whole number": ("upper: 4", "upper: 4.5", r"upper: a whole number was required, given 4\.5"),
    "empty range": ("lower: 1, upper: 4", "lower: 4, upper: 4", r"lower < upper was required, given 4 and 4"),
    "log of zero": ("lower: 0.01", "lower: 0.0", r"a log scale requires lower > 0, given 0"),
    "no choices": ("[auto, raw]", "[]", r"choices: at least one value"),
    "double choice": ("[auto, raw]", "[auto, auto]", r"choices\[1\]: the value 'auto' stands twice"),
    "mixed choices": ("[auto, raw]", "[auto, 1]", r"the values mix number and text"),
    "null choice": ("[auto, raw]", "[auto, null]", r"choices\[1\]: .*given None \(nothing\)"),
    "double name": ("name: width", "name: depth", r"name: the name 'depth' is taken"),
    "bad name": ("name: width", 'name: "a:b"', r"a name of letters"),
    "double key": ("log: true,", "log: true, log: false,", r"log: the key 'log' stands twice"),
    "condition's parent": ("parent: norm", "parent: nrom", r"conditions\[0\]\.parent: unknown .* 'nrom'\. Did.*'norm'"),
    "condition's value": ("norm, value: none", "norm, value: group", r"'mlp:norm' never has the value 'group'"),
    "condition's type": ("type: NEQ", "type: NE", r"unknown type 'NE'\. Did you mean"),
    "order": ("type: NEQ", "type: LT", r"LT requires a parent with an order"),
    "shared child": ("child: momentum", "child: lr", r"'lr' is shared"),
    "itself": ("parent: norm, value: none", "parent: momentum, value: 0.5", r"cannot depend on itself"),
    "clause's name": ("name: depth, value: 4}", "name: dept, value: 4}", r"clauses\[0\]\.name: unknown .* 'dept'"),
    "clause's value": ("name: depth, value: 4}", "name: depth, value: 8}", r"never has the value 8\. Required: a"),
    "forbidden default": (
        "name: depth, value: 4}, {type: EQUALS, name: width, value: 64}",
        "name: depth, value: 2}, {type: EQUALS, name: width, value: 32}",
        r"(default configuration|ConfigSpace refuses)",
    ),
    "fragment": ("[schedule]", "[shedule]", r"include\[0\]: there is no file shedule\.yaml"),
    "nobody is a network": ("    network: true\n", "", r"include: .*`network: true`"),
    "only": ("[smoothing]", "[smothing]", r"only\.classification\[0\]: unknown .*Did you mean 'smoothing'"),
    "only's task": ("  regression:", "  ranking:", r"only\.ranking: unknown key 'ranking'"),
    "share": ("share: 0.5", "share: 1.5", r"portfolio\[1\]\.share: a number in \(0, 1\] was required, given 1\.5"),
    "no share": (", share: 0.1", "", r"portfolio\[0\]: the key 'share' is missing"),
    "entry's value": ('target": raw', 'target": row', r"portfolio\[0\]\.config: .*cannot be 'row'\. Required: one of"),
    "entry's name": ('"linear:target": raw', '"linear:tarket": raw', r"'linear:tarket'\. Did you mean 'linear:target'"),
    "entry's inactive name": ('"linear:target": raw', "lr: 0.01", r"portfolio\[0\]\.config\.lr: 'lr' is not active"),
    "entry's boolean": ('"linear:target": raw', '"linear:strength": true', r"cannot be True\. Required: a number in"),
    "when": ("min_rows: 100", "rows: 100", r"when\.rows: unknown key 'rows'\. Did you mean"),
    "when's value": ("kind: classification}", "kind: classify}", r"when\.kind: unknown kind of task 'classify'"),
    "when's order": ("min_rows: 100", "min_rows: 100, max_rows: 9", r"min_rows is above max_rows"),
    "when's type": ("kind: classification}", "text: 1}", r"when\.text: true or false was required, given 1"),
    "portfolio is a mapping": (GOOD[GOOD.index("portfolio:") :], "portfolio: {}\n", r"portfolio: a list was required"),
    "broken": ("[auto, raw]", "[auto, raw", r"mine\.yaml is not valid YAML: .*line"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(tmp_path, mistake):
    before, after, message = MISTAKES[mistake]
    assert before in GOOD
    path = write(tmp_path, GOOD.replace(before, after, 1))
    with pytest.raises(SpaceError, match=message) as caught:
        load_space(path)
    assert re.match(re.escape(str(path)), str(caught.value)), "the message begins with the file"


def test_mistake_in_a_fragment_names_the_fragment(path):
    path.with_name("schedule.yaml").write_text(FRAGMENT.replace("parent: smoothing", "parent: smooting"))
    with pytest.raises(SpaceError, match=r"schedule\.yaml, line 8: conditions\[0\]\.parent: .*'smoothing'"):
        load_space(path)


@pytest.mark.parametrize("text", ["", "- 1", "just text"])
def test_not_a_mapping(tmp_path, text):
    with pytest.raises(SpaceError, match="a mapping of keys to values was required"):
        load_space(write(tmp_path, text))


def test_aliases_work_and_do_not_explode(tmp_path):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{n}: &{n} [*{p}, *{p}, *{p}]\n" for p, n in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
    )
    with pytest.raises(SpaceError, match="unknown key 'a'"):
        load_space(write(tmp_path, bomb))
    shared = GOOD.replace("type: ordinal, sequence: [16, 32, 64]", "type: ordinal, sequence: &w [16, 32, 64]")
    shared = shared.replace("{name: version, type: constant, value: 1}", "{name: version, type: ordinal, sequence: *w}")
    assert load_space(write(tmp_path, shared)).default("mlp")["mlp:version"] == 16

"""Fragments with parts: which of them a file gets, what its kinds keep of their own, and what is refused."""

from __future__ import annotations

import pytest

from autonas.errors import SpaceError
from autonas.search_space.describe import described
from autonas.search_space.load import load_space

FRAGMENT = """\
fragment: extra
only: {classification: [smooth]}
parts:
  steps:
    hyperparameters:
      - {name: solver, type: categorical, choices: [adam, sgd], default_value: adam}
      - {name: momentum, type: uniform_float, lower: 0.0, upper: 1.0, default_value: 0.5}
      - {name: smooth, type: uniform_float, lower: 0.0, upper: 0.2, default_value: 0.0}
    conditions:
      - {type: EQ, child: momentum, parent: solver, value: sgd}
  pictures:
    modalities: [image]
    hyperparameters: [{name: turn, type: uniform_float, lower: 0.0, upper: 1.0, default_value: 0.0}]
  deep:
    families: [mlp]
    hyperparameters:
      - {name: decay, type: uniform_float, lower: 0.0, upper: 1.0, default_value: 0.0}
      - {name: rest, type: uniform_float, lower: 0.0, upper: 1.0, default_value: 0.0}
    conditions:
      - {type: GT, child: decay, parent: "dep*", value: 2}
      - type: AND
        conditions:
          - {type: GT, child: rest, parent: depth, value: 1}
          - {type: EQ, child: rest, parent: solver, value: sgd}
"""
SPACE = """\
name: mine
title: Mine
modality: tabular
kinds:
  linear:
    hyperparameters: [{name: strength, type: uniform_float, lower: 0.1, upper: 1.0, default_value: 1.0}]
  mlp:
    network: true
    hyperparameters: [{name: depth, type: uniform_int, lower: 1, upper: 4, default_value: 1}]
  resmlp:
    network: true
    hyperparameters:
      - {name: blocks, type: uniform_int, lower: 1, upper: 4, default_value: 1}
%s
"""


@pytest.fixture
def load(tmp_path):
    def load(include, fragment=FRAGMENT, space=SPACE, kind=None):
        (tmp_path / "extra.yaml").write_text(fragment)
        (tmp_path / "mine.yaml").write_text(space % include)
        return load_space(tmp_path / "mine.yaml", kind)

    return load


def shared(space):
    return {name for name in space.configspace if name != "model" and ":" not in name}


def test_a_fragment_gives_what_means_something_in_the_space(load):
    assert shared(load("include: [extra]")) == {"solver", "momentum", "smooth", "decay", "rest"}
    assert shared(load("include: [extra]", kind="regression")) == {"solver", "momentum", "decay", "rest"}
    assert shared(load("include: [extra]", space=SPACE.replace("  mlp:", "  other:\n    family: tabm"))) == {
        "solver",
        "momentum",
        "smooth",
    }


def test_parts_by_name(load):
    assert shared(load("include: [extra: [steps]]")) == {"solver", "momentum", "smooth"}
    assert shared(load("include:\n  - extra: [steps, deep]")) == {"solver", "momentum", "smooth", "decay", "rest"}


def test_conditions_of_a_fragment_speak_of_the_architecture(load):
    space = load("include: [extra]")
    drawn = space.sample(400, seed=0)
    for config in drawn:
        deep, sgd = config.get("mlp:depth", 0), config.get("solver") == "sgd"
        assert ("decay" in config) == (deep > 2)
        assert ("rest" in config) == (deep > 1 and sgd)
        assert ("momentum" in config) == sgd
        assert ("solver" in config) == (config["model"] != "linear")
    assert any("rest" in config for config in drawn)


def test_a_kind_keeps_what_it_states_itself(load):
    own = "      - {name: solver, type: constant, value: sgd}\n      - {name: smooth, type: constant, value: 0.1}\n"
    space = load(own + "include: [extra: [steps]]")
    default, other = space.options(space.default("resmlp")), space.options(space.default("mlp"))
    assert (default["solver"], default["smooth"], default["momentum"]) == ("sgd", 0.1, 0.5)
    assert (other["solver"], other["smooth"]) == ("adam", 0.0)
    for config in space.sample(200, seed=0):
        solver = space.options(config).get("solver")
        assert ("momentum" in config) == (solver == "sgd")


def test_what_can_never_be_active_is_left_out(load):
    """The only network keeps a solver that has no momentum."""
    own = "      - {name: solver, type: constant, value: adam}\n"
    space = SPACE.replace("  mlp:\n    network: true", "  mlp:")
    assert shared(load(own + "include: [extra]", space=space)) == {"smooth"}


def test_an_extension_may_leave_out_the_kinds_that_a_part_serves(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntitle: Mine\nextends: image-large\nkinds:\n  cnn:\n")
    assert shared(load_space(path)) >= {"lr", "flip"}
    assert not {"shake", "drop_path"} & set(load_space(path).configspace)
    path.write_text("name: mine\ntitle: Mine\nextends: image\nkinds:\n  kernel:\n")
    assert not shared(load_space(path))


def test_a_person_sees_which_networks_have_a_hyperparameter(load, tmp_path):
    load("include: [extra]")
    found = {c["child"]: c for c in described(tmp_path / "mine.yaml")["conditions"]}
    assert found["smooth"]["values"] == ["mlp", "resmlp"]
    assert found["decay"]["conditions"][0]["values"] == ["mlp"]


# what stands in the file, and in the fragment in place of what; and the message
REFUSED = {
    "unknown part": ("[extra: [step]]", None, r"include\[0\]\.extra\[0\]: unknown part 'step'.*Did you mean 'steps'"),
    "no part": ("[extra: []]", None, r"include\[0\]\.extra: at least one part .*`include: \[extra\]`"),
    "part twice": ("[extra: [steps, steps]]", None, r"include\[0\]\.extra\[1\]: the part 'steps' stands twice"),
    "parts as text": ("[extra: steps]", None, r"include\[0\]\.extra: a list was required, given 'steps' \(text\)"),
    "two fragments in one": ("[{extra: [steps], b: [x]}]", None, r"include\[0\]: one fragment .* given 2: extra, b"),
    "fragment twice": ("[extra, extra]", None, r"parts\.steps\.hyperparameters\[0\]\.name: the name 'solver' is taken"),
    "modality": ("[extra: [pictures]]", None, r"extra\[0\]: the part 'pictures' serves data of the modality image"),
    "family": ("[extra: [deep]]", ("[mlp]", "[tabm]"), r"extra\[0\]: .*networks of the family tabm.* Leave it out"),
    "never": ("[extra: [steps, deep]]", ('"dep*"', '"width_*"'), r"extra\[1\]: decay could never be active here"),
    "unknown modality": ("[extra]", ("[image]", "[images]"), r"modalities\[0\]: .*'images'.*Did you mean 'image'"),
    "unknown family": ("[extra]", ("[mlp]", "[mpl]"), r"extra\.yaml, line 15: .*families\[0\]: unknown .*'mpl'.*'mlp'"),
    "unknown key": ("[extra]", ("families:", "family:"), r"parts\.deep\.family: unknown key .*Did you mean 'families'"),
    "only": ("[extra]", ("[smooth]", "[smoth]"), r"only\.classification\[0\]: unknown .*Did you mean 'smooth'"),
    "neither": ("[extra]", ("parts:", "hyperparameters: []\nparts:"), r"either `hyperparameters` or `parts`"),
    "child of another part": ("[extra]", ("child: decay", "child: momentum"), r"'momentum' is of another part"),
    "parent": ("[extra]", ("parent: depth", "parent: deph"), r"parts\.deep\.conditions\[1\].*unknown .*'deph'"),
    "value": ("[extra]", ("value: sgd}\n  p", "value: sdg}\n  p"), r"'solver' never has the value 'sdg'"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(load, what):
    include, change, message = REFUSED[what]
    fragment = FRAGMENT if change is None else FRAGMENT.replace(*change)
    assert change is None or fragment != FRAGMENT
    with pytest.raises(SpaceError, match=message):
        load(f"include: {include}", fragment)


def test_a_fragment_without_parts_has_none_to_name(load):
    flat = "fragment: extra\nhyperparameters: [{name: lr, type: uniform_float, lower: 0.1, upper: 1.0}]\n"
    assert shared(load("include: [extra]", flat)) == {"lr"}
    with pytest.raises(SpaceError, match=r"include\[0\]: the fragment 'extra' has no parts"):
        load("include: [extra: [steps]]", flat)

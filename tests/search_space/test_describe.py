"""Spaces as a person reads them: the list, the tree, the copy."""

from __future__ import annotations

import io

import pytest

from autonas.errors import OptionError, SpaceError
from autonas.search_space.describe import copy_space, described, space_table, space_tree
from autonas.search_space.load import list_spaces, load_space


def text_of(tree):
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=200).print(tree)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_list_has_a_line_for_every_space():
    summaries = list_spaces()
    head, *lines = space_table(summaries).splitlines()
    assert head.split() == ["space", "task", "hyperparameters", "architectures", "configurations", "citation"]
    assert [line.split()[0] for line in lines] == [summary.name for summary in summaries]
    (cell,) = (line.split() for line in lines if line.startswith("nasbench201"))
    assert cell[1:4] == ["image", "22", "10^4.2"]
    assert cell[-4:] == ["Dong", "&", "Yang", "2020"]


def test_a_hyperparameter_stands_under_the_one_that_it_depends_on():
    lines = text_of(space_tree("text"))
    assert lines[0].startswith("text  Word and character networks")
    (parent,) = (n for n, line in enumerate(lines) if "encoder  bag | conv | gru | lstm (default bag)" in line)
    assert lines[parent + 1].endswith("kernel  3 < 5 < 7 (default 3)  if encoder = conv")
    assert lines[parent + 2].endswith("(default relu)  if encoder in [bag, conv]")
    depth = [line.index(word) for line, word in zip(lines[parent : parent + 2], ("encoder", "kernel"), strict=True)]
    assert depth[1] == depth[0] + 4
    assert any(line.endswith("width  [0.1, 5.0] (log, default 1.0)") for line in lines)


@pytest.mark.parametrize("name", [summary.name for summary in list_spaces()])
def test_a_tree_shows_every_hyperparameter_once(name):
    lines = text_of(space_tree(name))
    names = [full.rpartition(":")[2] for full in load_space(name).configspace if full != "model"]
    shown = [line.split("── ", 1)[1].split("  ")[0] for line in lines if "── " in line]
    for short in set(names):
        assert shown.count(short) >= names.count(short)


def test_several_conditions_and_forbidden_clauses(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: Mine\nmodality: tabular\nkinds:\n  linear:\n    hyperparameters:\n"
        "      - {name: a, type: uniform_int, lower: 1, upper: 9, default_value: 2}\n"
        "      - {name: b, type: categorical, choices: [true, false]}\n"
        "      - {name: c, type: constant, value: x}\n"
        "    conditions:\n      - type: AND\n        conditions:\n"
        "          - {type: GT, child: c, parent: a, value: 3}\n"
        "          - {type: EQ, child: c, parent: b, value: true}\n"
        "    forbiddens:\n      - type: AND\n        clauses:\n"
        "          - {type: EQUALS, name: a, value: 5}\n          - {type: EQUALS, name: b, value: false}\n"
    )
    lines = text_of(space_tree(path))
    assert any(line.endswith("a  [1, 9] (whole, default 2)") for line in lines)
    assert any(line.endswith("c  = x  if a > 3 and b = true") for line in lines)
    assert lines[-1].endswith("never: (a = 5 and b = false)")
    plain = described(path)
    assert [spec["name"] for spec in plain["hyperparameters"]] == ["model", "linear:a", "linear:b", "linear:c"]
    assert plain["n_hyperparameters"] == 4


def test_a_copy_is_the_same_space_and_can_be_edited(tmp_path):
    for name in ("darts", "image-large"):
        path = copy_space(name, tmp_path)
        assert path == tmp_path / f"{name}.yaml"
        assert load_space(path).hash == load_space(name).hash
    path.write_text(path.read_text().replace("max_layers: 10", "max_layers: 5"))
    assert len(load_space(path).configspace) < len(load_space("image-large").configspace)


def test_a_copy_never_overwrites(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(copy_space("darts")) == "darts.yaml"
    before = (tmp_path / "darts.yaml").read_text()
    with pytest.raises(OptionError, match=r"darts\.yaml exists"):
        copy_space("darts")
    assert (tmp_path / "darts.yaml").read_text() == before
    with pytest.raises(SpaceError, match="cannot be written"):
        copy_space("darts", tmp_path / "none" / "darts.yaml")
    with pytest.raises(OptionError, match="Did you mean 'darts'"):
        copy_space("dart")

"""Search small, train large: what a space says about the last training, and sizes by one name for all families."""

from __future__ import annotations

import pytest

from autonas.architectures.family import compile_graph, graph_module
from autonas.errors import OptionError, SpaceError
from autonas.search_space.describe import described, space_tree
from autonas.search_space.enlarge import SIZES, fixed_space, sized
from autonas.search_space.load import list_spaces, load_space

# of the papers: channels of the first cell, and cells of a stage (of DARTS: of the network)
PAPERS = {
    "darts": {"channels": 36, "cells": 20},
    "nasnet": {"channels": 32, "repeats": 6},
    "amoebanet": {"channels": 36, "repeats": 6},
    "pnas": {"channels": 48, "repeats": 3},
    "nasbench201": {"channels": 16, "repeats": 5},
    "hierarchical": {"channels": 64},
}


def parameters(space, shape=(3, 32, 32), n_outputs=10):
    return space.dry_run(space.default(), shape, n_outputs).parameters


@pytest.mark.parametrize("name", PAPERS)
def test_the_last_training_is_that_of_the_paper(name):
    ((_, given),) = load_space(name).final.items()
    assert {**given, "largest": 0} == {**PAPERS[name], "largest": 0}
    assert given.get("largest", 0) == 0, "at the resolution of the images"


def test_a_table_s_network_from_the_small_one_that_was_searched():
    """All 3 x 3 convolutions have 1,531,546 weights in the table."""
    space = load_space("nasbench201")
    config = {**space.default(), **{name: "conv_3x3" for name in space.configspace if "edge" in name}}
    large = fixed_space("cell", space.options(config), "image", final=space.final["cell"])
    assert parameters(large) == 1_531_546


def test_the_file_s_settings_hold_unless_something_else_is_asked_for():
    space = load_space("darts")
    options, final = space.options(space.default()), space.final["cell"]

    def made(**changes):
        return fixed_space("cell", options, "image", changes, final).settings["cell"]

    assert (made()["channels"], made()["cells"]) == (36, 20)
    assert (made(width=12)["channels"], made(width=12)["cells"]) == (12, 20)
    assert (made(cells=8, epochs=3)["cells"], made(cells=8, epochs=3)["epochs"]) == (8, 3)
    assert (made(repeats=2)["repeats"], made(repeats=2)["cells"]) == (2, 0)  # else the 20 cells would hold
    with pytest.raises(OptionError, match=r"Unknown option of the family 'cell' 'chanels'\. Did you mean 'channels'"):
        made(chanels=8)
    with pytest.raises(OptionError, match=r"Unknown option of the family 'cell' 'depth'.*cells, .*width"):
        made(depth=8)


@pytest.mark.parametrize(("size", "family"), [(size, family) for size in SIZES for family in SIZES[size]])
def test_every_family_is_larger_with_more_of_a_size(size, family):
    module = graph_module(family)
    section = module.space(module.SETTINGS)["hyperparameters"]
    options = {h["name"]: h.get("default_value", h.get("value")) for h in section}
    for h in section:  # the default of some spaces has no weights between stem and classifier
        if options[h["name"]] == "identity" and "sep_conv_3x3" in h.get("choices", ()):
            options[h["name"]] = "sep_conv_3x3"

    def weights(value):
        changes = sized(family, module.SETTINGS, {size: value})
        return compile_graph(module, {**module.SETTINGS, **options, **changes}, (3, 32, 32), 10).account.parameters

    assert SIZES[size][family] in module.SETTINGS
    assert weights(24) > weights(12)


def test_cells_fill_all_stages_equally():
    options = {"stages": 3}
    assert sized("treecell", options, {"cells": 12}) == {"repeats": 4}
    with pytest.raises(OptionError, match=r"3 stages .* 10 cannot be shared"):
        sized("treecell", options, {"cells": 10})
    for wrong in (0, -1, 2.5, "many", True):
        with pytest.raises(OptionError, match="cells must be a positive whole number"):
            sized("cell", options, {"cells": wrong})
    assert sized("mlp", {}, {"width": 64, "lr": 0.1}) == {"width": 64, "lr": 0.1}


MINE = "name: mine\ntitle: Mine\nmodality: image\nkinds:\n  cell:\n    network: true\n    settings: {nodes: 2}\n"
REFUSED = {
    "unknown": ("{chanels: 8}", r"kinds\.cell\.final\.chanels: unknown key 'chanels'\. Did you mean 'channels'"),
    "text": ("{channels: many}", r"kinds\.cell\.final\.channels: a whole number was required, given 'many' \(text\)"),
    "searched": ("{channels: 8, nodes: 3}", r"kinds\.cell\.final\.nodes: 'nodes' changes what is searched"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(tmp_path, what):
    given, message = REFUSED[what]
    path = tmp_path / "mine.yaml"
    path.write_text(f"{MINE}    final: {given}\n")
    with pytest.raises(SpaceError, match=message):
        load_space(path)


def test_a_learner_has_no_last_training(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: Mine\nmodality: tabular\nkinds:\n  linear:\n    final: {width: 8}\n"
        "    hyperparameters: [{name: strength, type: constant, value: 1.0}]\n"
    )
    with pytest.raises(SpaceError, match=r"kinds\.linear\.final: the family 'linear' has no settings"):
        load_space(path)


def test_an_extension_changes_the_last_training(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntitle: Mine\nextends: darts\nkinds:\n  cell:\n    final: {cells: 11}\n")
    assert load_space(path).final == {"cell": {"channels": 36, "cells": 11, "largest": 0}}


def test_it_is_shown():
    assert described("darts")["final"] == {"cell": {"channels": 36, "cells": 20, "largest": 0}}
    labels = [str(child.label) for child in space_tree("darts").children]
    assert any("at the end {channels: 36, cells: 20, largest: 0}" in label for label in labels)


@pytest.mark.parametrize("name", [summary.name for summary in list_spaces() if load_space(summary.name).final])
def test_the_large_network_can_be_built(name):
    space = load_space(name)
    for kind, final in space.final.items():
        options = space.options(space.default(kind))
        found = [fixed_space(space.families[kind], options, "image", final=given) for given in (None, final)]
        assert parameters(found[1]) > 3 * parameters(found[0])

"""Every system of the survey that searches a space of its own has that space in the library."""

from __future__ import annotations

import re

import pytest

from autonas.search_space.library import fragment_names, library
from autonas.search_space.load import list_spaces, load_space

# the survey's citation key -> the spaces
PUBLISHED = {
    "He et al 2016": ["resnet"],
    "Huang et al 2017": ["densenet"],
    "Zoph et al 2018": ["nasnet"],
    "Liu et al 2018a": ["hierarchical"],
    "Cai et al 2018b": ["pathlevel"],
    "Zoph & Le 2017": ["nasrl", "nasrl_rnn"],
    "Baker et al 2017a": ["metaqnn"],
    "Zhong et al 2018": ["blockqnn"],
    "Cai et al 2018a": ["chain"],
    "Angeline et al 1994": ["gnarl"],
    "Stanley & Miikkulainen 2002": ["neat"],
    "Stanley et al 2009": ["hyperneat"],
    "Real et al 2017": ["largescale"],
    "Real et al 2018": ["amoebanet"],
    "Suganuma et al 2017": ["cgp_conv", "cgp_res"],
    "Xie & Yuille 2017": ["genetic_cnn"],
    "Miikkulainen et al 2017": ["codeepneat"],
    "Elsken et al 2018": ["lemonade"],
    "Elsken et al 2017": ["nash"],
    "Bergstra et al 2013": ["vision"],
    "Mendoza et al 2016": ["autonet"],
    "Liu et al 2017": ["pnas"],
    "Liu et al 2018b": ["darts"],
    "Shin et al 2018": ["shin"],
    "Ahmed & Torresani 2017": ["connectivity"],
    "Zela et al 2018": ["zela"],
    "Saxena & Verbeek 2016": ["fabric"],
    "Brock et al 2017": ["smash"],
    "Pham et al 2018": ["enas_macro", "enas_micro", "enas_rnn"],
    "Bender et al 2018": ["oneshot"],
    "Rawal & Miikkulainen 2018": ["evolved_rnn"],
    "Suganuma et al 2018": ["autoencoder"],
    "Dong et al 2018": ["dppnet"],
    "Ramachandran & Le 2018": ["routed"],
    "Cubuk et al 2018": ["autoaugment"],
    "Klein et al 2018": ["fcnet"],
    # the table that the survey's successors compare on
    "Dong & Yang 2020": ["nasbench201"],
}
# systems that search the space of another one, or any
SHARED = {
    "Swersky et al 2013": "tabular",  # conditional perceptrons
    "Kandasamy et al 2018": "nasrl",  # graphs of labelled layers
    "Negrinho & Gordon 2017": "metaqnn",
    "Wistuba 2017": "metaqnn",
    "Domhan et al 2015": "metaqnn",
    "Baker et al 2017b": "metaqnn",
    "Liang et al 2018": "codeepneat",
    "Zhou et al 2018": "chain",
    "Cubuk et al 2017": "nasnet",
}
# parts of the training that the survey cites, as hyperparameters
INGREDIENTS = {
    "Loshchilov & Hutter 2017": ["schedule", "cycles", "t_mult"],
    "Devries & Taylor 2017": ["cutout", "cutout_length"],
    "Zhang et al 2017": ["mixup", "mixup_alpha"],
    "Zoph et al 2018": ["drop_path"],
    "Gastaldi 2017": ["shake"],
    "Cubuk et al 2018": ["policy", "policy_5_operation_2", "policy_5_probability_2", "policy_5_magnitude_2"],
}
OWN_DATA = [
    f"{modality}{size}" for modality in ("tabular", "image", "series", "text") for size in ("-small", "", "-large")
]
NETWORKS_ALONE = ["tabular-nn"]

SUMMARIES = {summary.name: summary for summary in list_spaces()}


def test_the_library_is_the_published_spaces_and_those_for_own_data():
    published = [name for names in PUBLISHED.values() for name in names]
    assert sorted(SUMMARIES) == sorted([*published, *OWN_DATA, *NETWORKS_ALONE])


@pytest.mark.parametrize("key", PUBLISHED)
def test_a_published_space_cites_its_paper_and_names_itself(key):
    for name in PUBLISHED[key]:
        assert SUMMARIES[name].citation.replace(" and ", " & ") == key
        assert SUMMARIES[name].name == name
        assert re.fullmatch(r"[A-Z].*[^.]", SUMMARIES[name].title)


def test_a_space_that_is_shared_is_there():
    assert set(SHARED.values()) <= set(SUMMARIES)


@pytest.mark.parametrize("key", INGREDIENTS)
def test_ingredients_are_hyperparameters_of_the_one_fragment(key):
    (fragment,) = fragment_names()
    text = library()[fragment].read_text()
    assert key in text
    for name in INGREDIENTS[key]:
        assert f"name: {name}," in text


def test_shake_shake_is_searched_where_there_are_two_branches():
    space = load_space("zela")
    for config in space.sample(300):
        two = any(config[f"residual:branches_{stage}"] == 2 for stage in (1, 2, 3))
        assert ("shake" in config) == two


@pytest.mark.parametrize("modality", ["tabular", "image", "series", "text"])
def test_own_data_has_three_sizes(modality):
    small, normal, large = (SUMMARIES[f"{modality}{size}"] for size in ("-small", "", "-large"))
    assert {small.modality, normal.modality, large.modality} == {modality}
    assert small.n_hyperparameters < normal.n_hyperparameters < large.n_hyperparameters
    assert small.log10_architectures < normal.log10_architectures < large.log10_architectures
    assert all(load_space(name).portfolio_entries for name in (small.name, normal.name, large.name))


@pytest.mark.parametrize("name", NETWORKS_ALONE)
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_space_of_networks_alone_has_several_first_proposals_for_every_size_of_data(name, kind):
    space = load_space(name, kind)
    assert set(space.families) == space.networks
    for rows in (50, 1499, 1500, 4000, 4001, 10_000, 10_001, 10**6):
        for categories in (False, True):
            facts = {"rows": rows, "columns": 9, "kind": kind, "text": False, "categories": categories}
            assert len(space.portfolio(facts)) >= 3

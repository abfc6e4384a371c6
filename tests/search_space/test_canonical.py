from __future__ import annotations

from itertools import product

import pytest

from autonas.search_space.load import load_space

EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
OPERATIONS = ("none", "identity", "conv_1x1", "conv_3x3", "avg_pool_3x3")


@pytest.fixture(scope="module")
def space():
    return load_space("nasbench201")


def _cell(space, key):
    edges = {f"cell:edge_{i}_{j}": OPERATIONS[int(k)] for (i, j), k in zip(EDGES, key, strict=True)}
    return space.complete({"model": "cell", **edges})


def published_string(key):
    """The rule of Dong & Yang 2020: a sum keeps its zero terms, written "#"."""
    nodes, digits = ["0"], iter(key)
    for node in range(1, 4):
        terms = []
        for below in nodes[:node]:
            operation = OPERATIONS[int(next(digits))]
            if operation == "none" or below == "#":
                terms.append("#")
            else:
                terms.append(below if operation == "identity" else f"({below})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def test_the_published_rule_counts_6466_classes(space):
    names = [f"cell:edge_{i}_{j}" for i, j in EDGES]
    assert all(tuple(space.configspace[name].choices) == OPERATIONS for name in names)
    keys = ["".join(key) for key in product("01234", repeat=6)]
    assert len(keys) == 15_625
    assert len({published_string(key) for key in keys}) == 6_466


def test_classes_of_the_published_rule_are_never_split(space):
    classes = {}
    for key in ("".join(k) for k in product("013", repeat=6)):
        classes.setdefault(published_string(key), set()).add(space.canonical(_cell(space, key)))
    assert all(len(forms) == 1 for forms in classes.values())


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("300010", "000300", True),  # the identity passes a value on
        ("030001", "000300", True),
        ("300100", "000100", True),  # nothing reads the first node
        ("300030", "030003", True),
        ("300030", "300010", False),
        ("300030", "300020", False),
        ("311201", "320111", True),  # (x + c3(x)) + c1(x) and x + c3(x) + c1(x)
        ("111000", "000000", True),  # nothing reaches the output
    ],
)
def test_known_pairs(space, one, other, equal):
    assert (space.canonical(_cell(space, one)) == space.canonical(_cell(space, other))) is equal


def test_training_hyperparameters_count(space):
    config = space.default()
    assert space.canonical(config) != space.canonical({**config, "epochs": config["epochs"] + 1})

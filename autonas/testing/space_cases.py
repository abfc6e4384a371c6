"""What every search space must do, packaged or a person's own.

::

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    def test_conformance(case):
        case(load_space("./my.yaml"))
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from itertools import islice, pairwise, product

import numpy as np

from autonas.errors import SpaceError
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.moves import crossover, mutate, neighbours
from autonas.search_space.space import SearchSpace

__all__ = ["CASES"]

SAMPLES = 100


def samples_are_valid(space: SearchSpace) -> None:
    """Draws hold all conditions, and depend on nothing but the seed."""
    drawn = space.sample(SAMPLES, seed=1)
    assert len(drawn) == SAMPLES
    for config in drawn:
        assert space.validate(config) == config
    assert space.sample(SAMPLES, seed=1) == drawn
    assert space.sample(SAMPLES, seed=2) != drawn


def survives_json(space: SearchSpace) -> None:
    """A configuration that was written and read again is the same, down to its key."""
    for config in space.sample(SAMPLES, seed=3):
        read = json.loads(json.dumps(config))
        assert read == config
        assert {name: type(value) for name, value in read.items()} == {name: type(v) for name, v in config.items()}
        assert space.key(read) == space.key(config)


def survives_configspace(space: SearchSpace) -> None:
    """So is one that went through ConfigSpace's own object and through its vector."""
    from ConfigSpace import Configuration

    for config in space.sample(SAMPLES, seed=4):
        configuration = space.to_configuration(config)
        assert space.from_configuration(configuration) == config
        vector = Configuration(space.configspace, vector=configuration.get_array())
        assert space.from_configuration(vector) == config


def every_kind_has_a_default(space: SearchSpace) -> None:
    """Each kind completes to a valid configuration, whose options carry no prefix."""
    for kind in space.families:
        config = space.default(kind)
        assert space.validate(config) == config
        assert space.kind_of(config) == kind
        assert not any(":" in name for name in space.options(config))
        assert len(space.options(config)) == len(config) - 1 + len(space.settings.get(kind, {}))
    assert space.validate(space.default()) == space.default()


def completes_what_is_stated(space: SearchSpace) -> None:
    """Nothing stated is lost while it is active, and completing twice changes nothing."""
    for config in space.sample(SAMPLES, seed=5):
        assert space.complete(config) == config
        some = dict(list(config.items())[::2])
        try:
            whole = space.complete(some)
        except SpaceError:  # what is stated may not go together with the defaults of the rest
            continue
        assert all(whole[name] == value for name, value in some.items() if name in whole)
        assert space.complete(whole) == whole


def portfolio_is_valid(space: SearchSpace) -> None:
    """Every entry is a whole configuration with a share of the time."""
    for entry in space.portfolio_entries:
        assert space.validate(entry.config) == entry.config
        assert 0 < entry.share <= 1


def portfolio_follows_the_data(space: SearchSpace) -> None:
    """Whatever the data, some entries are meant for it, and none is meant for nothing."""
    if not space.portfolio_entries:
        return
    used = set()
    for rows, kind, text, categories in product(
        (50, 600, 1499, 1500, 4001, 10_000, 1_000_000), ("classification", "regression"), (True, False), (True, False)
    ):
        facts = {"rows": rows, "columns": 20, "kind": kind, "text": text, "categories": categories}
        entries = [number for number, entry in enumerate(space.portfolio_entries) if entry.holds(facts)]
        assert [space.portfolio_entries[n].config for n in entries] == [config for config, _ in space.portfolio(facts)]
        assert entries, f"no entry for {facts}"
        used.update(entries)
    assert used == set(range(len(space.portfolio_entries)))


def vectors_round_trip(space: SearchSpace) -> None:
    """Encoded and decoded, a configuration is the same; one column a hyperparameter, or one-hot."""
    configs = space.sample(SAMPLES, seed=7)
    for encoding in (VectorEncoding(space), VectorEncoding(space, one_hot=True, inactive=-1.0)):
        rows = encoding.encode(configs)
        assert rows.shape == (SAMPLES, len(encoding.names))
        assert [encoding.decode(row) for row in rows] == configs


def moves_are_valid(space: SearchSpace) -> None:
    """Neighbours, mutations and crossovers are configurations of the space, in its order."""
    rng = np.random.default_rng(8)
    configs = space.sample(10, seed=8)
    for config, other in pairwise(configs):
        near = list(islice(neighbours(space, config, rng), 5))
        for moved in (*near, mutate(space, config, rng, n=2), crossover(space, config, other, rng)):
            assert space.validate(moved) == moved
            assert list(space.validate(moved)) == list(moved)
        assert config not in near
    # whatever has several values can change in some configuration
    if len({space.key(config) for config in configs}) > 1:
        assert any(mutate(space, config, rng) != config for config in configs)


def survives_pickle(space: SearchSpace) -> None:
    """A worker gets the same space, also after its moves were used."""
    assert space.table.violated(space.default()) is None
    copy = pickle.loads(pickle.dumps(space))  # noqa: S301 (made here)
    assert copy.hash == space.hash
    assert copy.sample(3, seed=6) == space.sample(3, seed=6)
    assert copy.portfolio_entries == space.portfolio_entries


CASES: tuple[Callable[[SearchSpace], None], ...] = (
    samples_are_valid,
    survives_json,
    survives_configspace,
    every_kind_has_a_default,
    completes_what_is_stated,
    portfolio_is_valid,
    portfolio_follows_the_data,
    vectors_round_trip,
    moves_are_valid,
    survives_pickle,
)

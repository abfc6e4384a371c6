"""NASBOT on graphs: it finds good cells, and its distances do not depend on when they are computed."""

import time

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Constant

from autonas.core.trial import Proposal, Result, Trial
from autonas.evaluators.benchmarks import read_table
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.strategies.otmann import Otmann

OPERATIONS = {
    "none": "none",
    "identity": "skip_connect",
    "conv_1x1": "nor_conv_1x1",
    "conv_3x3": "nor_conv_3x3",
    "avg_pool_3x3": "avg_pool_3x3",
}
EDGES = [f"cell:edge_{edge}" for edge in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")]  # in the order of the table


@pytest.fixture(scope="module")
def cells():
    """The cells of NAS-Bench-201 with their graphs, nothing else to be decided."""
    configspace = ConfigurationSpace(space=[Constant("model", "cell"), *(Categorical(e, [*OPERATIONS]) for e in EDGES)])
    for edge in EDGES:
        configspace[edge].meta = {"role": "architecture"}
    settings = load_space("nasbench201").settings
    return SearchSpace(configspace, modality="image", families={"cell": "cell"}, settings=settings, networks=("cell",))


def row(config):
    return {f"Op{i}": OPERATIONS[config[edge]] for i, edge in enumerate(EDGES)}


def search(space, table, seed, n):
    """Mean accuracy in percent of the cell that looked best, and all trials."""
    loss = table.function(seed)
    strategy, trials = Otmann(space, seed=seed), []
    for number in range(n):
        proposal = strategy.ask()
        trials.append(Trial(number, proposal, Result({"loss": loss(row(proposal.config))})))
        strategy.tell(trials[-1])
    best = strategy.recommend(trials)[0]
    return 100 * (1 - table.mean_loss(row(best.config))), trials


@pytest.mark.slow
def test_fifty_cells_are_enough(cells):
    """A GP over Hamming distances reaches a mean of 91.37 (a random search 90.9); at least 91.2 is wanted."""
    table = read_table("nb201-cifar10")
    assert np.mean([search(cells, table, seed, 50)[0] for seed in range(3)]) >= 91.2


def test_it_goes_on_after_a_replay_as_if_nothing_had_happened(cells):
    """The distances of the first search were computed trial by trial, those of the second all at once."""
    table = read_table("nb201-cifar10")
    _, trials = search(cells, table, 1, 20)
    one, two = Otmann(cells, seed=1), Otmann(cells, seed=1)
    for trial in trials:
        one.tell(trial)
        if trial.id > 10:
            one._see()
        two.tell(trial)
    assert one.ask() == two.ask()
    assert (one._terms == two._terms).all()
    assert (one._terms == one._terms.swapaxes(0, 1)).all()


def test_a_proposal_is_cheap(cells):
    strategy = Otmann(cells, seed=0)
    rng = np.random.default_rng(0)
    for number, config in enumerate(cells.sample(50, seed=0)):
        strategy.tell(Trial(number, Proposal(config), Result({"loss": float(rng.random())})))
    strategy.ask()
    start = time.process_time()
    strategy.tell(Trial(50, strategy.ask(), Result({"loss": 0.5})))
    assert strategy.ask() is not None
    assert (time.process_time() - start) / 2 < 2


def test_history_is_bounded(cells):
    strategy = Otmann(cells, seed=0)
    configs = list({str(config): config for config in cells.sample(140, seed=3)}.values())
    for number, config in enumerate(configs):
        loss = 0.1 if number == 7 else 1 + number / 1000
        strategy.tell(Trial(number, Proposal(config), Result({"loss": loss})))
    strategy._see()
    assert len(strategy._seen) == 100
    assert strategy._seen[0] == 0
    assert 7 in strategy._seen, "the best are seen, however old"
    assert strategy._seen[-1] == len(configs) - 1, "and the latest"


def test_networks_that_cannot_be_built_are_no_obstacle():
    space = load_space("metaqnn")
    strategy = Otmann(space, seed=0, initial=4)
    for number in range(8):
        proposal = strategy.ask()
        failed = number % 3 == 0
        result = Result.failure("cannot be built") if failed else Result({"loss": float(len(proposal.config))})
        strategy.tell(Trial(number, proposal, result))
    assert strategy.ask() is not None

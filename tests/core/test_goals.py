"""What is asked for, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import make_scorer
from sklearn.metrics import recall_score as recall

from autonas.core.goals import get_goals
from autonas.errors import OptionError


def goals(objectives, metric=None):
    return get_goals(objectives, metric, "classification", np.array(["a", "b"]))


def test_without_objectives_there_is_the_metric_alone():
    alone = goals(None, "roc_auc")
    assert (alone.objectives, alone.losses, alone.costs, alone.stated) == (("roc_auc",), ("roc_auc",), (), ())
    assert not alone.several


def test_a_limit_leaves_one_objective():
    found = goals(["log_loss", "n_params < 1e6"])
    assert (found.losses, found.columns, found.several) == (("log_loss",), ("n_params",), False)
    assert found.stated == ("log_loss", "n_params < 1e+06")
    assert found.exceeded({"n_params": 999_999.0}) == ""
    assert found.exceeded({"n_params": 1e6}) == "n_params is 1e+06, required n_params < 1e+06"


def test_a_limit_alone_takes_the_metric_that_is_given():
    assert goals("latency < 0.1", "accuracy").objectives == ("accuracy",)
    assert goals(["macs"]).objectives == ("log_loss", "macs")


def test_the_person_orders_and_the_search_puts_the_metric_first():
    found = goals(["n_params", "accuracy", "log_loss", "latency"])
    assert found.metric.name == "accuracy"
    assert found.losses == ("accuracy", "n_params", "log_loss", "latency")
    small = {"n_params": 1.0, "accuracy": 0.5, "log_loss": 2.0, "latency": 1.0}
    assert found.order(small) < found.order({**small, "n_params": 2.0, "accuracy": 0.0})
    assert found.shown("accuracy", 0.25) == 0.75
    assert found.shown("n_params", 0.25) == 0.25


def test_members_together_add_up_except_for_the_memory_of_a_step():
    found = goals(["log_loss", "n_params", "memory < 9"])
    members = [{"n_params": 2.0, "memory": 5.0}, {"n_params": 3.0, "memory": 7.0}]
    assert found.together(members) == {"n_params": 5.0, "memory": 7.0}


def test_a_scorer_of_ones_own_may_be_named():
    scorer = make_scorer(recall, pos_label="b")
    name = type(scorer).__name__
    assert goals([name, "n_params"], scorer).metric.scorer is scorer


@pytest.mark.parametrize(
    ("objectives", "metric", "message"),
    [
        (["n_param"], None, r"Unknown objective 'n_param'. Did you mean 'n_params'"),
        (["log_lose"], None, r"Unknown metric 'log_lose'. Did you mean 'log_loss'"),
        (["rmse"], None, "does not fit classification"),
        (["log_loss", "accuracy < 1"], None, "Only costs can be limited"),
        (["log_loss", "n_parms < 1"], None, "Did you mean 'n_params'"),
        (["log_loss", "n_params"], "accuracy", "metric is 'accuracy', but the first metric among the objectives is"),
        (["log_loss", "n_params < many"], None, "a limit on one"),
        (["log_loss", "log_loss"], None, "comes once"),
        ([3], None, "An objective is a text"),
        (3, None, "Objectives are a list of texts"),
    ],
)
def test_what_is_refused(objectives, metric, message):
    with pytest.raises(OptionError, match=message):
        goals(objectives, metric)

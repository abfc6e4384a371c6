"""Checkpoints: the life of a folder, the quota, and what a killed process leaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.run.checkpoints import Checkpoints


def fill(checkpoints, trial_id, n_bytes=10):
    working = checkpoints.new(trial_id)
    (working / "deep").mkdir()
    (working / "deep" / "weights").write_bytes(bytes(n_bytes))
    return checkpoints.commit(trial_id)


def test_life_of_a_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, 100)
    working = checkpoints.new(3)
    assert working == tmp_path / "trials" / "3.part"
    assert list(working.iterdir()) == []
    (working / "a").write_bytes(bytes(7))
    assert checkpoints.size == 0
    assert 3 not in checkpoints
    final = checkpoints.commit(3)
    assert final == checkpoints.path(3) == tmp_path / "trials" / "3"
    assert (final / "a").read_bytes() == bytes(7)
    assert not working.exists()
    assert checkpoints.size == 7
    assert 3 in checkpoints
    checkpoints.discard(3)
    assert list((tmp_path / "trials").iterdir()) == []
    assert checkpoints.size == 0


def test_new_is_empty_even_after_a_failed_attempt(tmp_path):
    checkpoints = Checkpoints(tmp_path, 100)
    (checkpoints.new(0) / "junk").write_text("x")
    assert list(checkpoints.new(0).iterdir()) == []


def test_discard_of_an_unfinished_or_unknown_trial(tmp_path):
    checkpoints = Checkpoints(tmp_path, 100)
    (checkpoints.new(0) / "junk").write_text("x")
    checkpoints.discard(0)
    checkpoints.discard(1)
    assert list((tmp_path / "trials").iterdir()) == []


def test_commit_replaces_an_older_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, 100)
    fill(checkpoints, 0, 50)
    path = fill(checkpoints, 0, 20)
    assert (path / "deep" / "weights").stat().st_size == 20
    assert checkpoints.size == 20


def test_commit_without_new_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoints(tmp_path, 100).commit(0)


def test_opening_removes_leftovers_and_measures_the_rest(tmp_path):
    first = Checkpoints(tmp_path, 100)
    fill(first, 0, 30)
    (first.new(1) / "half").write_bytes(bytes(40))
    (tmp_path / "trials" / "2.old.part").mkdir()  # a deletion that was interrupted
    again = Checkpoints(tmp_path, 100)
    assert again.size == 30
    assert [p.name for p in (tmp_path / "trials").iterdir()] == ["0"]


def test_collect_under_the_quota_deletes_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path, 30)
    for i in range(3):
        fill(checkpoints, i)
    assert checkpoints.collect(set(), [0, 1, 2]) == []


def test_collect_deletes_the_worst_first_and_unranked_before_them(tmp_path):
    checkpoints = Checkpoints(tmp_path, 25)
    for i in range(6):
        fill(checkpoints, i)
    assert checkpoints.collect(keep={4}, ranked=[2, 0, 5, 4, 1]) == [3, 1, 5, 0]
    assert checkpoints.size == 20
    assert sorted(p.name for p in (tmp_path / "trials").iterdir()) == ["2", "4"]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_collect_properties(tmp_path_factory, data):
    sizes = data.draw(st.lists(st.integers(0, 50), max_size=6))
    keep = data.draw(st.sets(st.integers(0, 7)))
    ranked = data.draw(st.permutations(range(len(sizes))))
    quota = data.draw(st.integers(0, 200))
    checkpoints = Checkpoints(tmp_path_factory.mktemp("search"), quota)
    for trial_id, size in enumerate(sizes):
        fill(checkpoints, trial_id, size)
    deleted = checkpoints.collect(keep, ranked)
    left = [i for i in range(len(sizes)) if i in checkpoints]
    assert not keep & set(deleted)
    assert sorted(left + deleted) == list(range(len(sizes)))
    assert (
        checkpoints.size
        == sum(sizes[i] for i in left)
        == sum(file.stat().st_size for file in checkpoints.folder.rglob("*") if file.is_file())
    )
    free = [i for i in ranked if i not in keep]
    assert deleted == free[::-1][: len(deleted)]  # worst first
    assert checkpoints.size <= quota or set(left) <= keep
    if deleted:  # not one more than needed
        assert checkpoints.size + sizes[deleted[-1]] > quota

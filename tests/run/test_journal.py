"""The journal: what goes in comes out, after a move and after kill -9; what is wrong is said."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import JournalError
from autonas.run.journal import FORMAT, Journal

ROOT = Path(__file__).parents[2]
META = {
    "version": "0.1",
    "space": "name: a\nfamily: mlp\n",
    "data": "abc",
    "metric": "auc",
    "seed": 0,
    "options": (1, 2),
}


def proposal(x=0.5, **extra):
    return Proposal({"model": "mlp", "x": x}, **extra)


def trial(trial_id, x=0.5, checkpoint=None):
    return Trial(trial_id, proposal(x), Result({"loss": x}, curve=((0.5, 1.0), (1.0, x)), info={"n": 1}), checkpoint)


@pytest.fixture
def journal(tmp_path):
    with Journal.open_or_create(tmp_path / "journal.db", META) as opened:
        yield opened


def reopen(journal, meta=META, **options):
    journal.close()
    return Journal.open_or_create(journal.path, meta, **options)


def test_new_journal_is_empty(journal):
    assert journal.trials() == journal.pending() == journal.notes("any") == []
    assert journal.next_id() == 0


def test_trials_come_back_in_the_order_told(journal):
    told = [trial(2, 0.2), trial(0, 0.1), trial(5, 0.3)]
    for i in range(6):
        journal.asked(i, proposal(i / 10))
    for t in told:
        journal.told(t)
    expected = [Trial(t.id, proposal(t.id / 10), t.result) for t in told]  # the proposal is what was asked
    with reopen(journal) as again:
        assert again.trials() == expected
        assert again.pending() == [(i, proposal(i / 10)) for i in (1, 3, 4)]
        assert again.next_id() == 6


finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.text(max_size=5), st.integers(-(2**60), 2**60), finite, st.booleans())


@settings(max_examples=30, deadline=None)
@given(
    proposed=st.builds(
        Proposal,
        config=st.dictionaries(st.text(max_size=5), values, max_size=4),
        fidelity=st.floats(0.01, 1.0),
        parent=st.none() | st.integers(0, 9),
        inherit=st.sampled_from([None, "resume", "copy", "morph"]),
        origin=st.text(max_size=5),
    ),
    result=st.builds(
        Result,
        values=st.dictionaries(st.text(max_size=5), finite | st.just(math.inf), max_size=2),
        status=st.sampled_from(["ok", "stopped", "failed"]),
        cost_seconds=st.floats(0, 1e6),
        curve=st.lists(st.tuples(finite, finite), max_size=3).map(tuple),
        error=st.text(max_size=10),
        info=st.dictionaries(st.text(max_size=5), values | st.lists(values, max_size=2), max_size=2),
    ),
)
def test_any_trial_comes_back_equal(tmp_path_factory, proposed, result):
    with Journal.open_or_create(tmp_path_factory.mktemp("search") / "journal.db", {}) as journal:
        journal.asked(0, proposed)
        journal.told(Trial(0, proposed, result))
        assert journal.trials() == [Trial(0, proposed, result)]


def test_notes_by_kind(journal):
    journal.note("session", {"seconds": 1.5})
    journal.note("other", {})
    journal.note("session", {"seconds": 2.5, "text": "ä"})
    with reopen(journal) as again:
        assert again.notes("session") == [{"seconds": 1.5}, {"seconds": 2.5, "text": "ä"}]
        assert again.notes("other") == [{}]


def test_a_trial_is_asked_once_and_told_once(journal):
    journal.asked(0, proposal())
    with pytest.raises(JournalError, match="asked once"):
        journal.asked(0, proposal())
    with pytest.raises(JournalError, match="asked once"):
        journal.told(trial(1))  # never asked
    journal.told(trial(0))
    with pytest.raises(JournalError, match="told once"):
        journal.told(trial(0))
    assert len(journal.trials()) == 1


def test_checkpoints_move_with_the_folder(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    with Journal.open_or_create(old / "journal.db", META) as journal:
        for i in range(3):
            journal.asked(i, proposal())
            journal.told(trial(i, checkpoint=str(old / "trials" / str(i))))
        journal.set_checkpoint(1, None)
        journal.set_checkpoint(2, old / "trials" / "two")
    shutil.move(old, new)
    with Journal.open_or_create(new / "journal.db", META) as journal:
        expected = [str(new / "trials" / "0"), None, str(new / "trials" / "two")]
        assert [t.checkpoint for t in journal.trials()] == expected


def test_checkpoints_with_a_relative_workdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Journal.open_or_create("search/journal.db", META) as journal:
        journal.asked(0, proposal())
        journal.told(trial(0, checkpoint="search/trials/0"))
        assert [t.checkpoint for t in journal.trials()] == [str(Path("search/trials/0"))]


def test_checkpoint_of_an_untold_trial(journal):
    journal.asked(0, proposal())
    with pytest.raises(JournalError, match="no result"):
        journal.set_checkpoint(0, None)


# --- identity ---


def test_meta_comes_back(journal):
    expected = {**META, "options": [1, 2]}
    assert journal.meta == expected
    with reopen(journal) as again:
        assert again.meta == expected
    assert Journal.read(journal.path).meta == expected


def test_another_search_is_refused_naming_what_differs(journal):
    other = {**META, "seed": 1, "space": "name: a\nfamily: cell\n"}
    with pytest.raises(JournalError) as caught:
        reopen(journal, other)
    text = str(caught.value)
    assert "seed was 0, is 1" in text
    assert "space was 'family: mlp', is 'family: cell' (line 2)" in text
    assert "metric" not in text
    assert "another folder" in text


def test_text_that_only_got_longer(journal):
    with pytest.raises(JournalError, match=r"space was '', is 'extra: 1' \(line 3\)"):
        reopen(journal, {**META, "space": META["space"] + "extra: 1\n"})


def test_only_identity_keys_count(journal):
    with reopen(journal, {**META, "version": "0.2"}, identity=["seed", "data"]) as again:
        assert again.meta["version"] == "0.1"
        with pytest.raises(JournalError, match="data was 'abc', is 'xyz'"):
            reopen(again, {**META, "data": "xyz"}, identity=["seed", "data"])


def test_refusal_leaves_no_lock(journal):
    with pytest.raises(JournalError):
        reopen(journal, {**META, "seed": 1})
    reopen(journal).close()


# --- files that cannot be used ---


def test_newer_format_is_refused(journal):
    journal.close()
    with sqlite3.connect(journal.path) as database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT + 1),))
    database.close()
    with pytest.raises(JournalError, match=f"format {FORMAT + 1}.*up to {FORMAT}.*Update"):
        Journal.open_or_create(journal.path, META)
    with pytest.raises(JournalError, match="Update"):
        Journal.read(journal.path)


def test_missing_journal_is_not_created_by_reading(tmp_path):
    with pytest.raises(JournalError, match="no journal"):
        Journal.read(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "journal.db"
    path.write_text("hello " * 1000)
    for opening in (lambda: Journal.read(path), lambda: Journal.open_or_create(path, META)):
        with pytest.raises(JournalError, match=r"damaged \(file is not a database\)"):
            opening()
    assert path.read_text() == "hello " * 1000


def test_another_programs_database(tmp_path):
    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(JournalError, match="not a journal"):
        Journal.open_or_create(tmp_path / "journal.db", META)


def test_an_empty_file_is_a_new_journal(tmp_path):
    """What a process leaves that is killed between making the file and its first commit."""
    (tmp_path / "journal.db").touch()
    with Journal.open_or_create(tmp_path / "journal.db", META) as journal:
        assert journal.next_id() == 0


def filled(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open_or_create(path, META) as journal:
        for i in range(200):
            journal.asked(i, proposal(i / 200))
            journal.told(trial(i, i / 200))
    return path


@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_damaged_database(tmp_path, damage):
    path = filled(tmp_path)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] if damage == "cut" else content[:half] + bytes(len(content) - half))
    with pytest.raises(JournalError, match=r"is damaged.*another copy"):
        Journal.open_or_create(path, META)


def test_damaged_record(tmp_path):
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'{"values"', b'{!values"'))
    with pytest.raises(JournalError, match="is damaged"):
        Journal.read(path).trials()


# --- one writer, readers beside it ---


def test_second_writer_is_refused_naming_the_first(journal):
    with pytest.raises(JournalError, match=f"Process {os.getpid()} is writing"):
        Journal.open_or_create(journal.path, META)


def test_readers_beside_a_writer(journal):
    with Journal.read(journal.path) as reader:
        journal.asked(0, proposal())
        journal.told(trial(0))
        assert [t.id for t in reader.trials()] == [0]
        with pytest.raises(JournalError, match="readonly"):
            reader.note("x", {})


WRITER = """
import sys
from autonas.core.trial import Proposal, Result, Trial
from autonas.run.journal import Journal

journal = Journal.open_or_create(sys.argv[1], {"seed": 0})
print("open", flush=True)
for i in range(journal.next_id(), 10**6):
    proposal = Proposal({"x": i})
    journal.asked(i, proposal)
    journal.told(Trial(i, proposal, Result({"loss": i / 7}, info={"text": "x" * 200})))
    print(i, flush=True)
"""


def start_writer(path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=env)


def test_kill_9_loses_no_acknowledged_trial(tmp_path):
    path = tmp_path / "journal.db"
    acknowledged = []
    for lines in (1, 40, 333, 1200):  # killed so many trials after it resumed
        with start_writer(path) as process:
            assert process.stdout.readline() == "open\n"  # the dead process's lock does not stand in the way
            acknowledged += [int(process.stdout.readline()) for _ in range(lines)]
            process.kill()
            acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    with Journal.open_or_create(path, {"seed": 0}) as journal:
        trials = {t.id: t for t in journal.trials()}
        assert len(acknowledged) >= 1574
        assert set(acknowledged) <= set(trials)
        assert all(t.loss == i / 7 and t.config == {"x": i} for i, t in trials.items())
        pending = {i for i, _ in journal.pending()}
        assert len(pending) <= 4  # at most one for each kill
        assert set(trials) | pending == set(range(journal.next_id()))


def test_writer_in_another_process_is_refused_while_it_lives(tmp_path):
    with start_writer(tmp_path / "journal.db") as process:
        process.stdout.readline()
        with pytest.raises(JournalError, match=f"Process {process.pid} is writing"):
            Journal.open_or_create(tmp_path / "journal.db", {"seed": 0})
        process.kill()
        process.stdout.read()
    Journal.open_or_create(tmp_path / "journal.db", {"seed": 0}).close()


def test_meta_must_be_plain(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        Journal.open_or_create(tmp_path / "journal.db", {"x": object()})
    assert json.dumps(list(tmp_path.iterdir())) == "[]"

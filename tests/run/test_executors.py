"""Both executors against real behaviours: success, exceptions, deaths, deaf loops, soft stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from executor_fakes import Fake, Unprepared

from autonas.core.trial import Proposal
from autonas.errors import AutoNASError, OptionError
from autonas.run.executors import Done, InProcess, Job, Pool, Report

TASK = {"offset": 10.0}
PATIENCE = 60.0  # seconds: only a broken executor waits so long


@pytest.fixture
def make_job(tmp_path):
    def make(job_id, do, seconds=None, parent=None, **config):
        workdir = tmp_path / str(job_id)
        workdir.mkdir()
        return Job(job_id, Proposal({"do": do, **config}), parent, str(workdir), seconds)

    return make


@pytest.fixture(scope="module")
def shared_pool():
    """Most tests need any healthy pool: starting one costs a second."""
    with Pool(Fake(2.0), {}, TASK, n_workers=1) as pool:
        yield pool


def result_of(executor, job_id):
    """Result of a job; skips everything else."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in executor.events(1.0):
            if isinstance(event, Done) and event.id == job_id:
                return event.result
    raise AssertionError(f"no Done for job {job_id}")


def first_report(executor):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in executor.events(1.0):
            if isinstance(event, Report):
                return event
            raise AssertionError(event)
    raise AssertionError("no report")


def gone(pid):
    """Whether a process ends soon (a zombie has ended)."""
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


# --- in process ---


def test_in_process_evaluates_and_reports(make_job):
    seen = []
    with InProcess(Fake(2.0), {}, TASK, on_report=lambda *report: seen.append(report) or True) as executor:
        assert (executor.slots, executor.free) == (1, 1)
        executor.submit(make_job(7, "add", x=1.5, parent="there"))
        assert executor.free == 0
        (done,) = executor.events()
        assert executor.free == 1
    assert (done.id, done.result.loss, done.result.info["pid"]) == (7, 23.0, os.getpid())
    assert seen == [(7, 0.5, {"loss": 1.5})]


def test_in_process_without_jobs_has_no_events():
    with InProcess(Fake(), {}, TASK) as executor:
        assert list(executor.events()) == []


@pytest.mark.parametrize(("do", "error"), [("boom", "ValueError: boom"), ("starve", "MemoryError: no more")])
def test_in_process_exception_is_a_failed_result(make_job, do, error):
    with InProcess(Fake(), {}, TASK) as executor:
        executor.submit(make_job(0, do))
        (done,) = executor.events()
    assert (done.result.status, done.result.error) == ("failed", error)
    assert f"in {do}" in done.result.info["traceback"]


@pytest.fixture
def interruptible():
    """A process that a shell has started in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_in_process_interrupt_passes_through_and_frees_the_slot(make_job):
    with InProcess(Fake(), {}, TASK) as executor:
        executor.submit(make_job(0, "interrupt"))
        with pytest.raises(KeyboardInterrupt):
            list(executor.events())
        assert executor.free == 1


def test_in_process_callback_stops(make_job):
    with InProcess(Fake(), {}, TASK, on_report=lambda _, __, values: values["loss"] < 3) as executor:
        executor.submit(make_job(0, "loop"))
        (done,) = executor.events()
    assert done.result.status == "stopped"


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_in_process_stop_and_kill_end_a_running_job_softly(make_job, how):
    with InProcess(Fake(), {}, TASK, on_report=lambda job_id, *_: getattr(executor, how)(job_id) is None) as executor:
        executor.submit(make_job(0, "loop"))
        (done,) = executor.events()
    assert done.result.status == "stopped"


def test_in_process_kill_before_the_begin(make_job):
    with InProcess(Fake(), {}, TASK) as executor:
        executor.submit(make_job(0, "add", x=0.0))
        executor.kill(0, "too late")
        (done,) = executor.events()
    assert (done.result.status, done.result.error) == ("failed", "too late")


def test_submit_without_a_free_slot(make_job):
    with InProcess(Fake(), {}, TASK) as executor:
        executor.submit(make_job(0, "boom"))
        with pytest.raises(RuntimeError, match="free slot"):
            executor.submit(make_job(1, "boom"))


# --- pool ---


def test_pool_evaluates_elsewhere(shared_pool, make_job):
    shared_pool.submit(make_job(100, "add", x=1.5, parent="there"))
    assert shared_pool.free == 0
    events = []
    while not events or not isinstance(events[-1], Done):
        events += shared_pool.events(PATIENCE)
    report, done = events
    assert report == Report(100, 0.5, {"loss": 1.5})
    assert (done.id, done.result.loss) == (100, 23.0)
    assert done.result.info["pid"] != os.getpid()
    assert shared_pool.free == 1
    assert list(shared_pool.events()) == []  # nothing runs: no waiting


def test_pool_uses_the_workdir(shared_pool, make_job, tmp_path):
    shared_pool.submit(make_job(101, "add", x=2.0, parent="p"))
    result_of(shared_pool, 101)
    assert (tmp_path / "101" / "weights").read_text() == "2.0 p"


@pytest.mark.parametrize(("do", "error"), [("boom", "ValueError: boom"), ("starve", "MemoryError: no more")])
def test_pool_exception_is_a_failed_result_and_the_worker_lives(shared_pool, make_job, do, error):
    shared_pool.submit(make_job(1, "add", x=0.0))
    before = result_of(shared_pool, 1).info["pid"]
    shared_pool.submit(make_job(2, do))
    assert result_of(shared_pool, 2).error == error
    shared_pool.submit(make_job(3, "add", x=0.0))
    assert result_of(shared_pool, 3).info["pid"] == before


def test_pool_prints_and_reads_cannot_corrupt_the_stream(shared_pool, make_job):
    shared_pool.submit(make_job(0, "shout"))
    assert result_of(shared_pool, 0).status == "ok"


def test_pool_ignores_interrupts_in_workers(shared_pool, make_job):
    shared_pool.submit(make_job(0, "interrupt"))
    assert result_of(shared_pool, 0).status == "ok"


def test_pool_timeout_zero_does_not_wait(shared_pool, make_job):
    shared_pool.submit(make_job(0, "loop"))
    first_report(shared_pool)
    begin = time.monotonic()
    list(shared_pool.events(0.0))
    assert time.monotonic() - begin < 1.0
    shared_pool.stop(0)
    assert result_of(shared_pool, 0).status == "stopped"


def test_pool_stop_and_kill_of_unknown_jobs_do_nothing(shared_pool):
    shared_pool.stop(999)
    shared_pool.kill(999)
    assert list(shared_pool.events(0.0)) == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"do": "leave"}, "exit code 3: about to leave"),
        ({"do": "crash", "signal": "SIGSEGV"}, "signal SIGSEGV: last line on stdout"),
        ({"do": "crash", "signal": "SIGKILL"}, "signal SIGKILL, perhaps for lack of memory: last line on stdout"),
    ],
)
def test_pool_survives_the_death_of_a_worker(shared_pool, make_job, config, reason):
    shared_pool.submit(make_job(0, **config))
    result = result_of(shared_pool, 0)
    assert (result.status, result.error) == ("failed", f"The worker died ({reason})")
    assert shared_pool.free == 1
    shared_pool.submit(make_job(1, "add", x=0.0))
    assert result_of(shared_pool, 1).loss == 20.0


@pytest.mark.parametrize("noticed", [True, False])
def test_pool_replaces_a_worker_that_died_without_a_job(shared_pool, make_job, noticed):
    shared_pool.submit(make_job(0, "add", x=0.0))
    pid = result_of(shared_pool, 0).info["pid"]
    os.kill(pid, signal.SIGKILL)
    if noticed:
        assert gone(pid)
    shared_pool.submit(make_job(1, "add", x=0.0))
    assert result_of(shared_pool, 1).loss == 20.0


def test_pool_kill_gives_one_failure_and_a_new_worker(shared_pool, make_job):
    shared_pool.submit(make_job(0, "deaf"))
    pid = first_report(shared_pool).values["pid"]
    shared_pool.kill(0, "no longer wanted")
    assert shared_pool.free == 1
    events = list(shared_pool.events(PATIENCE))
    assert [(e.id, e.result.error) for e in events] == [(0, "no longer wanted")]
    assert gone(pid)
    shared_pool.submit(make_job(1, "add", x=0.0))
    assert result_of(shared_pool, 1).loss == 20.0


def test_pool_kills_the_workers_own_children(shared_pool, make_job):
    shared_pool.submit(make_job(0, "parenthood"))
    grandchild = first_report(shared_pool).values["pid"]
    shared_pool.kill(0)
    assert result_of(shared_pool, 0).error == "killed"
    assert gone(grandchild)


def test_pool_hard_time_limit(shared_pool, make_job, monkeypatch):
    monkeypatch.setattr("autonas.run.process.hard_limit", lambda seconds: seconds + 0.3)
    shared_pool.submit(make_job(0, "deaf", seconds=0.2))
    result = result_of(shared_pool, 0)
    assert result.status == "failed"
    assert "took longer than" in result.error
    assert 0.5 <= result.cost_seconds < 5.0


def test_pool_two_at_a_time(make_job, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "999")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with Pool(Fake(), {}, TASK, n_workers=2) as pool:
        assert (pool.slots, pool.free) == (2, 2)
        pool.submit(make_job(0, "loop"))
        pool.submit(make_job(1, "loop"))
        with pytest.raises(RuntimeError, match="free slot"):
            pool.submit(make_job(2, "loop"))
        reported = set()
        while reported != {0, 1}:  # both run at once
            reported |= {event.id for event in pool.events(PATIENCE)}
        pool.stop(1)
        assert result_of(pool, 1).status == "stopped"
        pool.submit(make_job(3, "environment"))
        info = result_of(pool, 3).info
        assert info == {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "torch": False}
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    assert not [thread for thread in threads if "WorkerProcess" in repr(thread)]


def test_pool_close_ends_running_jobs_promptly(make_job):
    pool = Pool(Fake(), {}, TASK, n_workers=1)
    pool.submit(make_job(0, "deaf"))
    pid = first_report(pool).values["pid"]
    begin = time.monotonic()
    pool.close()
    assert time.monotonic() - begin < 2.0
    assert gone(pid)
    assert pool.free == 0


def test_pool_close_during_start_up():
    Pool(Fake(), {}, {"ballast": bytes(20_000_000)}, n_workers=1).close()


def test_pool_that_cannot_start_says_why(make_job):
    with Pool(Unprepared(), {}, TASK, n_workers=1) as pool:
        pool.submit(make_job(0, "add", x=0.0))
        with pytest.raises(AutoNASError, match=r"could not load the task.*ValueError: no such space"):
            list(pool.events(PATIENCE))


def test_pool_refuses_what_cannot_be_pickled():
    with pytest.raises(OptionError, match="cannot be pickled"):
        Pool(Fake(), {}, {"lock": threading.Lock()}, n_workers=1)


def run_script(tmp_path, text, **options):
    script = tmp_path / "script.py"
    script.write_text(text)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    return subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_pool_in_a_script_without_main_guard(tmp_path):
    """The script's own class travels too, and the script runs once."""
    text = """
from executor_fakes import Fake
from autonas.core.trial import Proposal, Result
from autonas.run.executors import Done, Job, Pool

print("script runs", flush=True)

class Mine(Fake):
    def mine(self, config, parent, workdir, report):
        return Result({"loss": config["x"] ** 2})

pool = Pool(Mine(), {}, {}, 2)
for i in range(2):
    pool.submit(Job(i, Proposal({"do": "mine", "x": i + 2.0}), None, ".", None))
losses = {}
while len(losses) < 2:
    losses |= {event.id: event.result.loss for event in pool.events(60.0) if isinstance(event, Done)}
print(losses[0], losses[1])
"""
    with run_script(tmp_path, text, cwd=tmp_path) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    assert output.split("\n") == ["script runs", "4.0 9.0", ""]
    assert process.returncode == 0


def test_workers_end_when_their_parent_is_killed(tmp_path):
    text = """
from executor_fakes import Fake
from autonas.core.trial import Proposal
from autonas.run.executors import Job, Pool, Report

pool = Pool(Fake(), {}, {}, 1)
pool.submit(Job(0, Proposal({"do": "deaf"}), None, ".", None))
while True:
    for event in pool.events(60.0):
        if isinstance(event, Report):
            print(int(event.values["pid"]), flush=True)
"""
    with run_script(tmp_path, text, cwd=tmp_path) as process:
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
    assert gone(pid)


def test_import_is_light():
    code = "import sys, autonas.run.executors; print([m for m in ('torch', 'sklearn', 'pandas') if m in sys.modules])"
    root = str(Path(__file__).parents[2])
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert out.stdout.strip() == "[]"

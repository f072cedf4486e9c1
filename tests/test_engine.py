"""Workers that die, hang, swell or talk nonsense cost one file, never another and never the process that asked."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from processor.config import Limits, Settings, Workers
from processor.engine import DEBUG_VARIABLE, Done, Engine, Job
from processor.errors import DeadlinePassed, LinerNotesError, NotAudio, OutOfMemory, WorkerDied, WorkspaceError
from processor.workspace import Workspace
from tests.faults.doubles import check_sound, contents, kinds, run, sha256, tone
from tests.faults.workers import behave, pids, tries

SETTINGS = Settings(workers=Workers(count=2, deadline_s=1.5, memory_bytes=2 << 30))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all tests here: what one of them does to it, the next must not feel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINERNOTES_TEST_MARKS", str(tmp_path_factory.mktemp("marks")))
        patch.delenv(DEBUG_VARIABLE, raising=False)
        with Engine(SETTINGS, behave) as made:
            yield made


@pytest.fixture(autouse=True)
def marks(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mark in Path(os.environ["LINERNOTES_TEST_MARKS"]).iterdir():
        mark.unlink()


def job(name: str) -> Job:
    return Job(Path(f"{name}.wav"), name, Limits())


def outcomes(engine: Engine, *names: str) -> dict[str, Done]:
    for name in names:
        engine.submit(job(name))
    found: dict[str, Done] = {}
    while engine.waiting:
        found |= {done.job.path.stem: done for done in engine.next_done()}
    return found


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers_of(pid: int) -> list[psutil.Process]:
    children = [child for child in psutil.Process(pid).children() if is_alive(child.pid)]
    return [child for child in children if "resource_tracker" not in str(child.cmdline())]


def test_one_of_each_kind_of_trouble_at_once(engine: Engine) -> None:
    found = outcomes(
        engine,
        "die",
        "nothing",
        "hog",
        "sleep",
        "die-once",
        "foreign",
        "refuse",
        "defect",
        "exit",
        "time-out",
        "unsendable",
    )
    errors = {name: done.error for name, done in found.items()}
    assert errors.pop("nothing") is None
    assert errors.pop("die-once") is None
    assert errors.pop("unsendable") is not None
    assert {name: type(error) for name, error in errors.items()} == {
        "die": WorkerDied,
        "hog": OutOfMemory,
        "sleep": DeadlinePassed,
        "refuse": NotAudio,
        "foreign": LinerNotesError,
        "defect": LinerNotesError,
        "exit": LinerNotesError,
        "time-out": LinerNotesError,
    }
    assert all(done.outcome is None for name, done in found.items() if name in errors)
    assert tries(Path("die")) == tries(Path("die-once")) == 2
    assert {tries(Path(name)) for name in errors if name != "die"} == {1}
    assert "2 times" in str(errors["die"])
    assert "workers.deadline_s" in str(errors["sleep"])
    assert "workers.memory_bytes" in str(errors["hog"])
    assert str(errors["refuse"]) == "Only words."
    assert "Foreign" in str(errors["foreign"])
    assert "ZeroDivisionError: first line second line xxx" in str(errors["defect"])
    assert len(str(errors["defect"])) < 600


def test_a_file_that_kills_its_worker_is_set_aside_and_all_others_are_stored(
    engine: Engine, workspace: Workspace
) -> None:
    good = [tone(workspace.inbox / f"nothing-{number}.wav", 300 + 50 * number) for number in range(5)]
    for name in ("die", "hog", "sleep"):
        tone(workspace.inbox / f"{name}.wav", 100 + len(name))
    expected = {sha256(path): 1 for path in good}
    events = run(workspace, SETTINGS, engine)
    assert [event for event in events if event.name.startswith("nothing") and event.event != "stored"] == []
    assert {name: kind for name, kind in kinds(events).items() if not name.startswith("nothing")} == {
        "die.wav": "failed",
        "hog.wav": "failed",
        "sleep.wav": "failed",
    }
    assert contents(workspace) == expected
    assert tries(Path("die")) == 2
    assert "ended the worker process 2 times" in (workspace.failed / "die.wav.error.txt").read_text()
    check_sound(workspace, published=False)


def test_a_worker_that_ignores_sigterm_is_ended_all_the_same(engine: Engine) -> None:
    found = outcomes(engine, "stubborn", "nothing")
    assert isinstance(found["stubborn"].error, DeadlinePassed)
    assert found["nothing"].error is None
    assert not is_alive(pids(Path("stubborn"))[0])


def test_an_idle_worker_that_is_killed_ends_nothing(engine: Engine) -> None:
    outcomes(engine, "nothing")
    for worker in workers_of(os.getpid()):
        worker.kill()
    assert outcomes(engine, "nothing")["nothing"].error is None
    for worker in workers_of(os.getpid()):
        worker.kill()
    time.sleep(0.3)  # until the pool has noticed
    assert outcomes(engine, "nothing")["nothing"].error is None
    engine.submit(job("nothing"))
    for worker in workers_of(os.getpid()):
        worker.kill()
    assert [done.error for done in engine.next_done()] == [None]


def test_no_more_workers_are_started_than_there_are_files(engine: Engine) -> None:
    with Engine(replace(SETTINGS, workers=replace(SETTINGS.workers, count=8)), behave) as large:
        before = len(workers_of(os.getpid()))
        outcomes(large, "nothing")
        outcomes(large, "nothing")
        assert len(workers_of(os.getpid())) == before + 1


def test_what_is_abandoned_never_comes_back(engine: Engine) -> None:
    engine.submit(job("sleep"))
    engine.submit(job("nothing"))
    assert [done.job.path.stem for done in engine.next_done()] == ["nothing"]
    assert eventually(lambda: tries(Path("sleep")) == 1)
    engine.abandon()
    assert not is_alive(pids(Path("sleep"))[0])
    assert engine.waiting == 0
    assert engine.next_done() == []
    assert list(outcomes(engine, "nothing")) == ["nothing"]


def test_workers_that_cannot_even_start_are_not_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "soon_gone.py"
    module.write_text("def function(job): ...")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("soon_gone").function
    module.unlink()
    with Engine(SETTINGS, function) as engine:
        with pytest.raises(WorkspaceError, match="before they have begun"):
            outcomes(engine, "nothing")
        assert engine.waiting == 1


@pytest.mark.parametrize("fails", [False, True])
def test_no_worker_outlives_its_engine(fails: bool) -> None:
    before = {worker.pid for worker in workers_of(os.getpid())}
    with pytest.raises(KeyError) if fails else pytest.MonkeyPatch.context(), Engine(SETTINGS, behave) as engine:
        engine.submit(job("sleep"))
        engine.submit(job("nothing"))
        assert [done.job.path.stem for done in engine.next_done()] == ["nothing"]
        begun = {worker.pid for worker in workers_of(os.getpid())} - before
        assert begun
        if fails:
            raise KeyError
    assert not any(map(is_alive, begun))


PARENT = """
import os
from pathlib import Path
from processor.config import Limits, Settings, Workers
from processor.engine import Engine, Job
from tests.faults.workers import behave
if __name__ == "__main__":
    engine = Engine(Settings(workers=Workers(count=2)), behave)
    for name in ("nothing", "stubborn"):
        engine.submit(Job(Path(f"{name}.wav"), name, Limits()))
    while engine.waiting:
        engine.next_done()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_their_parent_is_killed(tmp_path: Path, number: int) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script], env=environment) as parent:
        try:
            begun = eventually(lambda: tries(Path("stubborn")) == tries(Path("nothing")) == 1)
            workers = [worker.pid for worker in workers_of(parent.pid)]
        finally:
            parent.send_signal(number)
    assert begun
    assert len(workers) == 2
    assert eventually(lambda: not any(map(is_alive, workers)), 5)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_while_workers_start_is_heard_by_the_parent_alone(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.replace("    while", "    print('begun', flush=True)\n    while"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        time.sleep(0.1)  # the workers are importing now
        os.killpg(parent.pid, signal.SIGINT)
        said = parent.communicate(timeout=10)[1]
    assert said.count("KeyboardInterrupt") == 1
    assert "spawn" not in said

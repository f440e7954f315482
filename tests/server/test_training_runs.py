"""Runs and their processes: one at a time, stopped, killed, dead, interrupted, found again by the next server."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from stand_in_trainer import DEAF, DIES, ENDS, RUNS_ON

from perfusynth.server.problems import Problem
from perfusynth.server.settings import Settings
from perfusynth.server.training.parameters import TrainingParameters
from perfusynth.server.training.run_files import all_runs
from perfusynth.server.training.runs import TrainingRuns

TASK = "ncct_perfusion"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return tmp_path / "home"


@asynccontextmanager
async def serving(**settings):
    """The part of a server that trains, from start to stop."""
    runs = TrainingRuns(Settings(training_stop_s=10, **settings), program="stand_in_trainer")
    await runs.recover()
    try:
        yield runs
    finally:
        await runs.close()


async def begin(runs: TrainingRuns, what: int, **parameters) -> dict:
    asked = TrainingParameters(data="phantom", seed=what, **parameters)
    return await runs.start(TASK, asked, "ann", Path("/studies"))


async def until(condition, timeout_s: float = 30.0):
    async with asyncio.timeout(timeout_s):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def working(runs: TrainingRuns):
    return lambda: (runs.last() or {}).get("progress")


async def resume(runs: TrainingRuns, **more) -> dict:
    return await runs.start(TASK, TrainingParameters(resume=True, **more), "bob", Path("/studies"))


def test_a_run_goes_to_its_end_and_names_its_candidate(home):
    async def scenario():
        async with serving() as runs:
            assert runs.last() is None
            first = await begin(runs, ENDS, steps=7)
            assert (first["status"], first["state"], first["model"]) == ("RUNNING", "running", TASK)
            assert first["request"] == {"data": "phantom", "seed": ENDS, "steps": 7}
            await until(lambda: not runs.running)
            last = runs.last()
            assert (last["id"], last["status"], last["candidate"], last["error"]) == (first["id"], "DONE", "made", None)
            assert last["end_ts"] >= last["start_ts"]

    asyncio.run(scenario())
    assert "ann" not in str([run.path for run in all_runs()])
    assert oct((home / "training").stat().st_mode & 0o777) == "0o700"


def test_one_run_at_a_time_in_the_whole_installation():
    async def scenario():
        async with serving() as runs, serving() as other:
            await asyncio.gather(begin(runs, RUNS_ON))
            await until(working(runs))
            for server in (runs, other):
                with pytest.raises(Problem) as caught:
                    await begin(server, ENDS)
                assert (caught.value.status, caught.value.fields["code"]) == (409, "training_runs")
            assert len(list(all_runs())) == 1
            both = await asyncio.gather(runs.stop(), runs.stop())
            assert {run["state"] for run in both if run} == {"stopped"}

    asyncio.run(scenario())


def test_two_starts_at_once_make_one_run():
    async def scenario():
        async with serving() as runs:
            made = await asyncio.gather(begin(runs, RUNS_ON), begin(runs, RUNS_ON), return_exceptions=True)
            assert sorted(type(item).__name__ for item in made) == ["Problem", "dict"]

    asyncio.run(scenario())


def test_progress_is_told_and_a_stopped_run_goes_on_where_it_was():
    async def scenario():
        async with serving() as runs:
            first = await begin(runs, RUNS_ON)
            await until(working(runs))
            told = runs.last()
            assert told["progress"]["phase"] == "slabs"
            assert told["progress"]["of"] == 1000
            assert "1 min left; loss 0.5" in told["details"][-1]
            stopped = await runs.stop()
            assert (stopped["state"], stopped["status"], stopped["candidate"]) == ("stopped", "STOPPED", None)
            assert await runs.stop() is None
            reached = stopped["progress"]["step"]
            again = await resume(runs, minutes=5)
            assert again["id"] == first["id"]
            assert again["request"] == {"data": "phantom", "seed": RUNS_ON, "minutes": 5.0}
            await until(lambda: runs.last()["progress"]["step"] > reached)
            assert runs.last()["state"] == "running"

    asyncio.run(scenario())


def test_a_run_that_does_not_stop_is_killed():
    async def scenario():
        async with serving() as runs:
            runs._settings = runs._settings.model_copy(update={"training_stop_s": 0.5})
            await begin(runs, DEAF)
            await until(working(runs))
            assert (await runs.stop())["state"] == "stopped"
            assert not runs.running
            await begin(runs, ENDS)
            await until(lambda: not runs.running)
            assert runs.last()["state"] == "done"

    asyncio.run(scenario())


def test_a_process_that_dies_is_a_failure_and_can_be_resumed():
    async def scenario():
        async with serving() as runs:
            await begin(runs, DIES)
            await until(lambda: not runs.running)
            last = runs.last()
            assert (last["status"], last["error"]["code"], last["error"]["got"]) == (
                "ERROR",
                "training_died",
                "exit status -9",
            )
            await resume(runs)
            await until(lambda: not runs.running)

    asyncio.run(scenario())


def test_nothing_is_resumed_where_nothing_was_left():
    async def scenario():
        async with serving() as runs:
            for _ in range(2):
                with pytest.raises(Problem) as caught:
                    await resume(runs)
                assert (caught.value.status, caught.value.fields["code"]) == (409, "nothing_to_resume")
                await begin(runs, ENDS)
                await until(lambda: not runs.running)

    asyncio.run(scenario())


def test_a_server_that_stops_interrupts_its_run_and_the_next_finds_it():
    async def scenario():
        async with serving() as runs:
            await begin(runs, RUNS_ON)
            await until(working(runs))
        async with serving() as runs:
            assert runs.last(TASK)["state"] == "interrupted"
            assert runs.last("ncct_cta") is None
            assert [run["state"] for run in runs.all()] == ["interrupted"]
            await resume(runs)
            await until(lambda: runs.last()["state"] == "running")

    asyncio.run(scenario())


def test_a_server_that_is_killed_takes_its_run_along():
    code = (
        "import asyncio, test_training_runs as t\n"
        "async def main():\n"
        "    async with t.serving() as runs:\n"
        "        await t.begin(runs, t.RUNS_ON)\n"
        "        await t.until(t.working(runs))\n"
        "        print(runs._process.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    pid = int(killed.stdout.readline())
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    async def scenario():
        await until(lambda: not _alive(pid))
        async with serving() as runs:
            assert runs.last()["state"] == "interrupted"

    asyncio.run(scenario())


def test_a_run_that_left_no_word_when_the_machine_ended_is_interrupted():
    async def scenario():
        async with serving() as runs:
            await begin(runs, ENDS)
            await until(lambda: not runs.running)
        (run,) = all_runs()
        (run.path / "outcome.json").unlink()
        (run.path.parent / "not-a-run").mkdir()
        (run.path.parent / "not-a-run" / "order.json").write_text("{")
        async with serving() as runs:
            assert runs.last()["state"] == "interrupted"

    asyncio.run(scenario())


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

"""The queue by itself: order, places, limits, cancelling, crashes, expiry."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from stand_ins import SPEC, order

from perfusynth.server.jobs.ids import JobIds
from perfusynth.server.jobs.job import Job
from perfusynth.server.jobs.queue import JobQueue
from perfusynth.server.problems import Problem
from perfusynth.server.settings import Settings


@asynccontextmanager
async def started(folder: Path, spec=SPEC, **settings):
    """A running queue with one worker."""
    for name in ("jobs", "temp"):
        (folder / name).mkdir(exist_ok=True)
    ids = JobIds(folder / "key")
    queue = JobQueue(Settings(**settings), spec, ids, folder / "jobs", folder / "temp")
    queue.start()
    try:
        yield queue
    finally:
        await queue.stop()


async def submit(queue: JobQueue, text: str, user: str = "ann") -> Job:
    job_id, folder = queue.new_folder(user)
    path = folder / "in" / "ncct.nii.gz"
    path.write_bytes(order(text))
    return await queue.submit(job_id, user, "ncct_perfusion", {"ncct": path}, {})


async def until(condition, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def worker_pid(queue: JobQueue) -> int:
    return queue._slots[0].pid


def test_jobs_run_in_order_and_know_their_place(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            jobs = [await submit(queue, "sleep 0.3") for _ in range(3)]
            assert [queue.describe(job)["place"] for job in jobs] == [1, 2, 3]
            await until(lambda: jobs[0].state == "running")
            assert [queue.describe(job)["place"] for job in jobs] == [0, 1, 2]
            await asyncio.gather(*(job.finished.wait() for job in jobs))
            assert [job.state for job in jobs] == ["done"] * 3
            assert jobs[0].ended < jobs[1].ended < jobs[2].ended
            assert jobs[0].result.is_file()
            await until(lambda: not (jobs[0].folder / "in").exists())

    asyncio.run(scenario())


def test_a_job_whose_worker_is_killed_runs_again_once(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            once = await submit(queue, f"crash-once {tmp_path / 'mark'}")
            always = await submit(queue, "crash")
            after = await submit(queue, "good")
            await asyncio.gather(*(job.finished.wait() for job in (once, always, after)))
            assert (once.state, once.attempts) == ("done", 2)
            assert (always.state, always.attempts, always.error["code"]) == ("failed", 2, "worker_died")
            assert after.state == "done"
            await until(lambda: not always.folder.exists())

    asyncio.run(scenario())


def test_an_idle_worker_that_dies_is_replaced(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            await until(lambda: queue.worker_states() == ["ready"])
            first = worker_pid(queue)
            await queue._slots[0]._worker.kill()
            await until(lambda: queue.worker_states() == ["ready"] and worker_pid(queue) != first)
            job = await submit(queue, "good")
            await job.finished.wait()
            assert (job.state, job.attempts) == ("done", 1)

    asyncio.run(scenario())


def test_a_cooperative_job_stops_at_its_next_progress(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            job = await submit(queue, "sleep 60")
            await until(lambda: job.state == "running")
            pid = worker_pid(queue)
            start = time.monotonic()
            await queue.cancel(job)
            await job.released.wait()
            assert time.monotonic() - start < 30, "half the job's 60 s: it stopped because it was told"
            assert job.state == "cancelled"
            assert not job.folder.exists()
            assert worker_pid(queue) == pid

    asyncio.run(scenario())


def test_a_stubborn_job_is_killed_and_the_next_one_runs(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            job, after = await submit(queue, "busy 60"), await submit(queue, "good")
            await until(lambda: job.stage == "generate")
            pid = worker_pid(queue)
            start = time.monotonic()
            await queue.cancel(job)
            await job.released.wait()
            assert 1.9 < time.monotonic() - start < 30, "after the grace, long before its own 60 s"
            assert not job.folder.exists()
            await after.finished.wait()
            assert (after.state, after.attempts) == ("done", 1)
            assert worker_pid(queue) != pid

    asyncio.run(scenario())


def test_a_killed_worker_leaves_neither_files_nor_processes(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            job = await submit(queue, "unpack 60")
            await until(lambda: job.stage == "generate")
            (unpacked,) = (tmp_path / "temp").rglob("child.dcm")
            child = int(unpacked.read_text())
            await queue.cancel(job)
            await job.released.wait()
            assert not unpacked.exists()
            await until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text())
        assert not list((tmp_path / "temp").iterdir())

    asyncio.run(scenario())


def test_a_worker_that_cannot_be_started_is_tried_again(tmp_path, monkeypatch):
    async def scenario():
        launch, failures = asyncio.create_subprocess_exec, [OSError(11, "no process left")]

        async def failing(*arguments, **more):
            if failures:
                raise failures.pop()
            return await launch(*arguments, **more)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", failing)
        async with started(tmp_path) as queue:
            job = await submit(queue, "good")
            await asyncio.wait_for(job.finished.wait(), 60)
            assert job.state == "done"

    asyncio.run(scenario())


def test_a_waiting_job_is_cancelled_at_once(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            first, second = await submit(queue, "sleep 60"), await submit(queue, "good")
            await until(lambda: first.state == "running")
            await queue.cancel(second)
            assert second.state == "cancelled"
            assert not second.folder.exists()

    asyncio.run(scenario())


def test_refusals_speak_and_faults_keep_quiet(tmp_path, caplog):
    async def scenario():
        async with started(tmp_path) as queue:
            refused, fault = await submit(queue, "refuse"), await submit(queue, "fault")
            await asyncio.gather(refused.finished.wait(), fault.finished.wait())
            assert refused.error["code"] == "not_a_head"
            assert fault.error["code"] == "internal_error"
            return fault.error["got"].removeprefix("incident ")

    incident = asyncio.run(scenario())
    assert incident in caplog.text
    assert "KeyError at stand_ins.py" in caplog.text
    assert "patient-name" not in caplog.text


def test_a_job_that_takes_too_long_is_stopped(tmp_path):
    async def scenario():
        async with started(tmp_path, job_timeout_s=0.5) as queue:
            job = await submit(queue, "busy 60")
            await job.finished.wait()
            assert (job.state, job.error["code"]) == ("failed", "timeout")

    asyncio.run(scenario())


def test_limits_of_queue_and_user(tmp_path):
    async def scenario():
        async with started(tmp_path, max_queue=3, max_jobs_per_user=2) as queue:
            await submit(queue, "sleep 60")
            await until(lambda: not queue._waiting)
            await submit(queue, "good")
            with pytest.raises(Problem) as user_full:
                queue.check_room("ann")
            assert user_full.value.status == 429
            await submit(queue, "good", "bob")
            await submit(queue, "good", "cat")
            with pytest.raises(Problem) as full:
                queue.check_room("dan")
            assert (full.value.status, full.value.headers["Retry-After"]) == (503, "10")

    asyncio.run(scenario())


def test_results_vanish_after_their_time_and_their_ids_say_gone(tmp_path):
    async def scenario():
        async with started(tmp_path, result_ttl_s=0.4) as queue:
            job = await submit(queue, "good")
            await job.finished.wait()
            assert queue.get(job.id, "ann") is job
            await until(lambda: not job.folder.exists(), 5)
            return [_status(queue, job.id, user) for user in ("ann", "bob")]

    assert asyncio.run(scenario()) == [410, 404]


def test_the_oldest_results_of_a_user_make_room(tmp_path):
    async def scenario():
        async with started(tmp_path, max_results_per_user=1) as queue:
            jobs = []
            for _ in range(3):
                jobs.append(await submit(queue, "good"))
                await jobs[-1].released.wait()
            return [_status(queue, job.id, "ann") for job in jobs]

    assert asyncio.run(scenario()) == [410, 200, 200]


def test_other_users_see_nothing(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            job = await submit(queue, "good")
            return _status(queue, job.id, "bob")

    assert asyncio.run(scenario()) == 404


def test_ids_survive_a_restart_as_gone_and_nonsense_does_not(tmp_path):
    first = JobIds(tmp_path / "key")
    issued = first.new("ann")
    again = JobIds(tmp_path / "key")
    assert again.was_issued(issued, "ann")
    assert not again.was_issued(issued, "bob")
    assert not again.was_issued("../../etc/passwd", "ann")
    assert not again.was_issued(issued[:-1] + ("0" if issued[-1] != "0" else "1"), "ann")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert len({first.new("ann") for _ in range(100)}) == 100


def test_a_model_that_never_loads_fails_its_jobs_and_refuses_new_ones(tmp_path):
    async def scenario():
        async with started(tmp_path, replace(SPEC, factory="stand_ins:NeverLoads.load")) as queue:
            job = await submit(queue, "good")
            await job.finished.wait()
            assert job.error["code"] == "unknown_model"
            assert queue.worker_states() == ["failed"]
            with pytest.raises(Problem) as refused:
                queue.check_room("ann")
            assert refused.value.status == 503

    asyncio.run(scenario())


def test_two_devices_work_at_the_same_time(tmp_path):
    async def scenario():
        async with started(tmp_path, devices=("cpu", "cpu")) as queue:
            jobs = [await submit(queue, "sleep 5") for _ in range(2)]
            await until(lambda: all(job.state == "running" for job in jobs))

    asyncio.run(scenario())


def test_stopping_leaves_no_worker_behind(tmp_path):
    async def scenario():
        async with started(tmp_path) as queue:
            await submit(queue, "busy 60")
            await until(lambda: queue.worker_states() == ["ready"])
            return worker_pid(queue)

    pid = asyncio.run(scenario())
    assert not Path(f"/proc/{pid}").exists()


def _status(queue: JobQueue, job_id: str, user: str) -> int:
    try:
        queue.get(job_id, user)
    except Problem as problem:
        return problem.status
    return 200

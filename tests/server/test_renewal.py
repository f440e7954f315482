"""Other models while the server runs: workers are replaced between jobs, and never by one that cannot load."""

import asyncio
import json
from dataclasses import replace

from stand_ins import SPEC
from test_queue import started, submit, until, worker_pid

TASKS = ("ncct_perfusion",)
FIRST = replace(SPEC, tasks=TASKS, models={"ncct_perfusion": "first"})


def model_of(job) -> str:
    return json.loads(job.measurements.read_text())["model"]


def test_a_running_job_keeps_its_model_and_the_next_has_the_new_one(tmp_path):
    async def scenario():
        async with started(tmp_path, FIRST) as queue:
            running = await submit(queue, f"until {tmp_path / 'go-on'}")
            await until(lambda: running.state == "running" and running.stage == "generate")
            before = worker_pid(queue)
            assert await queue.renew(TASKS, {"ncct_perfusion": "second"})
            waiting = await submit(queue, "good")
            await asyncio.sleep(0.3)
            assert (running.state, waiting.state, worker_pid(queue)) == ("running", "queued", before)
            (tmp_path / "go-on").touch()
            await asyncio.gather(running.finished.wait(), waiting.finished.wait())
            assert (model_of(running), model_of(waiting)) == ("first", "second")
            assert running.attempts == waiting.attempts == 1
            assert worker_pid(queue) != before

    asyncio.run(scenario())


def test_an_idle_worker_is_replaced_at_once_and_only_by_another_model(tmp_path):
    async def scenario():
        async with started(tmp_path, FIRST) as queue:
            await until(lambda: queue.worker_states() == ["ready"])
            before = worker_pid(queue)
            assert await queue.renew(TASKS, {"ncct_perfusion": "first"})
            await asyncio.sleep(0.2)
            assert worker_pid(queue) == before
            assert await queue.renew(TASKS, {"ncct_perfusion": "second"})
            await until(lambda: worker_pid(queue) != before)
            assert queue.worker_states() == ["ready"]

    asyncio.run(scenario())


def test_models_that_cannot_be_loaded_leave_the_present_ones_at_work(tmp_path):
    async def scenario():
        async with started(tmp_path, FIRST) as queue:
            await until(lambda: queue.worker_states() == ["ready"])
            before = worker_pid(queue)
            assert not await queue.renew(TASKS, {"ncct_perfusion": "broken"})
            job = await submit(queue, "good")
            await job.finished.wait()
            assert (job.state, model_of(job), worker_pid(queue)) == ("done", "first", before)
            again = await submit(queue, f"crash-once {tmp_path / 'mark'}")
            await again.finished.wait()
            assert (again.state, model_of(again)) == ("done", "first"), "a worker that died comes back as it was"

    asyncio.run(scenario())


def test_models_that_go_live_while_the_worker_warms_are_the_ones_that_it_has(tmp_path):
    async def scenario():
        async with started(tmp_path, FIRST) as queue:
            job = await submit(queue, "good")
            assert queue.worker_states() == ["warming"]
            await queue.renew(TASKS, {"ncct_perfusion": "second"})
            await job.finished.wait()
            assert model_of(job) == "second"

    asyncio.run(scenario())


def test_models_that_could_never_load_are_healed_by_others(tmp_path):
    async def scenario():
        broken = replace(FIRST, models={"ncct_perfusion": "broken"})
        async with started(tmp_path, broken) as queue:
            await until(lambda: queue.worker_states() == ["failed"])
            assert await queue.renew(TASKS, {"ncct_perfusion": "second"})
            await until(lambda: queue.worker_states() == ["ready"], 40)
            job = await submit(queue, "good")
            await job.finished.wait()
            assert model_of(job) == "second"

    asyncio.run(scenario())

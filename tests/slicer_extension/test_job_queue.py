"""Orders in the background against the real server: news, cancelling, outages, waiting for room, the cache."""

import time

import numpy as np
import pytest
from canned_server import CannedServer
from faulty_wire import FaultyWire
from PerfuSynthLib.client import PerfuSynthClient
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.http_connection import Timeouts
from PerfuSynthLib.job_events import Cancelled, Done, Downloading, Failed, Running, Uploading, Waiting
from PerfuSynthLib.job_queue import Order, SynthesisQueue
from PerfuSynthLib.result_cache import ResultCache
from PerfuSynthLib.server_settings import ServerSettings
from PerfuSynthLib.synthesis_run import Pace
from quick_servers import STUDY, order, quick
from servers import wait_for
from small_scan import small_scan

TASK = "ncct_perfusion"
PACE = Pace(poll_s=0.05, outage_s=4.0, retry_s=0.3, patience_s=20.0)
LIMITS = {"PERFUSYNTH_MAX_JOBS_PER_USER": "2", "PERFUSYNTH_RETRY_AFTER_S": "1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with quick(tmp_path_factory.mktemp("queue"), **LIMITS) as started:
        yield started


@pytest.fixture
def jobs(tmp_path):
    queue = SynthesisQueue(ResultCache(tmp_path / "cache"), PACE)
    yield queue
    queue.shutdown()


@pytest.fixture(scope="module")
def base() -> GridVolume:
    return small_scan()


@pytest.fixture
def scan(server, base) -> GridVolume:
    """A head; the server does what it does without orders of a test before."""
    order(server, "")
    return base


def client_at(url: str) -> PerfuSynthClient:
    return PerfuSynthClient(ServerSettings(url, consent=True), Timeouts(5.0, 10.0, 60.0, 10.0))


def until(jobs, kind, ticket: int | None = None, timeout_s: float = 240.0) -> list:
    """All events up to the first of a kind."""
    events: list = []

    def came() -> bool:
        events.extend(jobs.drain())
        return any(isinstance(event, kind) and ticket in (None, event.ticket) for event in events)

    wait_for(came, timeout_s)
    return events


def states(server) -> list[str]:
    """What the server's jobs have come to: folders of jobs that wait or run."""
    return [path for path in server.leftovers() if "ncct.nii.gz" in path]


def quiet(jobs, seconds: float = 1.0) -> list:
    time.sleep(seconds)
    return jobs.drain()


def test_a_scan_goes_out_and_maps_come_in(server, jobs, scan):
    before = set(server.leftovers())
    ticket = jobs.submit(client_at(server.url), Order(TASK, scan))
    assert jobs.active() == [ticket]
    events = until(jobs, (Done, Failed))
    assert isinstance(events[-1], Done), events[-1]
    assert {event.ticket for event in events} == {ticket}
    order_of_kinds = [Uploading, Running, Downloading, Done]
    assert [kind for kind in dict.fromkeys(map(type, events)) if kind is not Waiting] == order_of_kinds
    running = [event for event in events if isinstance(event, Running)]
    assert [event.percent for event in running] == sorted(event.percent for event in running)
    assert "finding the brain" in {event.words for event in running}
    assert [event.elapsed_s for event in events] == sorted(event.elapsed_s for event in events)
    assert events[-1].result.maps["tmax"].array.max() == 8
    assert not events[-1].from_cache
    assert jobs.elapsed_s(ticket) == events[-1].elapsed_s
    assert jobs.active() == []
    wait_for(lambda: set(server.leftovers()) <= before, 10)  # fetched, it does not stay on the server


def test_the_same_scan_is_not_sent_twice(server, jobs, scan, tmp_path):
    until(jobs, Done, jobs.submit(client_at(server.url), Order(TASK, scan)))
    with FaultyWire(server.url) as wire:
        again = jobs.submit(client_at(wire.url), Order(TASK, GridVolume(scan.array.astype(float), scan.affine)))
        events = until(jobs, (Done, Failed), again)
        assert [type(event) for event in events] == [Done]
        assert events[0].from_cache
        assert wire.carried < 2000
        assert events[0].result.measurements["model"]["name"] == "ncct_perfusion_compact"
        other = jobs.submit(client_at(wire.url), Order(TASK, scan, overrides=("contrast",)))
        assert not until(jobs, (Done, Failed), other)[-1].from_cache


def test_a_study_is_synthesised_without_an_upload(server, jobs, scan):
    events = until(jobs, (Done, Failed), jobs.submit(client_at(server.url), Order(TASK, None, STUDY)))
    assert isinstance(events[-1], Done)
    assert not any(isinstance(event, Uploading) for event in events)


def test_cancel_stops_the_servers_work_and_all_news(server, jobs, scan):
    order(server, "sleep 60")
    ticket = jobs.submit(client_at(server.url), Order(TASK, scan))
    until(jobs, Running)
    assert states(server)
    jobs.cancel(ticket)
    jobs.cancel(ticket)
    assert [type(event) for event in jobs.drain()] == [Cancelled]
    wait_for(lambda: not states(server), 10)
    assert quiet(jobs) == []
    assert jobs.active() == []


def test_cancel_while_uploading_leaves_nothing_there(server, jobs, scan):
    with FaultyWire(server.url) as wire:
        wire.upload_bytes_s = 2e5
        ticket = jobs.submit(client_at(wire.url), Order(TASK, scan))
        until(jobs, Uploading)
        wait_for(lambda: wire.carried > 50_000)
        jobs.cancel(ticket)
        assert [type(event) for event in jobs.drain()] == [Cancelled]
        carried = wire.carried
        assert quiet(jobs) == []
        assert wire.carried < carried + 200_000
    wait_for(lambda: not states(server), 10)


def test_cancel_while_the_server_is_slow_to_answer(server, jobs, scan):
    order(server, "sleep 60")
    with FaultyWire(server.url) as wire:
        wire.upload_bytes_s = 20_000  # slow until the wire is silent: an answer must not come first
        ticket = jobs.submit(client_at(wire.url), Order(TASK, scan))
        until(jobs, Uploading)
        wire.silent, wire.upload_bytes_s = True, None  # the scan arrives, and nobody here learns the job's id
        wait_for(lambda: states(server))
        jobs.cancel(ticket)
        assert [type(event) for event in jobs.drain()] == [Cancelled]
        time.sleep(0.3)
        assert states(server)
        wire.silent = False
        wait_for(lambda: not states(server), 10)
        assert quiet(jobs) == []


def test_several_orders_queue_and_one_cancel_concerns_no_other(server, jobs, scan):
    order(server, "sleep 1.5")
    client = client_at(server.url)
    scans = [GridVolume(scan.array.copy(), scan.affine) for _ in range(3)]
    for number, one in enumerate(scans):
        one.array[0, 0, 0] = -1000 - number
    tickets = [jobs.submit(client, Order(TASK, one)) for one in scans]
    assert jobs.active() == tickets
    waiting = [event for event in jobs.drain() if isinstance(event, Waiting) and event.ticket == tickets[2]]
    assert "other scans" in waiting[0].reason
    jobs.cancel(tickets[0])
    ended = {}
    while len(ended) < 3:
        for event in until(jobs, (Done, Failed, Cancelled)):
            if isinstance(event, (Done, Failed, Cancelled)):
                assert ended.setdefault(event.ticket, event) is event
    assert [type(ended[ticket]) for ticket in tickets] == [Cancelled, Done, Done]


def test_a_full_server_is_told_and_waited_for(server, jobs, scan):
    order(server, "sleep 60")
    client = client_at(server.url)
    there = [client.submit(TASK, STUDY) for _ in range(2)]  # as many as a user may have
    ticket = jobs.submit(client, Order(TASK, scan))
    full = next(event for event in until(jobs, Waiting) if isinstance(event, Waiting))
    assert "too many jobs" in full.reason
    assert "1 s" in full.reason
    order(server, "")
    for job in there:
        client.cancel(job)
    assert isinstance(until(jobs, (Done, Failed), ticket)[-1], Done)


def test_a_server_that_stays_full_is_given_up_in_its_words(tmp_path):
    info = {"perfusynth": {"version": "1", "api": 9, "tasks": {}}}
    full = {"code": "queue_full", "error": "The server is busy.", "hint": "Wait.", "expected": "", "got": ""}
    jobs = SynthesisQueue(ResultCache(tmp_path / "c"), PACE._replace(patience_s=2.0))
    with CannedServer({"/info/": (200, {}, info), "*": (503, {"Retry-After": "0"}, full)}) as busy:
        events = until(jobs, Failed, jobs.submit(client_at(busy.url), Order(TASK, None, STUDY)))
        assert events[-1].problem.code == "queue_full"
        assert len(busy.requests) > 3
    jobs.shutdown()


def test_a_pause_of_the_network_ends_nothing(server, jobs, scan):
    order(server, "sleep 2")
    with FaultyWire(server.url) as wire:
        ticket = jobs.submit(client_at(wire.url), Order(TASK, scan))
        until(jobs, Running)
        wire.drop()
        assert isinstance(until(jobs, (Done, Failed), ticket)[-1], Done)


def test_a_spoiled_result_fails_and_is_not_kept(server, jobs, scan, tmp_path):
    with FaultyWire(server.url) as wire:
        wire.spoil = True
        events = until(jobs, (Done, Failed), jobs.submit(client_at(wire.url), Order(TASK, scan)))
        assert events[-1].problem.code == "bad_result"
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_refused_scan_fails_with_the_servers_reason(server, jobs, scan):
    water = GridVolume(np.zeros_like(scan.array), scan.affine)
    events = until(jobs, (Done, Failed), jobs.submit(client_at(server.url), Order(TASK, water)))
    assert events[-1].problem.code not in ("internal_error", "failed")
    assert events[-1].problem.what_to_do


def test_shutdown_stops_everything(server, jobs, scan):
    order(server, "sleep 60")
    jobs.submit(client_at(server.url), Order(TASK, scan))
    until(jobs, Running)
    jobs.shutdown()
    assert not states(server) or wait_for(lambda: not states(server), 5) is True
    with pytest.raises(ValueError, match="open"):
        jobs.submit(client_at(server.url), Order(TASK, scan))


def test_a_mistake_of_the_extension_ends_the_order(server, jobs, scan):
    broken = GridVolume(scan.array, "no affine")
    events = until(jobs, Failed, jobs.submit(client_at(server.url), Order(TASK, broken)))
    assert events[-1].problem.code == "internal_error"


def test_a_server_that_vanishes_midway_is_told(server, jobs, scan):
    order(server, "sleep 20")
    with FaultyWire(server.url) as wire:
        ticket = jobs.submit(client_at(wire.url), Order(TASK, scan))
        until(jobs, Running)
    # Nobody listens at the wire's address any more, as after a crash.
    events = until(jobs, (Done, Failed), ticket)
    assert any(isinstance(event, Waiting) and "does not answer" in event.reason for event in events)
    assert events[-1].problem.code in ("unreachable", "connection_lost")
    order(server, "")


def test_a_server_that_was_restarted_knows_nothing_of_the_job(jobs):
    gone = {"code": "job_gone", "error": "This job is over.", "hint": "Submit again.", "expected": "", "got": ""}
    info = {"perfusynth": {"version": "1", "api": 9, "tasks": {}}}
    answers = {"/info/": (200, {}, info), f"/jobs/{TASK}": (202, {}, {"id": "j"})}
    answers["*"] = [*[(502, {}, b"<html>")] * 5, (410, {}, gone)]  # while it starts, its gateway answers
    with CannedServer(answers) as restarted:
        events = until(jobs, Failed, jobs.submit(client_at(restarted.url), Order(TASK, None, STUDY)))
    assert (events[-1].problem.code, events[-1].problem.what_to_do) == ("job_gone", "Submit again.")


def test_a_job_that_the_server_stopped_is_no_cancel_of_the_users(jobs):
    info = {"perfusynth": {"version": "1", "api": 9, "tasks": {}}}
    stopped = {"id": "j", "state": "cancelled", "stage": "cancelled", "percent": 0, "place": 0}
    answers = {"/info/": (200, {}, info), f"/jobs/{TASK}": (202, {}, {"id": "j"}), "*": (200, {}, stopped)}
    with CannedServer(answers) as server:
        events = until(jobs, (Failed, Cancelled), jobs.submit(client_at(server.url), Order(TASK, None, STUDY)))
    assert events[-1].problem.code == "cancelled_at_server"

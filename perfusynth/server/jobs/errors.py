"""Why a job cannot be taken, found or fetched, and why it failed when that is no fault of its input."""

from perfusynth.server.problems import Problem


def not_found() -> Problem:
    """Never issued to this user."""
    return Problem(
        404,
        "There is no such job.",
        expected="an id that this server gave to you",
        got="an unknown id",
        hint="Submit the image again.",
        code="unknown_job",
    )


def gone() -> Problem:
    """Issued once; expired, removed, or from before a restart."""
    return Problem(
        410,
        "This job is over and its result is gone.",
        expected="a job of the last hour, since the server's start",
        got="the id of an older job",
        hint="Submit the image again.",
        code="job_gone",
    )


def queue_full(length: int, retry_after_s: int) -> Problem:
    """Too many jobs wait."""
    return Problem(
        503,
        "The server is busy.",
        expected=f"fewer than {length} waiting jobs",
        got=f"{length}",
        hint=f"Try again in {retry_after_s} s.",
        code="queue_full",
        headers={"Retry-After": str(retry_after_s)},
    )


def user_limit(limit: int, retry_after_s: int) -> Problem:
    """One user has too many jobs at once."""
    return Problem(
        429,
        "You have too many jobs at once.",
        expected=f"at most {limit} waiting or running jobs a user",
        got=f"{limit + 1}",
        hint="Wait for one to end, or cancel one.",
        code="too_many_jobs",
        headers={"Retry-After": str(retry_after_s)},
    )


def no_worker(error: dict[str, str] | None, retry_after_s: int) -> Problem:
    """No worker can load the models."""
    fields = {**(error or no_worker_fields()), "code": "model_unavailable"}
    return Problem(
        503,
        fields["error"],
        expected=fields["expected"],
        got=fields["got"],
        hint=fields["hint"],
        code=fields["code"],
        headers={"Retry-After": str(retry_after_s)},
    )


def no_worker_fields() -> dict[str, str]:
    """What a job is told that waited for a worker in vain."""
    return {
        "code": "model_unavailable",
        "error": "The server cannot load its model.",
        "expected": "a worker process that is ready",
        "got": "one that ends while it loads",
        "hint": "Tell the server's administrator; the server's log says why.",
    }


def worker_died_fields(attempts: int) -> dict[str, str]:
    """What a job is told whose worker died under it, each time."""
    return {
        "code": "worker_died",
        "error": "The program that computes the maps ended unexpectedly.",
        "expected": "a finished synthesis",
        "got": f"{attempts} attempts that ended early",
        "hint": "Check the image; if others work and this one does not, report it with the job's id.",
    }


def timeout_fields(limit_s: float) -> dict[str, str]:
    """What a job is told that took too long."""
    return {
        "code": "timeout",
        "error": "The synthesis took too long and was stopped.",
        "expected": f"an end within {limit_s:g} s",
        "got": "none",
        "hint": "Check the image's size; try again when the server is less busy.",
    }


def incident_fields(incident: str) -> dict[str, str]:
    """What is told of a fault of ours: nothing but an id that the log knows."""
    return {
        "code": "internal_error",
        "error": "The server made a mistake.",
        "expected": "an answer",
        "got": f"incident {incident}",
        "hint": "Report it with the incident's id; the server's log says more.",
    }

"""Every route has a role or does not exist; each role is held against each route."""

import pytest
from fastapi.routing import iter_route_contexts

from perfusynth.server import monai_label
from perfusynth.server.access.roles import Role
from perfusynth.server.access.routes import INHERITED, OWN, ROLES, Fate
from perfusynth.server.factory import create_app

FILLED = {
    "{task}": "ncct_perfusion",
    "{job_id}": "0" * 32 + "-" + "0" * 16,
    "{session_id}": "0" * 32,
    "{strategy}": "random",
    "{model}": "ncct_perfusion",
    "{method}": "dice",
    "{path:path}": "index.html",
    "{case}": "case1",
    "{number}": "1",
}
CALLERS = {"": Role.PUBLIC, "user": Role.USER, "annotator": Role.ANNOTATOR, "admin": Role.ADMIN}


def filled(template: str) -> str:
    for name, value in FILLED.items():
        template = template.replace(name, value)
    return template


def test_every_route_of_monai_label_is_in_the_table():
    there = {(method, path) for method, path, _ in monai_label.all_routes()}
    listed = set(INHERITED) - {key for key in INHERITED if key[1].startswith("/auth")}  # only with its own login on
    assert there == listed


def test_every_route_of_ours_is_in_the_table():
    there = {
        (method, item.path)
        for item in iter_route_contexts(create_app().routes)
        for method in item.original_route.methods
        if (method, item.path) != ("HEAD", "/openapi.json")
    }
    assert there == set(OWN)


@pytest.mark.parametrize("caller", list(CALLERS))
@pytest.mark.parametrize(("method", "template"), list(ROLES))
def test_a_route_takes_its_role_and_above(guarded, caller, method, template):
    answer = guarded.call(method, filled(template), caller or None)
    needed = ROLES[method, template]
    if not caller and needed > Role.PUBLIC:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    elif CALLERS[caller] < needed:
        assert answer.status_code == 403
    else:
        assert answer.status_code not in (401, 403, 405, 500, 501)
        assert method == "HEAD" or "not_found" not in answer.text


@pytest.mark.parametrize(("method", "template"), [key for key, fate in INHERITED.items() if fate is Fate.SHUT])
def test_a_shut_route_is_shut_even_for_admins(guarded, method, template):
    path = filled(template) + ("/index.html" if method == "MOUNT" else "")
    answer = guarded.call("GET" if method == "MOUNT" else method, path, "admin")
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/nothing", "/jobs", "/jobs/", "//info/", "/info", "/metrics", "/docs", "/redoc"])
def test_what_is_not_listed_is_shut(guarded, method, path):
    assert guarded.call(method, path, "admin").status_code in (404, 405)


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer pst_000000000000_" + "A" * 43},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "pst"},
    ],
)
def test_a_wrong_token_is_no_token(guarded, header):
    assert guarded.call("GET", "/info/", None, headers=header).status_code == 401


def test_a_removed_token_is_refused_at_once(guarded):
    from servers import make_token

    from perfusynth.server.access.tokens import TokenStore

    guarded.tokens["leaver"] = make_token(guarded.home, "user", "leaver")
    assert guarded.call("GET", "/info/", "leaver").status_code == 200
    TokenStore(guarded.home / "tokens.json").remove(guarded.tokens["leaver"].split("_")[1])
    assert guarded.call("GET", "/info/", "leaver").status_code == 401


def test_health_tells_nothing_but_health(guarded):
    assert guarded.call("GET", "/health", None).json() == {"status": "ok"}


def test_admins_read_the_log(guarded):
    guarded.call("GET", "/info/")
    answer = guarded.call("GET", "/logs/?lines=50", "admin")
    assert "GET /info/ 200" in answer.text


def test_no_other_origin_is_let_in(guarded):
    answer = guarded.call("GET", "/info/", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X-Forwarded-For": "10.0.0.1"}, 403),
    ],
)
def test_without_tokens_only_programs_of_this_machine_are_served(server, headers, status):
    answer = server.call("GET", "/info/", headers=headers)
    assert answer.status_code == status


def test_without_tokens_nobody_is_admin(server):
    assert server.call("GET", "/logs/").status_code == 403
    assert server.call("PUT", "/datastore/label?image=none").status_code == 404

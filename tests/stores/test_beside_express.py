"""What happens to one session on pages of express-session and on pages of Python: keys, log-outs, and a gateway."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest

from sessile import CookieOptions, RequestFacts, Sessions
from sessile.wsgi import SessionMiddleware
from tests.conftest import SECRET
from tests.stores.beside import Node, node_site, sid_of
from tests.stores.redis_servers import Server, started


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture(scope="module")
def node(redis_server: Server) -> Iterator[Node]:
    with node_site("passport-site.js", f"redis://127.0.0.1:{redis_server.port}") as node:
        yield node


@pytest.fixture
def sessions(redis_server: Server) -> Iterator[Sessions]:
    sessions = Sessions(secret=SECRET, store=f"redis://127.0.0.1:{redis_server.port}")
    yield sessions
    sessions.close()


def opened(sessions: Sessions, cookie: str) -> Any:
    return sessions.engine.begin_sync(f"connect.sid={cookie}".encode(), RequestFacts)


@pytest.mark.parametrize(
    ("way", "ends"), [("destroy", True), ("logout", True), ("keep", False), ("delete", False), ("both", True)]
)
def test_which_log_outs_of_node_end_a_log_in_of_python(node: Node, sessions: Sessions, way: str, ends: bool) -> None:
    """As docs/how-to/node.md says: what keeps our key keeps our log-in."""
    _, cookie = node.get(None, set='{"a":1}')
    assert cookie is not None
    node_cookie = node.get(cookie, login="")[1] or cookie
    session = opened(sessions, node_cookie)
    session.login("zoe")
    (line,) = sessions.engine.commit_sync(session)
    cookie = line.partition(";")[0].removeprefix("connect.sid=")
    assert node.get(cookie)[0]["passport"] == {"user": 7}
    after = node.get(cookie, **{way: ""})[1] or cookie
    assert not node.get(after)[0].get("passport")
    assert (opened(sessions, after).user_id is None) is ends


def test_keys_that_are_names_of_methods_vanish_on_a_page_of_node(node: Node, sessions: Sessions) -> None:
    """express-session makes an object with methods of a session, and drops what has their names."""
    keys = ("plain", "id", "req", "save", "touch", "reload", "destroy", "regenerate", "resetMaxAge", "constructor")
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session.update(dict.fromkeys(keys, 7))
    (line,) = sessions.engine.commit_sync(session)
    cookie = line.partition(";")[0].removeprefix("connect.sid=")
    assert set(opened(sessions, cookie)) == set(keys)
    node.get(cookie)
    assert set(opened(sessions, cookie)) == {"plain"}
    assert sid_of(cookie) == session.id


# Node as the gateway --------------------------------------------------------------------------------------------------


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def python_port(redis_server: Server) -> Iterator[int]:
    """A site of Python's that logs in, changes, shows and logs out."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["sessile.session"]
        page = environ["PATH_INFO"]
        if page == "/login":
            session.login("zoe")
        elif page == "/change":
            session["py"] = session.get("py", 0) + 1
        elif page == "/logout":
            session.logout()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"user": session.user_id, **dict(session)}).encode()]

    url = f"redis://127.0.0.1:{redis_server.port}"
    sessions = Sessions(secret=SECRET, store=url, cookie=CookieOptions(max_age=3600))
    with make_server("127.0.0.1", 0, SessionMiddleware(app, sessions), handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
    sessions.close()


@pytest.mark.parametrize(
    ("options", "logged_in", "ended"),
    [
        ({}, True, True),
        ({"rolling": True}, False, True),
        ({"resave": True, "rolling": True, "saveUninitialized": True}, False, False),
    ],
    ids=["resave and rolling off", "rolling", "resave, rolling, saveUninitialized"],
)
def test_node_as_the_gateway(
    redis_server: Server, python_port: int, options: dict[str, Any], logged_in: bool, ended: bool
) -> None:
    """As docs/how-to/node.md says: with resave and rolling off it works, and else Node undoes what Python did."""
    url = f"redis://127.0.0.1:{redis_server.port}"
    with node_site("gateway.js", url, str(python_port), json.dumps(options)) as node, httpx.Client() as browser:

        def visit(path: str, **query: str) -> Any:
            # A browser keeps the last of two cookies of one name.
            response = browser.get(node.url + path, params=query, timeout=30)
            return response.json() if response.text else None

        visit("", set='{"cart":1}')
        first = dict(browser.cookies)
        visit("py/login")
        seen = visit("py/show")
        assert (seen["user"] == "zoe") is logged_in
        old = httpx.get(node.url + "py/show", cookies=first, timeout=30).json()
        assert (old == {"user": None}) is ended
        if logged_in:
            visit("py/change")
            visit("py/change")
            assert visit("py/show") == {"user": "zoe", "cart": 1, "py": 2}
            second = dict(browser.cookies)
            visit("py/logout")
            assert httpx.get(node.url + "py/show", cookies=second, timeout=30).json() == {"user": None}

"""The sites that the suite runs against. A new framework is one line here, and one file in ``sites``."""

from __future__ import annotations

from tests.integrations.behaviours import behaviours, sockets
from tests.integrations.running import Site

NO_SLOT = {"the_slot_may_be_set_to_none": "the framework has no place for the session that a handler could set to None"}

ONE_PROJECT = {
    "two_sites_have_two_sessions": "Django has one configuration in a process, and so one session in a request",
    "the_session_may_be_for_a_part_of_the_site": "what is built on Django wants a session in every request; outside the "
    "path of the cookie it is a new one, because no browser sends the cookie there",
}

NO_SOCKETS = dict.fromkeys(behaviours(sockets), "there are no WebSockets: neither WSGI nor Django has them")

#: What a framework leaves to the handler of a WebSocket.
TO_READ = dict.fromkeys(
    (
        "what_a_socket_changes_is_stored_at_its_end",
        "a_socket_that_breaks_stores_nothing",
        "a_handshake_may_set_the_cookie",
    ),
    "the framework tells nobody but the handler when a WebSocket begins and ends, so its session is there to read; "
    "`await session.asave()` stores a change",
)
NO_COOKIE = {
    "a_handshake_may_set_the_cookie": "the framework answers the handshake before the handler runs, so that no cookie "
    "can be set: what begins in a WebSocket is not stored"
}
GRANIAN = {
    "a_handshake_may_set_the_cookie": "granian (2.8) leaves out the headers that an application gives to "
    "`websocket.accept`, and so the cookie"
}
ROUTED_FIRST = {
    "a_page_of_another_origin_changes_nothing": "a POST to a route that takes GET is answered by Litestar before any "
    "middleware; what reaches a route that takes POST is refused"
}

SITES = [
    Site("starlette", "uvicorn"),
    Site("fastapi", "uvicorn"),
    Site("asgi", "granian", lacks=GRANIAN),
    Site("asgi", "hypercorn"),
    Site("wsgi", "waitress", lacks=NO_SOCKETS),
    Site("wsgi", "gunicorn", lacks=NO_SOCKETS),
    Site("flask", "waitress", lacks=NO_SLOT | NO_SOCKETS),
    Site("django", "gunicorn", alone=True, lacks=ONE_PROJECT | NO_SOCKETS),
    Site("django_async", "uvicorn", alone=True, lacks=ONE_PROJECT | NO_SOCKETS),
    Site("falcon", "gunicorn", lacks=NO_SOCKETS),
    Site("falcon_asgi", "uvicorn", lacks=TO_READ),
    Site("pyramid", "waitress", lacks=NO_SOCKETS),
    Site("bottle", "gunicorn", lacks=NO_SOCKETS),
    Site("tornado", "itself", lacks=TO_READ),
    Site("litestar", "uvicorn", lacks=ROUTED_FIRST),
    Site("quart", "hypercorn", lacks=NO_SLOT),
    Site("aiohttp", "itself"),
    Site("sanic", "itself", alone=True, lacks=NO_COOKIE),
]

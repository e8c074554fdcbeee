"""The sites that the suite runs against. A new framework is one line here, and one file in ``sites``."""

from __future__ import annotations

from tests.integrations.running import Site

NO_SLOT = {"the_slot_may_be_set_to_none": "the framework has no place for the session that a handler could set to None"}

ONE_PROJECT = {
    "two_sites_have_two_sessions": "Django has one configuration in a process, and so one session in a request",
    "the_session_may_be_for_a_part_of_the_site": "what is built on Django wants a session in every request; outside the "
    "path of the cookie it is a new one, because no browser sends the cookie there",
}

SITES = [
    Site("starlette", "uvicorn"),
    Site("fastapi", "uvicorn"),
    Site("asgi", "granian"),
    Site("asgi", "hypercorn"),
    Site("wsgi", "waitress"),
    Site("wsgi", "gunicorn"),
    Site("flask", "waitress", lacks=NO_SLOT),
    Site("django", "gunicorn", alone=True, lacks=ONE_PROJECT),
    Site("django_async", "uvicorn", alone=True, lacks=ONE_PROJECT),
    Site("falcon", "gunicorn"),
    Site("falcon_asgi", "uvicorn"),
    Site("pyramid", "waitress"),
    Site("bottle", "gunicorn"),
    Site("tornado", "itself"),
    Site("litestar", "uvicorn"),
    Site("quart", "hypercorn", lacks=NO_SLOT),
    Site("aiohttp", "itself"),
    Site("sanic", "itself", alone=True),
]

"""The sites that the suite runs against. A new framework is one line here, and one file in ``sites``."""

from __future__ import annotations

from tests.integrations.running import Site

NO_SLOT = {"the_slot_may_be_set_to_none": "the framework has no place for the session that a handler could set to None"}

SITES = [
    Site("starlette", "uvicorn", lazy=False),
    Site("asgi", "granian", lazy=False),
    Site("asgi", "hypercorn", lazy=False),
    Site("wsgi", "waitress", lazy=True),
    Site("wsgi", "gunicorn", lazy=True),
    Site("flask", "waitress", lazy=True, lacks=NO_SLOT),
    Site("litestar", "uvicorn", lazy=False),
    Site("quart", "hypercorn", lazy=False, lacks=NO_SLOT),
    Site("aiohttp", "itself", lazy=False),
    Site("sanic", "itself", lazy=False, alone=True),
]

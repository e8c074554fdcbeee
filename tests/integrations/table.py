"""The sites that the suite runs against. A new framework is one line here, and one file in ``sites``."""

from __future__ import annotations

from tests.integrations.running import Site

NO_SLOT = {"the_slot_may_be_set_to_none": "the framework has no place for the session that a handler could set to None"}

SITES = [
    Site("starlette", "uvicorn"),
    Site("fastapi", "uvicorn"),
    Site("asgi", "granian"),
    Site("asgi", "hypercorn"),
    Site("wsgi", "waitress"),
    Site("wsgi", "gunicorn"),
    Site("flask", "waitress", lacks=NO_SLOT),
    Site("falcon", "gunicorn"),
    Site("falcon_asgi", "uvicorn"),
    Site("pyramid", "waitress"),
    Site("bottle", "gunicorn"),
    Site("tornado", "itself"),
]

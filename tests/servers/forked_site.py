"""A site that asks its store while it is imported, and so before a server forks its workers. SITE_STORE is the URL.

SITE_PATCHES names who patches the standard library first, as programs have to that use PyMongo or boto3 with greenlets.
"""

from __future__ import annotations

import os

if os.environ.get("SITE_PATCHES") == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif os.environ.get("SITE_PATCHES") == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import threading
from collections.abc import Callable, Iterable
from typing import Any

from sessile import Sessions
from sessile.wsgi import SessionMiddleware

sessions = Sessions(secret=os.environ["SITE_SECRET"], store=os.environ["SITE_STORE"])


def _ask(barrier: threading.Barrier) -> None:
    barrier.wait(30)
    for number in range(5):
        sessions.open(f"nobody{number}")


def _warm_up(threads: int = 4) -> None:
    """Leave several open connections behind, for the workers to inherit."""
    barrier = threading.Barrier(threads)
    started = [threading.Thread(target=_ask, args=(barrier,)) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


_warm_up()
PARENT = os.getpid()


def _page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Say who the visitor is, and which process says so; /begin/NAME makes somebody of them."""
    session = environ["sessile.session"]
    if environ["PATH_INFO"].startswith("/begin/"):
        session["name"] = environ["PATH_INFO"].removeprefix("/begin/")
    body = f"{session.get('name')} {os.getpid()} {PARENT}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = SessionMiddleware(_page, sessions)

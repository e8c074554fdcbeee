"""The search of the documentation answers: the page that one needs is among the first three."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.browser import chromium

ROOT = Path(__file__).parents[2]

#: What somebody types, and the page that answers.
QUERIES = {
    "list a user's sessions": "how-to/log-in",
    "use redis": "how-to/stores/redis",
    "migrate from flask-session": "how-to/from-flask",
    "redis is down": "how-to/outages",
    "cors": "how-to/troubleshooting",
    "multiple workers": "how-to/several-servers",
    "gdpr": "how-to/troubleshooting",
    "consent": "how-to/troubleshooting",
    "health checks": "how-to/troubleshooting",
    "log out everywhere": "how-to/log-in",
    "remember me": "how-to/lifetime",
    "encryption": "how-to/encrypt",
    "fastapi": "how-to/frameworks/fastapi",
    "flask": "how-to/frameworks/flask",
    "django": "how-to/django",
    "starlette": "how-to/frameworks/starlette",
    "litestar": "how-to/frameworks/litestar",
    "quart": "how-to/frameworks/quart",
    "aiohttp": "how-to/frameworks/aiohttp",
    "sanic": "how-to/frameworks/sanic",
    "falcon": "how-to/frameworks/falcon",
    "pyramid": "how-to/frameworks/pyramid",
    "bottle": "how-to/frameworks/bottle",
    "tornado": "how-to/frameworks/tornado",
    "postgresql": "how-to/stores/postgresql",
    "mongodb": "how-to/stores/mongodb",
    "new session at each request": "how-to/troubleshooting",
    "iframe": "how-to/troubleshooting",
    "testclient": "how-to/troubleshooting",
    "rotate secret": "how-to/secret",
    "proxy": "how-to/proxy",
    "nginx": "how-to/proxy",
    "csrf": "how-to/cross-origin",
    "websocket": "how-to/streaming",
    "background tasks": "how-to/background",
    "typed sessions": "how-to/typed",
    "command line": "how-to/command-line",
    "express": "how-to/node/express",
    "lost update": "explanation/races",
    "opentelemetry": "how-to/observe",
    "change password": "tutorial-log-in",
    "bearer token": "how-to/without-cookies",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[str]]]:
    """Type a query into the search of the built site, and return the pages that it shows, best first."""
    site = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    with server, chromium() as browser:
        tab = browser.new_page()

        def ask(query: str) -> list[str]:
            tab.goto(f"{base}?q={quote(query)}")
            tab.wait_for_selector("a.md-search-result__link", state="attached", timeout=30_000)
            hrefs = tab.eval_on_selector_all("a.md-search-result__link", "links => links.map(link => link.href)")
            pages = [urlsplit(href).path.strip("/") for href in hrefs]
            return list(dict.fromkeys(pages))

        yield ask
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("query", "page"), QUERIES.items())
def test_the_page_that_answers_is_among_the_first_three(
    found: Callable[[str], list[str]], query: str, page: str
) -> None:
    """A query finds its page without a second look."""
    pages = found(query)
    assert page in pages[:3], pages[:6]

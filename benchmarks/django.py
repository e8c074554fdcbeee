"""What a request costs in Django, with our engine and with Django's own, side by side in one run.

    python benchmarks/django.py

Each row is measured in a process of its own, because Django has one configuration; the rows take turns, so that a busy
machine is busy for all of them. A request goes through Django's handler and the session middleware to a view that does
nothing else. What the same request costs without sessions is taken off, so a figure is the share of the sessions, in
microseconds: the median of the rounds. The columns to the right divide it by that of Django's own in the same class:
"cache" (in memory) for the memory store, "db" (SQLite, as Django sets it up) for the SQLite store.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

ROUNDS = 7
REQUESTS = 400

DJANGO = "django.contrib.sessions.middleware.SessionMiddleware"
PLAIN = "sessile.django.PlainSessionMiddleware"
SIGNED = "sessile.django.SessionMiddleware"

#: name: middleware, engine, store, and the row it is compared with.
ROWS: dict[str, tuple[str | None, str, str, str]] = {
    "no sessions": (None, "django.contrib.sessions.backends.cache", "", ""),
    "Django, cache in memory": (DJANGO, "django.contrib.sessions.backends.cache", "", ""),
    "sessile, memory": (PLAIN, "sessile.django", "memory://", "Django, cache in memory"),
    "sessile, memory, signed": (SIGNED, "sessile.django", "memory://", "Django, cache in memory"),
    "Django, db (SQLite)": (DJANGO, "django.contrib.sessions.backends.db", "", ""),
    "Django, cached_db": (DJANGO, "django.contrib.sessions.backends.cached_db", "", "Django, db (SQLite)"),
    "sessile, SQLite": (PLAIN, "sessile.django", "sqlite:///{folder}/sessions.db", "Django, db (SQLite)"),
    "sessile, SQLite, signed": (SIGNED, "sessile.django", "sqlite:///{folder}/sessions.db", "Django, db (SQLite)"),
}
PAGES = ("untouched", "read", "write")


def serve(row: str, folder: str) -> None:
    """Configure Django for a row; for each line that comes in, time a round of its page and say how long it took."""
    from django import setup
    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def untouched(request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    def read(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.session.get("n")) if hasattr(request, "session") else "ok")

    def write(request: HttpRequest) -> HttpResponse:
        if hasattr(request, "session"):
            request.session["n"] = time.perf_counter_ns()
        return HttpResponse("ok")

    middleware, engine, store, _ = ROWS[row]
    urls: Any = type(sys)("urls")
    urls.urlpatterns = [path(view.__name__, view) for view in (untouched, read, write)]
    sys.modules["urls"] = urls
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="a secret that is long enough for a benchmark!",
        ROOT_URLCONF="urls",
        INSTALLED_APPS=["django.contrib.sessions"],
        MIDDLEWARE=[middleware] if middleware else [],
        SESSION_ENGINE=engine,
        SESSILE={"store": store.format(folder=folder)},
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/db"}},
    )
    setup()
    call_command("migrate", verbosity=0)
    app = get_wsgi_application()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer,
    }

    def visit(page: str) -> str:
        heads: list[Any] = []
        response = app({**environ, "PATH_INFO": f"/{page}"}, lambda status, headers: heads.append((status, headers)))
        b"".join(response)
        response.close()
        assert heads[0][0] == "200 OK"
        return next((value.split(";")[0].strip() for name, value in heads[0][1] if name == "Set-Cookie"), "")

    environ["HTTP_COOKIE"] = visit("write")
    assert bool(environ["HTTP_COOKIE"]) == bool(middleware)
    for line in sys.stdin:
        page = line.strip()
        for _ in range(20):
            visit(page)
        begin = time.perf_counter()
        for _ in range(REQUESTS):
            visit(page)
        print((time.perf_counter() - begin) / REQUESTS * 1e6, flush=True)


def main() -> None:
    """Let the rows take turns, and print the table."""
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as home:
        servers = {}
        for number, row in enumerate(ROWS):
            folder = f"{home}/{number}"
            subprocess.run(["mkdir", folder], check=True)
            command = [sys.executable, __file__, json.dumps([row, folder])]
            servers[row] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(ROUNDS):
            for page in PAGES:
                for row, server in servers.items():
                    assert server.stdin is not None
                    assert server.stdout is not None
                    server.stdin.write(page + "\n")
                    server.stdin.flush()
                    times.setdefault((row, page), []).append(float(server.stdout.readline()))
        for server in servers.values():
            server.communicate()
    cost = {key: statistics.median(values) for key, values in times.items()}
    share = {(row, page): max(cost[row, page] - cost["no sessions", page], 0.1) for row, page in cost}
    print(
        "| microseconds a request | "
        + " | ".join(PAGES)
        + " | "
        + " | ".join(f"{page}, ratio" for page in PAGES)
        + " |"
    )
    print("|---|" + "--:|" * 2 * len(PAGES))
    for row, (middleware, _, _, other) in ROWS.items():
        if middleware:
            figures = [f"{share[row, page]:.0f}" for page in PAGES]
            ratios = [f"{share[row, page] / share[other, page]:.2f}" if other else "1" for page in PAGES]
            print(f"| {row} | " + " | ".join(figures + ratios) + " |")


if __name__ == "__main__":
    # The folder of this file has a name that Django has too.
    sys.path[:] = [each for each in sys.path if not each.endswith("benchmarks")]
    if len(sys.argv) > 1:
        serve(*json.loads(sys.argv[1]))
    else:
        main()

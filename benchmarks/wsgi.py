"""What a session costs a request under WSGI and in Flask, beside Flask's own session and Flask-Session.

    python benchmarks/wsgi.py

As benchmarks/asgi.py: everything in this process, without a server; the libraries take turns, the best round of each
counts, and the time of the same application without a session is subtracted. The three of Flask run the same Flask
application; the plain middleware has a plain application. What each does differs: Flask keeps the data in the cookie
and can neither end nor share a session; Flask-Session loads the record at every request.
"""

from __future__ import annotations

import gc
import io
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import flask
from cachelib.simple import SimpleCache
from flask.sessions import SessionInterface
from flask_session import Session as FlaskSession

import sessile.flask
from sessile import Sessions
from sessile.wsgi import SessionMiddleware

SECRET = "a secret that is long enough for tests!"
DATA = {f"key{number}": "v" * 40 for number in range(5)} | {"n": 1}  # about 300 bytes
CALLS, ROUNDS = 100, 40

COLUMNS: dict[str, tuple[str, bool]] = {
    "no cookie": ("/untouched", False),
    "untouched": ("/untouched", True),
    "read 1 key": ("/read", True),
    "write 1 key": ("/write", True),
}


def environ(path: str, cookie: str | None) -> dict[str, Any]:
    """Return the environ of a request, as a server makes it."""
    made = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return made if cookie is None else {**made, "HTTP_COOKIE": f"theme=dark; {cookie}"}


class NoSessions(SessionInterface):
    """Gives no session at all: the bare Flask."""

    def open_session(self, app: Any, request: Any) -> Any:
        return flask.sessions.NullSession()


def plain(environ: Any, start_response: Any) -> Any:
    """Be the plain application."""
    path = environ["PATH_INFO"]
    if path == "/login":
        environ["sessile.session"].update(DATA)
    elif path == "/read":
        environ["sessile.session"]["n"]
    elif path == "/write":
        environ["sessile.session"]["n"] += 1
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def of_flask(prepare: Callable[[flask.Flask], object]) -> flask.Flask:
    """Return the same application in Flask."""
    app = flask.Flask("bench")
    app.secret_key = SECRET

    def login() -> str:
        flask.session.update(DATA)
        return "ok"

    def read() -> str:
        flask.session["n"]
        return "ok"

    def write() -> str:
        flask.session["n"] += 1
        return "ok"

    for name, view in (("untouched", lambda: "ok"), ("login", login), ("read", read), ("write", write)):
        app.add_url_rule(f"/{name}", name, view)
    prepare(app)
    return app


def call(app: Any, request: dict[str, Any]) -> list[tuple[str, str]]:
    """Make a request, and return the headers of the response."""
    heads: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        heads.append((status, headers))
        return lambda chunk: None

    body = app(dict(request), start_response)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    assert heads[0][0][:3] == "200", heads
    return heads[0][1]  # type: ignore[no-any-return]


def flask_session(app: flask.Flask) -> None:
    """Prepare Flask-Session, in memory."""
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(threshold=100_000))
    FlaskSession(app)


def main() -> None:
    """Measure, and print the table."""
    sessions = Sessions(secret=SECRET)
    apps = {
        "sessile.wsgi": SessionMiddleware(plain, sessions),
        "sessile.wsgi, lazy=False": SessionMiddleware(plain, sessions, lazy=False),
        "sessile.flask": of_flask(lambda app: sessile.flask.init_app(app, sessions)),
        "Flask (in the cookie)": of_flask(lambda app: None),
        "Flask-Session, memory": of_flask(flask_session),
    }
    bare = {"plain": plain, "flask": of_flask(lambda app: setattr(app, "session_interface", NoSessions()))}
    cells: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
    for name, app in apps.items():
        headers = call(app, environ("/login", None))
        cookie = next(value for key, value in headers if key.lower() == "set-cookie").split(";")[0]
        for column, (path, known) in COLUMNS.items():
            cells[name, column] = (app, environ(path, cookie if known else None))
    for name, app in bare.items():
        cells[name, ""] = (app, environ("/untouched", None))
    best = dict.fromkeys(cells, float("inf"))
    for _ in range(ROUNDS):
        for cell, (app, request) in cells.items():
            gc.collect()
            begin = time.perf_counter()
            for _ in range(CALLS):
                call(app, request)
            best[cell] = min(best[cell], (time.perf_counter() - begin) / CALLS * 1e6)
    floor = {name: best["plain" if "wsgi" in name else "flask", ""] for name in apps}
    figures = {(name, column): best[name, column] - floor[name] for name in apps for column in COLUMNS}
    print(f"Python {sys.version.split()[0]}, microseconds a request over the application without sessions", end=" ")
    print(f"(plain {best['plain', '']:.1f}, Flask {best['flask', '']:.1f})\n")
    print(f"| {'':26} |" + "".join(f" {column:>12} |" for column in COLUMNS))
    print(f"|{'-' * 28}|" + "".join(f"{'-' * 13}:|" for _ in COLUMNS))
    for name in apps:
        print(f"| {name:26} |" + "".join(f" {figures[name, column]:>12.1f} |" for column in COLUMNS))
    for column in ("untouched", "read 1 key"):
        for name in list(apps)[-2:]:
            ratio = figures["sessile.flask", column] / figures[name, column]
            print(f"\n{column}: sessile.flask takes {ratio:.2f} of the time of {name}", end="")
    print()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()

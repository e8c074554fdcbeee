"""Flask-Session, with the SESSION_TYPE given: "cachelib" (files) or "redis".

As in its documentation: ``session_interface.regenerate`` at the login, ``session.clear()`` at the logout, which removes
the record, and no option beside the type. "unrefreshed" sets SESSION_REFRESH_EACH_REQUEST, true by default, to false.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from flask import Flask, session
from flask_session import Session
from gate import wait
from server import serve_wsgi

app = Flask(__name__)
app.config["SESSION_TYPE"] = sys.argv[1]
app.config["SESSION_REFRESH_EACH_REQUEST"] = "unrefreshed" not in sys.argv
if sys.argv[1] == "redis":
    from redis import Redis

    app.config["SESSION_REDIS"] = Redis(unix_socket_path=os.environ["REDIS"])
else:
    from cachelib.file import FileSystemCache

    app.config["SESSION_CACHELIB"] = FileSystemCache(os.environ["FOLDER"])
Session(app)


@app.post("/login")
def login() -> str:
    session["user"] = "zoe"
    app.session_interface.regenerate(session)
    return ""


@app.post("/logout")
def logout() -> str:
    session.clear()
    return ""


@app.get("/me")
def me() -> dict[str, Any]:
    return {"user": session.get("user"), **session}


@app.post("/write")
def write() -> str:
    session["b"] = 1
    return ""


@app.get("/slow-read")
def slow_read() -> str:
    user = session.get("user")
    wait()
    return str(user)


@app.post("/slow-write")
def slow_write() -> str:
    user = session.get("user")
    wait()
    session["a"] = 1
    return str(user)


serve_wsgi(app)

"""Several processes, several writers in each, one session in one SQLite file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from sessile import RequestFacts, Sessions
from tests.conftest import SECRET
from tests.processes import finish, start_together

ROUNDS = 500

WRITER = """
import asyncio, sys
from sessile import Sessions
from sessile.asgi import SessionMiddleware
from tests.asgi import Browser
from tests.conftest import SECRET

url, cookie, name, rounds = sys.argv[1:]
sessions = Sessions(secret=SECRET, store=url)

async def app(scope, receive, send):
    session = scope["session"]
    await asyncio.sleep(0)
    session[scope["path"]] = session.get(scope["path"], 0) + 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})

async def writer(number):
    browser = Browser(SessionMiddleware(app, sessions), {"connect.sid": cookie})
    for _ in range(int(rounds)):
        response = await browser.get(f"/{name}{number}")
        assert response.status == 200

async def main():
    await asyncio.gather(*(writer(number) for number in range(4)))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def begin(url: str) -> tuple[Sessions, str, str]:
    """Store a session, and return its manager, its id and its cookie."""
    sessions = Sessions(secret=SECRET, store=url)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    (line,) = sessions.engine.commit_sync(session)
    return sessions, session.id, line.split(";")[0].split("=", 1)[1]


def writers(url: str, cookie: str, rounds: int) -> list[subprocess.Popen[str]]:
    """Start two processes of four writers each, and let them go at the same time."""
    return start_together(WRITER, *([url, cookie, name, rounds] for name in ("p", "q")))


def test_eight_writers_in_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Each adds one to a key of its own, 500 times: not one write is missing."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    sessions, sid, cookie = begin(url)
    finish(writers(url, cookie, ROUNDS))
    record = sessions.store.load(sid)
    data = json.loads(record.payload)
    assert {key: value for key, value in data.items() if key.startswith("/")} == {
        f"/{name}{number}": ROUNDS for name in "pq" for number in range(4)
    }
    assert data["a"] == 1
    sessions.close()


def test_a_logout_amid_eight_writers_is_final(tmp_path: Path) -> None:
    """The session is ended while they write, and stays gone; they are served all the same."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    sessions, sid, cookie = begin(url)
    started = writers(url, cookie, 200)
    while b'"/p0":2' not in (record := sessions.store.load(sid)).payload:
        assert record is not None
    assert sessions.revoke(sid) is True
    finish(started)
    assert sessions.store.load(sid) is None
    assert sid not in [other for other, _ in sessions.store.all()]
    sessions.close()

"""Runs a site under its real server, in a process of its own, and visits it over HTTP."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from sessile import Session, Sessions
from sessile._wire.signing import Signer
from tests.integrations.common import SECRET, VARIANTS, Gate, sessions_of

ROOT = Path(__file__).parents[2]

# Whom to believe is the library's to decide here, so servers that look at X-Forwarded-Proto themselves are told not to.
BELIEVE = "--forwarded-allow-ips=192.0.2.1"
LEAVE = "--no-clear-untrusted-proxy-headers"

#: How a server is told to serve ``app`` at a port. One process each: the gates are files, the stores are not memory.
SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "uvicorn": lambda app, port: ["uvicorn", f"{app}:app", f"--port={port}", "--no-access-log", "--no-proxy-headers"],
    "granian": lambda app, port: ["granian", f"{app}:app", "--interface=asgi", f"--port={port}", "--no-access-log"],
    "hypercorn": lambda app, port: ["hypercorn", f"{app}:app", f"--bind=127.0.0.1:{port}"],
    "gunicorn": lambda app, port: ["gunicorn", f"{app}:app", "--threads=16", f"--bind=127.0.0.1:{port}", BELIEVE],
    "waitress": lambda app, port: ["waitress", "--threads=16", f"--listen=127.0.0.1:{port}", LEAVE, f"{app}:app"],
    "itself": lambda app, port: [app, str(port)],
}


@dataclass(frozen=True)
class Site:
    """A site of ``tests.integrations.sites`` under a server."""

    module: str
    #: One of ``SERVERS``. "itself": the module is a program that takes the port.
    server: str
    #: Whether each variant runs in a process of its own, because the framework has one configuration for all.
    alone: bool = False
    #: The behaviours that it cannot have, and why.
    lacks: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the tests and the docs call it."""
        return f"{self.module}, {self.server}"


class Running:
    """A site that runs."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self._bases: dict[str, str] = {}
        self._stack = contextlib.ExitStack()
        self._visitors = contextlib.ExitStack()
        self._managers: dict[str, Sessions] = {}

    def base(self, variant: str = "default") -> str:
        """Return the address of a variant, which is started if it does not run yet."""
        process = variant if self.site.alone else "default"
        if process not in self._bases:
            self._bases[process] = self._stack.enter_context(serving(self.site, process, self.folder))
        return self._bases[process] + ("" if variant == process else f"/~{variant}")

    def close(self) -> None:
        """Stop what was started."""
        self.see_off()
        for manager in self._managers.values():
            manager.close()
        self._stack.close()

    def browser(self, variant: str = "default", **settings: Any) -> Browser:
        """Return somebody who has not been at this variant before."""
        return self._visitors.enter_context(Browser(self, variant, **settings))

    def see_off(self) -> None:
        """Close the connections of all browsers: a server has room for so many."""
        self._visitors.close()

    def sessions(self, variant: str = "default") -> Sessions:
        """Return a manager of this process, on the same store."""
        if variant not in self._managers:
            self._managers[variant] = sessions_of(self.folder, variant)
        return self._managers[variant]

    def calls(self, variant: str = "default") -> list[str]:
        """Return the verbs that the site has asked of its store since the last time."""
        file = self.folder / f"{variant}.calls"
        calls = file.read_text().split() if file.exists() else []
        file.write_text("")
        return calls

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Switch the store off for a while."""
        (self.folder / "down").touch()
        try:
            yield
        finally:
            (self.folder / "down").unlink()

    def later(self, seconds: float) -> None:
        """Let the site's clock go on by so much."""
        file = self.folder / "clock"
        file.write_text(str(seconds + (float(file.read_text()) if file.exists() else 0)))

    def gate(self) -> tuple[str, Gate]:
        """Return a new gate and its name."""
        name = f"gate{time.monotonic_ns()}"
        return name, Gate(name, self.folder)


class Browser(httpx.Client):
    """A visitor with a cookie jar."""

    def __init__(self, running: Running, variant: str, **settings: Any) -> None:
        self._running, self._variant = running, variant
        super().__init__(base_url=running.base(variant), timeout=20, trust_env=False, verify=False, **settings)

    def visit(self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Fetch a page, and return the response."""
        return self.request(method, "/" + path, params=query or None, headers=headers)

    def ask(self, verb: str, **query: Any) -> Any:
        """Have a verb carried out, and return what came of it."""
        response = self.visit(verb, **query)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.json()

    def fail(self, path: str, **query: Any) -> Any:
        """Fetch a page that fails, and return the response. After one, some servers close the connection."""
        response = self.visit(path, headers={"connection": "close"}, **query)
        assert (response.status_code, set_cookie(response)) == (500, None)
        return response

    @property
    def token(self) -> str | None:
        """The session cookie in the jar."""
        name = VARIANTS[self._variant].get("name", "connect.sid")
        return next((cookie.value for cookie in self.cookies.jar if cookie.name == name), None)

    @property
    def sid(self) -> str:
        """The id in that cookie."""
        sid = Signer([SECRET.encode()]).read_token((self.token or "").encode())
        assert sid is not None
        return sid

    @property
    def stored(self) -> Session | None:
        """What the store has of the session in the jar, seen from outside the site."""
        found: Session | None = self._running.sessions(self._variant).open(self.sid)
        self._running.calls(self._variant)
        return found

    def copy(self) -> Browser:
        """Return another one with the same cookies: the same visitor's second window, or a thief."""
        other = self._running.browser(self._variant)
        for cookie in self.cookies.jar:
            other.cookies.jar.set_cookie(cookie)
        return other


def set_cookie(response: httpx.Response) -> str | None:
    """Return the one Set-Cookie line of a response, or None."""
    lines = response.headers.get_list("set-cookie")
    assert len(lines) <= 1, lines
    return unquote(lines[0]) if lines else None


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what will be true in a moment."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextlib.contextmanager
def serving(site: Site, variant: str, folder: Path) -> Iterator[str]:
    """Run a site, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = SERVERS[site.server](f"tests.integrations.sites.{site.module}", port)
    environment = {
        **os.environ,
        "SESSILE_FOLDER": str(folder),
        "SESSILE_VARIANT": variant,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    log = folder / f"{variant}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=file, stderr=file, cwd=ROOT, env=environment,
        )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is not None or _answers(base), f"{site.name} does not start")
        assert process.poll() is None, log.read_text("utf-8", "replace")
        yield base
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(base: str) -> bool:
    try:
        return httpx.get(base + "/untouched", timeout=5, trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False

"""A memcached of the tests' own. Its clock may be one that stands still."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessile.testing import FrozenClock

INSTALL = "memcached and libfaketime are missing; run: sh tests/install.sh"


class Memcached:
    """A server in a process of its own, with a clock that stands at ``now`` if there is one."""

    def __init__(self, folder: Path, now: int | None = None, *options: str) -> None:
        self._folder = folder
        self.frozen = now is not None
        self.now = now or 0
        self._options = options
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = shutil.which("memcached") or "/usr/bin/memcached"
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        assert library, INSTALL
        assert Path(program).exists(), INSTALL
        environment = {**os.environ, "TZ": "UTC"}
        if self.frozen:
            self._write()
            environment |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._folder / "now"),
                "FAKETIME_NO_CACHE": "1",
            }
        user = ["-u", "root"] if os.geteuid() == 0 else []
        command = [program, *user, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", *self._options]
        self._process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask(b"mn\r\n")
                return
            except OSError:
                assert time.monotonic() < deadline
                assert self._process.poll() is None, "memcached has ended"
                time.sleep(0.005)

    def kill(self) -> None:
        """End it as a power cut would. What it kept is gone."""
        self._process.kill()
        self._process.wait()

    def ask(self, command: bytes) -> bytes:
        """Send one command over a connection of its own, and return the reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(command + b"quit\r\n")
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
        return received

    def set_clock(self, now: int) -> None:
        """Let the server's clock stand at ``now``, and wait until it has noticed."""
        if now == self.now:
            return
        self.now = now
        self._write()
        deadline = time.monotonic() + 30
        # It looks at its clock once in a second, and whenever it accepts a connection.
        while b"STAT time %d\r\n" % now not in self.ask(b"stats\r\n"):
            assert time.monotonic() < deadline

    def _write(self) -> None:
        new = self._folder / "now.new"
        new.write_text(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.now)))
        new.replace(self._folder / "now")


class ServersClock(FrozenClock):
    """A clock that stands still for the store and for its server."""

    def __init__(self, server: Memcached) -> None:
        self._server = server
        super().__init__(server.now)

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._now = value
        self._server.set_clock(int(value))


@contextmanager
def memcached(folder: Path, now: int | None = None, *options: str) -> Iterator[Memcached]:
    """Run a server as long as the block does."""
    server = Memcached(folder, now, *options)
    try:
        yield server
    finally:
        server.kill()

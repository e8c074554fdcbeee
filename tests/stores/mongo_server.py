"""A server of MongoDB's protocol that is not ours: SecantusDB, which keeps documents in WiredTiger, as mongod does."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MongoServer", "mongo_server"]


class MongoServer:
    """A process with its documents in ``folder``, on a port of loopback that stays the same."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self._folder = folder
        self._options = options
        with socket.create_server(("127.0.0.1", port)) as probe:
            self.port: int = probe.getsockname()[1]
        self.start()

    def url(self, database: str = "test", more: str = "") -> str:
        """Return the URL of a database."""
        return f"mongodb://127.0.0.1:{self.port}/{database}?directConnection=true{more}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "secantus", "--port", str(self.port), "--storage-path", str(self._folder)]
        command += ["--log-level", "ERROR", "--cache-size", "64M", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._folder.parent)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self._process.poll() is None, "the server has ended"
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it stand still."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it in good order."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def mongo_server(folder: Path, *options: str) -> Iterator[MongoServer]:
    """Run a server as long as the block does."""
    server = MongoServer(folder / "mongodb", *options)
    try:
        yield server
    finally:
        server.close()

"""Database servers of the tests' own: each in a folder that vanishes, on a port of its own, ended with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sessile import StoreRefused, StoreUnavailable
from sessile.testing.conformance import ask
from tests.processes import finish, start_together

REMEDY = "run: sh tests/install.sh"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str, *folders: str) -> str:
    """Return the path of a program. Debian keeps those of servers where no shell looks."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *folders)))
    assert found, f"{name} is missing: {REMEDY}"
    return found


class Database:
    """A server that can be killed and started again. What is particular to a kind of it, a subclass gives."""

    user: str
    #: How it is told to end quickly.
    stop = signal.SIGQUIT

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sessile-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # Servers refuse to run as root.
        self._as = {"user": self.user, "group": self.user, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._as:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    def prepare(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=self.folder, **self._as)

    def start(self) -> None:
        """Start it, and wait until it answers. What was killed may hold its files for another moment."""
        deadline = time.monotonic() + 60
        while True:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, **self._as
                )
            while self.process.poll() is None:
                if self.answers():
                    return
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def close(self) -> None:
        self.end(self.stop)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Database):
    user = "postgres"

    def prepare(self) -> None:
        versions = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
        self._server = program("postgres", *versions)
        initdb = Path(self._server).with_name("initdb")
        self.run(
            str(initdb), "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
        )

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": "UTC",
            "fsync": "off",
            "max_connections": 100,
        }
        return [
            self._server,
            "-D",
            "data",
            *(word for item in settings.items() for word in ("-c", "{}={}".format(*item))),
        ]

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, port: int | None = None, more: str = "") -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres{more}"


class Mariadb(Database):
    user = "mysql"
    stop = signal.SIGKILL

    def prepare(self) -> None:
        self._server = program("mariadbd")
        self.run(
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-name-resolve",
        )

    def command(self) -> list[str]:
        folder = self.folder
        return [
            self._server,
            "--no-defaults",
            f"--datadir={folder}/data",
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--skip-innodb-doublewrite",
            "--innodb-buffer-pool-size=32M",
        ]

    def answers(self) -> bool:
        try:
            self.connect().close()
        except Exception:
            return False
        return True

    def connect(self) -> Any:
        import pymysql

        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database="test", autocommit=True)

    def url(self, port: int | None = None, more: str = "") -> str:
        return f"mysql://root@127.0.0.1:{port or self.port}/test{more}"


AT_ONCE = """
import asyncio, sys, time
from sessile import stores
url, name = sys.argv[1:]
store = stores.from_url(url, time.time)
print("ready", flush=True)
sys.stdin.readline()
assert store.create(name, b"{}", 60) is True
async def main():
    other = store.asynchronous()
    assert (await other.load(name)).payload == b"{}"
    await other.close()
asyncio.run(main())
store.close()
"""


def eight_at_once(url: str) -> None:
    """Let eight processes create a session each at the same moment, and read it under asyncio."""
    finish(start_together(AT_ONCE, *([url, f"sid{number}"] for number in range(8))))


async def reach(call: Callable[[], Any], refused: bool = False) -> Any:
    """Return what ``call`` answers once no connection is in its way that was killed, or if ``refused``, refuses."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return await ask(call())
        except StoreUnavailable as error:
            if isinstance(error, StoreRefused) and not refused:
                raise
            assert time.monotonic() < deadline

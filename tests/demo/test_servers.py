# Real processes: the command as a user starts it, three servers, a visitor, SIGKILL, Ctrl-C.
"""The shop on several servers at once"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sessile.demo import fleet as many
from sessile.demo import server
from sessile.errors import InvalidOption, SessionError
from tests.demo.conftest import shown
from tests.stores.mongo_server import mongo_server
from tests.stores.redis_servers import started
from tests.waiting import wait_for

DOCUMENTED = Path(__file__).parents[2] / "docs/how-to/several-servers.md"
SESSILE = Path(sys.executable).with_name("sessile")


@dataclass
class Fleet:
    """A demonstration that runs."""

    process: subprocess.Popen[str]
    url: str
    pids: list[int]
    ports: list[int]
    answered: list[str] = field(default_factory=list)

    def visit(self, visitor: httpx.Client, path: str = "/cart", **form: str) -> str:
        """Get a page, or post a form, and note which server the page came from."""
        response = visitor.post(path, data=form) if form else visitor.get(path)
        assert response.status_code == 200, response.text
        self.answered.append(shown(response.text, "server"))
        return response.text

    def lines(self) -> str:
        """Return what else was printed, when it is over."""
        return self.process.communicate(timeout=20)[0]


@contextmanager
def fleet(folder: Path, store: str = "") -> Iterator[Fleet]:
    """Start three servers, and stop them."""
    command = [str(SESSILE), "demo", "--port", "0", "--folder", str(folder), "--servers", "3"]
    # An argument can be seen by everybody on the machine, so a URL with a password comes by the environment.
    env = {**os.environ, **({"SESSILE_DEMO_STORE": store} if store else {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("The shop is open: "), first
            rest = [process.stdout.readline() for _ in range(5)]
            servers = re.findall(r"  process (\d+)  http://127.0.0.1:(\d+)\n", "".join(rest))
            pids, ports = ([int(server[at]) for server in servers] for at in (0, 1))
            yield Fleet(process, first.split()[4], pids, ports)
        finally:
            process.kill()


def listens(port: int) -> bool:
    """Tell whether somebody listens. The last thread of a process that was killed closes what it had open."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def is_gone(pid: int) -> bool:
    """Tell whether there is no such process any more. One that its parent has not looked at yet is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(params=["sqlite", "redis", "mongodb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of the store; "" for the file in the folder."""
    if request.param == "sqlite":
        yield ""
    elif request.param == "mongodb":
        with mongo_server(tmp_path) as server:
            yield server.url("shop")
    else:
        with started() as server:
            # This user may come with any password.
            yield f"redis://default:se%2Fcr%40t@127.0.0.1:{server.port}/0?prefix=shop:"


def test_nobody_notices_which_server_answers_nor_that_one_is_killed(tmp_path: Path, store: str) -> None:
    """Log-in and cart survive that each request is answered by another process, and that one of them dies."""
    with fleet(tmp_path / "shop", store) as shop, httpx.Client(base_url=shop.url, follow_redirects=True) as visitor:
        assert len(set(shop.pids)) == 3
        shop.visit(visitor, "/signup", name="Grace", password="a fine password")
        for _ in range(3):
            page = shop.visit(visitor, "/cart", slug="trefoil")
        pages = [shop.visit(visitor) for _ in range(3)]
        assert {(shown(page, "visitor"), shown(page, "cart-count")) for page in pages} == {("Grace", "3")}
        assert {f"server {number} of 3, process {pid}" for number, pid in enumerate(shop.pids, 1)} == set(shop.answered)
        # Where the store is, and not how to get in.
        scheme = urlsplit(store).scheme if store else "sqlite"
        assert f"<code>{scheme}://{'127.0.0.1:' if store else '/'}" in page
        assert "se%2F" not in page

        os.kill(shop.pids[1], signal.SIGKILL)
        wait_for(lambda: is_gone(shop.pids[1]) and not listens(shop.ports[1]))
        shop.answered.clear()
        for number in range(4, 10):
            page = shop.visit(visitor, "/cart", slug="trefoil")
            assert (shown(page, "visitor"), shown(page, "cart-count")) == ("Grace", str(number))
        assert set(shop.answered) == {f"server {number} of 3, process {shop.pids[number - 1]}" for number in (1, 3)}
        assert "This one" in shop.visit(visitor, "/devices")

        # While a connection is open that has asked for nothing yet, as browsers keep one in store.
        with socket.create_connection(("127.0.0.1", int(shop.url.rpartition(":")[2]))):
            shop.visit(visitor)
            os.kill(shop.process.pid, signal.SIGINT)
            assert shop.lines() == f"Process {shop.pids[1]} has ended. It is not started again; the others go on.\n"
        assert shop.process.returncode == 0
        assert all(map(is_gone, shop.pids))


@contextmanager
def nginx(folder: Path, ports: list[int]) -> Iterator[str]:
    """Start nginx as docs/how-to/several-servers.md has it, in front of ``ports``. Gives the path of its socket."""
    documented = re.search(r"```nginx\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)
    assert documented is not None
    sites = documented[1].replace("listen 8000;", f"listen unix:{folder}/nginx.sock;")
    for number, port in enumerate(ports, 1):
        sites = sites.replace(f"127.0.0.1:800{number};", f"127.0.0.1:{port};")
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{sites}}}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with subprocess.Popen([program, "-e", str(folder / "error.log"), "-c", str(file)]) as process:
        try:
            wait_for((folder / "nginx.sock").exists, "nginx does not start")
            yield str(folder / "nginx.sock")
        finally:
            process.kill()


def test_the_nginx_of_the_documentation(tmp_path: Path) -> None:
    """In front of the same servers, as a real site would have it: one is killed, and what was being done goes on."""
    with fleet(tmp_path / "shop") as shop, nginx(tmp_path, shop.ports) as path:
        transport = httpx.HTTPTransport(uds=path)
        with httpx.Client(base_url="http://shop.test", transport=transport, follow_redirects=True) as visitor:
            shop.visit(visitor, "/signup", name="Grace", password="a fine password")
            for number in range(1, 10):
                if number == 5:
                    os.kill(shop.pids[0], signal.SIGKILL)
                    wait_for(lambda: is_gone(shop.pids[0]) and not listens(shop.ports[0]))
                page = shop.visit(visitor, "/cart", slug="trefoil")
                assert (shown(page, "visitor"), shown(page, "cart-count")) == ("Grace", str(number))
            assert {f"server {number} of 3, process {pid}" for number, pid in enumerate(shop.pids, 1)} == set(
                shop.answered
            )

        # Without any server left there is nothing to wait for.
        for pid in shop.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        assert shop.lines().endswith("sessile: no server is left\n")
        assert shop.process.returncode == 1


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The servers end with the process that started them, though that was killed."""
    with fleet(tmp_path / "shop") as shop:
        os.kill(shop.process.pid, signal.SIGKILL)
        wait_for(lambda: all(map(is_gone, shop.pids)))


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("cookie://", "a CookieStore cannot tell the devices of a user"),
        ("redis://127.0.0.1:1", "redis://127.0.0.1:1 does not answer"),
        ("nowhere://", "no store has the scheme"),
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_store_that_will_not_do_is_told_at_once(tmp_path: Path, store: str, words: str, several: bool) -> None:
    """Before anything is served."""
    with pytest.raises(SessionError, match=words):
        if several:
            many.serve(tmp_path, "127.0.0.1", 0, pytest.fail, store, servers=2, say=pytest.fail)
        else:
            server.serve(tmp_path, "127.0.0.1", 0, pytest.fail, store)


def test_several_processes_share_no_memory(tmp_path: Path) -> None:
    """Which is told at once, too."""
    with pytest.raises(InvalidOption, match="several processes share no memory"):
        many.serve(tmp_path, "127.0.0.1", 0, pytest.fail, "memory://", servers=2, say=pytest.fail)

"""sessile ls"""

from __future__ import annotations

import gc
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pytest

from sessile import Record, Session
from sessile._records.record import Contents, encode
from sessile.cli.handle import Summary
from sessile.stores.memory import MemoryStore
from tests.cli.conftest import APP, Run, Shop
from tests.conftest import Clock

SESSILE = Path(sys.executable).with_name("sessile")


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Zoe has two sessions, 7 one, and there is a stranger; the later, the younger, ten minutes apart."""
    for user in ("zoe", 7, None, "zoe"):
        shop.visit(user, cart="bread")
        shop.clock.advance(600)
    return shop


def users(run: Run, *arguments: str) -> list[str]:
    return [row[1] for row in run("ls", *arguments, *APP).rows]


def test_the_one_used_last_stands_first(run: Run, busy: Shop) -> None:
    """The order is that of a list of a user's sessions."""
    assert users(run) == ["zoe", "-", "7", "zoe"]


def test_times_are_relative_in_the_table(run: Run, busy: Shop) -> None:
    """People read how long ago, and in how long."""
    first = run("ls", *APP).rows[0]
    assert first[1:-2] == ["zoe", "10m", "ago", "10m", "ago", "in", "1d"]


def test_times_are_iso_in_json(run: Run, busy: Shop) -> None:
    """Programs read ISO 8601, one object a line; no id and no data."""
    first = run("ls", "--json", *APP).objects[0]
    assert first.pop("handle").isalnum()
    assert first == {
        "user": "zoe",
        "created_at": "2023-11-14T22:43:20.000Z",
        "logged_in_at": "2023-11-14T22:43:20.000Z",
        "last_seen": "2023-11-14T22:43:20.000Z",
        "expires_at": "2023-11-15T22:43:20.000Z",
        "size": first["size"],
    }


def test_the_size_is_that_of_the_record(run: Run, busy: Shop) -> None:
    """The size is in bytes, of the record as JSON."""
    sizes = {len(record.payload) for _, record in busy.sessions.store.all()}
    assert {row["size"] for row in run("ls", "--json", *APP).objects} == sizes


@pytest.mark.parametrize("user", ["zoe", "7"])
@pytest.mark.parametrize("indexed", [True, False])
def test_the_sessions_of_a_user_are_found(run: Run, new_shop: Callable[..., Shop], user: str, indexed: bool) -> None:
    """--user finds a user whose id is text, or a number, with an index and without."""
    shop = new_shop(index_users=indexed)
    for each in ("zoe", 7, None):
        shop.visit(each, a=1)
    assert users(run, "--user", user) == [user]
    assert run("ls", "--user", "nobody", *APP).err == "No sessions.\n"


def test_a_user_is_looked_up_in_the_index(run: Run, new_shop: Callable[..., Shop], clock: Clock) -> None:
    """--user reads the sessions of that user, and does not list the store."""

    class Unlisted(MemoryStore):
        def all(self) -> Iterator[tuple[str, Record]]:
            raise AssertionError("listed")

    shop = new_shop(store=Unlisted(clock=clock))
    shop.visit("zoe")
    assert users(run, "--user", "zoe") == ["zoe"]


def test_a_store_alone_may_have_no_index(run: Run, new_shop: Callable[..., Shop], tmp_path: Path) -> None:
    """With --store nobody knows whether the program keeps the index, so an empty one is not believed."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    shop = new_shop(store=url, index_users=False)
    shop.visit("zoe")
    assert [row["user"] for row in run("ls", "--user", "zoe", "--json", "--store", url).objects] == ["zoe"]


def test_filters_by_time_and_user(run: Run, busy: Shop) -> None:
    """--anonymous, --since and --idle leave out what does not fit, and join."""
    assert users(run, "--anonymous") == ["-"]
    assert users(run, "--since", "20m") == ["zoe", "-"]
    assert users(run, "--idle", "30m") == ["7", "zoe"]
    assert users(run, "--idle", "15m", "--since", "0.5h") == ["-", "7"]
    assert users(run, "--user", "zoe", "--idle", "20m") == ["zoe"]


@pytest.mark.parametrize("length", ["", "5", "m", "5x", "-5m", "5 m"])
def test_what_is_no_length_of_time_is_refused(run: Run, shop: Shop, length: str) -> None:
    """The error names what was given, and shows what can be."""
    done = run("ls", "--since", length, *APP)
    assert done.code == 2
    assert "30m" in done.err


def test_pages(run: Run, busy: Shop) -> None:
    """--limit is the size of a page, and what comes after it is said where no program reads it."""
    assert users(run, "--limit", "3") == ["zoe", "-", "7"]
    assert "--page 2" in run("ls", "--limit", "3", *APP).err
    last = run("ls", "--limit", "3", "--page", "2", *APP)
    assert [row[1] for row in last.rows] == ["zoe"]
    assert last.err == ""
    assert run("ls", "--limit", "3", "--page", "9", *APP).err == "No sessions.\n"
    assert len(run("ls", "--limit", "0", *APP).rows) == 4
    assert len(run("ls", "--limit", "3", "--json", *APP).objects) == 3


def test_hashed_ids_have_the_handle_that_the_store_alone_shows(
    run: Run, new_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    """A handle is made of what stands in the store, so it is the same by --app and by --store."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    shop = new_shop(store=url, hash_ids=True)
    cookie = shop.visit("zoe")
    (one,) = run("ls", "--json", *APP).objects
    (other,) = run("ls", "--json", "--store", url).objects
    assert one["handle"] == other["handle"]
    assert run("show", shop.session(cookie).id, "--json", *APP).objects[0]["handle"] == one["handle"]
    assert run("revoke", one["handle"], "--yes", *APP).code == 0
    assert not shop.lives(cookie)


@pytest.mark.parametrize("width", [60, 120])
def test_the_table_fits_the_window(run: Run, shop: Shop, width: int) -> None:
    """A long user is cut short, and nothing else."""
    shop.visit("somebody-with-a-long-name@a-long-domain.example.com" * 2)
    done = run("ls", *APP, COLUMNS=str(width))
    assert all(len(line) <= width for line in done.out.splitlines())
    row = done.rows[0]
    assert re.fullmatch(r"[0-9a-f]{12}", row[0])
    assert row[1].startswith("somebody")
    assert row[1].endswith("…")
    assert row[2:-2] == ["now", "now", "in", "1d"]


def test_in_a_pipe_nothing_is_cut_or_coloured(run: Run, shop: Shop) -> None:
    """What another program reads is whole, and plain."""
    user = "somebody-with-a-long-name@a-long-domain.example.com" * 2
    shop.visit(user)
    done = run("ls", *APP)
    assert user in done.out
    assert "\x1b" not in done.out


def test_a_user_cannot_move_the_cursor(run: Run, shop: Shop) -> None:
    """What visitors typed is shown, and neither obeyed by the terminal nor taken for markup."""
    shop.visit("[red]zoe\x1b[2J\n")
    (row,) = run("ls", *APP).rows
    assert row[1] == r"[red]zoe\x1b[2J\n"


def test_a_name_that_cannot_be_printed_is_no_reason_to_stop(run: Run, shop: Shop) -> None:
    """Node may have stored half of a pair of surrogates."""
    shop.visit("zo\ud800")
    assert run("ls", *APP).rows[0][1] == r"zo\ud800"
    assert run("ls", "--json", *APP).objects[0]["user"] == "zo\ud800"


def test_on_a_terminal_the_table_has_its_width_and_colours(tmp_path: Path) -> None:
    """The installed command, in a window of 60 columns."""
    (tmp_path / "shop.py").write_text(
        "from sessile import RequestFacts, Sessions\n"
        "sessions = Sessions(secret='a secret of our own, not too short', store='sqlite:///s.db')\n"
        "session = sessions.engine.begin_sync(b'', RequestFacts)\n"
        "session.login('somebody-with-a-long-name@a-long-domain.example.com')\n"
        "sessions.engine.commit_sync(session)\n"
    )
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [SESSILE, "ls", *APP], stdout=theirs, stdin=theirs, cwd=tmp_path, env={**environment, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so when nobody writes any more.
                part = b""
            if not part:
                break
            seen += part
        assert process.wait(timeout=30) == 0
    os.close(ours)
    assert b"\x1b[" in seen
    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).splitlines()
    assert len(lines) == 2
    assert all(len(line) <= 60 for line in lines)
    assert "…" in lines[1]


def sessions_in_memory() -> int:
    """Return how many sessions and summaries of them somebody holds."""
    gc.collect()
    return sum(issubclass(type(each), (Session, Summary)) for each in gc.get_objects())


class Endless:
    """A store that makes its records up while they are read, and looks in the end what is left of them."""

    def __init__(self, clock: Clock, number: int) -> None:
        memory = MemoryStore(clock=clock)
        self.load, self.create, self.replace = memory.load, memory.create, memory.replace
        self.touch, self.delete = memory.touch, memory.delete
        self._clock, self._number = clock, number
        self.kept = 0

    def all(self) -> Iterator[tuple[str, Record]]:
        before = sessions_in_memory()  # Other tests of this process may have left some.
        for each in range(self._number):
            system = {"user": f"user {each}", "created": self._clock()}
            yield f"sid {each}", Record(encode(Contents({"n": each}, None, system)), self._clock() + 1000 + each)
        self.kept = sessions_in_memory() - before

    def count(self) -> int:
        return self._number

    def clear(self) -> None:
        pass


@pytest.mark.parametrize("command", [("ls", "--limit", "20"), ("ls", "--limit", "0", "--json"), ("stats",), ("watch",)])
def test_memory_does_not_grow_with_the_store(
    run: Run, new_shop: Callable[..., Shop], clock: Clock, command: tuple[str, ...]
) -> None:
    """Of many sessions a list with a limit keeps no more than that, and all else none."""
    store = Endless(clock, 2000)
    new_shop(store=store)
    gc.collect()
    done = run(*command, *(["--once"] if command == ("watch",) else []), *APP)
    assert done.code == 0
    assert store.kept <= 25


def test_records_that_cannot_be_read_are_told(run: Run, new_shop: Callable[..., Shop], tmp_path: Path) -> None:
    """A store whose codec only the program knows does not look empty."""
    pytest.importorskip("cryptography")
    from sessile.codecs import Encrypted

    url = f"sqlite:///{tmp_path}/sessions.db"
    shop = new_shop(store=url, codec=Encrypted("another secret that is long enough"))
    shop.visit("zoe")
    done = run("ls", "--store", url)
    assert "1 records cannot be read" in done.err
    assert "--app" in done.err
    assert run("ls", *APP).rows[0][1] == "zoe"

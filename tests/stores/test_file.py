"""The file store."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, StoreUnavailable, stores
from sessile.stores.base import Missing, Replaced
from sessile.stores.file import FileStore
from sessile.stores.file import folder as file_folder
from sessile.testing import FrozenClock, StoreConformance
from sessile.testing.conformance import HOSTILE_SIDS
from tests.processes import finish, start_together
from tests.stores.beside import NODE, BesideNode, Node, Ours, node_site, sid_of
from tests.waiting import wait_for


class TestFile(StoreConformance):
    """The contract, for synchronous callers."""

    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> FileStore:
        return FileStore(tmp_path / "sessions", clock=clock)


class TestFileUnderAsyncio(TestFile):
    """The contract, for asyncio."""

    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> Any:
        return FileStore(tmp_path / "sessions", clock=clock).asynchronous()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def store(folder: Path, clock: FrozenClock) -> FileStore:
    return FileStore(folder, clock=clock)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder, as another process would."""
    lock = os.open(folder / ".sessile.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def let_prune() -> None:
    """Wait for what is done in the background, if anything is."""
    for thread in threading.enumerate():
        if thread.name == "sessile-prune":
            thread.join(30)


def run(code: str, *arguments: object, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, **more
    )


# Beside Node ----------------------------------------------------------------------------------------------------------


@dataclass
class FilesNode(Node):
    """A site of session-file-store, and the folder of its sessions."""

    folder: Path

    def content(self, cookie: str) -> Any:
        return json.loads(self.file(cookie).read_bytes())

    def file(self, cookie: str) -> Path:
        return self.folder / f"{sid_of(cookie)}.json"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilesNode]:
    folder = tmp_path_factory.mktemp("node") / "sessions"
    with node_site("file-store.js", str(folder), "86400") as node:
        yield FilesNode(node.url, folder)


@pytest.fixture
def ours(node: FilesNode) -> Ours:
    """A site of ours with Node's folder, by the true time."""
    return Ours(FileStore(node.folder, ttl=86_400), ttl=86_400)


class TestBesideNode(BesideNode):
    """Of session-file-store."""

    async def test_what_one_ends_the_other_does_not_find(self, node: FilesNode, ours: Ours) -> None:
        """And the file is gone."""
        await super().test_what_one_ends_the_other_does_not_find(node, ours)
        assert not node.file(ours.cookie).exists()


async def test_what_node_reckons_with_is_no_part_of_the_session(node: FilesNode, ours: Ours) -> None:
    """Node shows it as a key, and we keep it to ourselves: always the last one of those that we write."""
    await ours.visit(lambda session: session.update(name="Zoë"))
    seen, _ = node.get(ours.cookie, set='{"node":"Größe"}')
    assert "__lastAccess" in seen
    assert list(node.content(ours.cookie))[-2:] == ["__lastAccess", "node"], "what Node adds stands behind"
    assert await ours.visit(lambda session: session.pop("name")) == "Zoë"
    assert list(node.content(ours.cookie))[-1] == "__lastAccess"
    assert await ours.visit() == {"node": "Größe"}


def test_a_touch_is_seen_on_the_other_side(node: FilesNode) -> None:
    """Node touches at every visit; we rewrite the time, and nothing else of the file."""
    _, cookie = node.get(None, set='{"a":1}')
    assert cookie is not None
    sid = node.file(cookie).stem
    store = FileStore(node.folder, ttl=86_400)
    before = node.content(cookie)
    end = store.load(sid).expires_at
    assert end == (before["__lastAccess"] + 86_400_000) / 1000
    assert store.touch(sid, 90_000) is True
    after = node.content(cookie)
    assert after.pop("__lastAccess") - before.pop("__lastAccess") == pytest.approx(3_600_000, abs=60_000)
    assert after == before
    node.get(cookie)
    assert abs(store.load(sid).expires_at - end) < 60, "Node's touch counts from now"


@pytest.mark.parametrize("max_age", [None, 600], ids=["no end", "an end"])
@pytest.mark.parametrize("left", [-5, 60])
def test_node_ends_what_we_end(node: FilesNode, max_age: int | None, left: int) -> None:
    """Our end may come earlier or later than the life that the cookie names: what is written says so."""
    store = FileStore(node.folder, ttl=86_400, clock=lambda: time.time() - 1000)
    sid = f"ends-{max_age}-{left}"
    age = "null" if max_age is None else f"{max_age * 1000}"
    store.create(sid, b'{"cookie":{"originalMaxAge":%b,"path":"/"},"a":1}' % age.encode(), 1000 + left)
    code = "const s = require('express-session'), F = require('session-file-store')(s);"
    code += "new F({path: process.argv[1], ttl: 86400, retries: 0, logFn() {}}).get(process.argv[2], (e, r) => console.log(r ? r.a : r))"
    command = ["node", "-e", code, str(node.folder), sid]
    answer = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=True).stdout
    assert answer == ("1\n" if left > 0 else "null\n")


def test_we_end_what_node_ends(node: FilesNode) -> None:
    """A minute's session of Node's is over after a minute."""
    _, cookie = node.get(None, set='{"a":1}', maxAge="60000")
    assert cookie is not None
    last = node.content(cookie)["__lastAccess"] / 1000
    clock = FrozenClock(last + 59.9)
    store = FileStore(node.folder, ttl=86_400, clock=clock)
    assert store.load(node.file(cookie).stem) is not None
    clock.advance(0.2)
    assert store.load(node.file(cookie).stem) is None


async def test_node_keeps_our_file_to_its_owner(node: FilesNode, ours: Ours) -> None:
    """Node writes with the mode that it finds."""
    await ours.visit(lambda session: session.update(a=1))
    node.get(ours.cookie, set='{"b":2}')
    assert stat.S_IMODE(node.file(ours.cookie).stat().st_mode) == 0o600


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "ttl", "end"),
    [
        (1_700_000_000.0, 60, 1_700_000_060.0),
        (1_700_000_000.137, 596.854, 1_700_000_596.991),
        (1_700_000_000.0004, 60, 1_700_000_060.001),
        (1_700_000_000.0, 0.0001, 1_700_000_000.001),
        (1_700_000_000.0, 1e300, 2**53 / 1000),
        (1_700_000_000.0, float("inf"), 2**53 / 1000),
    ],
)
def test_an_end_is_a_whole_millisecond(folder: Path, now: float, ttl: float, end: float) -> None:
    """As Node counts them: never sooner than asked for, and no later than the next one."""
    store = FileStore(folder, clock=FrozenClock(now))
    store.create("a", b"{}", ttl)
    assert store.load("a").expires_at == end


@pytest.mark.parametrize("now", [1_700_000_000.0, 1_700_000_000.0004, 1_700_000_000.9996])
def test_no_life_is_no_life(folder: Path, now: float) -> None:
    """Not for the rest of a millisecond either."""
    store = FileStore(folder, clock=FrozenClock(now))
    store.create("a", b"{}", 0)
    assert store.load("a") is None


# The folder -----------------------------------------------------------------------------------------------------------


def test_the_files_are_their_owners_alone(store: FileStore, folder: Path) -> None:
    """Sessions are nobody else's to read, whatever the umask."""
    before = os.umask(0)
    try:
        store.create("a", b"{}", 60)
        FileStore(folder / "inner").create("b", b"{}", 60)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "inner").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()} == {0o600}


def test_a_folder_that_is_there_stays_as_it_is(folder: Path) -> None:
    """Its mode is its owner's business."""
    folder.mkdir(0o750)
    FileStore(folder).create("a", b"{}", 60)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_strange_id_leads_to_no_other_place(store: FileStore, folder: Path) -> None:
    """Whatever it is, there is one file for it, in the folder."""
    around = set(folder.parent.iterdir())
    for number, sid in enumerate(HOSTILE_SIDS.values(), 1):
        store.create(sid, b"{}", 60)
        assert len(list(folder.glob("*.json"))) == number
    assert set(folder.parent.iterdir()) == around | {folder}
    assert {file.parent for file in folder.rglob("*")} == {folder}


def spoil_with_a_directory(path: Path) -> None:
    path.mkdir()


def spoil_with_a_pipe(path: Path) -> None:
    os.mkfifo(path)


def spoil_with_a_dead_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_with_a_directory,
        spoil_with_a_pipe,
        spoil_with_a_dead_link,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\xfe{"),
        lambda path: path.write_bytes(b'{"cookie":{"originalMa'),
        lambda path: path.write_bytes(b'{"cookie":{}}'),
    ],
)
def test_what_is_no_record_harms_nobody(store: FileStore, folder: Path, spoil: Callable[[Path], None]) -> None:
    """It is no session, and the others are served."""
    store.create("good", b"{}", 60)
    spoil(folder / "a.json")
    assert store.load("a") is None
    assert store.touch("a", 60) is False
    assert store.replace("a", b"z", 60, b"y") == Missing()
    assert [sid for sid, _ in store.all()] == ["good"]
    assert store.count() == 1
    assert store.prune() == 0
    assert store.delete("a") is False
    if spoil is not spoil_with_a_directory:
        assert store.create("a", b"{}", 60) is True
    store.clear()
    assert store.load("good") is None


def test_clear_leaves_what_is_not_ours(store: FileStore, folder: Path) -> None:
    """Only records go, and what a killed process has left."""
    store.create("a", b"{}", 60)
    store.create("../b", b"x", 60)
    others = ["package.json", "notes.txt", "package-lock.json", "a.json.1234", "a b.json"]
    for name in others:
        (folder / name).write_text('{"name":"x"}')
    (folder / ".sessile.tmp").write_text("{")
    store.clear()
    assert sorted(file.name for file in folder.iterdir()) == sorted([".sessile.lock", *others])


def test_what_is_prolonged_at_the_last_moment_stays(
    store: FileStore, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pruning looks a second time, alone."""
    store.create("a", b'{"a":1}', 10)
    clock.advance(10)
    read = store._folder.read

    def read_then_prolong(name: str) -> bytes | None:
        monkeypatch.undo()
        content = read(name)
        assert store.create("a", b'{"a":2}', 60) is True
        return content

    monkeypatch.setattr(store._folder, "read", read_then_prolong)
    assert store.prune() == 0
    assert store.load("a").payload == b'{"a":2}'


def test_expired_files_are_removed_in_passing(store: FileStore, folder: Path, clock: FrozenClock) -> None:
    """In the background, by whoever creates a session when it is due."""
    for number in range(20):
        store.create(f"old{number}", b"{}", 10)
    clock.advance(3599)
    store.create("a", b"{}", 600)
    let_prune()
    assert len(list(folder.glob("*.json"))) == 21
    clock.advance(1)
    store.create("b", b"{}", 600)
    wait_for(lambda: len(list(folder.glob("*.json"))) == 2)


async def test_and_under_asyncio_too(folder: Path, clock: FrozenClock) -> None:
    """Without the event loop."""
    store = FileStore(folder, prune_every=60, clock=clock).asynchronous()
    store.create("old", b"{}", 10)
    clock.advance(60)
    answer = store.create("a", b"{}", 600)
    assert answer is True or await answer
    wait_for(lambda: not (folder / "old.json").exists())


def test_pruning_can_be_left_to_somebody_else(folder: Path, clock: FrozenClock) -> None:
    """With prune_every=None."""
    store = FileStore(folder, prune_every=None, clock=clock)
    store.create("old", b"{}", 10)
    clock.advance(1e6)
    store.create("a", b"{}", 60)
    let_prune()
    assert store.prune() == 1


# Locks and processes --------------------------------------------------------------------------------------------------


async def test_a_lock_that_is_held_never_stalls_the_event_loop(store: FileStore, folder: Path) -> None:
    """The write waits while everything else goes on; readers do not wait at all."""
    under_asyncio = store.asynchronous()
    assert under_asyncio.create("a", b"x", 60) is True
    with locked(folder):
        write = asyncio.ensure_future(under_asyncio.replace("a", b"y", 60, b"x"))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not write.done()
        assert under_asyncio.load("a").payload == b"x"
    assert await write == Replaced()


async def test_a_lock_that_stays_is_an_outage(folder: Path) -> None:
    """After `timeout` seconds, in both colours; and no longer than it stays."""
    store = FileStore(folder, timeout=0.05)
    store.create("a", b"x", 60)
    with locked(folder):
        with pytest.raises(StoreUnavailable) as caught:
            store.touch("a", 60)
        assert isinstance(caught.value.__cause__, TimeoutError)
        with pytest.raises(StoreUnavailable):
            await store.asynchronous().touch("a", 60)
        assert store.load("a") is not None
    assert store.touch("a", 60) is True


async def test_who_does_not_wait_any_more_leaves_no_lock(store: FileStore, folder: Path) -> None:
    """A request that was cancelled."""
    with locked(folder):
        write = asyncio.ensure_future(store.asynchronous().create("a", b"x", 60))
        await asyncio.sleep(0.005)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
    assert store.load("a") is None
    assert store.create("a", b"y", 60) is True


COUNT = """
import json, sys
from sessile.stores.base import Replaced
from sessile.stores.file import FileStore
store = FileStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    current = store.load("counter").payload
    while True:
        answer = store.replace("counter", b'{"n":%d}' % (json.loads(current)["n"] + 1), 600, current)
        if answer == Replaced():
            break
        current = answer.current
"""


def test_no_increment_of_several_processes_is_lost(folder: Path) -> None:
    """Four processes count to 100 each."""
    store = FileStore(folder)
    store.create("counter", b'{"n":0}', 600)
    finish(start_together(COUNT, *[[folder]] * 4))
    assert store.load("counter").payload == b'{"n":400}'


STOP = """
import os, sys, time
from sessile.stores.file import FileStore
def stop(*names):
    print("written", flush=True)
    time.sleep(600)
os.replace = stop
FileStore(sys.argv[1]).replace("a", b'{"secret":1}', 600, b'{"a":1}')
"""


def test_a_process_that_is_killed_loses_nothing(folder: Path) -> None:
    """Between the new file and its name, with the lock in its hands."""
    store = FileStore(folder)
    store.create("a", b'{"a":1}', 600)
    with run(STOP, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        assert (folder / ".sessile.tmp").exists()
        process.send_signal(signal.SIGKILL)
    assert store.load("a").payload == b'{"a":1}'
    assert store.count() == 1
    assert store.replace("a", b'{"a":2}', 600, b'{"a":1}') == Replaced()
    assert store.load("a").payload == b'{"a":2}'
    assert sorted(file.name for file in folder.iterdir()) == [".sessile.lock", "a.json"]


def test_a_lock_that_was_removed_is_no_lock(store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder was emptied in the moment between opening it and locking it: somebody may hold a new one."""
    lock, flock = folder / ".sessile.lock", fcntl.flock

    def remove_and_lock(*arguments: Any) -> None:
        monkeypatch.undo()
        lock.unlink()
        flock(*arguments)

    monkeypatch.setattr(file_folder.fcntl, "flock", remove_and_lock)
    assert store.create("a", b"x", 60) is True
    assert lock.exists()


FORK = """
import os, sys, time
from sessile.stores.file import FileStore
store = FileStore(sys.argv[1], timeout=2)
write, children = store._folder.write, []
def fork_and_write(*arguments):
    child = os.fork()
    if child == 0:
        time.sleep(600)
    children.append(child)
    write(*arguments)
store._folder.write = fork_and_write
store.create("a", b"x", 600)
store._folder.write = write
print(store.create("b", b"x", 600), flush=True)
os.kill(children[0], 9)
os.waitpid(children[0], 0)
"""


def test_a_forked_child_does_not_keep_the_lock(folder: Path) -> None:
    """Though it was forked while its parent held it."""
    assert run(FORK, folder).communicate(timeout=60)[0] == "True\n"


# Outages --------------------------------------------------------------------------------------------------------------


def test_a_folder_that_vanished_is_made_again(store: FileStore, folder: Path) -> None:
    """Who removes the folder removes the sessions; that is all."""
    store.create("a", b"{}", 60)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert store.load("a") is None
    assert list(store.all()) == []
    assert store.touch("a", 60) is False
    assert store.create("a", b"{}", 60) is True
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_unless_it_cannot(store: FileStore, folder: Path) -> None:
    """The folder around it is gone as well."""
    folder.rmdir()
    (folder.parent.rename(folder.parent.with_name("moved")))
    with pytest.raises(StoreUnavailable):
        store.create("a", b"{}", 60)
    folder.parent.with_name("moved").rename(folder.parent)


async def test_a_file_in_the_place_of_the_folder_is_an_outage(store: FileStore, folder: Path) -> None:
    """Not "no session": nobody is logged out by it. And its text names no session."""
    folder.rmdir()
    folder.write_text("x")
    under_asyncio = store.asynchronous()
    calls: list[Callable[[], Any]] = [
        lambda: store.load("the-sid"),
        lambda: under_asyncio.load("the-sid"),
        lambda: store.create("the-sid", b"{}", 60),
        lambda: under_asyncio.delete("the-sid"),
        lambda: list(store.all()),
        store.count,
        store.clear,
        store.prune,
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert isinstance(caught.value.__cause__, (NotADirectoryError, FileExistsError))
        assert "the-sid" not in f"{caught.value} {caught.value.__cause__}"
    with pytest.raises(StoreUnavailable):
        await under_asyncio.count()


READ_ONLY = """
import os, sys
from sessile import StoreRefused
from sessile.stores.file import FileStore
store = FileStore(sys.argv[1])
print(store.create("a", b"{}", 600))
os.chmod(sys.argv[1], 0o500)
if os.geteuid() == 0:
    for file in os.scandir(sys.argv[1]):
        os.chown(file, 65534, 65534)
    os.chown(sys.argv[1], 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(store.load("a") is not None)
try:
    store.create("b", b"{}", 600)
except StoreRefused as error:
    print(type(error.__cause__).__name__, error)
"""


def test_a_folder_that_may_not_be_written_is_an_outage_for_writers() -> None:
    """Readers are served."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        assert run(READ_ONLY, Path(outer) / "sessions").communicate(timeout=60)[0] == (
            "True\nTrue\nPermissionError FileStore refused create: Permission denied\n"
        )


FULL = """
import asyncio, os, sys
from sessile import StoreRefused
from sessile.stores.file import FileStore
from sessile.testing.conformance import ask

async def main():
    store = FileStore(sys.argv[1] + "/sessions")
    either = store if sys.argv[2] == "sync" else store.asynchronous()
    made = 0
    try:
        while True:
            await ask(either.create(f"sid{made}", b'{"a":"' + b"x" * 30_000 + b'"}', 600))
            made += 1
    except StoreRefused as error:
        assert str(error) == "FileStore refused create: No space left on device", error
    try:
        # The last bytes, too.
        for number in range(10_000):
            with open(f"{sys.argv[1]}/ballast{number}", "wb") as file:
                file.write(b"x" * 4096)
    except OSError:
        pass
    for number in range(made):
        assert await ask(either.load(f"sid{number}")) is not None
        assert await ask(either.delete(f"sid{number}")) is True
        assert await ask(either.load(f"sid{number}")) is None

asyncio.run(main())
"""


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_full_disk_refuses_what_is_new_and_ends_what_is_there(
    on_a_small_disk: Callable[..., None], colour: str
) -> None:
    """Who reads is served, and who logs out is logged out: to remove a file takes no room."""
    on_a_small_disk(FULL, colour)


def test_an_id_whose_place_is_taken_is_an_outage(store: FileStore, folder: Path) -> None:
    """A directory of that name is not removed for a session."""
    (folder / "a.json").mkdir()
    with pytest.raises(StoreUnavailable):
        store.create("a", b"{}", 60)
    assert store.create("b", b"{}", 60) is True


# Options --------------------------------------------------------------------------------------------------------------


def test_the_url_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes: relative; four: absolute. With its options."""
    monkeypatch.chdir(tmp_path)
    relative = stores.from_url("file:///some%20where?ttl=60&timeout=1", FrozenClock())
    relative.create("a", b"{}", 600)
    assert json.loads((tmp_path / "some where" / "a.json").read_text()) == {"__lastAccess": (1_700_000_600 - 60) * 1000}
    monkeypatch.chdir("/")
    absolute = stores.from_url(f"file:///{tmp_path}/some where?ttl=60", FrozenClock())
    assert absolute.load("a") is not None
    assert relative.load("a") is not None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file://", "three slashes"),
        ("file:///", "three slashes"),
        ("file://sessions", "three slashes"),
        ("file:///x?mode=ro", "ttl and timeout"),
        ("file:///x?timeout=soon", "no number of seconds"),
        ("file:///x?timeout=nan", "The default is 5"),
        ("file:///x?ttl=0", "The default is 3600"),
        ("file:///no/such/folder", "four slashes"),
        ("file:///file", "four slashes"),
        ("file:///a%00b", "is no folder"),
    ],
)
def test_a_wrong_url_says_what_to_write(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At construction, with the remedy; nothing has been made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOption, match=message):
        stores.from_url(url, FrozenClock())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "option", [{"ttl": True}, {"ttl": "60"}, {"timeout": 0}, {"prune_every": -1}, {"prune_every": "x"}]
)
def test_a_wrong_option_is_refused(option: Any, folder: Path) -> None:
    """By name."""
    with pytest.raises(InvalidOption) as caught:
        FileStore(folder, **option)
    assert caught.value.option in option


def test_a_system_without_flock_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to use there."""
    monkeypatch.setattr(file_folder, "fcntl", None)
    with pytest.raises(InvalidOption, match="sqlite:///"):
        FileStore(folder)


def test_its_repr_names_the_folder(store: FileStore) -> None:
    """And no session."""
    store.create("the-sid", b"{}", 60)
    assert repr(store) == "<FileStore sessions>"

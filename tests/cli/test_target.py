"""Which sessions a command works on"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import bottle
import fastapi
import flask
import litestar
import pytest
import quart

import sessile.asgi
import sessile.bottle
import sessile.fastapi
import sessile.flask
import sessile.litestar
import sessile.quart
import sessile.wsgi
from sessile import Sessions
from sessile.stores import place_of
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.cli.conftest import APP, Run, Shop
from tests.conftest import SECRET, Clock


def refused(run: Run, *arguments: str, code: int = 1, **environment: str) -> str:
    """Return what a command says that fails in one line, with this exit code."""
    done = run(*arguments, **environment)
    assert done.code == code
    assert done.err.startswith("sessile: ")
    assert done.err.count("\n") == 1
    assert done.out == ""
    return done.err


def test_without_a_target_the_line_says_how_to_give_one(run: Run) -> None:
    """Neither --app nor --store: the error names both, and their variables."""
    line = refused(run, "ls", code=2)
    for name in ("--app", "--store", "SESSILE_APP", "SESSILE_STORE"):
        assert name in line


def test_both_targets_at_once_are_refused(run: Run, shop: Shop) -> None:
    """With both it could only be guessed which is meant."""
    assert "Leave one of them out" in refused(run, "ls", *APP, code=2, SESSILE_STORE="memory://")


def test_the_environment_names_the_program(run: Run, shop: Shop) -> None:
    """SESSILE_APP does what --app does."""
    shop.visit("zoe")
    assert run("ls", SESSILE_APP="shop:sessions").rows[0][1] == "zoe"


@pytest.mark.parametrize("name", ["make", "site.sessions"])
def test_a_function_and_an_attribute_of_an_object_are_found(run: Run, shop: Shop, name: str) -> None:
    """NAME is a function that returns the Sessions, or a path to them."""
    module: Any = sys.modules["shop"]
    module.make = lambda: shop.sessions
    module.site = shop
    shop.visit("zoe")
    assert run("ls", "--app", f"shop:{name}").rows[0][1] == "zoe"


def applications(sessions: Sessions) -> dict[str, object]:
    plain = fastapi.FastAPI()
    plain.add_middleware(sessile.fastapi.SessionMiddleware, sessions=sessions)
    shop, quick = flask.Flask("shop"), quart.Quart("shop")
    sessile.flask.init_app(shop, sessions)
    sessile.quart.init_app(quick, sessions)
    small = bottle.Bottle()
    small.install(sessile.bottle.SessionPlugin(sessions))
    return {
        "fastapi": plain,
        "flask": shop,
        "quart": quick,
        "bottle": small,
        "litestar": litestar.Litestar(plugins=[sessile.litestar.SessionPlugin(sessions)]),
        "asgi": sessile.asgi.SessionMiddleware(plain, sessions),
        "wsgi": sessile.wsgi.SessionMiddleware(shop, sessions),
    }


@pytest.mark.parametrize("name", ["fastapi", "flask", "quart", "bottle", "litestar", "asgi", "wsgi"])
def test_an_application_is_looked_at_and_not_called(run: Run, shop: Shop, name: str) -> None:
    """--app may be what the server is given: the Sessions that it has are found."""
    module: Any = sys.modules["shop"]
    module.app = applications(shop.sessions)[name]
    module.make_app = lambda: module.app
    shop.visit("zoe")
    assert run("ls", "--app", "shop:app").rows[0][1] == "zoe"
    assert run("ls", "--app", "shop:make_app").rows[0][1] == "zoe"


def test_the_current_folder_is_on_the_path(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the current folder is found, as uvicorn finds it."""
    monkeypatch.chdir(tmp_path)
    Path("corner_shop.py").write_text(f"from sessile import Sessions\nsessions = Sessions(secret={SECRET!r})\n")
    try:
        assert run("stats", "--app", "corner_shop:sessions", "--json").objects[0]["sessions"] == 0
    finally:
        sys.modules.pop("corner_shop", None)


def test_a_module_that_cannot_be_imported_is_told_in_a_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stopped the import is said, without a traceback."""
    monkeypatch.chdir(tmp_path)
    Path("broken_shop.py").write_text("import os\nos.environ['NO_SUCH_VARIABLE']\n")
    Path("needy_shop.py").write_text("import no_such_package\n")
    assert "broken_shop cannot be imported: KeyError: 'NO_SUCH_VARIABLE'" in refused(
        run, "ls", "--app", "broken_shop:s"
    )
    assert "No module named 'no_such_package'" in refused(run, "ls", "--app", "needy_shop:s")


def failing() -> None:
    raise RuntimeError("two\nlines")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("shop", "is not MODULE:NAME"),
        (":sessions", "is not MODULE:NAME"),
        ("no_such_shop:sessions", "there is no module no_such_shop in"),
        ("shop.no_such:sessions", "there is no module shop.no_such"),
        ("shop:nothing", "the module shop has no nothing"),
        ("shop:number", "is not a Sessions, but int. Name your Sessions"),
        ("shop:bare", "is not a Sessions, but Flask. Name your Sessions"),
        ("shop:failing", "shop:failing() failed: RuntimeError: two lines"),
    ],
)
def test_a_wrong_app_is_told_in_a_line(run: Run, shop: Shop, app: str, said: str) -> None:
    """Whatever is wrong with --app is named."""
    module: Any = sys.modules["shop"]
    module.number, module.failing, module.bare = 7, failing, flask.Flask("shop")
    assert said in refused(run, "ls", "--app", app, code=1 if "failed" in said else 2)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://", "no store has the scheme"),
        ("redis://[", "its URL cannot be read"),
        ("sqlite:///no-such.db", "sqlite:///no-such.db: there is nothing of this name"),
        ("file:///no-such-folder", "there is nothing of this name"),
        ("sqlite://", "names no file"),
        ("memory://", "is the memory of one process"),
        ("redis://127.0.0.1:1?colour=red", "has no option 'colour'"),
    ],
)
def test_a_wrong_url_is_told_in_a_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    """Whatever is wrong with --store is named, and nothing is made where nothing was."""
    monkeypatch.chdir(tmp_path)
    assert said in refused(run, "ls", "--store", url, code=2)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_a_database_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    """SQLite's own words are in it."""
    (tmp_path / "notes.txt").write_text("Not a database at all. " * 9)
    assert "file is not a database" in refused(run, "ls", "--store", f"sqlite:///{tmp_path}/notes.txt")


def test_a_store_that_is_down_is_told_in_a_line(run: Run) -> None:
    """The place that does not answer is named, and no password of its URL."""
    line = refused(run, "ls", SESSILE_STORE="redis://me:my-password@127.0.0.1:1/0")
    assert line.startswith("sessile: redis://127.0.0.1:1/0 does not answer: ")
    assert "my-password" not in line


def test_the_store_of_a_program_that_is_down_is_told_in_a_line(run: Run, new_shop: Callable[..., Shop]) -> None:
    """A store without a URL is called after its program."""
    store = FaultyStore(MemoryStore())
    new_shop(store=store)
    store.fail("all")
    assert "the store of shop:sessions does not answer" in refused(run, "ls", *APP)


def test_a_password_in_the_arguments_is_refused(run: Run) -> None:
    """Arguments stand in the list of processes, so a URL with a password comes by the environment."""
    for url in ("redis://:my-password@127.0.0.1:1", "redis+sentinel://h/m?sentinel_password=my-password"):
        line = refused(run, "ls", "--store", url, code=2)
        assert "SESSILE_STORE" in line
        assert "my-password" not in line
    for command, variable in (
        (("migrate", "--from", url, "--to", "file:///new"), "SESSILE_FROM"),
        (("migrate", "--from", "file:///old", "--to", url), "SESSILE_TO"),
        (("demo", "--port", "0", "--store", url), "SESSILE_DEMO_STORE"),
    ):
        line = refused(run, *command, code=2)
        assert variable in line
        assert "my-password" not in line


@pytest.mark.parametrize(
    ("command", "said"),
    [(("ls",), "cannot list"), (("stats",), "cannot list"), (("revoke", "--all", "--yes"), "count")],
)
def test_a_missing_ability_is_told_in_a_line(
    run: Run, new_shop: Callable[..., Shop], command: tuple[str, ...], said: str
) -> None:
    """A store that cannot list its sessions is named, with what it cannot do."""
    new_shop(store=FiveVerbs())
    line = refused(run, *command, *APP)
    assert "FiveVerbs has no ability Iterable" in line
    assert said in line


def test_an_asynchronous_store_of_a_program_works(run: Run, new_shop: Callable[..., Shop], clock: Clock) -> None:
    """Sessions whose store answers to asynchronous code alone are listed, shown, counted and ended all the same."""
    memory = MemoryStore(clock=clock)
    shop = new_shop(store=memory)
    shop.visit("zoe", colour="red")
    shop.visit(colour="blue")
    new_shop(store=AsyncStore(memory))
    assert {row["user"] for row in run("ls", "--json", *APP).objects} == {None, "zoe"}
    handle = run("ls", "--user", "zoe", "--json", *APP).objects[0]["handle"]
    assert "colour" in run("show", handle, *APP).out
    assert run("stats", "--json", *APP).objects[0]["sessions"] == 2
    assert "store-unreachable" not in run("check", "--json", *APP).out
    assert run("revoke", handle, "--yes", *APP).out == "Ended 1 session.\n"
    assert run("watch", "--once", "--json", *APP).objects[0]["sessions"] == 1


def test_what_is_secret_in_a_url_is_not_in_its_place() -> None:
    """The place of a store is its URL without user, password and options, but for those of TLS."""
    assert place_of("redis://me:secret@h:6379/0?timeout=2") == "redis://h:6379/0"
    assert place_of("postgresql://me:secret@h/shop?sslmode=require&password=secret") == (
        "postgresql://h/shop?sslmode=require"
    )
    assert place_of("redis+sentinel://a:1,b:2/main?sentinel_password=secret") == "redis+sentinel://a:1,b:2/main"
    assert place_of("sqlite:////var/sessions.db?table=s") == "sqlite:////var/sessions.db"
    assert place_of("redis://:a/b?c#d@h/0?ssl_cert_reqs=none") == "redis://h/0?ssl_cert_reqs=none"
    assert place_of("memory://") == "memory://"
    assert Sessions(secret=SECRET, store="memory://").store.place == "memory://"


class FiveVerbs:
    """A store that can do what it must, and no more."""

    def __init__(self) -> None:
        memory = MemoryStore()
        self.load, self.create, self.replace = memory.load, memory.create, memory.replace
        self.touch, self.delete = memory.touch, memory.delete


class AsyncStore:
    """A store of asynchronous functions only."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    def index(self) -> AsyncStore:
        return AsyncStore(self._inner.index())

    async def load(self, *arguments: Any) -> Any:
        return self._inner.load(*arguments)

    async def create(self, *arguments: Any) -> Any:
        return self._inner.create(*arguments)

    async def replace(self, *arguments: Any) -> Any:
        return self._inner.replace(*arguments)

    async def touch(self, *arguments: Any) -> Any:
        return self._inner.touch(*arguments)

    async def delete(self, *arguments: Any) -> Any:
        return self._inner.delete(*arguments)

    async def all(self) -> AsyncIterator[Any]:
        for each in self._inner.all():
            yield each

    async def count(self) -> Any:
        return self._inner.count()

    async def clear(self) -> Any:
        return self._inner.clear()

    async def close(self) -> None:
        pass

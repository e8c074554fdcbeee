"""``sessile migrate``"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from sessile.cli import main
from sessile.cli.migrate import _names, _shown
from sessile.stores import from_url
from tests.migration.sessions import SECRET, assert_equal, close, fill, records
from tests.stores import redis_servers
from tests.waiting import wait_for

SESSILE = Path(sys.executable).with_name("sessile")


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SESSILE, "migrate", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command in this process. Return the exit code, and what was written to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr("sys.path", [*sys.path])
        patch.setattr("sys.argv", ["sessile", "migrate", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def filled(url: str, number: int) -> Any:
    store = from_url(url, time.time)
    asyncio.run(fill(store, number))
    return store


def kept(*urls: str) -> list[Any]:
    async def look() -> list[Any]:
        stores = [from_url(url, time.time) for url in urls]
        found = [await records(store) for store in stores]
        await close(*stores)
        return found

    return asyncio.run(look())


def test_it_moves_and_says_what_it_did(tmp_path: Path) -> None:
    """In words, or as JSON; the second time there is nothing left to do."""
    source, target = f"sqlite:///{tmp_path}/a.db", f"file:///{tmp_path}/b"
    filled(source, 60).close()
    code, out, err = run(tmp_path, "--from", source, "--to", target)
    assert code == 0, err
    found = kept(source, target)
    assert_equal(*found)
    assert f"{len(found[0])}  copied" in out
    assert f"{len(found[0])}  equal" in out
    code, out, err = run(tmp_path, "--from", source, "--to", target, "--json", "--no-verify")
    report = json.loads(out)
    assert (code, report["present"], report["copied"], report["good"]) == (0, len(found[0]), 0, True)
    assert not report["verified"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """No session, and no journal."""
    source, target = f"sqlite:///{tmp_path}/a.db", f"file:///{tmp_path}/b"
    filled(source, 20).close()
    code, out, _ = run(tmp_path, "--from", source, "--to", target, "--dry-run")
    assert code == 0
    assert "nothing was written" in out
    assert kept(target) == [{}]
    assert not list(tmp_path.glob("sessile-migration-*"))


def test_what_cannot_be_moved_is_told_by_the_exit_code(tmp_path: Path) -> None:
    """And a server that stays away as well, without the password of its URL."""
    source = f"sqlite:///{tmp_path}/a.db"
    filled(source, 20).close()
    away = "redis://shop:geheim@127.0.0.1:1/0?timeout=0.5"
    code, out, err = run(tmp_path, "--patience", "0.1", SESSILE_FROM=source, SESSILE_TO=away)
    assert code == 1
    assert "the target has not answered for 0.1 seconds" in err
    assert "redis://shop:***@127.0.0.1:1/0" in err
    assert "geheim" not in out + err
    assert "Traceback" not in err


def test_the_sessions_of_a_site_are_found_by_name(tmp_path: Path) -> None:
    """For those with hashed ids and codecs; the module is in the folder where the command is started."""
    (tmp_path / "migrating_shop.py").write_text(
        "from sessile import Sessions\n"
        f"secret = {SECRET!r}\n"
        "old = Sessions(secret=secret, store='sqlite:///a.db')\n"
        "new = Sessions(secret=secret, store='sqlite:///b.db', hash_ids=True)\n"
    )
    filled(f"sqlite:///{tmp_path}/a.db", 20).close()
    code, out, err = run(tmp_path, "--from", "migrating_shop:old", "--to", "migrating_shop:new", "--json")
    assert code == 0, err
    (found,) = kept(f"sqlite:///{tmp_path}/b.db")
    assert len(found) == json.loads(out)["copied"] > 20
    assert {len(sid) for sid in found} == {43}


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("sqlite:///a.db", "sqlite:///a.db", "it is the store of --from"),
        ("memory://", "sqlite:///a.db", "the memory of another process"),
        ("nowhere:sessions", "sqlite:///a.db", "cannot be found"),
        ("sqlite:///a.db", "json:dumps", "is a function"),
        ("nothing://there", "sqlite:///a.db", "no store has the scheme"),
        ("cookie://", "sqlite:///a.db", "in the cookies of the visitors"),
        ("memcached://127.0.0.1:1", "sqlite:///a.db", "cannot list"),
        ("flask-session+memcached://127.0.0.1", "sqlite:///a.db", "cannot list"),
        ("flask-session+cachelib:///folder", "sqlite:///a.db", "pickles, which are not read"),
        ("starsessions+mongodb://127.0.0.1", "sqlite:///a.db", "starsessions+redis://"),
        ("django://cache", "sqlite:///a.db", "pickles, which are not read"),
        ("flask-session+sqlite:///a.db", "flask-session+sqlite:///b.db", "no store has the scheme"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(source: str, target: str, told: str, tmp_path: Path) -> None:
    """With what to write instead. 2: the arguments are wrong. 1: they are stores, and these cannot be moved."""
    code, _, err = run(tmp_path, "--from", source, "--to", target, DJANGO_SETTINGS_MODULE="")
    assert code == (1 if source in ("cookie://", "memcached://127.0.0.1:1") else 2)
    assert told in err
    assert "Traceback" not in err


def test_the_settings_of_django_are_asked_for(tmp_path: Path) -> None:
    process = start(tmp_path, "--from", "django://db", "--to", "sqlite:///a.db", DJANGO_SETTINGS_MODULE="")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "DJANGO_SETTINGS_MODULE" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:geheim@host:6379/0?prefix=a", "redis://:***@host:6379/0?..."),
        ("mysql://root@host/shop", "mysql://root@host/shop"),
        (
            "flask-session+postgresql+psycopg://u:geheim@h/d?password=geheim",
            "flask-session+postgresql+psycopg://u:***@h/d?...",
        ),
        ("sqlite:///sessions.db", "sqlite:///sessions.db"),
        ("redis://u:geheim@[::1/0", "redis://..."),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    """Neither before the host nor among the options; and what names a store does not depend on them."""
    assert _shown(url) == shown
    assert "geheim" not in _names(url)


@pytest.fixture
def redis() -> Any:
    with redis_servers.started("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def test_killed_half_way_and_started_again_it_completes(redis: Any, tmp_path: Path) -> None:
    """With equal content, whatever it was doing when it was killed: twice."""
    source, target = f"sqlite:///{tmp_path}/a.db", f"redis://127.0.0.1:{redis.port}"
    filled(source, 2000).close()
    for part in (500, 1200):
        process = start(tmp_path, "--from", source, "--to", target)
        wait_for(lambda part=part: len(redis.all_keys()) >= part)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    code, out, err = run(tmp_path, "--from", source, "--to", target, "--json")
    assert code == 0, err
    report = json.loads(out)
    found = kept(source, target)
    assert_equal(*found)
    assert report["matching"] == len(found[0])
    assert report["present"] > 1000  # Some of the keys were those of the index.
    assert report["kept"] == report["ended"] == 0


def test_a_server_that_is_killed_half_way_is_waited_for(redis: Any, tmp_path: Path) -> None:
    """And goes on where it was, when it is back."""
    source, target = f"sqlite:///{tmp_path}/a.db", f"redis://127.0.0.1:{redis.port}"
    filled(source, 1000).close()
    process = start(tmp_path, "--from", source, "--to", target)
    wait_for(lambda: len(redis.all_keys()) >= 400)
    redis.kill()
    assert process.stderr is not None
    told = [process.stderr.readline() for _ in range(4)]
    assert told[3] == "The target does not answer. Waiting...\n"
    redis.start().ready()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert_equal(*kept(source, target))

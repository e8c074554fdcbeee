"""sessile check"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sessile import CookieOptions, Lifetime
from sessile.cli.target import Site
from sessile.console.checks.checked import Check, Checked, Level
from sessile.console.checks.checks import CHECKS
from sessile.stores.memory import MemoryStore
from sessile.stores.wrapped import NotAtomicWarning, WrappedStore
from tests.cli.conftest import APP, Done, Run, Shop
from tests.cli.test_target import FiveVerbs

#: Not one that stands in any page.
STRONG = "Tt0dYI5GbxKQ1pEwQmJ5q8vL2rZ9uNc3HfXs7AoVkWi"

REFERENCE = Path(__file__).parents[2] / "docs/reference/check.md"


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, Any]:
    """Options in which nothing is weak but that the life of a session has no absolute limit."""
    return {
        "secret": STRONG,
        "store": f"sqlite:///{tmp_path}/sessions.db",
        "name": "__Host-session",
        "cookie": CookieOptions(secure=True),
        "hash_ids": True,
        "unset": "destroy",
    }


def names(done: Done) -> set[str]:
    return {each["check"] for each in done.objects}


def test_a_sound_configuration_passes(run: Run, new_shop: Callable[..., Shop], sound: dict[str, Any]) -> None:
    """No error and no warning: exit code 0, with --strict too."""
    new_shop(**sound)
    assert names(run("check", "--json", *APP)) == {"life-unlimited"}
    done = run("check", "--strict", *APP)
    assert done.code == 0
    assert done.out.endswith(f"0 errors, 0 warnings, 1 note, in {len(CHECKS)} checks.\n")


def facts_of_a_request(facts: Any) -> CookieOptions:
    return CookieOptions(secure=True, domain=facts.raw["domain"])


WEAK: list[tuple[str, dict[str, Any]]] = [
    ("secret-guessable", {"secret": "keyboard cat"}),
    ("secret-guessable", {"secret": [STRONG, "abcabcabcabcabcabcabcabcabcabcabcabcabc"]}),
    ("secret-guessable", {"secret": "read it from the environment instead"}),
    ("secret-short", {"secret": "9aV!x0pQ2#"}),
    ("secret-shorter-than-hash", {"secret": STRONG[:20]}),
    ("secret-rotation", {"secret": [STRONG, STRONG[::-1]]}),
    ("cookie-insecure", {"name": "s", "cookie": CookieOptions(secure=False)}),
    ("cookie-secure-auto", {"cookie": CookieOptions(secure="auto")}),
    ("cookie-readable", {"cookie": CookieOptions(secure=True, http_only=False)}),
    ("cookie-cross-site", {"cookie": CookieOptions(secure=True, same_site="none")}),
    ("cookie-cross-site", {"cookie": CookieOptions(secure=True, same_site=None)}),
    ("cookie-cross-site", {"cookie": lambda facts: CookieOptions(secure=True, same_site="auto")}),
    ("cookie-domain", {"name": "s", "cookie": CookieOptions(secure=True, domain="example.com")}),
    ("cookie-name-prefix", {"name": "connect.sid"}),
    ("cookie-too-long", {"cookie": CookieOptions(secure=True, max_age=timedelta(days=500))}),
    ("cookie-unknown", {"cookie": facts_of_a_request}),
    ("transport-header", {"transport": "bearer"}),
    ("proxy-anybody", {"proxy": True}),
    ("ids-of-your-own", {"genid": lambda facts: "x"}),
    ("life-long", {"cookie": CookieOptions(secure=True, max_age=timedelta(days=90))}),
    ("life-long", {"ttl": timedelta(days=90)}),
    ("life-unlimited", {}),
    ("store-unreachable", {"store": "redis://127.0.0.1:1"}),
    ("store-in-memory", {"store": "memory://"}),
    ("store-in-cookie", {"store": "cookie://?form=cookie-session", "hash_ids": False}),
    ("store-without-tls", {"store": "memcached://192.0.2.1?timeout=0.01"}),
    ("store-without-index", {"store": FiveVerbs()}),
    ("store-without-list", {"store": FiveVerbs()}),
    ("users-not-indexed", {"index_users": False}),
    ("ids-plain", {"hash_ids": False}),
    ("save-uninitialized", {"save_uninitialized": True}),
    ("conflict-overwrite", {"conflict": "overwrite"}),
    ("unset-keep", {"unset": "keep"}),
    ("outage-anonymous", {"on_store_error": "anonymous"}),
]


@pytest.mark.filterwarnings("ignore::sessile.options.WeakSecretWarning")
@pytest.mark.parametrize(("name", "options"), WEAK)
def test_what_is_weak_is_found(
    run: Run, new_shop: Callable[..., Shop], sound: dict[str, Any], name: str, options: dict[str, Any]
) -> None:
    """Each check finds what it is for; its level decides the exit code."""
    new_shop(**{**sound, **options})
    done = run("check", "--json", *APP)
    assert name in names(done)
    levels = {each["level"] for each in done.objects}
    assert done.code == ("error" in levels)
    assert run("check", "--strict", *APP).code == bool(levels & {"error", "warning"})


def test_a_wrapped_store_is_found(run: Run, new_shop: Callable[..., Shop], sound: dict[str, Any]) -> None:
    """Behind a codec too."""

    class ThreeVerbs:
        def get(self, sid: str) -> None: ...
        def set(self, sid: str, value: bytes, ttl: float) -> None: ...
        def destroy(self, sid: str) -> None: ...

    with pytest.warns(NotAtomicWarning):
        new_shop(**{**sound, "store": WrappedStore(ThreeVerbs())})
    assert "store-not-atomic" in names(run("check", "--json", *APP))


def test_a_file_that_others_can_read_is_found(run: Run, new_shop: Callable[..., Shop], sound: dict[str, Any]) -> None:
    """The remedy is the command to give."""
    shop = new_shop(**sound)
    shop.visit("zoe")
    path = Path(sound["store"].removeprefix("sqlite:///"))
    assert "store-readable" not in names(run("check", "--json", *APP))
    path.chmod(0o644)
    (found,) = [each for each in run("check", "--json", *APP).objects if each["check"] == "store-readable"]
    assert found["level"] == "error"
    assert found["remedy"] == f"chmod 600 {path}"


def test_a_missing_secret_is_found(run: Run, tmp_path: Path, new_shop: Callable[..., Shop]) -> None:
    """With --store the secret is that of the environment, and the options of the program are not looked at."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    new_shop(store=url).visit("zoe")
    done = run("check", "--store", url)
    assert done.code == 1
    assert "secret-missing" in done.out
    assert "--app" in done.err
    assert run("check", "--store", url, "--json", SESSION_SECRET=STRONG).objects == []
    assert names(run("check", "--store", url, "--json", SESSION_SECRET="secret")) == {"secret-guessable"}


@pytest.mark.parametrize(
    ("lifetime", "found"),
    [
        (Lifetime(idle=1800, absolute=43_200), set()),
        (Lifetime(idle=None, absolute=90 * 86_400), {"life-absolute-long"}),
        (Lifetime(idle=60 * 86_400, absolute=None), {"life-long"}),
        (Lifetime(absolute=3600, remember=90 * 86_400), {"life-absolute-long"}),
        (Lifetime(idle=None, absolute=None), {"life-unlimited"}),
    ],
)
def test_limits_of_a_life_are_looked_at(new_shop: Callable[..., Shop], lifetime: Lifetime, found: set[str]) -> None:
    """An absolute limit up to 30 days is what NIST asks for."""
    checked = Checked(Site(new_shop(secret=STRONG, lifetime=lifetime).sessions, "", app=True, keys=1))
    assert {check.name for check in CHECKS if check.name.startswith("life-") and list(check.find(checked))} == found


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("redis://localhost", False),
        ("redis://127.0.0.1:6379", False),
        ("redis://[::1]:6379", False),
        ("redis://10.0.0.5", True),
        ("redis://cache.example.com/0", True),
        ("rediss://cache.example.com/0", False),
        ("redis+sentinel://localhost,10.0.0.5/main", True),
        ("unix:///run/redis.sock", False),
        ("mongodb://db.example.com/shop", True),
        ("mongodb://db.example.com/shop?tls=true", False),
        ("mongodb+srv://db.example.com/shop", False),
        ("postgresql://db.example.com/shop", True),
        ("postgresql://db.example.com/shop?sslmode=prefer", True),
        ("postgresql://db.example.com/shop?sslmode=verify-full", False),
        ("postgresql:///shop", False),
        ("mysql://db.example.com/shop", True),
        ("mysql://db.example.com/shop?ssl=yes", False),
        ("mysql://db.example.com/shop?ssl_ca=/etc/ca.pem", False),
        ("memcached://10.0.0.5", True),
    ],
)
def test_a_way_to_the_store_that_can_be_read_is_found(new_shop: Callable[..., Shop], url: str, plain: bool) -> None:
    """A server on another host, without TLS."""
    (check,) = [check for check in CHECKS if check.name == "store-without-tls"]
    store = MemoryStore()
    store.place = url  # type: ignore[attr-defined]
    checked = Checked(Site(new_shop(secret=STRONG, store=store).sessions, "", app=True, keys=1))
    assert bool(list(check.find(checked))) is plain


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_is_tried_and_explained(check: Check) -> None:
    """Each has a sentence that says what it looks for, and stands in the reference."""
    tried = {name for name, _ in WEAK} | {
        "life-absolute-long",
        "secret-missing",
        "store-not-atomic",
        "store-readable",
    }
    assert check.name in tried
    assert check.purpose.endswith(".")
    assert f"| `{check.name}` | {check.level} | {check.purpose} | {check.source} |" in REFERENCE.read_text("utf-8")


def test_the_reference_has_no_other_checks() -> None:
    """The page lists what there is."""
    listed = re.findall(r"^\| `([a-z-]+)` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert listed == [check.name for check in CHECKS]


@pytest.mark.filterwarnings("ignore::sessile.options.WeakSecretWarning")
def test_errors_stand_first_and_fit_the_window(run: Run, new_shop: Callable[..., Shop]) -> None:
    """The worst is read first, at any width."""
    new_shop(secret="keyboard cat", cookie=CookieOptions(secure=False))
    for width in (60, 120):
        done = run("check", *APP, COLUMNS=str(width))
        assert all(len(line.rstrip()) <= width for line in done.out.splitlines())
        levels = [line.split()[0] for line in done.out.splitlines() if line[:1] not in ("", " ")][:-1]
        assert levels == sorted(levels, key=list(Level).index)
    assert "keyboard cat" not in done.out


def test_json_has_what_a_program_needs(run: Run, new_shop: Callable[..., Shop]) -> None:
    """One object for each finding."""
    new_shop(secret=STRONG)
    for line in run("check", "--json", *APP).out.splitlines():
        assert set(json.loads(line)) == {"check", "level", "problem", "remedy", "source"}


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a memcached that answers to everything that it has no memory left."""

    class Refuse(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                self.wfile.write(b"SERVER_ERROR out of memory\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"memcached://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_server_that_refuses_is_not_one_to_start(run: Run, refusing: str) -> None:
    """It is up: the reason is what has to be seen to. Other commands say the same in a line."""
    found = run("check", "--store", refusing, "--json")
    (finding,) = [each for each in map(json.loads, found.out.splitlines()) if each["check"] == "store-unreachable"]
    assert finding["problem"] == f"{refusing} answers, and refused to load: SERVER_ERROR out of memory"
    assert "Start it" not in finding["remedy"]
    shown = run("show", "--store", refusing, "x" * 32)
    assert f"{refusing} answers, and refused: SERVER_ERROR out of memory" in shown.err

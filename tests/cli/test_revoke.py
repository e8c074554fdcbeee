"""sessile revoke, sessile prune"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import APP, Run, Shop
from tests.cli.test_show import handle


def test_one_is_ended_by_its_handle(run: Run, shop: Shop) -> None:
    """The session is over, and no other."""
    zoe, ann = shop.visit("zoe"), shop.visit("ann")
    done = run("revoke", handle(run, "--user", "zoe"), "--yes", *APP)
    assert (done.code, done.out) == (0, "Ended 1 session.\n")
    assert (shop.lives(zoe), shop.lives(ann)) == (False, True)


def test_one_is_ended_by_its_id(run: Run, shop: Shop) -> None:
    """The whole id names a session too."""
    zoe = shop.visit("zoe")
    assert run("revoke", shop.session(zoe).id, "--yes", *APP).code == 0
    assert not shop.lives(zoe)


@pytest.mark.parametrize("indexed", [True, False])
def test_all_of_a_user_are_ended(run: Run, new_shop: Callable[..., Shop], indexed: bool) -> None:
    """With an index and without; a user whose id is a number is found by it."""
    shop = new_shop(index_users=indexed)
    theirs, other = [shop.visit(7), shop.visit(7)], shop.visit("zoe")
    assert run("revoke", "--user", "7", "--yes", "--json", *APP).objects == [{"found": 2, "ended": 2}]
    assert not any(map(shop.lives, theirs))
    assert shop.lives(other)


def test_all_are_ended(run: Run, shop: Shop) -> None:
    """--all ends those of strangers too."""
    cookies = [shop.visit("zoe"), shop.visit(a=1)]
    assert run("revoke", "--all", "--yes", *APP).out == "Ended 2 sessions.\n"
    assert not any(map(shop.lives, cookies))


def test_it_says_how_many_and_asks(run: Run, shop: Shop) -> None:
    """At a terminal: yes ends them, no leaves them, and so does the end of the input."""
    zoe = shop.visit("zoe")
    for typed in ("n\n", "\n", ""):
        done = run("revoke", "--user", "zoe", *APP, typed=typed)
        assert done.code == 1
        assert "This ends 1 session of user 'zoe'. Go on?" in done.out + done.err
        assert shop.lives(zoe)
    done = run("revoke", handle(run), *APP, typed="n\n")
    assert "of user 'zoe', last seen now" in done.out + done.err
    assert run("revoke", "--all", *APP, typed="y\n").code == 0
    assert not shop.lives(zoe)


def test_without_a_terminal_nothing_is_ended_unless_told(run: Run, shop: Shop) -> None:
    """A script has to say --yes; what stands in the pipe is no answer."""
    zoe = shop.visit("zoe")
    done = run("revoke", "--all", *APP, piped="y\n")
    assert done.code == 1
    assert "--yes" in done.err
    assert shop.lives(zoe)


def test_whoever_logs_in_while_the_question_stands_is_ended_too(
    run: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sessions of a user are looked up again after the answer."""
    shop.visit("zoe")

    def confirm(*_: Any, **__: Any) -> bool:
        shop.visit("zoe")
        return True

    monkeypatch.setattr("typer.confirm", confirm)
    assert run("revoke", "--user", "zoe", "--json", *APP, typed="").objects == [{"found": 1, "ended": 2}]


def test_nothing_to_end(run: Run, shop: Shop) -> None:
    """A user without sessions is what was wanted; a handle of none is a mistake."""
    done = run("revoke", "--user", "zoe", *APP)
    assert (done.code, done.out) == (0, "There is none to end.\n")
    assert run("revoke", "--all", *APP).code == 0
    assert run("revoke", "abcdef", "--yes", *APP).code == 1


@pytest.mark.parametrize("which", [(), ("abcdef", "--all"), ("--user", "zoe", "--all"), ("abcdef", "--user", "zoe")])
def test_what_is_to_end_is_said_once(run: Run, shop: Shop, which: tuple[str, ...]) -> None:
    """Neither nothing nor two things: a mistake here ends the wrong sessions."""
    zoe = shop.visit("zoe")
    done = run("revoke", "--yes", *which, *APP)
    assert done.code == 2
    assert "one of them" in done.err
    assert shop.lives(zoe)


def test_prune_removes_what_has_expired(run: Run, new_shop: Callable[..., Shop], tmp_path: Path) -> None:
    """The number is said, to people and to programs."""
    shop = new_shop(store=f"sqlite:///{tmp_path}/sessions.db", ttl=0.05)
    shop.visit("zoe")
    while shop.sessions.count():
        pass
    assert run("prune", *APP).out == "Removed 1 expired session.\n"
    assert run("prune", "--json", *APP).objects == [{"removed": 0}]


def test_prune_has_nothing_to_do_where_the_store_does_it(run: Run, new_shop: Callable[..., Shop]) -> None:
    """A store that cannot be pruned need not be."""
    new_shop(store="memcached://127.0.0.1:1")
    assert run("prune", *APP).out.startswith("Nothing to do")
    assert run("prune", "--json", *APP).objects == [{"removed": None}]

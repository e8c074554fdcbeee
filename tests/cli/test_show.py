"""sessile show"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessile.stores.memory import MemoryStore
from tests.cli.conftest import APP, Run, Shop
from tests.cli.test_target import FiveVerbs


def handle(run: Run, *arguments: str) -> str:
    return str(run("ls", "--json", *arguments, *APP).objects[0]["handle"])


@pytest.fixture
def cart(shop: Shop) -> str:
    """The cookie of Zoe, who has a cart and came an hour ago."""
    cookie = shop.visit("zoe", cart={"bread": 2}, seen=[1, 2, 3], name="Zoe", n=1.5, ok=True, none=None)
    shop.clock.advance(3600)
    return cookie


def test_a_session_is_shown_without_its_values(run: Run, shop: Shop, cart: str) -> None:
    """Whose it is, its times, its cookie, its claims, and what is in it by name, type and size."""
    done = run("show", handle(run), *APP)
    assert done.code == 0
    for text in (
        "user       zoe",
        "  device   phone",
        "created    1h ago (2023-11-14T22:13:20.000Z)",
        "last seen  1h ago (2023-11-14T22:13:20.000Z)",
        "ends       in 23h (2023-11-15T22:13:20.000Z)",
        "path /, domain -, max_age -, secure no, http_only yes, same_site lax",
        "cart  object of 1  11 B",
        "seen  list of 3    7 B",
        "name  text         5 B",
        "n     number       3 B",
        "ok    bool         4 B",
        "none  null         4 B",
    ):
        assert text in done.out
    assert "bread" not in done.out
    assert shop.session(cart).id not in done.out


def test_values_and_the_id_are_shown_if_asked_for(run: Run, shop: Shop, cart: str) -> None:
    """--data shows the values, --id the id."""
    done = run("show", handle(run), "--data", "--id", *APP)
    assert '{"bread": 2}' in done.out
    assert shop.session(cart).id in done.out


def test_json_holds_the_same(run: Run, shop: Shop, cart: str) -> None:
    """One object: the summary, claims, cookie and data."""
    (shown,) = run("show", handle(run), "--json", *APP).objects
    assert shown["claims"] == {"device": "phone"}
    assert shown["cookie"]["same_site"] == "lax"
    assert shown["data"]["cart"] == {"type": "object of 1", "size": 11}
    (shown,) = run("show", handle(run), "--json", "--data", "--id", *APP).objects
    assert shown["data"]["cart"]["value"] == {"bread": 2}
    assert shown["id"] == shop.session(cart).id


def test_a_session_is_named_by_its_id_and_by_the_beginning_of_its_handle(run: Run, shop: Shop, cart: str) -> None:
    """Four characters will do if no other session begins so."""
    name = handle(run)
    for each in (name[:4], name, shop.session(cart).id):
        assert run("show", each, "--json", *APP).objects[0]["handle"] == name


def test_an_ambiguous_handle_is_refused(run: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is guessed where two sessions begin alike."""
    for name in ("zoe", "ann"):
        shop.visit(name)
    monkeypatch.setattr("sessile.cli.handle.handle_of", lambda site, session: "abcdef" + session.id)
    done = run("show", "abcdef", *APP)
    assert done.code == 1
    assert "several sessions" in done.err


@pytest.mark.parametrize("name", ["abcdef", "no-such-id", "ABCDEF012345", "é"])
def test_what_names_nothing_is_told_without_repeating_it(run: Run, shop: Shop, name: str) -> None:
    """It may have been an id."""
    done = run("show", name, *APP)
    assert (done.code, done.out, done.err) == (1, "", "sessile: no live session is called so\n")


@pytest.mark.parametrize("name", ["4b5", "a"])
def test_too_few_characters_of_a_handle_are_told(run: Run, shop: Shop, name: str) -> None:
    """They never match, because they would often match several."""
    assert "Give at least four characters of its handle" in run("show", name, *APP).err


def test_a_session_that_is_over_is_not_shown(run: Run, shop: Shop, cart: str) -> None:
    """What has expired is no session."""
    name = handle(run)
    shop.clock.advance(86_400)
    assert run("show", name, *APP).code == 1


def test_without_a_list_the_id_is_enough(run: Run, new_shop: Callable[..., Shop]) -> None:
    """A store that cannot list its sessions still opens one by its id, and says so of handles."""
    shop = new_shop(store=FiveVerbs())
    sid = shop.session(shop.visit(a=1)).id
    assert run("show", sid, *APP).code == 0
    assert "give the whole id" in run("show", "abcdef", *APP).err


def test_looking_does_not_extend_a_life(run: Run, shop: Shop, cart: str) -> None:
    """A session that is shown ends when it would have ended."""
    store: MemoryStore = shop.sessions.store
    before = list(store.all())
    run("show", handle(run), "--data", *APP)
    run("stats", *APP)
    assert list(store.all()) == before

"""What the console shows, and what it does"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sessile import Session, __version__
from sessile.cli.target import Site
from sessile.console.core import PAGE_SIZE, SCAN, Asked, Console
from tests.console.conftest import Desk

HOSTILE = "<script>alert(1)</script>\"'\x1b[2J\u202e\x00"


def test_a_page_has_fifty_and_a_next_one(desk: Desk) -> None:
    """All are reached, each once."""
    for number in range(PAGE_SIZE + 3):
        desk.visit(number)
    first = desk.handles()
    second = desk.handles(f"/?from={PAGE_SIZE}")
    assert len(first) == PAGE_SIZE
    assert len({*first, *second}) == PAGE_SIZE + 3
    assert f"from={PAGE_SIZE}" in desk.ask("/")[1]
    assert "Next page" not in desk.ask(f"/?from={PAGE_SIZE}")[1]


@pytest.mark.parametrize(("filters", "most"), [("", PAGE_SIZE + 1), ("anonymous", SCAN + 1)])
def test_no_more_is_read_than_a_page_needs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, filters: str, most: int
) -> None:
    """A store of a million sessions is not read to its end, not even where few fit."""
    desk.visit("zoe")
    session = next(iter(desk.sessions.all()))
    read = 0

    def endless(site: Site) -> Iterator[Session]:
        nonlocal read
        while True:
            read += 1
            yield session

    monkeypatch.setattr(Site, "all", endless)
    status, body = desk.ask(f"/?show={filters}")
    assert status == 200
    assert "Next page" in body
    assert read <= most


def test_filters(desk: Desk) -> None:
    """By user, by being logged in, and by age."""
    desk.visit("old")
    desk.clock.advance(80_000)
    desk.visit("zoe")
    desk.visit(7)
    desk.visit(cart=1)
    assert len(desk.handles()) == 4
    assert len(desk.handles("/?user=zoe")) == len(desk.handles("/?user=7")) == 1
    assert len(desk.handles("/?show=anonymous")) == 1
    assert len(desk.handles("/?show=users")) == 3
    assert len(desk.handles("/?show=hour")) == 3
    assert not desk.handles("/?show=idle")
    assert not desk.handles("/?user=nobody")


def test_one_is_ended_after_a_question(desk: Desk) -> None:
    """The question changes nothing; the answer ends the session, and only that one."""
    cookie, other = desk.visit("zoe"), desk.visit("max")
    (handle,) = desk.handles("/?user=zoe")
    assert "End 1 session? What it holds is gone." in desk.ask("/confirm", {"handle": handle})[1]
    assert desk.lives(cookie)
    assert "1 session ended" in desk.ask("/end", {"handle": handle})[1]
    assert not desk.lives(cookie)
    assert desk.lives(other)
    assert desk.ask(f"/session?handle={handle}")[0] == 404


def test_the_selected_are_ended(desk: Desk) -> None:
    """Several at once; one that has ended meanwhile is not counted."""
    cookies = [desk.visit(user) for user in ("a", "b", "c")]
    assert "3 sessions ended" in desk.ask("/end", {"handle": [*desk.handles(), "nothing"]})[1]
    assert not any(desk.lives(cookie) for cookie in cookies)
    assert desk.ask("/confirm", {})[0] == 400


def test_all_of_a_user_are_ended(desk: Desk) -> None:
    """Whatever they are logged in with; others stay."""
    cookies = [desk.visit("zoe"), desk.visit("zoe")]
    other = desk.visit("max")
    assert "End all sessions of" in desk.ask("/confirm", {"user": "zoe"})[1]
    assert "2 sessions ended" in desk.ask("/end", {"user": "zoe"})[1]
    assert not any(desk.lives(cookie) for cookie in cookies)
    assert desk.lives(other)


def test_read_only_ends_nothing(new_desk: Callable[..., Desk]) -> None:
    """It shows no button, and refuses a form that somebody makes."""
    desk = new_desk(read_only=True)
    cookie = desk.visit("zoe")
    (handle,) = desk.handles()
    assert "<button>End" not in desk.ask("/")[1] + desk.ask(f"/session?handle={handle}")[1]
    assert desk.ask("/end", {"handle": handle})[0] == desk.ask("/end", {"user": "zoe"})[0] == 403
    assert desk.lives(cookie)


def test_no_data_and_no_id_unless_allowed(desk: Desk) -> None:
    """The page says which keys there are and how large they are."""
    cookie = desk.visit("zoe", cart="hemp line")
    sid = desk.sessions.engine.begin_sync(cookie.encode(), lambda: None).id  # type: ignore[arg-type, return-value]
    (handle,) = desk.handles()
    status, body = desk.ask(f"/session?handle={handle}")
    assert status == 200
    assert "cart" in body
    assert "hemp line" not in body
    assert sid not in body + desk.ask("/")[1]
    assert desk.ask(f"/session?handle={handle}&data=show")[0] == 403


def test_data_where_it_is_allowed(new_desk: Callable[..., Desk]) -> None:
    """Each look is an event."""
    desk = new_desk(show_data=True)
    desk.visit("zoe", cart="hemp line")
    (handle,) = desk.handles()
    assert "hemp line" in desk.ask(f"/session?handle={handle}&data=show")[1]
    assert desk.told()[-1] == "zoe looked at its data"


def test_every_act_is_an_event_with_the_operator(desk: Desk) -> None:
    """The event names the session as all others do, and who did it."""
    desk.visit("max")
    (handle,) = desk.handles()
    desk.ask(f"/session?handle={handle}")
    desk.ask("/end", {"handle": handle})
    desk.ask("/end", {"user": "max"})
    assert desk.told() == [
        "zoe looked at the list of sessions",
        "zoe looked at it",
        "zoe ended it",
        "zoe ended all sessions of a user: 0",
    ]
    assert desk.sessions.counts()["operated"] == 4


def test_hostile_data_is_text(new_desk: Callable[..., Desk]) -> None:
    """Markup is shown as it is, control characters are replaced, and of a megabyte the beginning is shown."""
    desk = new_desk(show_data=True)
    desk.visit(HOSTILE, **{HOSTILE: HOSTILE, "large": "x" * 900_000})
    (handle,) = desk.handles()
    pages = desk.ask("/")[1], desk.ask(f"/session?handle={handle}&data=show")[1]
    for body in pages:
        assert "<script" not in body
        assert not {"\x1b", "\u202e", "\x00"} & set(body)
        assert len(body) < 30_000
    assert "<script" not in desk.ask("/confirm", {"user": HOSTILE})[1]


def test_many_keys_are_cut(desk: Desk) -> None:
    """A page has a bound."""
    desk.visit("zoe", **{f"key{number}": number for number in range(1000)})
    (handle,) = desk.handles()
    assert "more keys are not shown" in desk.ask(f"/session?handle={handle}")[1]


def test_health_shows_the_checks_and_versions(desk: Desk) -> None:
    """What ``sessile check`` says, though the console looks on at the store."""
    body = desk.ask("/health")[1]
    assert "the store is this process" in body or "memory" in body
    assert f"<dt>sessile</dt><dd>{__version__}</dd>" in body


def test_a_user_page_shows_devices_and_claims(desk: Desk) -> None:
    """As the user would see them, and as text."""
    desk.visit("zoe", claims={"device": "<b>Firefox</b>", "address": "\x1b[2J"})
    desk.visit("max")
    body = desk.ask("/user?user=zoe")[1]
    assert "&lt;b&gt;Firefox&lt;/b&gt;" in body
    assert body.count("/session?handle=") == 1
    assert "\x1b" not in body
    (handle,) = desk.handles("/?user=zoe")
    assert "Firefox" in desk.ask(f"/session?handle={handle}")[1]
    assert "no sessions" in desk.ask("/user?user=nobody")[1]


def test_a_handle_of_another_process_is_found(desk: Desk) -> None:
    """A site has several processes, and the next request may come to one that has not shown the list."""
    cookie = desk.visit("zoe")
    (handle,) = desk.handles()
    other = Console(Site(desk.sessions, "here", app=True, keys=1))
    assert other.answer(Asked("GET", "/session", {"handle": handle}, "zoe")).status == 200
    another = Console(Site(desk.sessions, "here", app=True, keys=1))
    assert b"1 session ended" in another.answer(Asked("POST", "/end", {}, "zoe", {"handle": [handle]})).body
    assert not desk.lives(cookie)


def test_one_who_may_only_look_ends_nothing(desk: Desk) -> None:
    """Each request says whether its operator may end sessions."""
    cookie = desk.visit("zoe")
    (handle,) = desk.handles()
    console = Console(Site(desk.sessions, "here", app=True, keys=1))
    pages = [console.answer(Asked("GET", path, {"user": "zoe"}, "zoe", read_only=True)).body for path in ("/", "/user")]
    assert not any(b"<button>End" in page for page in pages)
    assert console.answer(Asked("POST", "/end", {}, "zoe", {"handle": [handle]}, read_only=True)).status == 403
    assert desk.lives(cookie)


def test_other_pages_and_methods(desk: Desk) -> None:
    """They say so."""
    assert desk.ask("/nothing")[0] == desk.ask("/nothing", {})[0] == 404
    assert desk.ask("/", REQUEST_METHOD="DELETE", HTTP_SEC_FETCH_SITE="same-origin")[0] == 405


def test_a_store_that_is_down_is_a_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 503, and what it says."""
    from sessile import StoreUnavailable

    def down(site: Site) -> Iterator[Session]:
        raise StoreUnavailable("no answer in 2 s")

    monkeypatch.setattr(Site, "all", down)
    status, body = desk.ask("/")
    assert status == 503
    assert "no answer in 2 s" in body


def test_a_face_needs_no_server(desk: Desk) -> None:
    """The core takes a request as values, and returns a page as one."""
    console = Console(Site(desk.sessions, "here", app=True, keys=1))
    assert console.answer(Asked("GET", "/health", {}, "zoe")).status == 200

"""Who may enter the console"""

from __future__ import annotations

import pytest

from sessile.console.door import IDLE, TOKEN_LIFE, Door
from sessile.testing import FrozenClock


def test_a_token_works_once(clock: FrozenClock) -> None:
    """Whoever finds the address in a history later stays outside."""
    door = Door("console", clock)
    token = door.token
    assert door.exchange(token)
    assert door.exchange(token) is None
    assert door.exchange("") is None


def test_a_token_grows_old(clock: FrozenClock) -> None:
    """An address that nobody opened is worth nothing after ten minutes."""
    door = Door("console", clock)
    clock.advance(TOKEN_LIFE)
    assert door.exchange(door.token) is None


def test_the_cookie_is_out_of_reach(clock: FrozenClock) -> None:
    """No script reads it, and no other site uses it."""
    door = Door("console", clock)
    cookie = door.exchange(door.token)
    assert cookie is not None
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")


def test_the_session_ends_when_nobody_is_there(clock: FrozenClock) -> None:
    """Each request keeps it alive; half an hour without one ends it."""
    door = Door("console", clock)
    cookie = (door.exchange(door.token) or "").partition(";")[0]
    clock.advance(IDLE - 1)
    assert door.is_open_to(cookie)
    clock.advance(IDLE - 1)
    assert door.is_open_to(cookie)
    clock.advance(IDLE)
    assert not door.is_open_to(cookie)


@pytest.mark.parametrize("cookies", ["", "console=", "console=x", "console=\xe9\u20ac", "=;;=", "console", "a[]=1"])
def test_nothing_else_opens_it(clock: FrozenClock, cookies: str) -> None:
    """No cookie raises, and none but the right one is believed, before and after somebody has entered."""
    door = Door("console", clock)
    assert not door.is_open_to(cookies)
    door.exchange(door.token)
    assert not door.is_open_to(cookies)

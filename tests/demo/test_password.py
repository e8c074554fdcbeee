"""Changing one's password"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo.app import COOKIE_NAME
from sessile.demo.users import User, Users
from tests.demo.conftest import Guest, log_in, shown, sign_up, state, token

NEW = "another fine password"


def change(guest: TestClient, present: str = "a fine password", new: str = NEW) -> Any:
    """Send the form."""
    return guest.post("/password", data={"present": present, "new": new})


def test_a_change_of_password_ends_all_other_sessions(new_guest: Guest, records: Sessions) -> None:
    """This one goes on, cart and all, under a new id; all others are out at their next request; the number is told."""
    here, phone, laptop = new_guest(), new_guest(), new_guest()
    sign_up(here)
    here.post("/cart", data={"slug": "trefoil"})
    for other in (phone, laptop):
        log_in(other)
    before = token(here)

    page = change(here).text
    assert "Your password is changed. 2 other devices were logged out." in page
    assert token(here) not in (None, before)
    kept = here.get("/cart").text
    assert (shown(kept, "visitor"), shown(kept, "cart-count"), state(kept)) == ("Grace", "1", "sent")
    for other in (phone, laptop):
        assert shown(other.get("/cart").text, "visitor") == ""

    thief = new_guest()
    thief.cookies.set(COOKIE_NAME, before or "")
    assert shown(thief.get("/cart").text, "visitor") == ""
    assert sum(session.user_id is not None for session in records.all()) == 1


def test_only_the_new_password_is_good(new_guest: Guest) -> None:
    """The old one is refused from then on."""
    here, other = new_guest(), new_guest()
    sign_up(here)
    change(here)
    assert other.post("/login", data={"name": "Grace", "password": "a fine password"}).status_code == 401
    log_in(other, password=NEW)


def test_a_refused_change_changes_nothing(new_guest: Guest) -> None:
    """A wrong present password, or a new one that is none: a message; password, id and all sessions are as before."""
    here, other = new_guest(), new_guest()
    sign_up(here)
    log_in(other)
    before = token(here)
    right, no_password = "a fine password", ("short", "x" * 201)
    cases = [("not her password", NEW, 401), ("", NEW, 401), *((right, new, 422) for new in no_password)]
    for present, new, status in cases:
        response = change(here, present, new)
        assert response.status_code == status
        assert 'role="alert"' in response.text
        assert token(here) == before
    assert shown(other.get("/cart").text, "visitor") == "Grace"
    log_in(new_guest())


def test_a_request_in_flight_does_not_bring_its_session_back(
    app: FastAPI, new_guest: Guest, folder: Path, records: Sessions
) -> None:
    """A request of another device that was under way while the password was changed is its last."""
    here, phone = new_guest(), new_guest()
    sign_up(here)
    log_in(phone)

    class UnderWay(Users):
        def change_password(self, user_id: int, present: str, new: str) -> bool:
            app.state.users = users
            assert "1 other device was logged out." in change(here).text
            return users.change_password(user_id, present, new)

    users = app.state.users
    app.state.users = UnderWay(folder / "users.db")
    assert change(phone, new="the thief's password").status_code == 401
    assert shown(phone.get("/cart").text, "visitor") == ""
    assert shown(here.get("/cart").text, "visitor") == "Grace"
    assert records.count() == 1


def test_of_two_changes_at_once_one_is_made(folder: Path) -> None:
    """A change is made only if the password is still the one that was verified."""
    folder.mkdir()
    users = Users(folder / "users.db")
    grace = users.register("Grace", "a fine password")

    class Slow(Users):
        def _swap(self, user: User, hashed: str) -> bool:
            assert users.change_password(grace.id, "a fine password", NEW)
            return super()._swap(user, hashed)

    assert not Slow(folder / "users.db").change_password(grace.id, "a fine password", "a third password")
    assert users.authenticate("Grace", NEW) is not None


def test_a_log_in_that_is_overtaken_by_a_change_of_password_fails(
    app: FastAPI, new_guest: Guest, folder: Path, records: Sessions
) -> None:
    """The old password was verified, then changed, then the session stored: it is ended before anybody has it."""
    here, late = new_guest(), new_guest()
    sign_up(here)

    class Overtaken(Users):
        def authenticate(self, name: str, password: str) -> User | None:
            user = super().authenticate(name, password)
            app.state.users = users
            assert "Your password is changed." in change(here).text
            return user

    users = app.state.users
    app.state.users = Overtaken(folder / "users.db")
    response = late.post("/login", data={"name": "Grace", "password": "a fine password"})
    assert response.url.path == "/login"
    assert shown(late.get("/cart").text, "visitor") == ""
    assert shown(here.get("/cart").text, "visitor") == "Grace"
    assert records.count() == 1

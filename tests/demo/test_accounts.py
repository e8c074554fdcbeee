"""Signing up, logging in and out"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo.app import COOKIE_NAME
from tests.demo.conftest import Guest, shown, sign_up, state, token


def test_a_wrong_password_starts_nothing(new_guest: Guest, records: Sessions) -> None:
    """A wrong password is answered at once with 401; no cookie is set, and no record made."""
    sign_up(new_guest())
    before = records.count()
    guest = new_guest()
    response = guest.post("/login", data={"name": "Grace", "password": "not her password"})
    assert response.status_code == 401
    assert not response.history
    assert "Wrong name or password." in response.text
    assert "set-cookie" not in response.headers
    assert state(response.text) == "none"
    assert records.count() == before


def test_an_unknown_name_is_answered_like_a_wrong_password(new_guest: Guest) -> None:
    """Whoever guesses is not told which names there are."""
    sign_up(new_guest())
    guest = new_guest()
    wrong = guest.post("/login", data={"name": "Grace", "password": "not her password"})
    unknown = guest.post("/login", data={"name": "Hopper", "password": "not her password"})
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.text.replace("Hopper", "Grace") == wrong.text


def test_a_wrong_password_leaves_a_session_as_it_is(guest: TestClient) -> None:
    """A visitor who has a session keeps it, cart and id, when the password is wrong."""
    guest.post("/cart", data={"slug": "trefoil"})
    before = token(guest)
    response = guest.post("/login", data={"name": "Grace", "password": "not her password"})
    assert response.status_code == 401
    assert token(guest) == before
    assert shown(response.text, "cart-count") == "1"


@pytest.mark.parametrize("page", ["/login", "/signup", "/cart", "/goodbye"])
def test_looking_starts_no_session(guest: TestClient, records: Sessions, page: str) -> None:
    """Who only looks at a page that writes nothing gets no cookie, and the store no record."""
    response = guest.get(page)
    assert response.status_code == 200
    assert "set-cookie" not in response.headers
    assert records.count() == 0


def test_signing_up_logs_in(guest: TestClient) -> None:
    """A new user is logged in, and greeted once."""
    response = guest.post("/signup", data={"name": "Grace", "password": "a fine password"})
    assert shown(response.text, "visitor") == "Grace"
    assert "Welcome aboard, Grace." in response.text
    assert "Welcome aboard" not in guest.get("/").text


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("Grace", "another password", 409),
        ("  gRACE ", "another password", 409),
        ("", "a fine password", 422),
        ("x" * 31, "a fine password", 422),
        ("a\x00b", "a fine password", 422),
        ("Ada", "short", 422),
        ("Ada", "x" * 201, 422),
    ],
)
def test_a_bad_sign_up_starts_nothing(
    new_guest: Guest, records: Sessions, name: str, password: str, status: int
) -> None:
    """A name that is taken or no name, a password too short or too long: a message, and no session."""
    sign_up(new_guest())
    before = records.count()
    response = new_guest().post("/signup", data={"name": name, "password": password})
    assert response.status_code == status
    assert 'role="alert"' in response.text
    assert "set-cookie" not in response.headers
    assert records.count() == before


def test_a_form_with_nothing_in_it_is_answered(guest: TestClient) -> None:
    """Forms that were not made by our pages get a page in return, too."""
    assert guest.post("/login").status_code == 401
    assert guest.post("/signup").status_code == 422
    assert guest.post("/cart").status_code == 422


def test_logging_in_changes_the_id_and_keeps_the_cart(new_guest: Guest) -> None:
    """An id that somebody planted before the login is worthless after it; the cart comes along."""
    sign_up(new_guest())
    guest = new_guest()
    guest.post("/cart", data={"slug": "trefoil"})
    planted = token(guest)
    response = guest.post("/login", data={"name": "grace", "password": "a fine password"})
    assert shown(response.text, "visitor") == "Grace"
    assert shown(response.text, "cart-count") == "1"
    assert token(guest) != planted

    thief = new_guest()
    thief.cookies.set(COOKIE_NAME, planted or "")
    seen = thief.get("/cart").text
    assert shown(seen, "visitor") == ""
    assert shown(seen, "cart-count") == "0"
    assert state(seen) == "refused"


def test_another_user_does_not_get_the_cart(new_guest: Guest) -> None:
    """Logging in as somebody else at the same browser begins with an empty cart."""
    sign_up(new_guest(), "Ada")
    guest = new_guest()
    sign_up(guest, "Grace")
    guest.post("/cart", data={"slug": "trefoil"})
    response = guest.post("/login", data={"name": "Ada", "password": "a fine password"})
    assert shown(response.text, "visitor") == "Ada"
    assert shown(response.text, "cart-count") == "0"


def test_logging_out_ends_the_session(new_guest: Guest, records: Sessions) -> None:
    """The record is removed, the browser's cookie expired, and a kept copy of the cookie is refused."""
    guest = new_guest()
    sign_up(guest)
    kept = token(guest)
    response = guest.post("/logout")
    assert response.url.path == "/goodbye"
    assert state(response.text) == "none"
    assert token(guest) is None
    assert records.count() == 0

    thief = new_guest()
    thief.cookies.set(COOKIE_NAME, kept or "")
    seen = thief.get("/cart").text
    assert shown(seen, "visitor") == ""
    assert state(seen) == "refused"


def test_goodbye_is_for_those_who_left(guest: TestClient) -> None:
    """Nobody who has a session is told that it is gone."""
    sign_up(guest)
    assert guest.get("/goodbye").url.path == "/"


def test_the_password_is_not_stored(guest: TestClient, folder: Path, records: Sessions) -> None:
    """The file with the users holds an Argon2id hash; neither it nor the session holds the password."""
    sign_up(guest, password="correct horse battery")
    users = (folder / "users.db").read_bytes()
    assert b"$argon2id$" in users
    assert b"correct horse battery" not in users
    assert all("correct horse battery" not in json.dumps(session) for session in records.all())

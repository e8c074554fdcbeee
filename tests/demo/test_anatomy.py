"""The panel that shows a session to its owner"""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from sessile import Sessions
from sessile._wire.signing import Signer
from sessile.demo.anatomy import highlight
from sessile.demo.app import COOKIE_NAME
from tests.conftest import SECRET
from tests.demo.conftest import Guest, shown, sign_up, state, token


def test_without_a_session_the_panel_says_so(guest: TestClient) -> None:
    """A visitor who has only looked sees that nothing is known of him."""
    page = guest.get("/login").text
    assert state(page) == "none"
    assert shown(page, "record") == ""


def test_the_first_page_shows_the_cookie_on_its_way(guest: TestClient) -> None:
    """On the page that begins a session the panel shows the very cookie of its Set-Cookie header."""
    response = guest.get("/")
    assert state(response.text) == "arriving"
    assert shown(response.text, "wire") == "Set-Cookie: " + response.headers["set-cookie"].split(";")[0]


def test_the_panel_shows_the_cookie_and_the_record_as_they_are(guest: TestClient, records: Sessions) -> None:
    """The cookie is the one the browser sent, the record the one in the store, this visit included."""
    sign_up(guest)
    page = guest.get("/").text
    assert state(page) == "sent"
    assert shown(page, "wire") == f"Cookie: {COOKIE_NAME}={token(guest)}"
    sid = shown(page, "sid")
    assert Signer([SECRET.encode()]).token(sid) == token(guest)
    assert json.loads(shown(page, "record")) == json.loads(records.store.load(sid).payload)
    assert json.loads(shown(page, "record"))["visits"] == 2


def test_the_panel_shows_nobody_elses_session(new_guest: Guest) -> None:
    """Whatever a visitor asks for, the panel shows the record of the cookie that came with the request, and no other."""
    other = new_guest()
    sign_up(other, "Ada")
    hers = shown(other.get("/").text, "sid")
    guest = new_guest()
    for page in (f"/?sid={hers}", f"/login?id={hers}", "/"):
        seen = guest.get(page).text
        assert hers not in seen
        assert "Ada" not in seen


@pytest.mark.parametrize(
    "cookie",
    ["s%3A{sid}.forged", "s%3A{sid}", "{sid}", "s%3A.", "%FF%00", "<script>alert(1)</script>", "x" * 8000, ""],
)
def test_a_forged_cookie_is_shown_and_not_believed(new_guest: Guest, cookie: str) -> None:
    """Who sends the id of somebody else without its signature sees his own forgery, escaped, and why it failed."""
    other = new_guest()
    sign_up(other, "Ada")
    hers = shown(other.get("/").text, "sid")
    response = new_guest().get("/login", headers={"cookie": f"{COOKIE_NAME}={cookie.format(sid=hers)}"})
    assert response.status_code == 200
    assert state(response.text) == "refused"
    assert "The signature does not fit" in response.text
    assert "Ada" not in response.text
    assert "<script>alert" not in response.text
    assert "set-cookie" not in response.headers


def test_of_two_good_cookies_neither_is_shown(new_guest: Guest) -> None:
    """Two live cookies of one name, as a hostile neighbour can plant: the panel shows nobody's record."""
    one, other = new_guest(), new_guest()
    sign_up(one, "Ada")
    sign_up(other, "Grace")
    both = f"{COOKIE_NAME}={token(one)}; {COOKIE_NAME}={token(other)}"
    page = new_guest().get("/login", headers={"cookie": both}).text
    assert state(page) == "refused"
    assert "none is believed" in page
    assert shown(page, "record") == ""


def test_names_are_escaped(guest: TestClient) -> None:
    """What a visitor typed is text on the page, in the panel as well."""
    sign_up(guest, '<b>O\'Malley</b> "&"')
    page = guest.get("/").text
    assert "<b>O" not in page
    assert json.loads(shown(page, "record"))["name"] == '<b>O\'Malley</b> "&"'


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, -2.5e-7, True, None]}, {"é": '\\"', "n": {"x": "<&>", "colon": ": 1, true"}}]
)
def test_highlighting_changes_no_text(value: object) -> None:
    """What is marked up reads as the same JSON."""
    text = highlight(json.dumps(value).encode()).striptags()
    assert json.loads(text) == value

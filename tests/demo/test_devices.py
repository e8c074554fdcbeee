"""Where a user is logged in, and the end of it"""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo.app import COOKIE_NAME
from sessile.demo.device import describe
from sessile.testing import FrozenClock
from tests.demo.conftest import Guest, log_in, shown, sign_up, state, token

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"


def handles(guest: TestClient) -> list[str]:
    """Return the handles in the forms of a guest's page."""
    return re.findall(r'name="handle" value="(\w+)"', guest.get("/devices").text)


def names(guest: TestClient) -> list[str]:
    """Return the devices that a guest's page shows, in its order."""
    return re.findall(r"<h2>(.*?)</h2>\s*<p class=\"detail\">Logged in", guest.get("/devices").text)


@pytest.fixture
def hers(new_guest: Guest, clock: FrozenClock) -> list[TestClient]:
    """Grace on three devices: "Firefox on Linux", "Safari on iPhone", "curl"."""
    guests = [new_guest() for _ in range(3)]
    for guest, user_agent in zip(guests, (FIREFOX, IPHONE, "curl/8.9"), strict=True):
        guest.headers["user-agent"] = user_agent
        (log_in if guest is not guests[0] else sign_up)(guest)
        clock.advance(60)
    return guests


def is_logged_in(guest: TestClient) -> bool:
    """Tell what a guest's next request finds."""
    return shown(guest.get("/cart").text, "visitor") == "Grace"


def test_the_page_lists_where_a_user_is_logged_in(hers: list[TestClient]) -> None:
    """Each device by its name, this one first and marked, with when it began and when it was seen; no id on the list."""
    page = hers[1].get("/devices").text
    assert names(hers[1]) == ["Safari on iPhone", "curl", "Firefox on Linux"]
    assert page.count('data-testid="this-device"') == 1
    assert page.count('action="/devices/end"') == 2
    assert 'Logged in <time datetime="2023-11-14T22:13:20+00:00">' in page
    table = page[page.index('class="devices"') : page.index("</ul>")]
    assert (token(hers[0]) or "")[4:36] not in page
    assert (token(hers[1]) or "")[4:36] not in table


def test_one_device_is_ended(hers: list[TestClient]) -> None:
    """The one that was chosen is out at its next request, whatever it is; the others stay."""
    chosen = handles(hers[0])[names(hers[0]).index("Safari on iPhone") - 1]
    assert "Safari on iPhone was logged out." in hers[0].post("/devices/end", data={"handle": chosen}).text
    assert hers[1].post("/cart", data={"slug": "trefoil"}).status_code == 200
    assert [is_logged_in(guest) for guest in hers] == [True, False, True]
    assert "That device is not logged in any more." in hers[0].post("/devices/end", data={"handle": chosen}).text


def test_an_ended_device_is_sent_to_the_log_in(hers: list[TestClient]) -> None:
    """Its page of devices leads to the log-in, where the panel says that the session was ended."""
    hers[0].post("/devices/end-others")
    page = hers[1].get("/devices")
    assert page.url.path == "/login"
    assert state(page.text) == "refused"
    assert "it was ended, or has expired" in page.text


def test_all_others_are_ended(hers: list[TestClient], records: Sessions) -> None:
    """All but this one, and the page says how many."""
    page = hers[2].post("/devices/end-others").text
    assert "2 other devices were logged out." in page
    assert [is_logged_in(guest) for guest in hers] == [False, False, True]
    assert names(hers[2]) == ["curl"]
    assert "No other device was logged in." in hers[2].post("/devices/end-others").text
    assert records.count() == 1


def test_this_device_can_be_ended_too(hers: list[TestClient], records: Sessions) -> None:
    """Its handle, which no form of the page has, is a log-out."""
    (current,) = [handle for handle in records.of_user(_user(records)) if handle.claims["device"] == "curl"]
    assert hers[2].post("/devices/end", data={"handle": current.handle}).url.path == "/goodbye"
    assert token(hers[2]) is None
    assert is_logged_in(hers[0])


def _user(records: Sessions) -> int:
    return next(session.user_id for session in records.all() if session.get("name") == "Grace")


def test_nobody_lists_or_ends_the_session_of_somebody_else(hers: list[TestClient], new_guest: Guest) -> None:
    """With handles of another user, guessed ones and forged fields, Ada sees and ends nothing but her own."""
    ada = new_guest()
    sign_up(ada, "Ada")
    user_id, sid = str(_id_on(hers[0])), (token(hers[1]) or "")[4:36]
    stolen = handles(hers[0]) + handles(hers[1])
    for handle in [
        *stolen,
        stolen[0][:-1],
        stolen[0] + "0",
        "",
        "*",
        "' OR 1=1 --",
        sid,
        token(hers[1]) or "",
        user_id,
    ]:
        for more in ({}, {"user_id": user_id, "user": "Grace", "sid": sid}):
            page = ada.post(f"/devices/end?user_id={user_id}", data={"handle": handle, **more})
            assert "That device is not logged in any more." in page.text
    ada.post("/devices/end", data={"handle": stolen})
    ada.post(f"/devices/end-others?user_id={user_id}", data={"user_id": user_id, "handle": stolen[0]})
    for query in (f"?user_id={user_id}", "?name=Grace", f"?handle={stolen[0]}"):
        page = ada.get(f"/devices{query}").text
        assert page.count('data-testid="device"') == 1
        assert "Firefox on Linux" not in page
    assert all(is_logged_in(guest) for guest in hers)
    assert len(handles(hers[0])) == 2


def _id_on(guest: TestClient) -> int:
    found = re.search(r'"user": (\d+)', shown(guest.get("/cart").text, "record"))
    assert found is not None
    return int(found[1])


def test_a_handle_is_of_no_use_as_a_cookie(hers: list[TestClient], new_guest: Guest) -> None:
    """What stands on the page opens no session."""
    thief = new_guest()
    for handle in handles(hers[0]):
        page = thief.get("/cart", headers={"cookie": f"{COOKIE_NAME}={handle}"}).text
        assert state(page) == "refused"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/devices"),
        ("GET", "/password"),
        ("POST", "/devices/end"),
        ("POST", "/devices/end-others"),
        ("POST", "/password"),
    ],
)
def test_a_stranger_is_sent_to_the_log_in(guest: TestClient, records: Sessions, method: str, path: str) -> None:
    """Who is not logged in gets no list and ends nothing; no session begins by it."""
    response = guest.request(method, path)
    assert response.url.path == "/login"
    assert "set-cookie" not in response.headers
    assert records.count() == 0


@pytest.mark.parametrize("path", ["/devices/end", "/devices/end-others", "/password"])
def test_a_form_of_another_site_ends_nothing(hers: list[TestClient], path: str) -> None:
    """What another site posts in the user's name is refused; and a link ends nothing, either."""
    data = {"handle": handles(hers[0])[0], "present": "a fine password", "new": "another password"}
    assert hers[0].post(path, data=data, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert hers[0].get(path, params=data).status_code in (200, 405)
    assert all(is_logged_in(guest) for guest in hers)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/126.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 OPR/112.0.0.0", "Opera on Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 "
            "Chrome/121.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 "
            "Mobile/15E148 Safari/604.1",
            "Chrome on iPad",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
            "Safari/605.1.15",
            "Safari on macOS",
        ),
        ("curl/8.9.1", "curl"),
        ("<script>alert(1)</script>" + "x" * 8000, "An unknown browser"),
        ("", "An unknown browser"),
    ],
)
def test_a_device_has_a_plain_name(user_agent: str, name: str) -> None:
    """A few words of our own, whatever a browser says of itself; nothing of what it sent is kept."""
    assert describe(user_agent) == name

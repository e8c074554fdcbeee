"""The cookie"""

from __future__ import annotations

from http.cookies import SimpleCookie
from urllib.parse import quote

from sessile._wire.signing import Signer
from tests.integrations.common import SECRET
from tests.integrations.running import Running, set_cookie


def a_visitor_who_only_looks_gets_nothing(site: Running) -> None:
    """A request that puts nothing into a new session sets no cookie and makes no call to the store."""
    browser = site.browser()
    site.calls()
    assert browser.ask("all") == {}
    assert set_cookie(browser.visit("get", key="n")) is None
    assert site.calls() == []


def the_first_write_sets_the_cookie(site: Running) -> None:
    """The first write sets the cookie, with the attributes of the options, and the value comes back."""
    browser = site.browser()
    response = browser.visit("set", key="name", value="Zoë")
    morsel = SimpleCookie(response.headers["set-cookie"])["connect.sid"]
    assert (morsel["path"], morsel["httponly"], morsel["samesite"].lower()) == ("/", True, "lax")
    assert (morsel["secure"], morsel["domain"], morsel["max-age"]) == ("", "", "")
    assert browser.ask("get", key="name") == "Zoë"


def attributes_are_those_of_the_options(site: Running) -> None:
    """Name, domain, SameSite, Priority, Max-Age and Expires are those of the options."""
    line = set_cookie(site.browser("attributes").visit("set", key="n", value="1"))
    assert line is not None
    assert line.startswith("other=s:")
    for each in ("Max-Age=600", "Domain=127.0.0.1", "SameSite=Strict", "Priority=High", "Expires="):
        assert each in line
    assert "HttpOnly" not in line


def a_cookie_is_sent_once(site: Running) -> None:
    """A browser session's cookie is not sent again while the session goes on."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    assert set_cookie(browser.visit("set", key="n", value="2")) is None
    assert set_cookie(browser.visit("get", key="n")) is None


def a_forged_cookie_is_ignored(site: Running) -> None:
    """A cookie that we did not sign is as good as none, and the store is not asked."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    token = f"s:{browser.sid}.{'A' * 43}"
    site.calls()
    response = site.browser().visit("all", headers={"cookie": f"connect.sid={quote(token)}"})
    assert (response.status_code, response.json(), set_cookie(response)) == (200, {}, None)
    assert site.calls() == []


def a_strange_cookie_is_no_error(site: Running) -> None:
    """No Cookie header makes an error, whatever bytes it has."""
    for value in (
        "connect.sid",
        "connect.sid=",
        "=;;;=",
        "connect.sid=%ff%fe",
        "connect.sid=s:",
        "x" * 4000,
        '"\x7f\xe9"',
    ):
        response = site.browser().get("/all", headers={b"cookie": value.encode("latin-1")})
        assert response.status_code in (200, 400), value  # A server may refuse bytes; an application may not fail.
        assert response.status_code == 400 or response.json() == {}


def an_unknown_id_is_not_adopted(site: Running) -> None:
    """An id that we signed and the store does not have gives a session with another id."""
    token = Signer([SECRET.encode()]).token("B" * 32)
    browser = site.browser()
    site.calls()
    response = browser.visit("set", headers={"cookie": f"connect.sid={token}"}, key="n", value="1")
    assert response.status_code == 200
    assert site.calls()[0].startswith("load"), "the signature was refused: this proves nothing"
    assert browser.sid != "B" * 32
    assert browser.ask("all") == {"n": "1"}


def two_live_cookies_are_not_believed(site: Running) -> None:
    """Of two cookies with our name, both signed and live, neither is believed: somebody planted one."""
    one, two = site.browser(), site.browser()
    for browser in (one, two):
        browser.ask("set", key="n", value="1")
    header = f"connect.sid={one.token}; connect.sid={two.token}"
    assert site.browser().visit("all", headers={"cookie": header}).json() == {}


def a_cookie_among_others_is_found(site: Running) -> None:
    """Cookies of other names, of any form, do not hide ours."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    header = f'theme="dark; x=%ff; connect.sid={browser.token}; _ga=GA1.2; connect.sid2=s'
    assert site.browser().visit("all", headers={"cookie": header}).json() == {"n": "1"}


def a_secure_cookie_is_not_sent_over_http(site: Running) -> None:
    """With secure=True a request by http gets no cookie, and nothing is stored that nobody could come back to."""
    browser = site.browser("secure")
    response = browser.visit("set", key="n", value="1")
    assert response.status_code == 200
    assert set_cookie(response) is None
    assert "create" not in site.calls("secure")


def https_behind_a_proxy_is_believed(site: Running) -> None:
    """X-Forwarded-Proto of a proxy in the list makes the cookie secure; that of anybody else does not."""
    https = {"x-forwarded-proto": "https"}
    line = set_cookie(site.browser("proxied").visit("set", headers=https, key="n", value="1"))
    assert line is not None
    assert "Secure" in line
    line = set_cookie(site.browser("side").visit("set", headers=https, key="n", value="1"))
    assert line is not None
    assert "Secure" not in line


def the_session_may_be_for_a_part_of_the_site(site: Running) -> None:
    """Outside the path of the cookie there is no session, and the store is not asked."""
    browser = site.browser("part")
    browser.ask("all")
    site.calls("part")
    assert browser.visit("untouched").text == "ok"
    assert site.calls("part") == []


def two_sites_have_two_sessions(site: Running) -> None:
    """Two applications with cookies of different names, side by side in one process, know nothing of each other."""
    one = site.browser()
    one.ask("set", key="who", value="one")
    two = site.browser("side")
    two.cookies.jar = one.cookies.jar
    assert two.ask("all") == {}
    two.ask("set", key="who", value="two")
    assert (one.ask("get", key="who"), two.ask("get", key="who")) == ("one", "two")


def the_token_may_travel_in_a_header(site: Running) -> None:
    """With transport="header" the token comes and goes in X-Session-Token, and there is no cookie."""
    response = site.browser("header").visit("set", key="n", value="1")
    assert "set-cookie" not in response.headers
    token = response.headers["x-session-token"]
    again = site.browser("header").visit("all", headers={"x-session-token": token})
    assert (again.json(), again.headers["vary"].lower()) == ({"n": "1"}, "x-session-token")


def the_session_may_travel_in_the_cookie(site: Running) -> None:
    """With store="cookie://" the whole session is in the cookie, and comes back from there."""
    browser = site.browser("carried")
    browser.ask("set", key="n", value="1")
    browser.ask("nested", item="apple")
    assert browser.ask("all") == {"n": "1", "cart": {"items": ["apple"]}}
    browser.ask("destroy")
    assert browser.ask("all") == {}


def a_session_may_be_remembered_longer(site: Running) -> None:
    """Changing session.cookie.max_age is stored, and sent."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    line = set_cookie(browser.visit("remember", seconds=86_400))
    assert line is not None
    assert "Max-Age=86400" in line


def the_options_may_store_every_session(site: Running) -> None:
    """With save_uninitialized=True a visitor who looks at an empty session gets a cookie."""
    browser = site.browser("uninitialized")
    assert set_cookie(browser.visit("all")) is not None
    assert set_cookie(browser.visit("all")) is None

"""Ids, logins and ends"""

from __future__ import annotations

from tests.integrations.running import Running, set_cookie


def destroy_ends_the_session(site: Running) -> None:
    """destroy() removes the record and expires the cookie, with the attributes it was set with."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    thief = browser.copy()
    line = set_cookie(browser.visit("destroy"))
    assert line is not None
    assert line.startswith("connect.sid=;")
    assert "Max-Age=0" in line
    assert "Path=/" in line
    assert browser.token is None
    assert thief.stored is None
    assert thief.ask("all") == {}


def a_new_session_after_destroy(site: Running) -> None:
    """destroy() and then regenerate() begins a new session in the same request."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    sid = browser.sid
    browser.ask("again")
    assert browser.sid != sid
    assert browser.ask("all") == {"again": True}


def regenerate_changes_the_id(site: Running) -> None:
    """regenerate(keep=True) gives a new id with the same data, and the old id is dead."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    old, sid = browser.copy(), browser.sid
    browser.ask("regenerate")
    assert browser.sid != sid
    assert browser.ask("all") == {"n": "1"}
    assert old.ask("all") == {}


def regenerate_may_leave_all_behind(site: Running) -> None:
    """regenerate() alone gives a new id and no data; the old record is gone."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    old = browser.copy()
    browser.ask("regenerate-empty")
    assert browser.ask("all") == {}
    assert old.stored is None


def login_changes_the_id(site: Running) -> None:
    """login() gives a new id, keeps the anonymous cart, and remembers who it is."""
    browser = site.browser()
    browser.ask("nested", item="apple")
    before = browser.sid
    browser.ask("login", user="zoe")
    assert browser.sid != before
    assert (browser.ask("user"), browser.ask("all")) == ("zoe", {"cart": {"items": ["apple"]}})


def a_planted_id_is_worth_nothing(site: Running) -> None:
    """Session fixation: whoever knew the id before the login has nothing after it."""
    thief = site.browser()
    thief.ask("set", key="planted", value="1")
    victim = thief.copy()
    victim.ask("login", user="zoe")
    assert thief.ask("user") is None
    assert victim.ask("user") == "zoe"


def another_user_finds_nothing(site: Running) -> None:
    """A login as somebody else leaves behind what the first user put there."""
    browser = site.browser()
    browser.ask("login", user="zoe")
    browser.ask("set", key="secret", value="of zoe")
    browser.ask("login", user="max")
    assert (browser.ask("user"), browser.ask("all")) == ("max", {})


def logout_ends_the_session(site: Running) -> None:
    """logout() removes the record and the cookie."""
    browser = site.browser()
    browser.ask("login", user="zoe")
    thief = browser.copy()
    browser.ask("logout")
    assert browser.token is None
    assert (browser.ask("user"), thief.ask("user")) == (None, None)


def an_expired_session_is_over(site: Running) -> None:
    """After its life a session is empty, even if the browser still sends the cookie."""
    browser = site.browser("hour")
    browser.ask("set", key="n", value="1")
    site.later(3601)
    sid = browser.sid
    assert browser.ask("all") == {}
    browser.ask("set", key="n", value="2")
    assert browser.sid != sid


def a_visit_extends_the_life(site: Running) -> None:
    """A request that looks at the session renews the life of its record."""
    browser = site.browser("hour")
    browser.ask("set", key="n", value="1")
    for _ in range(3):
        site.later(2000)
        assert browser.ask("get", key="n") == "1"


def rolling_sends_the_cookie_each_time(site: Running) -> None:
    """With rolling=True each response that looked at the session renews the cookie."""
    browser = site.browser("rolling")
    browser.ask("set", key="n", value="1")
    line = set_cookie(browser.visit("get", key="n"))
    assert line is not None
    assert "Max-Age=3600" in line


def touch_sends_the_cookie(site: Running) -> None:
    """touch() renews record and cookie."""
    browser = site.browser("hour")
    browser.ask("set", key="n", value="1")
    assert set_cookie(browser.visit("get", key="n")) is None
    assert set_cookie(browser.visit("touch")) is not None


def a_new_session_is_new(site: Running) -> None:
    """is_new tells a visitor's first request from the later ones."""
    browser = site.browser()
    assert browser.ask("new") is True
    browser.ask("set", key="n", value="1")
    assert browser.ask("new") is False


def a_revoked_session_is_over(site: Running) -> None:
    """Sessions.revoke(), in any process, ends a session at once."""
    browser = site.browser()
    browser.ask("login", user="zoe")
    assert site.sessions().revoke(browser.sid)
    assert browser.ask("user") is None

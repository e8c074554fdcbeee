"""Changes"""

from __future__ import annotations

from tests.integrations.running import Running, set_cookie


def a_nested_change_is_noticed(site: Running) -> None:
    """A change at any depth is stored, with no flag to set."""
    browser = site.browser()
    assert [browser.ask("nested", item=item) for item in ("apple", "pear")] == [1, 2]
    assert browser.ask("all") == {"cart": {"items": ["apple", "pear"]}}


def a_key_may_go(site: Running) -> None:
    """A deleted key is gone, and clear() takes them all."""
    browser = site.browser()
    browser.ask("set", key="a", value="1")
    browser.ask("set", key="b", value="2")
    browser.ask("delete", key="a")
    assert browser.ask("all") == {"b": "2"}
    browser.ask("clear")
    assert browser.ask("all") == {}


def clear_ends_the_log_in(site: Running) -> None:
    """clear() takes the user with the data: a copy of the cookie is worthless from then on."""
    browser = site.browser()
    browser.ask("set", key="a", value="1")
    browser.ask("login", user="zoe")
    thief = browser.copy()
    assert thief.ask("all") == {"a": "1"}
    browser.ask("clear")
    assert thief.ask("all") == browser.ask("all") == {}
    browser.ask("set", key="b", value="2")
    assert browser.ask("all") == {"b": "2"}
    assert browser.sid != thief.sid


def what_is_read_is_not_written(site: Running) -> None:
    """A request that reads loads once and renews the record's life, and writes nothing."""
    browser = site.browser()
    browser.ask("nested", item="apple")
    site.calls()
    browser.ask("all")
    assert site.calls() == ["load", "touch"]


def what_is_written_takes_two_calls(site: Running) -> None:
    """A request that writes loads once and replaces once."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    assert site.calls() == ["create"]
    browser.ask("set", key="n", value="2")
    assert site.calls() == ["load", "replace"]


def an_equal_value_is_no_change(site: Running) -> None:
    """Writing what was there already replaces nothing."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    site.calls()
    browser.ask("set", key="n", value="1")
    assert site.calls() == ["load", "touch"]


def an_untouched_request_makes_no_call(site: Running) -> None:
    """Where loading is lazy, a request that never looks at its session makes no call to the store."""
    browser = site.browser("lazy")
    browser.ask("set", key="n", value="1")
    site.calls("lazy")
    response = browser.visit("untouched")
    assert (response.text, set_cookie(response), "vary" in response.headers) == ("ok", None, False)
    assert site.calls("lazy") == []
    assert browser.ask("all") == {"n": "1"}


def an_untouched_request_counts_as_a_visit_if_wanted(site: Running) -> None:
    """With lazy=False every request loads its session and renews its life."""
    browser = site.browser("eager")
    browser.ask("set", key="n", value="1")
    site.calls("eager")
    assert "vary" not in browser.visit("untouched").headers
    assert site.calls("eager") == ["load", "touch"]


def unicode_comes_back(site: Running) -> None:
    """Keys and values are any text."""
    browser = site.browser()
    key, value = "ключ 🍪", 'значение; "quoted"\r\n\x00'
    browser.ask("set", key=key, value=value)
    assert browser.ask("all") == {key: value}


def a_large_session_comes_back(site: Running) -> None:
    """A session of a quarter of a million bytes is no trouble: the cookie is as short as ever."""
    browser = site.browser()
    line = set_cookie(browser.visit("big", size=250_000))
    assert line is not None
    assert len(line) < 200
    assert len(browser.ask("get", key="big")) == 250_000


def what_no_record_can_hold_is_an_error(site: Running) -> None:
    """A value that is no JSON makes the request fail, and nothing of it is stored."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    browser.fail("bad")
    assert browser.ask("all") == {"n": "1"}


def a_flash_is_shown_once(site: Running) -> None:
    """A flashed message survives until a page asks for it, and is gone then."""
    browser = site.browser()
    browser.ask("flash", message="Saved.")
    browser.visit("untouched")
    assert browser.ask("flashes") == ["Saved."]
    assert browser.ask("flashes") == []


def read_only_writes_nothing(site: Running) -> None:
    """A request that declares its session read-only renews nothing."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    site.calls()
    browser.ask("read-only")
    assert set(site.calls()) <= {"load"}


def a_page_sees_what_a_program_writes(site: Running) -> None:
    """What another process stores in the session is there at the next request, and the other way round."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    outside = browser.stored
    assert outside is not None
    outside["m"] = "2"
    assert outside.save()
    assert browser.ask("all") == {"n": "1", "m": "2"}


def the_slot_may_be_set_to_none(site: Running) -> None:
    """With unset="destroy", setting the framework's slot to None ends the session, as req.session = null in express."""
    browser = site.browser("unset")
    browser.ask("set", key="n", value="1")
    thief = browser.copy()
    assert browser.visit("clear-slot").status_code == 200
    assert browser.token is None
    assert thief.ask("all") == {}


def a_session_can_be_counted_in_a_thread(site: Running) -> None:
    """A synchronous handler, which the framework runs in a thread, reads and writes like any other."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    assert browser.visit("thread", key="t", value="2").status_code == 200
    assert browser.ask("all") == {"n": "1", "t": "2"}

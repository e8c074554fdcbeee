"""Requests that meet"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.integrations.running import Browser, Running, set_cookie, until


def _held(site: Running, browser: Browser, pool: ThreadPoolExecutor, **query: Any) -> tuple[Any, Future[Any]]:
    """Begin a request that has loaded its session and waits, and return its gate and its answer to come."""
    name, gate = site.gate()
    answer = pool.submit(browser.copy().visit, "gate", name=name, **query)
    until(lambda: gate.is_entered() or answer.done(), "the request does not arrive")
    return gate, answer


def two_writers_of_two_keys_are_both_kept(site: Running) -> None:
    """Two requests at once change two keys of one session: both changes are kept."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool, key="slow", value="2")
        browser.ask("set", key="quick", value="3")
        gate.open()
        assert answer.result().status_code == 200
    assert browser.ask("all") == {"n": "1", "slow": "2", "quick": "3"}


def of_two_writers_of_one_key_the_later_wins(site: Running) -> None:
    """Two requests at once change one key: the one that commits last."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool, key="n", value="slow")
        browser.ask("set", key="n", value="quick")
        gate.open()
        assert answer.result().status_code == 200
    assert browser.ask("all") == {"n": "slow"}


def a_conflict_may_be_an_error(site: Running) -> None:
    """With conflict="error" the second of two writers fails, and what the first wrote stands."""
    browser = site.browser("conflict")
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool, key="n", value="slow")
        browser.ask("set", key="n", value="quick")
        gate.open()
        assert answer.result().status_code == 500
    assert browser.ask("all") == {"n": "quick"}


def a_logout_is_not_undone(site: Running) -> None:
    """A request in flight while the visitor logs out neither brings the session back nor sends a cookie."""
    browser = site.browser()
    browser.ask("login", user="zoe")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool, key="late", value="1")
        thief = browser.copy()
        browser.ask("logout")
        gate.open()
        assert (answer.result().status_code, set_cookie(answer.result())) == (200, None)
    assert thief.stored is None
    assert thief.ask("user") is None


def a_late_destroy_ends_what_others_wrote(site: Running) -> None:
    """A session that is written while another request destroys it is gone afterwards."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool)
        browser.ask("set", key="n", value="2")
        gate.open()
        assert answer.result().status_code == 200
    assert browser.stored is None


def an_old_id_is_dead_for_requests_in_flight(site: Running) -> None:
    """What a request in flight writes to an id that was regenerated meanwhile is dropped, and no cookie is sent."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor() as pool:
        gate, answer = _held(site, browser, pool, key="late", value="1")
        browser.ask("regenerate")
        gate.open()
        assert (answer.result().status_code, set_cookie(answer.result())) == (200, None)
    assert browser.ask("all") == {"n": "1"}


def many_visitors_at_once_are_kept_apart(site: Running) -> None:
    """A hundred requests of ten visitors at once: each finds its own."""
    browsers = [site.browser() for _ in range(10)]

    def visit(number: int) -> bool:
        browsers[number].ask("set", key="me", value=str(number))
        return all(browsers[number].ask("all") == {"me": str(number)} for _ in range(9))

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(visit, range(10)))


def many_requests_of_one_visitor_lose_nothing(site: Running) -> None:
    """Twenty requests at once of one visitor write twenty keys."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with ThreadPoolExecutor(8) as pool:
        copies = [browser.copy() for _ in range(20)]
        list(pool.map(lambda pair: pair[1].ask("set", key=str(pair[0]), value="x"), enumerate(copies)))
    assert browser.ask("all") == {"n": "1", **{str(number): "x" for number in range(20)}}

"""The console in sites of three frameworks, each a process of its own, in a real browser"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import chromium, opened
from tests.console.sites import PREFIXES

#: A page of another origin. The port makes it one; the site is the same to a browser, and so the cookie travels.
ELSEWHERE = "http://localhost:9999/"


def log_in(context: BrowserContext, url: str, user: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{url}/login?user={user}")
    assert page.inner_text("body") == "welcome"
    return page


def who_is(page: Page, url: str) -> str:
    page.goto(f"{url}/me")
    return page.inner_text("body")


@pytest.mark.parametrize("site", PREFIXES)
def test_an_operator_ends_a_session_of_the_site(tmp_path: Path, site: str) -> None:
    """List, filter, end one, and it is out; others are refused, and so is what another origin sends."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    complaints: list[str] = []
    with (
        opened([sys.executable, "-m", "tests.console.sites", site, store], "site") as url,
        chromium() as browser,
    ):
        operator, visitor = (log_in(browser.new_context(), url, user) for user in ("zoe", "max"))
        address = url + PREFIXES[site]

        visitor.goto(address)
        assert visitor.get_by_role("heading", name="Sessions").count() == 0

        operator.on("console", lambda message: complaints.append(message.text))
        operator.goto(address)
        expect(operator.locator("tbody tr")).to_have_count(2)
        theirs = "2" if site == "django" else "max"
        operator.get_by_label("User", exact=True).fill(theirs)
        operator.get_by_role("button", name="Filter").click()
        expect(operator.locator("tbody tr")).to_have_count(1)
        operator.get_by_role("link", name="Now").click()
        expect(operator.get_by_role("img", name="Log-ins: 2, at most")).to_be_visible()
        operator.get_by_role("link", name="Health").click()
        expect(operator.locator("dt", has_text="sessile")).to_be_visible()

        operator.context.route(
            ELSEWHERE,
            lambda route: route.fulfill(
                content_type="text/html",
                body=f"<form method=post action='{address}end'><input name=user value={theirs}><button>Win</button></form>",
            ),
        )
        operator.goto(ELSEWHERE)
        with operator.expect_response(f"{address}end") as answer:
            operator.get_by_role("button", name="Win").click()
        assert answer.value.status == 403
        assert who_is(visitor, url) == "max"
        complaints.clear()  # Of the 403.

        operator.goto(f"{address}user?user={theirs}")
        operator.get_by_label("Select").check()
        operator.get_by_role("button", name="End the selected").click()
        expect(operator.get_by_text("End 1 session? What it holds is gone.")).to_be_visible()
        operator.get_by_role("button", name="End", exact=True).click()
        expect(operator.get_by_role("status")).to_have_text("1 session ended.")
        assert who_is(visitor, url) != "max"
        assert who_is(operator, url) == "zoe"
    assert complaints == []


def test_the_admin_of_django_respects_permissions(tmp_path: Path) -> None:
    """Staff without one is refused; who may look is shown no button, and their form ends nothing."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        opened([sys.executable, "-m", "tests.console.sites", "django", store], "site") as url,
        chromium() as browser,
    ):
        address = url + PREFIXES["django"]
        tom, lena = (log_in(browser.new_context(), url, user) for user in ("tom", "lena"))
        tom.goto(address)
        expect(tom.get_by_role("heading", level=1)).to_have_text("You are not let in")
        lena.goto(f"{url}/admin/")
        lena.get_by_role("link", name="Sessions").click()
        expect(lena.locator("tbody tr")).to_have_count(2)
        expect(lena.get_by_role("button", name="End the selected")).to_have_count(0)
        status = lena.evaluate(
            "async () => (await fetch('./end', {method: 'POST', body: new URLSearchParams({user: '3'})})).status"
        )
        assert status == 403
        assert who_is(tom, url) == "tom"

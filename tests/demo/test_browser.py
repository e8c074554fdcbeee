# The whole promise in one piece: a real browser, a real server process, real files. Both are stopped and started again
# between the acts, so that what survives has survived on disk.
"""The shop in a real browser"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

from sessile.demo.app import COOKIE_NAME
from tests.browser import FLAGS, SESSILE, chromium, opened, system_chromium

#: A phone, and the narrowest there is.
NARROW = {"width": 360, "height": 780}


@contextmanager
def shop(folder: Path, port: int = 0) -> Iterator[str]:
    """Start the demonstration as its own process, and stop it. Gives its URL, once it answers."""
    with opened([str(SESSILE), "demo", "--port", str(port), "--folder", str(folder)], "shop") as url:
        yield url


@contextmanager
def browser(playwright: Playwright, profile: Path, complaints: list[str]) -> Iterator[Page]:
    """Start a browser with the profile of an earlier one, and close it. What its console complains of is noted."""
    context: BrowserContext = playwright.chromium.launch_persistent_context(
        profile, executable_path=system_chromium(), args=FLAGS, viewport=NARROW, headless=True
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        context.close()


def look(page: Page, url: str) -> None:
    """Open a page, and see that it fits."""
    page.goto(url)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"], f"{url} is {width} pixels wide"


def test_the_shop_remembers_its_visitor(tmp_path: Path) -> None:
    """Sign up, fill the cart, restart browser and server: still logged in, cart full; log out: the cookie is dead."""
    complaints: list[str] = []
    folder, profile = tmp_path / "shop", tmp_path / "profile"
    with sync_playwright() as playwright:
        with shop(folder) as url:
            port = int(url.rpartition(":")[2])
            with browser(playwright, profile, complaints) as page:
                look(page, f"{url}/login")
                assert page.context.cookies() == []

                look(page, url)
                expect(page.get_by_test_id("visits")).to_have_text("1")
                page.get_by_role("button", name="Add Trefoil ring to the cart").click()
                expect(page.get_by_role("status")).to_contain_text("Trefoil ring is in your cart.")
                anonymous = page.context.cookies()[0]["value"]

                look(page, f"{url}/signup")
                page.get_by_label("Name").fill("Grace")
                page.get_by_label("Password").fill("a fine password")
                page.get_by_role("main").get_by_role("button", name="Sign up").click()
                expect(page.get_by_test_id("visitor")).to_have_text("Grace")
                assert page.context.cookies()[0]["value"] != anonymous

                page.get_by_role("button", name="Log out").click()
                expect(page.get_by_role("heading", level=1)).to_have_text("You have cast off.")
                assert page.context.cookies() == []

                look(page, f"{url}/login")
                page.get_by_label("Name").fill("Grace")
                page.get_by_label("Password").fill("a fine password")
                page.get_by_role("main").get_by_role("button", name="Log in").click()
                expect(page.get_by_test_id("visitor")).to_have_text("Grace")

                for product in ("Bow shackle", "Horn cleat"):
                    look(page, url)
                    page.get_by_role("button", name=f"Add {product} to the cart").click()
                    expect(page.get_by_role("status")).to_contain_text(product)
                look(page, f"{url}/cart")
                quantity = page.get_by_label("Quantity of Bow shackle")
                quantity.fill("3")
                quantity.dispatch_event("change")
                expect(page.get_by_test_id("cart-count")).to_have_text("4")

        with shop(folder, port) as url, browser(playwright, profile, complaints) as page:
            look(page, f"{url}/cart")
            expect(page.get_by_test_id("visitor")).to_have_text("Grace")
            expect(page.get_by_test_id("cart-count")).to_have_text("4")
            expect(page.get_by_test_id("total")).to_have_text("€ 75.50")
            expect(page.get_by_test_id("hood")).to_have_attribute("data-state", "sent")
            expect(page.get_by_test_id("record")).to_contain_text('"bow-shackle": 3')

            cookie = page.context.cookies()[0]
            assert cookie["name"] == COOKIE_NAME
            assert cookie["httpOnly"]
            assert page.evaluate("document.cookie") == ""
            kept = {"cookie": f"{COOKIE_NAME}={cookie['value']}"}
            assert "Grace" in httpx.get(f"{url}/cart", headers=kept).text

            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("You have cast off.")
            assert page.context.cookies() == []
            replayed = httpx.get(f"{url}/cart", headers=kept).text
            assert "Grace" not in replayed
            assert 'data-state="refused"' in replayed
    assert complaints == []


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)


def enter(page: Page, url: str, way: str, password: str) -> None:
    """Sign up, or log in, as Grace."""
    look(page, f"{url}/{way.lower().replace(' ', '')}")
    page.get_by_label("Name").fill("Grace")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name=way).click()
    expect(page.get_by_test_id("visitor")).to_have_text("Grace")


def expect_to_be_out(page: Page, url: str) -> None:
    """See that the next request of a device finds no session, though it still sends the cookie."""
    assert [cookie["name"] for cookie in page.context.cookies()] == [COOKIE_NAME]
    look(page, f"{url}/devices")
    expect(page).to_have_url(f"{url}/login")
    expect(page.get_by_test_id("visitor")).to_have_count(0)
    expect(page.get_by_test_id("hood")).to_have_attribute("data-state", "refused")


def test_the_administrator_has_a_console(tmp_path: Path) -> None:
    """Who signed up first ends the session of a visitor; a visitor is refused; and no page complains."""
    complaints: list[str] = []
    with chromium() as program, shop(tmp_path / "shop") as url:
        administrator, visitor = (program.new_context(viewport=NARROW).new_page() for _ in range(2))
        administrator.on("console", lambda message: complaints.append(message.text))
        enter(administrator, url, "Sign up", "a fine password")
        look(visitor, f"{url}/signup")
        visitor.get_by_label("Name").fill("Ada")
        visitor.get_by_label("Password").fill("a fine password")
        visitor.get_by_role("main").get_by_role("button", name="Sign up").click()
        expect(visitor.get_by_test_id("visitor")).to_have_text("Ada")
        visitor.goto(f"{url}/console/")
        expect(visitor.get_by_role("heading", level=1)).to_have_text("You are not let in")

        look(administrator, f"{url}/devices")
        administrator.get_by_role("link", name="console").click()
        look(administrator, administrator.url)
        rows = administrator.locator("tbody tr")
        expect(rows).to_have_count(2)
        administrator.get_by_role("link", name="Now").click()
        expect(administrator.get_by_role("img", name="Log-ins: 2")).to_be_visible()
        look(administrator, f"{url}/console/")
        for row in rows.all():
            row.get_by_role("checkbox").check()
        administrator.get_by_role("button", name="End the selected").click()
        administrator.get_by_role("button", name="End", exact=True).click()
        expect(administrator.get_by_role("status")).to_have_text("2 sessions ended.")
        expect_to_be_out(visitor, url)
    assert complaints == []


def test_one_device_ends_another(tmp_path: Path) -> None:
    """On two devices: one logs the other out, then all others, then changes the password; the other is out each time."""
    with chromium() as program, shop(tmp_path / "shop") as url:
        laptop, phone = (
            program.new_context(user_agent=user_agent, viewport=NARROW).new_page() for user_agent in (FIREFOX, PHONE)
        )
        enter(laptop, url, "Sign up", "a fine password")
        enter(phone, url, "Log in", "a fine password")

        look(laptop, url)
        laptop.get_by_test_id("visitor").click()
        expect(laptop.get_by_test_id("device")).to_have_count(2)
        expect(laptop.get_by_test_id("device").nth(0)).to_contain_text("Firefox on Linux")
        expect(laptop.get_by_test_id("device").nth(0)).to_contain_text("This one")
        look(laptop, f"{url}/devices")
        laptop.get_by_role("button", name="Log out Chrome on Android").click()
        expect(laptop.get_by_role("status")).to_have_text("Chrome on Android was logged out.")
        expect(laptop.get_by_test_id("device")).to_have_count(1)
        expect_to_be_out(phone, url)

        enter(phone, url, "Log in", "a fine password")
        look(laptop, f"{url}/devices")
        laptop.get_by_role("button", name="Log out all others").click()
        expect(laptop.get_by_role("status")).to_have_text("1 other device was logged out.")
        expect_to_be_out(phone, url)

        enter(phone, url, "Log in", "a fine password")
        look(laptop, f"{url}/password")
        before = laptop.context.cookies()[0]["value"]
        for present, words in (("a guess", "Nothing was changed."), ("a fine password", "Your password is changed.")):
            laptop.get_by_label("Present password").fill(present)
            laptop.get_by_label("New password").fill("another fine password")
            laptop.get_by_role("button", name="Change it").click()
            expect(laptop.get_by_role("alert").or_(laptop.get_by_role("status"))).to_contain_text(words)
        expect(laptop.get_by_role("status")).to_contain_text("1 other device was logged out.")
        assert laptop.context.cookies()[0]["value"] != before
        expect_to_be_out(phone, url)

        look(laptop, f"{url}/cart")
        expect(laptop.get_by_test_id("visitor")).to_have_text("Grace")
        enter(phone, url, "Log in", "another fine password")

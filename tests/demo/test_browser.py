# The whole promise in one piece: a real browser, a real server process, real files. Both are stopped and started again
# between the acts, so that what survives has survived on disk.
"""The shop in a real browser"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

from holdfast.demo.app import COOKIE_NAME

HOLDFAST = Path(sys.executable).with_name("holdfast")

#: A phone, and the narrowest there is.
NARROW = {"width": 360, "height": 780}

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def system_chromium() -> str | None:
    """Return the system's Chromium; None leaves it to Playwright, which has its own where it was installed."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@contextmanager
def shop(folder: Path, port: int = 0) -> Iterator[str]:
    """Start the demonstration as its own process, and stop it. Gives its URL, once it answers."""
    command = [str(HOLDFAST), "demo", "--port", str(port), "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("The shop is open: "), line
            yield line.split()[4]
        finally:
            process.terminate()


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

"""``sessile console`` as a process of its own, in a real browser"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from playwright.sync_api import expect

from sessile import RequestFacts, Sessions
from tests.browser import SESSILE, chromium, opened
from tests.conftest import SECRET

HOSTILE = "<img src=x onerror=alert(1)>"


def test_an_operator_ends_a_session(tmp_path: Path) -> None:
    """Enter once, filter, look, end one: it is over for its browser. No script runs, and every page fits a phone."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    sessions = Sessions(secret=SECRET, store=store)
    cookies = {}
    for user in ("zoe", HOSTILE):
        session = sessions.engine.begin_sync(b"", RequestFacts)
        session.login(user)
        session["note"] = HOSTILE
        cookies[user] = sessions.engine.commit_sync(session)[0].partition(";")[0].encode()
    shots = os.environ.get("CONSOLE_SHOTS")
    complaints: list[str] = []
    command = [str(SESSILE), "console", "--store", store, "--show-data"]
    with opened(command, "console", {"SESSION_SECRET": SECRET}) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

        def look(name: str) -> None:
            """See that the page fits a phone."""
            expect(page.locator("h1")).to_contain_text(name)
            page.wait_for_load_state()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            for scheme in ("light", "dark") if shots else ():
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                for width in (390, 1920):
                    page.set_viewport_size({"width": width, "height": 844})
                    page.screenshot(path=f"{shots}/{name.strip(' ?')}-{scheme}-{width}.png")
                page.set_viewport_size({"width": 390, "height": 844})

        page.goto(url)
        assert "token" not in page.url
        assert httpx.get(url).status_code == 403
        expect(page.locator("tbody tr")).to_have_count(2)
        look("Sessions")
        page.get_by_label("User", exact=True).fill("zoe")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        page.locator("tbody td code").click()
        page.get_by_role("link", name="Show data").click()
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        look("Session ")
        page.get_by_role("button", name="End this session").click()
        look("End sessions?")
        page.get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("1 session ended.")
        page.get_by_role("link", name="Health").click()
        look("Health")
        page.get_by_role("link", name="Now").click()
        look("Now")
    assert sessions.engine.begin_sync(cookies["zoe"], RequestFacts).is_new
    assert not sessions.engine.begin_sync(cookies[HOSTILE], RequestFacts).is_new
    assert complaints == []
    sessions.close()

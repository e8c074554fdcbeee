"""A real browser, and programs of ours as processes of their own"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

__all__ = ["FLAGS", "SESSILE", "chromium", "opened", "system_chromium"]

SESSILE = Path(sys.executable).with_name("sessile")

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
def chromium(*flags: str) -> Iterator[Browser]:
    """Start Chromium, with ``flags`` besides the usual ones, and close it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system_chromium(), args=[*FLAGS, *flags])
        yield browser
        browser.close()


@contextmanager
def opened(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start a program, and stop it. Gives the URL that it prints once it answers: "The ``what`` is open: URL"."""
    whole = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=whole) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith(f"The {what} is open: "), line
            yield line.split()[4]
        finally:
            process.terminate()

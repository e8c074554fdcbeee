"""Whom servers believe by themselves: what docs/how-to/proxy.md says of waitress, gunicorn and uvicorn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.servers.conftest import answers, bound
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]

#: Which of the settings of ``proxy`` make a secure cookie, by the server and by who sends X-Forwarded-Proto: https.
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
ANY, LISTED, NONE = {"/none", "/nobody", "/listed"}, {"/listed"}, set[str]()

HTTPS = {"x-forwarded-proto": "https"}

WAITRESS = ["waitress", "--listen=127.0.0.1:PORT", "tests.servers.behind:wsgi"]
TRUSTING = ["--trusted-proxy=127.0.0.1", "--trusted-proxy-headers=x-forwarded-proto"]
GUNICORN = ["gunicorn", "--bind=127.0.0.1:PORT", "tests.servers.behind:wsgi"]
UVICORN = ["uvicorn", "--port=PORT", "tests.servers.behind:asgi"]


@pytest.mark.parametrize(
    ("command", "of_the_proxy", "of_a_stranger"),
    [
        pytest.param(WAITRESS, NONE, NONE, id="waitress removes the header"),
        pytest.param([*WAITRESS[:-1], *TRUSTING, WAITRESS[-1]], ANY, NONE, id="waitress may be told whom to believe"),
        pytest.param(GUNICORN, ANY, NONE, id="gunicorn believes loopback"),
        pytest.param([*GUNICORN, "--forwarded-allow-ips="], LISTED, NONE, id="gunicorn may be told to believe nobody"),
        pytest.param(UVICORN, ANY, NONE, id="uvicorn believes loopback"),
        pytest.param([*UVICORN, "--no-proxy-headers"], LISTED, NONE, id="uvicorn may be told to believe nobody"),
    ],
)
def test_a_server_decides_before_us(
    command: list[str], of_the_proxy: set[str], of_a_stranger: set[str], tmp_path: Path
) -> None:
    """What the server believes is https for us, and what it removes we never see, whatever ``proxy`` says."""
    with bound() as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    environment.pop("FORWARDED_ALLOW_IPS", None)
    arguments = [argument.replace("PORT", str(port)) for argument in command]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: process.poll() is not None or answers(port), "the server does not start")
        assert process.poll() is None, (tmp_path / "log").read_text("utf-8", "replace")
        for visitor, expected in ((PROXY, of_the_proxy), (STRANGER, of_a_stranger)):
            transport = httpx.HTTPTransport(local_address=visitor)
            with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                cookies = {path: client.get(path, headers=HTTPS).headers["set-cookie"] for path in sorted(ANY)}
            assert {path for path, cookie in cookies.items() if "Secure" in cookie} == expected
    finally:
        process.terminate()
        process.wait(timeout=20)

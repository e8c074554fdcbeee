"""django-hijack, django-two-factor-auth, channels and Wagtail work on top: on_top/ has the tests, in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MIDDLEWARES = ["django.contrib.sessions.middleware.SessionMiddleware", "sessile.django.SessionMiddleware"]


@pytest.mark.parametrize("middleware", MIDDLEWARES, ids=["Django's", "ours"])
def test_they_work_on_top(middleware: str) -> None:
    """Beneath Django's own middleware, and with ours that writes express-session's cookie in its place."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--strict-config"]
    command += ["--ds", "tests.on_top.settings", "-c", str(HERE / "on_top/pytest.ini"), str(HERE / "on_top")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"ON_TOP": middleware, "PYTHONPATH": str(HERE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

"""Type checkers see the session's type in each framework."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: Bottle, Django and Pyramid have no types. Who uses them with mypy lets it pass, or installs stubs.
UNTYPED = "--disable-error-code=import-untyped"

CHECKERS = {
    "mypy": [
        "mypy",
        "--config-file=",
        "--strict",
        "--cache-dir=/dev/null",
        UNTYPED,
        "frameworks.py",
        "typed_sessions.py",
    ],
    "pyright": ["basedpyright", "-p", ".", "--pythonpath", sys.executable],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_types_are_those_asserted(checker: str) -> None:
    """Each assert_type holds, and nothing else is wrong."""
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker]],
        cwd=HERE,
        env={**os.environ, "MYPYPATH": str(HERE.parents[1] / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""Type checkers see what each verb returns, the session's type in each framework, and a user's mistakes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: Bottle, Django and Pyramid have no types. Their users let that pass under mypy, or install stubs.
UNTYPED = "--disable-error-code=import-untyped"

MYPY = ["mypy", "--config-file=", "--strict", "--cache-dir=/dev/null", UNTYPED]
PYRIGHT = ["basedpyright", "--pythonpath", sys.executable, "-p"]

RIGHT = ["frameworks.py", "typed_sessions.py", "verbs.py"]
CHECKERS = {"mypy": [*MYPY, *RIGHT], "pyright": [*PYRIGHT, "."]}
#: How each of them names the line of an error.
MISTAKES = {
    "mypy": ([*MYPY, "mistakes.py"], r"^mistakes\.py:(\d+): error"),
    "pyright": ([*PYRIGHT, "mistakes.json"], r"mistakes\.py:(\d+):\d+ - error"),
}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Return what a type checker says, in this folder."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=HERE,
        env={**os.environ, "MYPYPATH": str(HERE.parents[1] / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_types_are_those_asserted(checker: str) -> None:
    """Each assert_type holds, and nothing else is wrong."""
    done = run(CHECKERS[checker])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("checker", MISTAKES)
def test_each_mistake_is_reported_and_nothing_else(checker: str) -> None:
    """A forgotten await, a typo on a handle, a wrong argument, a wrong return: both checkers see it, on its line."""
    command, line = MISTAKES[checker]
    done = run(command)
    source = (HERE / "mistakes.py").read_text("utf-8").splitlines()
    expected = {number for number, text in enumerate(source, 1) if text.endswith("# mistake")}
    reported = {int(number) for number in re.findall(line, done.stdout, re.MULTILINE)}
    assert reported == expected, done.stdout + done.stderr

"""Processes of Python that begin at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def start_together(code: str, *arguments: Sequence[object]) -> list[subprocess.Popen[str]]:
    """Run ``code`` once for each of ``arguments``. It prints "ready", and waits for a line; then all of them go."""
    root = Path(__file__).parents[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *map(str, own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for own in arguments
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def finish(started: list[subprocess.Popen[str]]) -> None:
    """Wait for their ends, which have to be good ones."""
    for process in started:
        process.communicate(timeout=300)
        assert process.returncode == 0

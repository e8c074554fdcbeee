"""Processes of Python: such that begin at the same moment, and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
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


def forked(child: Callable[[], bool], parent: Callable[[], bool] = lambda: True) -> bool:
    """Run ``child`` in a fork, and ``parent`` here at the same time. Return whether both returned true."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forks among threads, which are what these tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        passed = False
        try:
            passed = child()
        finally:
            os._exit(0 if passed else 1)
    here = parent()
    _, status = os.waitpid(process, 0)
    return here and os.waitstatus_to_exitcode(status) == 0

"""The benchmark of races is not blind: it catches what express-session loses, and sessile loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks/races.py"


def races(*names: str) -> dict[tuple[str, str], list[str]]:
    """Run the races three times each, and return the table: library without version and settings to cells."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--rounds", "3", "--only", *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Left out" not in done.stdout, done.stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    return {(name.split(" ")[0] + name[name.index(",") :], settings): cells for name, settings, *cells in rows[2:]}


def test_sessile_keeps_what_express_session_loses() -> None:
    """Real servers, requests that overlap by design: a logout stays, and so do two changes, but not in the cookie."""
    kept = ["kept"] * 3
    assert races("sessile", "express-session, MemoryStore") == {
        ("sessile, memory", "defaults"): kept,
        ("sessile, SQLite", "defaults"): kept,
        ("sessile, files", "defaults"): kept,
        ("sessile, Redis", "defaults"): kept,
        ("express-session, MemoryStore", "`resave: false`, as advised"): ["kept", "undone 3 of 3", "lost 3 of 3"],
        ("express-session, MemoryStore", "`resave: true`, its default"): [
            "undone 3 of 3",
            "undone 3 of 3",
            "lost 3 of 3",
        ],
        ("sessile, in the cookie", "defaults"): ["never ends", "never ends", "lost 3 of 3"],
    }

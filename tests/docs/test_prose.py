"""The prose of the documentation, the docstrings and the messages keeps to plain English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What it is, and what to write in its place.
PATTERNS = {
    "a user is 'they'": re.compile(r"\b(he|him|his|himself)\b", re.IGNORECASE),
    "no inversion: 'A session never ...'": re.compile(r"\bnever can\b", re.IGNORECASE),
    "'the same as', not 'do as'": re.compile(r"\bDo as ``"),
}

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FILES = sorted(
    [
        *PAGES,
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "src").rglob("*.html"),
    ]
)


@pytest.mark.parametrize("rule", PATTERNS)
def test_no_page_and_no_source_has_the_pattern(rule: str) -> None:
    """None of the patterns that we have agreed to avoid is in a page, a docstring, a comment or a message."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if PATTERNS[rule].search(line)
    ]
    assert not found, "\n".join(found)


HIDDEN = re.compile(r"<!--- invisible-code-block.*?-->", re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_teaches_with_plumbing(path: Path) -> None:
    """An example shows what a user writes. What only makes it run is hidden."""
    shown = HIDDEN.sub("", path.read_text("utf-8"))
    assert not re.search(r"begin_sync|begin_async\b|commit_sync|SimpleNamespace", shown)

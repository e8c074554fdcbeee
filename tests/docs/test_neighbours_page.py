"""The page of the neighbours says what their tables say."""

from __future__ import annotations

from pathlib import Path

from tests.neighbours.page import page


def test_the_page_is_what_the_tables_say() -> None:
    """``python -m tests.neighbours.page`` writes it."""
    assert Path("docs/reference/neighbours.md").read_text("utf-8") == page()

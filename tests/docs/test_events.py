"""The page of events is written from the table that the code tells by."""

from __future__ import annotations

from sessile.events import EventKind
from tests.docs.test_reference import ROOT, hook


def test_the_table_names_every_event() -> None:
    """Each has one row, with what it means; and whoever reads a line at WARNING or above is told what to do."""
    table = hook("events").table()
    for happening in EventKind:
        assert table.count(f"| `{happening.label}` |") == 1
        assert happening.when.endswith(".")
        assert happening.remedy.endswith(".") or (not happening.remedy and happening.level < 30)


def test_the_page_shows_it() -> None:
    """The mark stands where the table goes."""
    page = (ROOT / "docs/reference/events.md").read_text()
    assert hook("events").MARK in page
    assert "| `bad_signature` |" in hook("events").on_page_markdown(page)

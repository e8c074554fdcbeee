"""The pages for those who come from express-session say all there is to say, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NODE = ROOT / "tests/node/node_modules"
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
}


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row of the tables of a page."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


WISHES = [row for row in rows("wishes.md") if row[0].isdecimal()]


def test_every_wish_is_answered() -> None:
    assert [int(row[0]) for row in WISHES] == list(range(1, 32))
    for _, wish, answer, shown in WISHES:
        assert re.search(r"#\d+", wish), wish
        assert re.match(r"Done|In part: |Not yet|No[. ]", answer), answer
        assert shown.startswith("`test_")


@pytest.mark.parametrize("name", sorted({row[3].strip("`") for row in WISHES}))
def test_what_shows_an_answer_is_a_test(name: str) -> None:
    assert name in TESTS


@pytest.mark.parametrize("package", ["express-session", "cookie-parser"])
def test_every_name_of_the_package_stands_beside_ours(package: str) -> None:
    """The headings of the package's own documentation are what its users know."""
    headings = re.findall(r"^#+ (.+)$", (NODE / package / "README.md").read_text("utf-8"), re.MULTILINE)
    names = {
        name for name in headings if (re.fullmatch(r"[\w.]+(\(.*\))?", name) and name[0].islower()) or "." in name
    } - {"express-session", "cookie-parser", "session(options)"}
    assert len(names) >= 5
    listed = "\n".join(row[0] for row in rows("reference/express-session.md"))
    for name in names:
        assert f"`{name}`" in listed, name

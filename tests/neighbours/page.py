"""Writes the page of the neighbours: python -m tests.neighbours.page > docs/reference/neighbours.md"""

from __future__ import annotations

from tests.neighbours.differences import DIFFERENCES, PASSES
from tests.neighbours.table import NEIGHBOURS

__all__ = ["page"]

_HEAD = """\
# Packages that stand on a session

Their own tests run with sessile beneath them, from the source distribution on PyPI of this version: `make test-neighbours`. "Signed" is with
`sessile.django.SessionMiddleware` in the place of Django's; the others of Django's are with `SESSION_ENGINE` alone. Of Flask-Security and Django
those that look at sessions run, with the databases that need no server. A test that fails with the framework's own sessions too is left out. This page is
written by `python -m tests.neighbours.page`, and a test keeps it true.

The distributions of others carry no tests. Tests of ours run django-hijack, django-two-factor-auth, channels, Wagtail, Flask-Paranoid, Quart, Litestar and
SQLAdmin with sessile beneath them: `make test`.

| tests of | version | pass | fail |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows, reasons = [], {}
    for neighbour in NEIGHBOURS:
        name, differences = neighbour.name, DIFFERENCES[neighbour.name]
        rows.append(f"| {name} | {neighbour.source.version} | {PASSES[name]} | {len(differences) or ''} |\n")
        for reason in differences.values():
            reasons.setdefault(reason, {}).setdefault(name, []).append(reason)
    why = "".join(
        f"- {', '.join(f'{name} ({len(found)})' for name, found in names.items())}: {reason}.\n"
        for reason, names in reasons.items()
    )
    return f"{_HEAD}{''.join(rows)}\nWhy some fail, by package and number of tests:\n\n{why}"


if __name__ == "__main__":
    print(page(), end="")

"""Draws the life of a session from the table in ``sessile._session.lifecycle``: the docs show what the code runs on."""

from __future__ import annotations

from typing import Any

from sessile._session.lifecycle import OPTIONS, RULES
from sessile._session.plan import Browser, Operation, Outcome

MARK = "<!-- life cycle -->"

HOW = {
    Outcome.EMPTY: "no session came, nothing was put in",
    Outcome.FILLED: "no session came, something was put in",
    Outcome.SAME: "one was loaded and not changed",
    Outcome.CHANGED: "its data was changed",
    Outcome.ALTERED: "its cookie was changed, or touch()",
    Outcome.ROTATED: "regenerate(), login()",
    Outcome.DESTROYED: "destroy(), logout()",
    Outcome.RELEASED: "the slot was set to None",
    Outcome.LOST: "somebody else ended it meanwhile",
}
COLOURS = {
    Operation.NOTHING: "#8a8f98",
    Operation.CREATE: "#2f9e6e",
    Operation.TOUCH: "#3b82c4",
    Operation.REPLACE: "#3b82c4",
    Operation.ROTATE: "#a06bd0",
    Operation.DELETE: "#d0574b",
}


def picture() -> str:
    """Return the table as SVG: a row a state, from how a request gets there to the store and the browser."""
    height = 46
    rows = []
    for number, (state, rule) in enumerate(RULES.items()):
        top = 34 + number * height
        colour = COLOURS[rule.operation]
        store = "" if rule.operation is Operation.NOTHING else rule.operation.value
        browser = "" if rule.browser is Browser.NOTHING else f"{rule.browser.value} cookie"
        if rule.browser is Browser.SEND_IF_IT_ENDS:
            browser = "send cookie, if it has an end"
        rows.append(
            f'<text x="0" y="{top + 20}">{HOW[state]}</text>'
            f'<path d="M262 {top + 16} h22" stroke="currentColor" opacity=".4" marker-end="url(#to)"/>'
            f'<rect x="290" y="{top}" width="120" height="32" rx="6" fill="{colour}"/>'
            f'<text x="350" y="{top + 21}" fill="#fff" text-anchor="middle" font-weight="600">{state.name}</text>'
            f'<text x="430" y="{top + 20}">{store or "–"}</text>'
            f'<text x="520" y="{top + 20}">{browser or "–"}</text>'
        )
    total = 34 + len(RULES) * height
    return (
        f'<svg viewBox="0 0 740 {total}" role="img" aria-label="The states of a session and what follows from each" '
        'style="max-width:100%;font:13px system-ui,sans-serif;fill:currentColor">'
        '<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8" fill="currentColor" opacity=".4"/></marker></defs>'
        '<g font-weight="600" opacity=".7"><text x="0" y="14">in a request</text><text x="316" y="14">state</text>'
        '<text x="430" y="14">the store</text><text x="520" y="14">the browser</text></g>' + "".join(rows) + "</svg>"
    )


def options() -> str:
    """Return what options change in the table, as a table of Markdown."""
    lines = ["| option | state | the store | the browser |", "|---|---|---|---|"]
    for name, value, state, operation, browser in OPTIONS:
        lines.append(
            f"| `{name}={value!r}` | {state.name} | {operation.value if operation else 'as above'} "
            f"| {browser.value + ' cookie' if browser else 'as above'} |"
        )
    return "\n".join(lines)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the picture and the table where a page has the mark (a hook of MkDocs)."""
    return markdown.replace(MARK, f"{picture()}\n\n{options()}")

# The pictures of the docs are drawn from what the code runs on: the table in lifecycle.py, and the layers of the import
# rules in pyproject.toml. So a picture cannot say what the code does not do. A new state or room that nobody described
# here stops the build with a KeyError.
"""Draw the pictures of the documentation, as SVG that follows the page's colours."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from holdfast.lifecycle import OPTIONS, RULES, Browser, Operation, State

ROOT = Path(__file__).parents[2]

NONE, LOADED, EITHER = "no session came", "a session was loaded", "either"

#: state -> where the request started, and what its handler did.
ARRIVALS: dict[State, tuple[str, str]] = {
    State.EMPTY: (NONE, "nothing was put in"),
    State.FILLED: (NONE, "something was put in"),
    State.SAME: (LOADED, "nothing was changed"),
    State.CHANGED: (LOADED, "its data was changed, at any depth"),
    State.ALTERED: (LOADED, "its cookie was changed, or touch()"),
    State.ROTATED: (EITHER, "regenerate(), login()"),
    State.DESTROYED: (EITHER, "destroy(), logout()"),
    State.RELEASED: (EITHER, "the slot was set to None"),
}

STORE: dict[Operation, str] = {
    Operation.NOTHING: "—",
    Operation.CREATE: "create",
    Operation.TOUCH: "touch",
    Operation.REPLACE: "replace",
    Operation.ROTATE: "end old id, create new",
    Operation.DELETE: "delete",
}

COOKIE: dict[Browser, str] = {
    Browser.NOTHING: "—",
    Browser.SEND: "gets the cookie",
    Browser.SEND_IF_IT_ENDS: "gets it, if it has an end",
    Browser.EXPIRE: "its cookie is expired",
}

#: What stands in a row for each state: the option that changes it, or "" for the default; store; browser.
Row = tuple[str, str, str]


def rows_of(state: State) -> list[Row]:
    """Return what becomes of a session in ``state``: the default first, then what options make of it."""
    operation, browser = RULES[state]
    rows = [("", STORE[operation], COOKIE[browser])]
    for name, value, changed, to_store, to_browser in OPTIONS:
        if changed is state:
            rows.append((f"{name}={value!r}", STORE[to_store or operation], COOKIE[to_browser or browser]))
    return rows


# The life cycle -------------------------------------------------------------------------------------------------------

ROW, GAP, TOP = 34, 12, 46
X_START, X_STATE, X_STORE, X_BROWSER, WIDTH = 4, 190, 500, 712, 920


def lifecycle_picture() -> str:
    """Return the life cycle as SVG: where a request starts, how it ends, and what follows from that."""
    parts: list[str] = []
    heads = ((X_START, "the request begins"), (X_STATE, "and ends"), (X_STORE, "the store"), (X_BROWSER, "the browser"))
    parts += [f'<text class="head" x="{x}" y="20">{text}</text>' for x, text in heads]
    y = TOP
    spans: dict[str, list[int]] = {}
    for state in State:
        start, how = ARRIVALS[state]
        rows = rows_of(state)
        height = ROW * len(rows) + 10
        parts += _state(state, how, rows, y, height)
        spans.setdefault(start, []).extend((y, y + height))
        y += height + GAP
    for start, ends in spans.items():
        parts += _start(start, min(ends), max(ends))
    label = "Life cycle of a session: " + ", ".join(state.value for state in State)
    return _svg("lifecycle", WIDTH, y, label, parts)


def _start(text: str, top: int, bottom: int) -> list[str]:
    middle = (top + bottom) / 2
    return [
        f'<rect class="start" x="{X_START}" y="{top}" width="140" height="{bottom - top}" rx="8"/>',
        f'<text class="middle" x="{X_START + 70}" y="{middle + 5}">{escape(text)}</text>',
    ]


def _state(state: State, how: str, rows: list[Row], y: int, height: int) -> list[str]:
    parts = [
        _arrow(X_START + 140, X_STATE, y + 22),
        f'<rect class="state" x="{X_STATE}" y="{y}" width="262" height="{height}" rx="8"/>',
        f'<text class="name" x="{X_STATE + 12}" y="{y + 20}">{state.name}</text>',
        f'<text class="how" x="{X_STATE + 12}" y="{y + 37}">{escape(how)}</text>',
    ]
    for number, (option, store, browser) in enumerate(rows):
        middle = y + 22 + number * ROW
        kind = "default" if not option else "option"
        if option:
            parts.append(f'<text class="code" x="{X_STATE + 250}" y="{middle + 5}">{escape(option)}</text>')
        parts.append(_arrow(X_STATE + 262, X_STORE, middle, kind))
        parts += _outcome(X_STORE, 176, middle, store, kind)
        parts.append(_arrow(X_STORE + 176, X_BROWSER, middle, kind))
        parts += _outcome(X_BROWSER, 200, middle, browser, kind)
    return parts


def _outcome(x: int, width: int, middle: int, text: str, kind: str) -> list[str]:
    idle = " idle" if text == "—" else ""
    return [
        f'<rect class="outcome {kind}{idle}" x="{x}" y="{middle - 13}" width="{width}" height="26" rx="13"/>',
        f'<text class="middle" x="{x + width / 2}" y="{middle + 5}">{escape(text)}</text>',
    ]


def _arrow(start: float, end: float, y: float, kind: str = "default") -> str:
    return f'<path class="arrow {kind}" d="M{start} {y}H{end - 7}" marker-end="url(#tip)"/>'


def lifecycle_table() -> str:
    """Return the same as a table in Markdown, for those who read or listen."""
    lines = ["| state | how a request gets there | option | the store | the browser |", "|---|---|---|---|---|"]
    for state in State:
        start, how = ARRIVALS[state]
        for number, (option, store, browser) in enumerate(rows_of(state)):
            first = (f"**{state.name}**", f"{start}; {how}") if number == 0 else ("", "")
            lines.append(f"| {first[0]} | {first[1]} | {f'`{option}`' if option else ''} | {store} | {browser} |")
    return "\n".join(lines)


# The rooms ------------------------------------------------------------------------------------------------------------

LINE, PAD = 24, 8


def layers() -> list[list[str]]:
    """Return the rooms as the import rules have them, the highest layer first."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (contract,) = (contract for contract in rules["contracts"] if contract["type"] == "layers")
    return [[name.strip("() ") for name in layer.split("|")] for layer in contract["layers"]]


def purpose(module: str) -> str:
    """Return the first line of a module's docstring."""
    path = ROOT / "src" / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    first = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
    return first.replace("``", "")


def rooms_picture() -> str:
    """Return the rooms as SVG. Imports go down only."""
    parts: list[str] = []
    y = 4
    stack = layers()
    for number, layer in enumerate(stack):
        height = LINE * len(layer) + 2 * PAD
        parts.append(f'<rect class="state" x="4" y="{y}" width="812" height="{height}" rx="8"/>')
        for line, module in enumerate(layer):
            base = y + PAD + LINE * line + 17
            parts.append(f'<text class="code left" x="18" y="{base}">{escape(module)}</text>')
            parts.append(f'<text class="how" x="190" y="{base}">{escape(purpose(module))}</text>')
        y += height
        if number < len(stack) - 1:
            parts.append(f'<path class="arrow default" d="M410 {y}V{y + 12}" marker-end="url(#tip)"/>')
            y += 20
    label = "Rooms of holdfast, from the highest to the lowest: " + ", ".join(sum(stack, []))
    return _svg("rooms", 820, y + 4, label, parts)


# The pages ------------------------------------------------------------------------------------------------------------


def _svg(kind: str, width: int, height: int, label: str, parts: list[str]) -> str:
    tip = f"tip-{kind}"
    body = "\n".join(parts).replace("url(#tip)", f"url(#{tip})")
    return (
        f'<div class="picture {kind}"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">\n'
        f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>\n{body}\n</svg></div>'
    )


PICTURES: dict[str, Callable[[], str]] = {
    "lifecycle-picture": lifecycle_picture,
    "lifecycle-table": lifecycle_table,
    "rooms-picture": rooms_picture,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put each picture in the place of its mark, ``<!-- lifecycle-picture -->`` for one (called by mkdocs)."""
    return re.sub(r"<!-- ([a-z]+-(?:picture|table)) -->", lambda mark: PICTURES[mark[1]](), markdown)

"""Draws the layers of the package from the import rules in ``pyproject.toml``: the docs show what the tests enforce."""

from __future__ import annotations

import ast
import tomllib
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MARK = "<!-- layers -->"

LINE, PADDING, GAP, WIDTH = 24, 8, 20, 900


def layers() -> list[list[str]]:
    """Return the modules of each layer, the highest first."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (contract,) = (contract for contract in rules["contracts"] if contract["type"] == "layers")
    return [[name.strip("() ") for name in layer.split("|")] for layer in contract["layers"]]


def purpose(module: str) -> str:
    """Return the first line of a module's docstring."""
    path = ROOT / "src" / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    first = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
    return first.replace("``", "")


def picture() -> str:
    """Return the layers as SVG, with what each module is for. Imports go down only."""
    parts = []
    top = 2
    stack = layers()
    for layer in stack:
        if layer is not stack[0]:
            down = f"M{WIDTH // 2} {top - GAP + 2} v{GAP - 6}"
            parts.append(f'<path d="{down}" stroke="currentColor" marker-end="url(#down)"/>')
        height = LINE * len(layer) + 2 * PADDING
        parts.append(
            f'<rect x="2" y="{top}" width="{WIDTH - 4}" height="{height}" rx="6" '
            'fill="currentColor" fill-opacity=".05" stroke="currentColor" stroke-opacity=".3"/>'
        )
        for line, module in enumerate(layer):
            base = top + PADDING + LINE * line + 17
            parts.append(f'<text x="16" y="{base}" font-weight="600">{escape(module)}</text>')
            parts.append(f'<text x="170" y="{base}" opacity=".8">{escape(purpose(module))}</text>')
        top += height + GAP
    return (
        f'<svg viewBox="0 0 {WIDTH} {top - GAP + 2}" role="img" aria-label="The layers of sessile, the highest first" '
        'style="max-width:100%;font:13px system-ui,sans-serif;fill:currentColor">'
        '<defs><marker id="down" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8" fill="currentColor"/></marker></defs>' + "".join(parts) + "</svg>"
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the picture where a page has the mark (a hook of MkDocs)."""
    return markdown.replace(MARK, picture()) if MARK in markdown else markdown

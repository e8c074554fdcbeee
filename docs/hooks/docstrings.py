# Two habits of the source that griffe does not know: attributes are documented by `#:` lines above them, and examples
# stand as bare `>>>` paragraphs, which Markdown would take for quotations.
"""Read the docstrings of the source as they are written there (an extension of griffe)."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^>>> .*\n(?:(?!\n|\Z).*\n?)*", re.MULTILINE)


class SourceDocstrings(griffe.Extension):
    """Takes ``#:`` lines for the docstring of the attribute below them, and fences examples."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Find the lines above an attribute."""
        if attr.docstring is None and attr.lineno is not None:
            above: list[str] = []
            number = attr.lineno - 2
            lines = attr.lines_collection[attr.filepath]
            while number >= 0 and lines[number].lstrip().startswith("#:"):
                above.insert(0, lines[number].lstrip()[2:].strip())
                number -= 1
            if above:
                attr.docstring = griffe.Docstring("\n".join(above), lineno=number + 2, parent=attr)

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the examples of any docstring."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(
                lambda example: f"```pycon\n{example[0].rstrip()}\n```\n", obj.docstring.value
            )

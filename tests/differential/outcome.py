# What came of a scenario is plain data, the same from both sides, so that two of them can be compared with `==` and
# shown as a diff. Times are in milliseconds, as Node has them.
"""What came of a scenario."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

#: {"status", "cookies", "caches", "calls", "saw", "records"}, or {"end": how it ended without a response}.
Step = dict[str, Any]


def cookie_of(line: str) -> dict[str, Any]:
    """Return a Set-Cookie line taken apart. Refuses an attribute that is there twice."""
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    apart = [attribute.partition("=") for attribute in attributes]
    found = {key: text if equals else True for key, equals, text in apart}
    assert len(found) == len(apart), line
    return {"name": name, "value": value, "attributes": found}


def readable(steps: list[Step]) -> list[str]:
    """Return steps as lines of text, a fact in each."""
    lines = []
    for number, step in enumerate(steps, 1):
        lines.append(f"request {number}")
        for name, value in step.items():
            facts = [f"{key} {_text(each)}" for key, each in value.items()] if isinstance(value, dict) else value
            lines += [f"    {name}: {_text(fact)}" for fact in (facts if isinstance(facts, list) else [facts])]
    return lines


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return re.sub("_{10,}", "", text) or "(empty)"


def difference(expected: list[Step], actual: list[Step]) -> str:
    """Return what differs, as a diff of the whole."""
    return "\n".join(difflib.ndiff(readable(expected), readable(actual)))

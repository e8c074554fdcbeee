"""What every integration does: the shared suite. One function is one behaviour, its docstring the rule."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from tests.integrations.behaviours import changes, cookies, encounters, endings, outages, responses, sockets
from tests.integrations.running import Running

Behaviour = Callable[[Running], None]

#: The sections, in their order in the docs.
SECTIONS: list[ModuleType] = [cookies, changes, endings, responses, encounters, outages, sockets]


def behaviours(section: ModuleType) -> dict[str, Behaviour]:
    """Return the behaviours of a section by name, in their order."""
    return {
        name: value
        for name, value in vars(section).items()
        if callable(value) and getattr(value, "__module__", "") == section.__name__ and not name.startswith("_")
    }


ALL: dict[str, Behaviour] = {name: each for section in SECTIONS for name, each in behaviours(section).items()}

"""The counts of the house, on small packages whose counts are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.counts import Package, counts


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A function's worth of each kind of disorder, among things that are in order."""
    files = {
        "__init__": "from shop.cart import Cart",
        "cart": """
            from __future__ import annotations
            import os
            from typing import TYPE_CHECKING, Any, Awaitable, Coroutine, Optional
            from shop._session.session import JSON, Text
            from shop import till
            from . import till as again
            if TYPE_CHECKING:
                from shop._session.session import Session
            Anything = JSON
            class Cart:
                _of = 1
                def ours(self, other, session) -> int:
                    self._a, Cart._of, type(self)._of, super()._b, till._rate, again._rate, other.__dict__
                    other._replace(a=1)
                    other._a = session.state._c
                    return session._b._d
                def plain(self) -> Any: ...
                def by_alias(self) -> Anything: ...
                def quoted(self) -> "JSON": ...
                def union(self) -> int | JSON: ...
                def optional(self) -> Optional[JSON]: ...
                async def get(self) -> Any: ...
                def awaited(self) -> Awaitable[JSON]: ...
                def coroutine(self) -> Coroutine[Any, Any, Any]: ...
                def told(self) -> Coroutine[Any, Any, int]: ...
                def inside(self) -> dict[str, Any]: ...
                def text(self) -> Text: ...
                def _private(self) -> Any: ...
            class _Private:
                def anything(self) -> Any: ...
            """,
        "till": "def late():\n    from shop.bank import pay",
        "bank": "import shop.till",
        "_session/__init__": "",
        "_session/session": """
            from typing import Any
            import typing
            JSON = typing.Any
            Text = str | bytes
            class Session(dict):
                def get(self, key) -> JSON: ...
                def other(self, key) -> JSON: ...
            """,
        "options": "",
    }
    for name, text in files.items():
        path = tmp_path / "shop" / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        indent = len(text) - len(text.lstrip()) - 1
        path.write_text("\n".join(line[max(indent, 0) :] for line in text.splitlines()))
    return Package(tmp_path / "shop")


def test_foreign_attributes_are_counted(package: Package) -> None:
    """Not one's own, nor those of one's class or a module."""
    found = [line.partition(" ")[2] for line in package.intrusions()]
    assert sorted(found) == ["other._a", "session._b", "session._b._d", "session.state._c"]


def test_any_is_counted_by_whatever_name(package: Package) -> None:
    """As an alias, in a union, awaited; not a session's data, nor what is private."""
    found = [line.partition(" ")[2].partition(" ->")[0] for line in package.vague()]
    cart = ["plain", "by_alias", "quoted", "union", "optional", "get", "awaited", "coroutine"]
    assert sorted(found) == sorted([f"Cart.{name}" for name in cart] + ["Session.other"])


def test_circles_are_found(package: Package) -> None:
    """An import that is put off makes one too; one for type checkers does not."""
    assert package.circles() == [
        "shop.bank, by shop.bank -> shop.till -> shop.bank",
        "shop.till, by shop.till -> shop.bank -> shop.till",
    ]


def test_length_and_top_are_told(package: Package) -> None:
    """The longest module, and what users would not look for."""
    assert package.longest().name == "shop.cart"
    assert package.strangers() == ["bank", "cart", "till"]
    assert [count.holds for count in counts(package)] == [True, False, True, False, False]

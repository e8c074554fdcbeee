"""The page on the architecture walks a request through the code as it really goes."""

from __future__ import annotations

import tomllib

from tests.docs.walk import MOST, PAGE, table, walks


def test_the_page_shows_the_way_of_each_kind_of_request() -> None:
    """Traced, and compared with the table that the page has."""
    assert table() in PAGE.read_text("utf-8")


def test_a_request_is_handed_on_by_few_modules_and_never_back_up() -> None:
    """At most eight from the middleware to the store, each in the same layer as the one before it, or below."""
    rules = tomllib.loads((PAGE.parents[2] / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in rules["contracts"] if each["type"] == "layers")
    heights = {name.strip().removeprefix("sessile."): n for n, layer in enumerate(layers) for name in layer.split("|")}
    for kind, way, _ in walks():
        assert len(way) <= MOST, kind
        levels = [heights[module.partition(".")[0]] for module in way]
        assert levels == sorted(levels), (kind, way)

"""Nothing that a stranger sends or another program stores raises, or costs more than linear work."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.fuzz.decoders import DECODERS
from tests.fuzz.run import fuzz


@pytest.mark.parametrize("name", DECODERS)
def test_no_input_raises(name: str) -> None:
    """A few hundred inputs each time; `make test` runs the fuzzer for a minute, and `python -m tests.fuzz` for longer."""
    assert fuzz(name, inputs=300) == 300


def test_the_fuzzer_finds_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that raises for some input is found."""

    def fragile(data: bytes) -> None:
        if b"%" in data:
            raise ValueError

    monkeypatch.setitem(DECODERS, "fragile", SimpleNamespace(run=fragile, corpus=[b"abc"]))
    with pytest.raises(AssertionError, match="fragile: ValueError"):
        fuzz("fragile", inputs=5000, seed=1)

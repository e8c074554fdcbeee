"""The house is in order: `python -m tests.docs.counts` says where it is not."""

from __future__ import annotations

import pytest

from tests.docs.counts import SOURCE, Count, Package, counts


@pytest.mark.parametrize("count", counts(Package(SOURCE)), ids=lambda count: count.what)
def test_each_count_keeps_to_its_bound(count: Count) -> None:
    """Private attributes, Any, the longest module, the top of the package, circles of imports."""
    assert count.holds, "\n".join(count.where)

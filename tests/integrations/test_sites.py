"""Every framework, under its own server, behaves the same."""

from __future__ import annotations

import pytest

from tests.integrations.behaviours import ALL
from tests.integrations.running import Running
from tests.integrations.table import SITES


@pytest.mark.parametrize(
    ("site", "behaviour"),
    [
        pytest.param(site, behaviour, id=f"{site.name}-{behaviour}")
        for site in SITES
        for behaviour in ALL
        if behaviour not in site.lacks
    ],
    indirect=["site"],
)
def test_the_site_behaves(site: Running, behaviour: str) -> None:
    """Over HTTP, and seen from outside."""
    ALL[behaviour](site)

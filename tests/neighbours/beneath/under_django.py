"""A Django project for Django's own tests of its sessions, with our engine."""

from __future__ import annotations

from collections.abc import Iterator

import django
import pytest
from django.conf import settings
from django.test.utils import get_runner, setup_test_environment, teardown_test_environment

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="a secret that is long enough for tests!",
    SESSION_ENGINE="sessile.django",
    INSTALLED_APPS=["django.contrib.sessions", "sessions_tests"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=False,
)
django.setup()


@pytest.fixture(scope="session", autouse=True)
def project() -> Iterator[None]:
    """The database, and what Django's own runner does before its tests."""
    setup_test_environment()
    runner = get_runner(settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    yield
    runner.teardown_databases(databases)
    teardown_test_environment()

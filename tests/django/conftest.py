"""A Django project for this folder: one in a process, so tests change its settings for a while."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import django
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test.utils import setup_test_environment, teardown_test_environment

from tests.django.usual import MIDDLEWARE, TEMPLATES

# A file: what runs under asyncio does so in threads, and each has a connection of its own.
folder = tempfile.TemporaryDirectory()

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="a secret that is long enough for tests!",
        ROOT_URLCONF="tests.django.pages",
        SESSION_ENGINE="sessile.django",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=MIDDLEWARE,
        MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        TEMPLATES=TEMPLATES,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/db"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=False,
    )
    django.setup()


# For the whole run: a worker may have tests of another folder between those of this one.
@pytest.fixture(scope="session", autouse=True)
def project() -> Iterator[None]:
    """The database, and what Django's own runner does before its tests."""
    setup_test_environment()
    call_command("migrate", verbosity=0, run_syncdb=True)
    yield
    connections.close_all()
    folder.cleanup()
    teardown_test_environment()

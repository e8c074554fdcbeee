"""django-hijack: a member of staff works as a customer, and is themself again."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    """A browser in which a superuser is logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("zoe"))
    return client


@pytest.fixture
def customer() -> User:
    return User.objects.create_user("max")


def key_of(client: Client) -> str:
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_one_user_becomes_another_and_comes_back(staff: Client, customer: User) -> None:
    """Each time under another id, with nothing of the other's session; and the ids of before are worthless."""
    staff.get("/put/", {"cart": "of zoe"})
    before = key_of(staff)
    assert staff.post("/hijack/acquire/", {"user_pk": customer.pk}).status_code == 302
    zoe = str(User.objects.get(username="zoe").pk)
    assert staff.get("/").json() == {"user": "max", "session": {"hijack_history": [zoe]}}
    staff.get("/put/", {"cart": "of max"})
    between = key_of(staff)
    assert staff.post("/hijack/release/").status_code == 302
    assert staff.get("/").json() == {"user": "zoe", "session": {"hijack_history": []}}
    assert len({before, between, key_of(staff)}) == 3
    for old in (before, between):
        stranger = Client()
        stranger.cookies[settings.SESSION_COOKIE_NAME] = old
        assert stranger.get("/").json() == {"user": "", "session": {}}


def test_it_keeps_the_length_of_the_session(staff: Client, customer: User) -> None:
    """What `set_expiry` said holds for the session of the other user too."""
    staff.get("/remember/")
    response = staff.post("/hijack/acquire/", {"user_pk": customer.pk})
    assert response.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == 3600


def test_who_is_not_staff_becomes_nobody_else(customer: User) -> None:
    client = Client()
    client.force_login(customer)
    other = User.objects.create_user("ann")
    assert client.post("/hijack/acquire/", {"user_pk": other.pk}).status_code == 403
    assert client.post("/hijack/release/").status_code == 403
    assert client.get("/").json()["user"] == "max"

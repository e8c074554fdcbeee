"""django-two-factor-auth: a log-in of two pages, the first of which leaves its result in the session."""

from __future__ import annotations

from base64 import b32decode

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"
PASSWORD = {"auth-username": "zoe", "auth-password": "fid", "login_view-current_step": "auth"}


def show(client: Client, token: str) -> int:
    """Give the second factor, and return the status: 302 if it was taken."""
    form = {"token-otp_token": token, "login_view-current_step": "token"}
    return int(client.post(LOGIN, form).status_code)


@pytest.fixture
def device() -> TOTPDevice:
    """That of Zoe, who has the password "fid"."""
    user = User.objects.create_user("zoe", password="fid")
    return TOTPDevice.objects.create(user=user, name="default", key=random_hex())


def current(device: TOTPDevice) -> str:
    return f"{totp(device.bin_key):06}"


def test_both_factors_log_in(device: TOTPDevice) -> None:
    """Under a new id, with what the visitor had put into the session; and the id of before is worthless."""
    client = Client()
    client.get("/put/", {"cart": "rope"})
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.post(LOGIN, PASSWORD).status_code == 200
    assert client.get("/").json()["user"] == ""
    assert show(client, current(device)) == 302
    assert client.get("/").json() == {
        "user": "zoe",
        "session": {"cart": "rope", "otp_device_id": device.persistent_id},
    }
    assert client.get("/verified/").json() is True
    stranger = Client()
    stranger.cookies[settings.SESSION_COOKIE_NAME] = before
    assert stranger.get("/").json() == {"user": "", "session": {}}


def test_the_second_factor_alone_logs_nobody_in(device: TOTPDevice) -> None:
    """What the first page found stands in one session, and in no other."""
    Client().post(LOGIN, PASSWORD)
    stranger = Client()
    stranger.get(LOGIN)
    assert show(stranger, current(device)) == 200
    assert stranger.get("/").json()["user"] == ""


def test_a_wrong_second_factor_may_be_tried_again(device: TOTPDevice) -> None:
    client = Client()
    client.post(LOGIN, PASSWORD)
    assert show(client, "nonsense") == 200
    assert client.get("/").json()["user"] == ""
    device.throttle_reset()
    assert show(client, current(device)) == 302
    assert client.get("/verified/").json() is True


def test_the_key_of_a_new_device_waits_in_the_session() -> None:
    """Between the page that shows it and the page that asks for a first token."""
    client = Client()
    client.force_login(User.objects.create_user("ann"))
    setup, step = "/account/two_factor/setup/", "setup_view-current_step"
    client.post(setup, {step: "welcome"})
    client.post(setup, {step: "method", "method-method": "generator"})
    assert client.get("/account/two_factor/qrcode/").headers["Content-Type"].startswith("image/svg")
    key = b32decode(client.session["django_two_factor-qr_secret_key"])
    form = {step: "generator", "generator-token": f"{totp(key):06}"}
    assert client.post(setup, form).status_code == 302
    assert client.get("/verified/").json() is True

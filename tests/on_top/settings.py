"""A Django project with django-hijack, django-two-factor-auth, channels and Wagtail; ON_TOP names what keeps its sessions."""

from __future__ import annotations

import os

from tests.django.usual import TEMPLATES as TEMPLATES  # Django reads it here.

SECRET_KEY = "a secret that is long enough for tests!"
ALLOWED_HOSTS = ["*"]
SESSION_ENGINE = "sessile.django"
SESSILE = {"secret": SECRET_KEY}
ROOT_URLCONF = "tests.on_top.pages"
STATIC_URL = "static/"
WAGTAILADMIN_BASE_URL = "http://testserver"
WAGTAIL_SITE_NAME = "Knots"
LOGIN_URL = LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "wagtail.users",
    "wagtail.sites",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "hijack",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    os.environ["ON_TOP"],
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "hijack.middleware.HijackUserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

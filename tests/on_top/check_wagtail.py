"""Wagtail: its log-in, its messages, its pages behind a password, its log-out."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from wagtail.models import Locale, Page, PageViewRestriction, Site

pytestmark = pytest.mark.django_db
PASSWORD_FIELD = 'type="password"'


@pytest.fixture(autouse=True)
def home() -> Page:
    """What Wagtail's migrations make: a site with one page."""
    locale = Locale.objects.create(language_code="en")
    root = Page.add_root(instance=Page(title="Root", slug="root", locale=locale))
    page = root.add_child(instance=Page(title="Welcome", slug="home"))
    Site.objects.create(hostname="localhost", root_page=page, is_default_site=True)
    return page


@pytest.fixture
def editor() -> Client:
    """A browser in which a superuser has logged in to the CMS, and had something in the session before."""
    User.objects.create_superuser("zoe", password="fid")
    client = Client()
    client.get("/put/", {"cart": "rope"})
    response = client.post("/cms/login/", {"username": "zoe", "password": "fid", "remember": "on"})
    assert response.status_code == 302
    return client


def test_it_logs_in(editor: Client) -> None:
    """Under a new id, with what the visitor had, and for as long as the box on the page says."""
    assert editor.get("/").json() == {"user": "zoe", "session": {"cart": "rope"}}
    assert editor.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == settings.SESSION_COOKIE_AGE
    assert editor.get("/cms/").status_code == 200
    forgetful = Client()
    response = forgetful.post("/cms/login/", {"username": "zoe", "password": "fid"})
    assert response.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""


def test_its_log_out_ends_the_session(editor: Client) -> None:
    """It takes its own change of the session back, so that no cookie is sent, and deletes the cookie itself."""
    before = editor.cookies[settings.SESSION_COOKIE_NAME].value
    assert editor.post("/cms/logout/").status_code == 302
    assert editor.cookies[settings.SESSION_COOKIE_NAME].value == ""
    editor.cookies[settings.SESSION_COOKIE_NAME] = before
    assert editor.get("/").json() == {"user": "", "session": {}}


def test_another_password_keeps_this_browser_and_ends_the_others(editor: Client) -> None:
    other = Client()
    other.force_login(User.objects.get(username="zoe"))
    form = {
        "password-old_password": "fid",
        "password-new_password1": "bowline-hitch-7",
        "password-new_password2": "bowline-hitch-7",
    }
    user = User.objects.get(username="zoe")
    profile = {"name_email-first_name": "Zoe", "name_email-last_name": "K", "name_email-email": "zoe@example.com"}
    profile |= {"locale-preferred_language": "", "locale-current_time_zone": "", "theme-theme": "system"}
    profile |= {"theme-contrast": "system", "theme-density": "default", "theme-keyboard_shortcuts": "on"}
    response = editor.post("/cms/account/", {**profile, **form})
    user.refresh_from_db()
    assert user.check_password("bowline-hitch-7"), response.content.decode()
    assert editor.get("/").json()["user"] == "zoe"
    assert other.get("/").json()["user"] == ""


def test_a_message_is_shown_once(editor: Client, home: Page) -> None:
    """After a page was published."""
    form = {"title": "Knots", "slug": "knots", "action-publish": "1", "comments-TOTAL_FORMS": "0"}
    form |= {"comments-INITIAL_FORMS": "0", "comments-MIN_NUM_FORMS": "0", "comments-MAX_NUM_FORMS": ""}
    response = editor.post(f"/cms/pages/{home.pk}/edit/", form, follow=True)
    assert "has been published" in response.content.decode()
    assert "has been published" not in editor.get("/cms/").content.decode()


def test_who_gave_the_password_of_a_page_sees_it(home: Page) -> None:
    """And of one page only; another visitor sees neither. The session is the browser's: it ends with it."""
    for name in ("one", "two"):
        page = home.add_child(instance=Page(title=f"This is {name}", slug=name))
        PageViewRestriction.objects.create(page=page, restriction_type="password", password=name)
    visitor = Client()
    for name in ("one", "two"):
        asked = visitor.get(f"/site/{name}/")
        assert PASSWORD_FIELD in asked.content.decode()
        restriction = PageViewRestriction.objects.get(password=name)
        address = f"/site/_util/authenticate_with_password/{restriction.pk}/{restriction.page.pk}/"
        response = visitor.post(address, {"password": name, "return_url": f"/site/{name}/"})
        assert response.status_code == 302
        if name == "one":
            assert response.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""
            assert PASSWORD_FIELD in visitor.get("/site/two/").content.decode()
    assert visitor.get("/").json()["session"]["passed_page_view_restrictions"] == [
        restriction.pk for restriction in PageViewRestriction.objects.order_by("pk")
    ]
    assert PASSWORD_FIELD in Client().get("/site/one/").content.decode()

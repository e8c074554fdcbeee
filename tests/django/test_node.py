"""A Django site and an Express site share their live sessions."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from tests.conftest import SECRET
from tests.django.test_project import SIGNED
from tests.stores.beside import node_site


def test_a_session_goes_to_node_and_back(tmp_path: Path) -> None:
    """What each writes, the other reads; the login of Django stays; a logout of Django ends it for Node."""
    user, _ = get_user_model().objects.get_or_create(username="max")
    shared = override_settings(
        MIDDLEWARE=[SIGNED, *settings.MIDDLEWARE[1:]],
        SESSION_COOKIE_NAME="connect.sid",
        SESSILE={"store": f"file:///{tmp_path}", "secret": SECRET},
    )
    client = Client()
    with shared, node_site("file-store.js", str(tmp_path), "86400") as node:
        client.force_login(user)
        client.get("/write", {"from": "django"})
        token = client.cookies["connect.sid"].coded_value
        seen, _ = node.get(token, set='{"cart": ["apple"]}')
        assert (seen["from"], seen["_auth_user_id"]) == ("django", str(user.pk))
        assert client.get("/me").content == b"max"
        assert client.get("/everything").json()["cart"] == ["apple"]

        _, begun = node.get(None, set='{"from": "node"}')
        assert begun is not None
        visitor = Client()
        visitor.cookies["connect.sid"] = begun
        assert visitor.get("/everything").json() == {"from": "node"}

        client.get("/logout")
        seen, _ = node.get(token)
        assert "from" not in seen

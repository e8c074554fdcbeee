"""Channels: a WebSocket has the session of the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import AuthMiddlewareStack, login, logout
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import User
from django.test import AsyncClient

pytestmark = pytest.mark.django_db(transaction=True)


class Consumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Does in the session what it is told, and says what is there then."""

    async def receive_json(self, content: dict[str, Any], **more: Any) -> None:
        session = self.scope["session"]
        if "login" in content:
            await login(self.scope, await User.objects.aget(username=content["login"]))
        if "logout" in content:
            await logout(self.scope)
        await session.aupdate(content.get("put", {}))
        if session.modified:
            await session.asave()
        cart = await session.aget("cart")
        await self.send_json([self.scope["user"].username, cart, session.session_key])


class Socket:
    """One of a browser whose cookie is ``key``."""

    def __init__(self, key: str | None) -> None:
        headers = [] if key is None else [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode())]
        scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": headers, "subprotocols": []}
        self._link = ApplicationCommunicator(AuthMiddlewareStack(Consumer.as_asgi()), scope)

    async def __aenter__(self) -> Socket:
        await self._link.send_input({"type": "websocket.connect"})
        assert (await self._link.receive_output(30))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._link.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._link.wait(30)

    async def tell(self, **content: Any) -> Any:
        await self._link.send_input({"type": "websocket.receive", "text": json.dumps(content)})
        return json.loads((await self._link.receive_output(30))["text"])


def key_of(client: AsyncClient) -> str:
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


async def test_a_socket_has_the_session_and_the_user_of_the_pages() -> None:
    """What it saves, the next page finds."""
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate_user("zoe"))
    await client.get("/put/", {"cart": "rope"})
    async with Socket(key_of(client)) as socket:
        assert (await socket.tell())[:2] == ["zoe", "rope"]
        await socket.tell(put={"cart": "ropes"})
    assert (await client.get("/")).json() == {"user": "zoe", "session": {"cart": "ropes"}}


async def test_two_sockets_and_a_page_lose_nothing() -> None:
    """Each changes a key of its own, all of them from a session that they read before the others wrote."""
    client = AsyncClient()
    await client.get("/put/", {"cart": "rope"})
    async with Socket(key_of(client)) as one, Socket(key_of(client)) as other:
        await one.tell()
        await other.tell()
        await client.get("/put/", {"a": "page"})
        await one.tell(put={"b": "one"})
        await other.tell(put={"c": "other"})
    assert (await client.get("/")).json()["session"] == {"cart": "rope", "a": "page", "b": "one", "c": "other"}


async def test_a_log_in_by_a_socket_changes_the_id() -> None:
    """A socket cannot set a cookie: the site brings the new key to the browser. The old one is worthless."""
    await User.objects.acreate_user("zoe")
    client = AsyncClient()
    await client.get("/put/", {"cart": "rope"})
    before = key_of(client)
    async with Socket(before) as socket:
        user, cart, key = await socket.tell(login="zoe")
    assert (user, cart, key != before) == ("zoe", "rope", True)
    assert (await client.get("/")).json() == {"user": "", "session": {}}
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert (await client.get("/")).json() == {"user": "zoe", "session": {"cart": "rope"}}


async def test_a_log_out_by_a_socket_ends_the_session() -> None:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate_user("zoe"))
    async with Socket(key_of(client)) as socket:
        assert (await socket.tell(logout=True))[0] == ""
    assert (await client.get("/")).json() == {"user": "", "session": {}}


@pytest.mark.parametrize("key", [None, "", "nonsense", "s%3Anonsense.nonsense", "x" * 5000])
async def test_a_socket_with_any_cookie_is_served(key: str | None) -> None:
    """It has an empty session, and nobody's user."""
    assert await sync_to_async(User.objects.count)() == 0
    async with Socket(key) as socket:
        assert (await socket.tell())[:2] == ["", None]

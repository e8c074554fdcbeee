"""A browser for one ASGI application, small enough to see through: requests, a cookie jar, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Handler = Callable[..., Awaitable[Any]]


class Response:
    """What came back."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.messages: list[dict[str, Any]] = []

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def cookie(self) -> str | None:
        """The Set-Cookie line, of which there is at most one."""
        lines = self.all("set-cookie")
        assert len(lines) <= 1
        return lines[0] if lines else None


class Browser:
    """Sends requests to ``app`` and keeps the session cookie that it is given."""

    def __init__(self, app: Any, jar: dict[str, str] | None = None, scheme: str = "http") -> None:
        self.app = app
        self.jar = {} if jar is None else jar
        self.scheme = scheme

    def headers(self, cookie: str | None) -> list[tuple[bytes, bytes]]:
        text = "; ".join(f"{name}={value}" for name, value in self.jar.items()) if cookie is None else cookie
        return [(b"host", b"example.com")] + ([(b"cookie", text.encode("latin-1"))] if text else [])

    def scope(self, path: str = "/", cookie: str | None = None, **more: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "method": "GET",
            "path": path,
            "scheme": self.scheme,
            "headers": self.headers(cookie),
            "client": ("127.0.0.1", 50000),
            **more,
        }

    async def get(self, path: str = "/", cookie: str | None = None, **more: Any) -> Response:
        response = Response()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            response.messages.append(message)
            if message["type"] == "http.response.start":
                assert response.status == 0, "a second head"
                response.status = message["status"]
                # The length, which says that the body is complete, is of no interest to anybody here.
                lines = [line for line in message.get("headers", []) if line[0] != b"content-length"]
                response.headers = [(name.decode(), value.decode()) for name, value in lines]
                for line in response.all("set-cookie"):
                    self.remember(line)
            elif message["type"] == "http.response.body":
                response.body += message.get("body", b"")

        await self.app(self.scope(path, cookie, **more), receive, send)
        return response

    def remember(self, line: str) -> None:
        name, _, value = line.partition(";")[0].partition("=")
        if "Max-Age=0" in line:
            self.jar.pop(name, None)
        else:
            self.jar[name] = value


def handler(work: Callable[[Any], Any], headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    """Return an application that lets ``work`` have the session, and answers 200."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        result = work(scope.get("session"))
        if hasattr(result, "__await__"):
            result = await result
        body = repr(result).encode()
        lines = [*(headers or []), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    return app

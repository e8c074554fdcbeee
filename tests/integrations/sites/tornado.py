"""Tornado. A program: ``python -m tests.integrations.sites.tornado 8000``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.routing import PathMatches, Rule, RuleRouter
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from tornado.websocket import WebSocketHandler

from sessile import Sessions
from sessile.tornado import SessionMixin
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, converse, each, folder


class Page(SessionMixin, RequestHandler):
    """A page, for GET and HEAD."""

    async def answer(self) -> None:
        """Be overridden."""

    async def get(self) -> None:
        await self.answer()

    head = get

    @property
    def query(self) -> dict[str, str]:
        return {name: self.get_query_argument(name, strip=False) for name in self.request.query_arguments}

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.decode()  # Tornado's own drops the control characters.

    def get_query_argument(self, name: str, *default: Any, strip: bool = True) -> Any:
        return self.decode_argument(self.request.query_arguments[name][-1])


def verb(name: str) -> Any:
    class Verb(Page):
        async def answer(self) -> None:
            self.write(json.dumps(VERBS[name](await self.load_session(), self.query)))

    return Verb


class Untouched(Page):
    async def answer(self) -> None:
        self.write("ok")


class Redirect(Page):
    async def answer(self) -> None:
        (await self.load_session())["from"] = "redirect"
        self.redirect("all", status=302)


class Status(Page):
    async def answer(self) -> None:
        (await self.load_session())["code"] = self.query["code"]
        raise HTTPError(int(self.query["code"]), reason="As asked for")


class Fail(Page):
    async def answer(self) -> None:
        (await self.load_session())["lost"] = True
        raise RuntimeError("as asked for")


class SaveAndFail(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        session["saved"] = True
        await session.asave()
        raise RuntimeError("as asked for")


class Stream(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        session["stream"] = "begun"
        self.write("a")
        await self.flush()
        if self.request.path.endswith("break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        self.write("b")
        await self.flush()
        session["stream"] = "over"
        self.write("c")


class Endless(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        self.write(CHUNK)
        await self.flush()
        session["endless"] = "going"
        while True:
            self.write(CHUNK)
            await self.flush()


class File(SessionMixin, StaticFileHandler):
    async def get(self, path: str = "", include_body: bool = True) -> None:
        (await self.load_session())["file"] = True
        await super().get(FILE.name, include_body)


class Headers(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        session.get(self.query["key"])
        if "value" in self.query:
            session[self.query["key"]] = self.query["value"]
        self.set_header("Vary", "Accept")
        self.add_header("Vary", "Accept-Language")
        self.set_header("Cache-Control", "public, max-age=60")
        self.write("ok")


class Held(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        session.get("key")
        await Gate(self.query["name"], folder()).wait_async()
        if "key" in self.query:
            session[self.query["key"]] = self.query["value"]
        else:
            session.destroy()


class Thread(Page):
    async def answer(self) -> None:
        session = await self.load_session()
        await asyncio.to_thread(session.__setitem__, self.query["key"], self.query["value"])


class ClearSlot(Page):
    async def answer(self) -> None:
        await self.load_session()
        self.session = None


class Socket(SessionMixin, WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(await converse(self.session, str(message)))


ROUTES = {
    **{name: verb(name) for name in VERBS},
    "untouched": Untouched,
    "redirect": Redirect,
    "status": Status,
    "raise": Fail,
    "save-and-raise": SaveAndFail,
    "stream": Stream,
    "break": Stream,
    "endless": Endless,
    "headers": Headers,
    "headers-set": Headers,
    "gate": Held,
    "thread": Thread,
    "clear-slot": ClearSlot,
    "socket": Socket,
}


def make(sessions: Sessions, lazy: bool | None) -> Application:
    """Return the application with these sessions."""
    handlers: list[Any] = [(rf"(?:/~\w+)?/{path}", handler) for path, handler in ROUTES.items()]
    handlers.append((r"(?:/~\w+)?/file", File, {"path": FILE.parent}))
    return Application(handlers, sessions=sessions, lazy_sessions=bool(lazy))


async def main() -> None:
    """Serve the applications of all variants."""
    apps = each(make)
    rules = [Rule(PathMatches(f"/~{name}/.*"), app) for name, app in apps.items()]
    HTTPServer(RuleRouter([*rules, Rule(PathMatches(".*"), apps["default"])])).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

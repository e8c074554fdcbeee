# Pages are made in a thread, for they may take a while. What they ask of the store runs on the loop of the request, as
# the site's own requests do, so that every store is at home there.
"""The console as an ASGI application, for a site to mount."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar, cast

from sessile import RequestFacts, Session, Sessions
from sessile.asgi import ASGIApp, Receive, Scope, Send, SessionMiddleware, aload, facts_of
from sessile.console.core import PAGE_SIZE, Answer
from sessile.console.mount import LARGEST_FORM, InThread, Mounted, check_rule

__all__ = ["console"]

P = ParamSpec("P")
T = TypeVar("T")

_LOOP: ContextVar[asyncio.AbstractEventLoop] = ContextVar("sessile-console-loop")


def console(
    sessions: Sessions,
    *,
    who: Callable[[Session, RequestFacts], str | Awaitable[str | None] | None],
    show_data: bool = False,
    read_only: bool = False,
) -> ASGIApp:
    """Return the operator's console for ``sessions``, to be mounted below a prefix such as ``/console``.

    ``who`` says who may enter: a function, async or not, that gets the session and the facts of each request, and
    returns the operator's name, which events have, or None to refuse. ``show_data`` allows a look at what sessions
    contain; each look is an event. With ``read_only`` nobody ends a session here.

    A request by plain HTTP is refused unless it comes from this machine, and a form that a page of another site has
    sent always. Raises InvalidOption if ``who`` is not a function.

    ```python
    app.mount("/console", console(sessions, who=administrator))
    ```
    """
    check_rule(who)
    mounted = Mounted(_OnLoop(sessions), show_data=show_data, read_only=read_only)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the console answers to HTTP only, not to {scope['type']}")
        facts = facts_of(scope)
        found = mounted.refusal(facts)
        if found is None:
            operator: object = who(await aload(scope), facts)
            if isawaitable(operator):
                operator = await operator
            body, query = await _body(receive), scope.get("query_string", b"").decode("latin-1")
            _LOOP.set(asyncio.get_running_loop())
            found = await asyncio.to_thread(mounted.answer, facts, _path(scope), query, body, operator)
        await _send(found, facts, send)

    return SessionMiddleware(answer, sessions)


class _OnLoop(InThread):
    """The sessions of a program, asked from a thread, on the loop of its request."""

    def ask(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what the async version of ``call`` returns, a method."""
        method = cast("Any", call)
        answer: T = _run(getattr(method.__self__, f"a{method.__name__}")(*arguments, **named))
        return answer

    def all(self) -> Iterator[Session]:
        """Yield all live sessions."""
        listing = aiter(self.sessions.all())
        while page := _run(_page(listing)):
            yield from page


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, _LOOP.get()).result()


async def _page(listing: AsyncIterator[Session]) -> list[Session]:
    found: list[Session] = []
    async for session in listing:
        found.append(session)
        if len(found) > PAGE_SIZE:
            break
    return found


async def _body(receive: Receive) -> bytes:
    """Return the form, or a little more than the largest there may be."""
    body, more = b"", True
    while more and len(body) <= LARGEST_FORM:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _path(scope: Scope) -> str:
    root, path = scope.get("root_path", ""), scope["path"]
    return cast("str", path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path)


async def _send(answer: Answer, facts: RequestFacts, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if facts.method == "HEAD" else answer.body})

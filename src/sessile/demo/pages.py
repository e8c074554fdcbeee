# One way to make a page, so that every page shows the messages, the cart's count and the panel in the same state. The
# session is saved before the panel looks into the store: what it shows is what is stored, with this visit in it.
"""Render the pages of the shop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from sessile.demo import cart, catalogue
from sessile.demo.anatomy import Anatomist
from sessile.fastapi import session as session_of

__all__ = ["HERE", "Pages"]

HERE = Path(__file__).parent

#: Everything on a page comes from here, and nobody may frame it. No script stands in the page itself.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # The panel shows the session's id: no cache is a place for it.
    "Cache-Control": "no-store",
}


class Pages:
    """Renders templates, each with what all pages have. ``server`` says who answers, where there are several."""

    def __init__(self, anatomist: Anatomist, server: str = "") -> None:
        self._anatomist = anatomist
        self._server = server
        self._templates = Jinja2Templates(HERE / "templates")
        self._templates.env.filters.update(price=catalogue.price, moment=_moment)

    async def render(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """Return a page. A visitor who has no session gets none by it."""
        session = session_of(request)
        context["flashes"] = session.flashes()
        if session.is_modified:
            await session.asave()
        context["anatomy"] = await self._anatomist.examine(request, session)
        context["visitor"] = session.get("name") if session.user_id is not None else None
        context["server"] = self._server
        context["cart_count"] = cart.count(session)
        return self._templates.TemplateResponse(request, template, context, status, HEADERS)


def _moment(at: float) -> Markup:
    """Return a time, in epoch seconds, as it stands on a page. The script shows it in the visitor's own zone."""
    when = datetime.fromtimestamp(at, UTC)
    words = when.strftime("%-d %B %Y, %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="seconds"), words)

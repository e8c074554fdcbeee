# Each module is one package's form, and imports what it is encrypted with: so it is imported when it is asked for.
"""The forms in which packages of Node keep a whole session in a cookie, one module each."""

from __future__ import annotations

from sessile._engine.content import Content, SealedCookie
from sessile._wire.secret import refuse_weak
from sessile.errors import InvalidOption, MissingExtra
from sessile.options import Options
from sessile.stores.base import Carried

__all__ = ["make_content"]


def make_content(options: Options, store: Carried) -> Content:
    """Return the transport for sessions in cookies of the form that ``store`` names."""
    for name, usual in (("transport", "cookie"), ("token", "signed"), ("codec", None), ("hash_ids", False)):
        if getattr(options, name) != usual:
            problem = f"{getattr(options, name)!r} with cookie://, where the session itself travels"
            raise InvalidOption(name, problem, "Leave it out, or keep the sessions in a store on the server.")
    try:
        if store.form == "encrypted":
            refuse_weak(options.secrets(), "cookie://")
            return SealedCookie(options.name, options.secrets())
        return _make_form(options, store)
    except ImportError as error:
        extra = "secure-session" if store.form == "secure-session" else "encryption"
        raise MissingExtra(f"The store cookie:// with form={store.form!r}", extra) from error


def _make_form(options: Options, store: Carried) -> Content:
    """Return the transport for the form that ``store`` names. Raises ImportError if what it needs is not installed."""
    name, secrets = options.name, options.secrets()
    if store.form == "iron-session":
        from sessile._engine.forms.iron_session import IronSession

        return IronSession(name, secrets, store.password_ids)
    if store.form == "h3":
        from sessile._engine.forms.h3 import H3Session

        return H3Session(options)
    if store.form == "koa-session":
        from sessile._engine.forms.koa_session import KoaSession

        return KoaSession(name, secrets)
    if store.form == "secure-session":
        from sessile._engine.forms.secure_session import SecureSession

        return SecureSession(options, store)
    if store.form == "client-sessions":
        from sessile._engine.forms.client_sessions import ClientSessions

        return ClientSessions(name, secrets)
    from sessile._engine.forms.cookie_session import CookieSession

    return CookieSession(name, secrets)

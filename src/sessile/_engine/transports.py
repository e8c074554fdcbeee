"""Choose the transport that the options ask for."""

from __future__ import annotations

from sessile._engine.keygrip_transport import KeygripTransport
from sessile._engine.transport import CookieTransport, HeaderTransport, Tokens, Transport
from sessile._wire.signing import BareSigner, Signer
from sessile.errors import MissingExtra
from sessile.options import Options

__all__ = ["make_transport"]


def make_transport(options: Options) -> Transport:
    """Return the transport that ``options`` ask for."""
    secrets = options.secrets()
    where = options.name if options.transport == "cookie" else options.header
    if options.token == "koa-session":  # noqa: S105
        return KeygripTransport(where, secrets)
    tokens: Tokens = BareSigner(secrets) if options.token == "fastify-session" else Signer(secrets)  # noqa: S105
    if options.token.startswith("encrypted"):
        try:
            from sessile._wire.sealing import SealedTokens, Sealer
        except ImportError as error:
            raise MissingExtra(f"token={options.token!r}", "encryption") from error
        signer = Signer(secrets) if options.token == "encrypted" else None  # noqa: S105
        tokens = SealedTokens(signer, Sealer(secrets, "token"), where)
    if options.transport == "cookie":
        return CookieTransport(where, tokens)
    return HeaderTransport(where, tokens, bearer=options.transport == "bearer")

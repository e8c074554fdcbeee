# Node verifies a signed cookie with the secret itself, so a site that shares its sessions with Node may have no choice:
# a weak secret is a warning there. Nothing of Node's reads what only this library seals, so there it is refused. What
# counts as weak is the same for both, and for `sessile check`: `weakness_of`.
"""What a secret must be: bytes that nobody can guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sessile._wire.warn import warn_outside
from sessile.errors import InvalidOption

__all__ = [
    "MAKE_SECRET",
    "SECRET_BYTES",
    "WeakSecretWarning",
    "Weakness",
    "refuse_weak",
    "secret_bytes",
    "warn_of_weak",
    "weakness_of",
]

MAKE_SECRET: Final = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105

#: NIST SP 800-107: an HMAC key should not be shorter than the hash, which is 32 bytes here.
SECRET_BYTES: Final = 32

#: Half of that: 128 bits, which ASVS 11.2.3 asks for of everything.
FEWEST_BYTES: Final = 16

#: A text of fewer different letters is not random.
FEWEST_LETTERS: Final = 8

#: What attackers try first: the secrets of express-session's documentation and of ours, and those that people type.
_WELL_KNOWN: Final = frozenset(
    {
        "keyboard cat",
        "secret",
        "changeme",
        "change me",
        "password",
        "shhhh",
        "your-secret-key",
        "my-secret",
        "dev",
        "a long random text that nobody else knows",
        "a secret that is long enough!!!!",
        "read it from the environment instead",
    }
)


class WeakSecretWarning(UserWarning):
    """Says that whoever guesses the secret can sign in as anybody."""


def secret_bytes(secret: object) -> bytes:
    """Return ``secret`` as bytes. Raises InvalidOption if it is none."""
    # What is wrong is told without the secret: this ends in a log.
    if not isinstance(secret, (str, bytes, bytearray)):
        raise InvalidOption("secret", f"a {type(secret).__name__} is no secret", "Use str or bytes, or a list of them.")
    if not secret:
        raise InvalidOption("secret", "it is empty", f"Make one with: {MAKE_SECRET}")
    try:
        return secret.encode("utf-8") if isinstance(secret, str) else bytes(secret)
    except UnicodeEncodeError:
        raise InvalidOption("secret", "its text is not valid Unicode", "Give it as bytes.") from None


@dataclass(frozen=True)
class Weakness:
    """What is wrong with a secret."""

    #: For a message: ``the secret is ...``.
    problem: str
    #: Whether it is among the first that are tried, or a few letters repeated.
    guessable: bool = False
    #: Whether a machine can find it from one token. Otherwise it is only shorter than the hash.
    grave: bool = True


_WELL_KNOWN_ONE: Final = Weakness("well known", guessable=True)
_FEW_LETTERS: Final = Weakness("made of a few letters", guessable=True)


def weakness_of(secret: bytes) -> Weakness | None:
    """Return what is wrong with ``secret``, or None if nothing is."""
    if secret.decode("latin-1").strip().lower() in _WELL_KNOWN:
        return _WELL_KNOWN_ONE
    if len(secret) < FEWEST_BYTES:
        return Weakness(f"shorter than {FEWEST_BYTES} bytes")
    if len(set(secret)) < FEWEST_LETTERS:
        return _FEW_LETTERS
    if len(secret) < SECRET_BYTES:
        return Weakness(f"shorter than {SECRET_BYTES} bytes", grave=False)
    return None


def warn_of_weak(secrets: Sequence[bytes]) -> None:
    """Warn of each of ``secrets`` that can be guessed, at the line of the program that gave it."""
    for weakness in filter(None, map(weakness_of, secrets)):
        warn_outside(
            f"a session secret is {weakness.problem}: whoever guesses it can sign in as anybody. "
            f"Put a new one in front of it, made with: {MAKE_SECRET}",
            WeakSecretWarning,
        )


def refuse_weak(secrets: Sequence[bytes], where: str) -> None:
    """Raise InvalidOption if one of ``secrets`` is weak. Node never needs them ``where`` they are used."""
    for weakness in filter(None, map(weakness_of, secrets)):
        if weakness.grave:
            problem = f"it is {weakness.problem}, and with {where} Node does not need it"
            raise InvalidOption("secret", problem, f"Make one with: {MAKE_SECRET}")

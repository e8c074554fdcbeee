# AES-CBC hides, and does not protect: whoever uses this checks a mac first, and decrypts only what that vouches for.
"""AES-256-CBC with PKCS #7, as OpenSSL and WebCrypto do it."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

__all__ = ["decrypt", "encrypt"]


def encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return ``plaintext`` encrypted under a key of 32 bytes and an iv of 16."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Return what was encrypted. Raises ValueError for what ``encrypt`` has not made under this key."""
    decryptor = Cipher(AES256(key), CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()

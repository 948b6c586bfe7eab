"""Who is let in: accounts by user and password, kept as hashes. It knows no page."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping

SLOW_DOWN = 1.0  # seconds after a wrong password: guessing many takes long, and nobody else waits meanwhile
_COST = {"n": 2**12, "r": 8, "p": 1}


def door(accounts: Mapping[str, str]) -> Callable[[str, str], Awaitable[bool]]:
    """What Gradio asks whether a user may come in; no password is kept or compared in the clear.

    An unknown user takes as long as a wrong password, so that nobody learns which users there are.
    """
    salt = secrets.token_bytes(16)
    known = {user: _hash(password, salt) for user, password in accounts.items()}
    nobody = _hash(secrets.token_hex(16), salt)

    async def lets_in(user: str, password: str) -> bool:
        given = await asyncio.to_thread(_hash, password, salt)
        right = hmac.compare_digest(given, known.get(user, nobody)) and user in known
        if not right:
            await asyncio.sleep(SLOW_DOWN)
        return right

    return lets_in


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)

# SPDX-License-Identifier: Apache-2.0
"""Who was given which console, and what opens it in its pod?

A token is shown to its user once and kept nowhere: its digest finds the row, and the key of what is sealed in the row
is made of the token. Rows are common to all processes, and go when they have expired.
"""

import base64
import hashlib
import uuid

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tricircle.context import PodId, RequestContext
from tricircle.model.console import Console, OpenedConsole, PodConsole
from tricircle.store.consoles import ConsoleRows
from tricircle.store.engine import Connection, Engine, transact

#: Rows that one transaction of a purge removes.
_PURGE_ROWS = 1000
#: Nothing that we gave out is longer; what is needs no look.
_LONGEST_TOKEN = 64


class Consoles:
    """Consoles that were given out, one transaction per call.

    Every method raises ``UnavailableError`` when the database does not answer.

    :param ttl_s: seconds for which a console is good
    :param uses: how often a token opens a console; 0: as often as one likes until it expires, as in Nova
    """

    def __init__(self, engine: Engine, *, ttl_s: float, uses: int = 0) -> None:
        self._engine = engine
        self._ttl_s = ttl_s
        self._uses = uses

    async def issue(
        self, context: RequestContext, pod_id: PodId, server_id: str, type_: str, pod: PodConsole
    ) -> tuple[str, str]:
        """Give the caller a console; its id, for addresses, and the token, which is known to nobody else."""
        # As Nova makes its own: the form and the 122 random bits are the same.
        token, console_id = str(uuid.uuid4()), uuid.uuid4().hex
        values: dict[str, object] = {
            "id": console_id,
            "token_hash": _digest(token),
            "type": type_,
            "server_id": server_id,
            "pod_id": pod_id,
            "project_id": context.project_id,
            "user_id": context.user_id,
            "base": pod.base,
            "sealed": _key(token).encrypt(msgspec.json.encode((pod.token, pod.channel))).decode(),
        }
        await transact(self._engine, lambda connection: ConsoleRows.insert(connection, values, ttl_s=self._ttl_s))
        return console_id, token

    async def use(self, token: str) -> OpenedConsole | None:
        """The console that a token opens; None when it opens nothing (any more)."""
        return await self._unsealed(token, is_use=True)

    async def look(self, token: str) -> OpenedConsole | None:
        """As :meth:`use`; but the token is as good afterwards as it was before."""
        return await self._unsealed(token, is_use=False)

    async def page(self, console_id: str) -> Console | None:
        """The console whose pages have this id in their addresses."""
        return await transact(self._engine, lambda connection: ConsoleRows.by_id(connection, console_id))

    async def purge(self) -> int:
        """Remove what has expired, in small transactions; how many went."""
        total = 0
        while True:
            gone = await transact(self._engine, lambda connection: ConsoleRows.purge(connection, limit=_PURGE_ROWS))
            total += gone
            if gone < _PURGE_ROWS:
                return total

    async def _unsealed(self, token: str, *, is_use: bool) -> OpenedConsole | None:
        if not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
            return None

        async def work(connection: Connection) -> tuple[Console, str] | None:
            if is_use:
                return await ConsoleRows.use(connection, _digest(token), most=self._uses)
            return await ConsoleRows.look(connection, _digest(token))

        found = await transact(self._engine, work)
        if found is None:
            return None
        console, sealed = found
        try:
            secrets = msgspec.json.decode(_key(token).decrypt(sealed.encode()), type=tuple[str, str])
        except InvalidToken:
            return None
        return OpenedConsole(console=console, token=secrets[0], channel=secrets[1])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _key(token: str) -> Fernet:
    """The token is random and long enough to be a key itself; this gives it the form of one, apart from its digest."""
    made = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"tricircle console").derive(token.encode())
    return Fernet(base64.urlsafe_b64encode(made))

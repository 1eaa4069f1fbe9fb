# SPDX-License-Identifier: Apache-2.0
"""How is the database reached, and what does the house hear when it is not?

The one place where a driver's errors become errors of ours. Every transaction of gateway and worker is one
``async with transaction(engine) as connection``; it has a deadline of its own, so that a database that hangs costs a
request seconds, not its whole life. READ COMMITTED: what is read is what is committed now, and InnoDB locks rows, not
the gaps between them, so a claim of ours never makes a tenant's INSERT wait.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tricircle.conf.settings import DatabaseSettings
from tricircle.errors import (
    DatabaseCollisionError,
    DuplicateRowError,
    ReferencedRowError,
    TricircleError,
    UnavailableError,
)

LOG = logging.getLogger(__name__)
T = TypeVar("T")

#: The words of other rooms, which may not import SQLAlchemy.
Engine: TypeAlias = AsyncEngine
Connection: TypeAlias = AsyncConnection

#: Seconds that a transaction may take from asking for a connection to the end of its commit.
TRANSACTION_S = 8.0
#: How often a transaction that another one pushed aside is run again.
_COLLISIONS_BORNE = 4
#: Seconds to wait for a row that another transaction holds; below TRANSACTION_S, so that the error says why.
_LOCK_WAIT_S = 3
_SESSION = f"SET SESSION time_zone = '+00:00', sql_mode = 'TRADITIONAL', innodb_lock_wait_timeout = {_LOCK_WAIT_S}"

#: Drivers that may stand in a URL (Neutron's own is often copied), and the one that we open it with.
_ASYNC_DRIVERS = {"mysql": "mysql+asyncmy", "mariadb": "mariadb+asyncmy", "sqlite": "sqlite+aiosqlite"}

#: Error numbers of MariaDB and MySQL. Collisions: lock wait timeout, deadlock (on Galera also: lost the certification),
#: row changed since it was read, error during the commit (where replication may say that the certification was lost),
#: rolled back during it by MySQL's group replication.
_COLLISIONS = frozenset({1205, 1213, 1020, 1180, 3101})
_DUPLICATES = frozenset({1062, 1586})
_REFERENCES = frozenset({1216, 1217, 1451, 1452})
#: Too many connections, access denied, no such database, not ready (Galera), shutting down, host blocked, network
#: errors, too many connections of the user, read only, killed, statement time exceeded; disk full, error of the storage
#: engine, table full; what a proxy before the database calls "unknown" (1105). All of 2xxx are the client's words for
#: "gone".
_UNAVAILABLE = frozenset(
    {1040, 1044, 1045, 1047, 1049, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1290, 1317, 1836}
    | {1927, 1969, 3024, 4031}
    | {1021, 1030, 1105, 1114}
)
_GONE = "The service is not available now: its database does not answer."


def async_url(connection: str) -> URL:
    """The URL with the asynchronous driver. :raises sqlalchemy.exc.ArgumentError: when it is no URL."""
    url = make_url(connection)
    driver = _ASYNC_DRIVERS.get(url.get_backend_name())
    return url if driver is None else url.set(drivername=driver)


def create_engine(settings: DatabaseSettings) -> AsyncEngine:
    """A pool of connections; none is opened before the first transaction. Belongs to the event loop that uses it
    first.
    """
    url = async_url(settings.connection)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    arguments: dict[str, object] = {"connect_timeout": settings.connect_timeout_s, "init_command": _SESSION}
    if settings.ca_file:
        arguments["ssl"] = ssl.create_default_context(cafile=settings.ca_file)
    engine = create_async_engine(
        url,
        connect_args=arguments,
        isolation_level="READ COMMITTED",
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout_s,
        pool_recycle=settings.recycle_s,
        pool_pre_ping=True,
    )
    sa.event.listen(engine.sync_engine, "handle_error", _let_go)
    return engine


def _let_go(context: sa.engine.ExceptionContext) -> None:
    """A connection that lost packets is good for nothing more; the driver has an error without a number then."""
    error = context.sqlalchemy_exception
    if isinstance(error, exc.InternalError) and _number(error) == 0:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _keep_references(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


@asynccontextmanager
async def transaction(engine: AsyncEngine, *, within_s: float = TRANSACTION_S) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed at the end of the block, rolled back when it raises. Only database calls belong
    inside.

    :raises UnavailableError: the database cannot be reached, or did not answer within ``within_s``
    :raises DatabaseCollisionError: another transaction won; run the whole block again or give up
    :raises DuplicateRowError: a unique key is taken
    :raises ReferencedRowError: a foreign key forbids it
    """
    try:
        async with asyncio.timeout(within_s), engine.begin() as connection:
            yield connection
    except (exc.SQLAlchemyError, OSError, EOFError) as error:  # a TimeoutError is an OSError
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error


async def ping(engine: AsyncEngine) -> None:
    """Ask the database whether it is there. :raises UnavailableError: it is not"""
    async with transaction(engine) as connection:
        await connection.execute(sa.text("SELECT 1"))


async def transact(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """The result of ``work`` in one transaction; run again, a few times, when another transaction won.

    ``work`` may therefore be called more than once, and must do nothing but database calls. Raises like
    :func:`transaction`.
    """
    for _ in range(_COLLISIONS_BORNE):
        try:
            async with transaction(engine) as connection:
                return await work(connection)
        except DatabaseCollisionError:
            # Two that collided must not meet again at the same instant.
            await asyncio.sleep(random.uniform(0.005, 0.05))
    async with transaction(engine) as connection:
        return await work(connection)


def _translated(error: Exception) -> TricircleError | None:
    """The house's word for an error of the driver; None for a defect of ours, which nobody should mistake for an
    outage.
    """
    if not isinstance(error, exc.DBAPIError):
        if isinstance(error, exc.TimeoutError | OSError | EOFError):
            LOG.warning("the database did not answer: %s: %s", type(error).__name__, error)
            return UnavailableError(_GONE, retry_after_s=5)
        return None
    number = _number(error)
    if number in _COLLISIONS or "database is locked" in str(error.orig):
        return DatabaseCollisionError("Another request changed the same records. Try again.", retry_after_s=1)
    if isinstance(error, exc.IntegrityError):
        is_reference = number in _REFERENCES or "FOREIGN KEY" in str(error.orig)
        if is_reference:
            return ReferencedRowError("The record is in use, or speaks of one that does not exist.")
        if number in _DUPLICATES or "UNIQUE" in str(error.orig):
            return DuplicateRowError("A record with this name or id exists already.")
        return None
    if error.connection_invalidated or number in _UNAVAILABLE or 2000 <= number < 3000:
        LOG.warning("the database is not available: %s", error.orig)
        return UnavailableError(_GONE, retry_after_s=5)
    return None


def _number(error: exc.DBAPIError) -> int:
    """The server's error number, 0 when there is none."""
    first = error.orig.args[0] if error.orig is not None and error.orig.args else 0
    return first if isinstance(first, int) else 0

# SPDX-License-Identifier: Apache-2.0
"""What time is it, by the database's clock?

Leases are taken by many processes on many machines; only the database's clock is the same for all of them. ``now()``
and ``now_plus()`` are SQL expressions in UTC, whatever the session's time zone. Within one statement the time stands
still, at its start: a statement that had to wait for a lock grants a lease that is shorter, never longer, than asked
for.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Instant(sa.types.TypeDecorator[datetime]):
    """DATETIME(6) on MariaDB and MySQL, plain DATETIME on SQLite; aware in Python (UTC), naive in the database."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[datetime]:
        """The column type of this dialect."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Aware values become UTC; naive ones are UTC already."""
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """What the database says is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class _Now(FunctionElement[datetime]):
    """The database's time, UTC, microseconds."""

    type = Instant()
    inherit_cache = True


class _Later(FunctionElement[datetime]):
    """The database's time plus a number of microseconds."""

    type = Instant()
    inherit_cache = True


@compiles(_Now, "mysql")
@compiles(_Now, "mariadb")
def _now_mysql(element: _Now, compiler: SQLCompiler, **options: object) -> str:
    return "UTC_TIMESTAMP(6)"


@compiles(_Now, "sqlite")
def _now_sqlite(element: _Now, compiler: SQLCompiler, **options: object) -> str:
    # SQLAlchemy reads six digits behind the point; SQLite writes three.
    return "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"


@compiles(_Later, "mysql")
@compiles(_Later, "mariadb")
def _later_mysql(element: _Later, compiler: SQLCompiler, **options: object) -> str:
    return f"TIMESTAMPADD(MICROSECOND, {compiler.process(element.clauses)}, UTC_TIMESTAMP(6))"


@compiles(_Later, "sqlite")
def _later_sqlite(element: _Later, compiler: SQLCompiler, **options: object) -> str:
    shift = f"({compiler.process(element.clauses)} / 1000000.0) || ' seconds'"
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', {shift}) || '000'"


def now() -> sa.ColumnElement[datetime]:
    """The instant at which the statement started."""
    return _Now()


def now_plus(seconds: float) -> sa.ColumnElement[datetime]:
    """``seconds`` (may be negative) after :func:`now`."""
    return _Later(sa.literal(round(seconds * 1_000_000), sa.BigInteger))

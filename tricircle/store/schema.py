# SPDX-License-Identifier: Apache-2.0
"""Are the tables what this release needs, and how do they become it?

Alembic runs on the asynchronous engine (``run_sync``), so that production needs one driver only. MariaDB commits after
every statement that changes a table: a step that was cut off is run again as a whole, and steps are written so that
this does no harm. One process at a time changes the schema.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tricircle.conf.settings import DatabaseSettings
from tricircle.errors import InvalidRequestError
from tricircle.store.engine import create_engine, transaction
from tricircle.store.tables import PREFIX, metadata

VERSION_TABLE = "tricircle_alembic_version"
#: Seconds for all steps together; a step on a large table is slow, and nobody waits for it but the operator.
_CHANGE_S = 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaReport:
    """What stands in the database, compared with what this release expects.

    :ivar current: the revision that is there, None when there is none
    :ivar expected: the newest revision that this release knows
    :ivar differences: one sentence per table, column, index or key that differs from the tables of this release
    """

    current: str | None
    expected: str
    differences: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether this release can work with the database as it is."""
        return self.current == self.expected and not self.differences


def upgrade(database: DatabaseSettings, revision: str = "head") -> None:
    """Bring the tables to a revision (default: the newest). Does nothing when they are there.

    :raises UnavailableError: the database cannot be reached
    :raises InvalidRequestError: there is no such revision
    """
    _run(database, lambda connection: _command(connection, command.upgrade, revision))


def downgrade(database: DatabaseSettings, revision: str) -> None:
    """Take the tables back to an older revision; ``base`` removes all of ours. Raises like :func:`upgrade`."""
    _run(database, lambda connection: _command(connection, command.downgrade, revision))


def check(database: DatabaseSettings) -> SchemaReport:
    """Compare without changing anything. :raises UnavailableError: the database cannot be reached."""
    return _run(database, _report)


def comparison_options() -> dict[str, Any]:
    """How Alembic looks at the schema: our version table, our tables."""
    return {
        "target_metadata": metadata,
        "version_table": VERSION_TABLE,
        "include_name": _is_ours,
        "compare_type": True,
    }


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or (name is not None and name.startswith(PREFIX))


def _run(database: DatabaseSettings, work: Callable[[sa.Connection], T]) -> T:
    async def on_engine() -> T:
        engine = create_engine(database)
        try:
            async with transaction(engine, within_s=_CHANGE_S) as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(on_engine())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _command(connection: sa.Connection, verb: Callable[[Config, str], None], revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    with _named_revision(revision):
        verb(config, revision)


@contextmanager
def _named_revision(revision: str) -> Iterator[None]:
    from alembic.util.exc import CommandError

    try:
        yield
    except CommandError as error:
        raise InvalidRequestError(f"revision {revision!r}: {error}") from error


def _report(connection: sa.Connection) -> SchemaReport:
    context = MigrationContext.configure(connection, opts=comparison_options())
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    return SchemaReport(
        current=context.get_current_revision(),
        expected=expected or "base",
        differences=tuple(_sentences(compare_metadata(context, metadata))),
    )


def _sentences(differences: Sequence[Any]) -> Iterator[str]:
    """Alembic's tuples ("what would make the database equal to the tables") as sentences about the database."""
    for difference in differences:
        if isinstance(difference, list):  # changes of one column come as a list
            for kind, _schema, table, column, _existing, there, wanted in difference:
                yield f"{table}.{column}: {kind.removeprefix('modify_')} is {there!r}, expected {wanted!r}"
            continue
        kind, *things = difference
        verb = "is missing" if kind.startswith("add_") else "is not expected"
        what = kind.partition("_")[2].replace("_", " ")
        thing = things[-1]
        table = getattr(getattr(thing, "table", None), "name", None)
        name = getattr(thing, "name", None) or str(thing)
        yield f"{what} {table}.{name} {verb}" if table and table != name else f"{what} {name} {verb}"

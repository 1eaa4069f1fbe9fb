# SPDX-License-Identifier: Apache-2.0
"""Do the migrations go up and down beside Neutron's tables, and does the check tell the truth?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mariadb
from tricircle.cmd import manage
from tricircle.conf.settings import DatabaseSettings
from tricircle.errors import InvalidRequestError, UnavailableError
from tricircle.store import schema

pytestmark = pytest.mark.mariadb

_NEUTRON = (
    "CREATE TABLE networks (id VARCHAR(36) PRIMARY KEY, name VARCHAR(255))",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
    "INSERT INTO networks VALUES ('n1', 'net1')",
    "INSERT INTO alembic_version VALUES ('5c85685d616d')",
)


def _rows(server: mariadb.Server, database: str, statement: str) -> list[tuple[object, ...]]:
    with server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _tables(server: mariadb.Server, database: str) -> set[object]:
    return {row[0] for row in _rows(server, database, "SHOW TABLES")}


@pytest.fixture
def neutron(server: mariadb.Server, database: str) -> Iterator[str]:
    """A database that already holds tables, an Alembic history and rows of somebody else."""
    with server.connect(database) as connection, connection.cursor() as cursor:
        for statement in _NEUTRON:
            cursor.execute(statement)
    yield database
    assert _rows(server, database, "SELECT * FROM networks") == [("n1", "net1")]
    assert _rows(server, database, "SELECT * FROM alembic_version") == [("5c85685d616d",)]


def test_up_down_up_leaves_the_tables_of_neutron_alone(
    server: mariadb.Server, neutron: str, settings: DatabaseSettings
) -> None:
    schema.upgrade(settings)
    after_first = _tables(server, neutron)
    assert {"tricircle_pods", "tricircle_jobs", "tricircle_job_keys", schema.VERSION_TABLE} <= after_first
    assert schema.check(settings).is_right

    schema.downgrade(settings, "base")
    assert _tables(server, neutron) == {"networks", "alembic_version", schema.VERSION_TABLE}
    report = schema.check(settings)
    assert report.current is None
    assert not report.is_right

    schema.upgrade(settings)
    assert _tables(server, neutron) == after_first
    assert schema.check(settings).is_right


def test_a_second_upgrade_changes_nothing(settings: DatabaseSettings) -> None:
    schema.upgrade(settings)
    schema.upgrade(settings)
    assert schema.check(settings).is_right


def test_an_upgrade_that_was_cut_off_is_completed(
    server: mariadb.Server, database: str, settings: DatabaseSettings
) -> None:
    schema.upgrade(settings)
    with server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("DROP INDEX ix_tricircle_jobs_due ON tricircle_jobs")
        cursor.execute("DROP TABLE tricircle_job_history")
        cursor.execute(f"DELETE FROM {schema.VERSION_TABLE}")
    schema.upgrade(settings)
    assert schema.check(settings).is_right


def test_check_names_what_differs(server: mariadb.Server, database: str, settings: DatabaseSettings) -> None:
    schema.upgrade(settings)
    with server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tricircle_jobs DROP COLUMN payload, MODIFY attempts BIGINT NOT NULL DEFAULT 0")
        cursor.execute("DROP TABLE tricircle_cursors")
        cursor.execute("CREATE TABLE tricircle_strange (id INT PRIMARY KEY)")
    report = schema.check(settings)
    text = "\n".join(report.differences)
    assert "column tricircle_jobs.payload is missing" in text
    assert "table tricircle_cursors is missing" in text
    assert "table tricircle_strange is not expected" in text
    assert "tricircle_jobs.attempts: type is" in text
    assert not report.is_right


@pytest.mark.parametrize("driver", ["mysql", "mysql+pymysql", "mysql+asyncmy", "mariadb+pymysql", "mariadb+asyncmy"])
def test_the_url_of_neutron_may_be_copied(server: mariadb.Server, database: str, driver: str) -> None:
    settings = DatabaseSettings(connection=server.url(database, driver) + "?charset=utf8")
    schema.upgrade(settings)
    assert schema.check(settings).is_right


def test_an_unknown_revision_is_refused(settings: DatabaseSettings) -> None:
    with pytest.raises(InvalidRequestError, match="no_such"):
        schema.upgrade(settings, "no_such")


def test_a_database_that_is_not_there_is_said(server: mariadb.Server) -> None:
    with pytest.raises(UnavailableError):
        schema.check(DatabaseSettings(connection=server.url("nowhere")))


def test_the_command_line(
    server: mariadb.Server, neutron: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tricircle.conf"
    file.write_text(f"[database]\nconnection = {server.url(neutron, 'mysql+pymysql')}\n")
    arguments = ["--config-file", str(file), "db"]

    assert manage.main([*arguments, "check"]) == 1
    assert "revision there: none" in capsys.readouterr().out
    assert manage.main([*arguments, "upgrade"]) == 0
    assert "the tables match" in capsys.readouterr().out
    assert manage.main([*arguments, "check"]) == 0
    capsys.readouterr()
    assert manage.main([*arguments, "downgrade", "base"]) == 0
    assert manage.main([*arguments, "downgrade", "no_such"]) == 1
    assert "no_such" in capsys.readouterr().err

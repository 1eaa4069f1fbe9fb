# SPDX-License-Identifier: Apache-2.0
"""How does the lab run MariaDB, and talk to it?"""

from __future__ import annotations

import getpass
import os
import subprocess

from lab.service import PortOpen, Service
from lab.services.sections import DATABASE_USER
from lab.topology import HOST, PASSWORD, Lab


class SqlError(Exception):
    """The database refused a statement; the text is its complaint."""


def mariadb(lab: Lab) -> Service:
    """The server. Durability is off on purpose: a lab is rebuilt, not recovered."""
    return Service(
        name="mariadb",
        command=(
            "mariadbd",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={lab.var / 'mysql'}",
            f"--socket={lab.socket}",
            f"--port={lab.port('mariadb')}",
            f"--bind-address={HOST}",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=192M",
            "--innodb-log-file-size=48M",
            "--performance-schema=OFF",
            "--max-connections=1500",
            "--thread-cache-size=64",
            "--table-open-cache=2000",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=1M",
            "--character-set-server=utf8mb3",
            "--collation-server=utf8mb3_general_ci",
        ),
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        probe=PortOpen(port=lab.port("mariadb")),
        grace=20,
        nice=0,
        group="infrastructure",
    )


def prepare(lab: Lab) -> None:
    """Make the data directory unless there is one."""
    data = lab.var / "mysql"
    if (data / "mysql").is_dir():
        return
    data.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            f"--user={getpass.getuser()}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SqlError(f"mariadb-install-db: {made.stderr or made.stdout}")


def grant(lab: Lab) -> None:
    """Make the one user of all schemas."""
    statements = [
        f"CREATE USER IF NOT EXISTS {DATABASE_USER}@'{host}' IDENTIFIED BY '{PASSWORD}';"
        f"GRANT ALL ON *.* TO {DATABASE_USER}@'{host}';"
        for host in (HOST, "localhost")
    ]
    run(lab, "".join(statements), user="root", password="")


def run(
    lab: Lab, sql: str, *, schema: str = "", user: str = DATABASE_USER, password: str = PASSWORD
) -> list[list[str]]:
    """Run statements; the rows of their answers as text. Raises SqlError."""
    done = subprocess.run(
        client(lab, schema, user=user),
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        env=client_environment(password),
    )
    if done.returncode:
        raise SqlError(done.stderr.strip())
    return [line.split("\t") for line in done.stdout.splitlines()]


def client(lab: Lab, schema: str = "", *, user: str = DATABASE_USER) -> list[str]:
    """The command of the client, for one schema or none."""
    command = ["mariadb", "--no-defaults", f"--socket={lab.socket}", f"--user={user}"]
    return [*command, "--batch", "--skip-column-names", *([schema] if schema else [])]


def client_environment(password: str = PASSWORD) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "MYSQL_PWD": password, "LC_ALL": "C.UTF-8"}


def schemas(lab: Lab) -> set[str]:
    """The names of all schemas that exist."""
    return {row[0] for row in run(lab, "SHOW DATABASES")}

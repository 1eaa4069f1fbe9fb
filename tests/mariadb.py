# SPDX-License-Identifier: Apache-2.0
"""How does a test get a real MariaDB server of its own?

One server per test session on a free port, its data in a temporary folder, ended by its own process handle. Durability
is switched off: nobody recovers it.
"""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

_START_S = 60
_PROGRAMS = ("mariadbd", "mariadb-install-db")
_FLAGS = (
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--performance-schema=OFF",
    "--max-connections=400",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=1M",
    # Neutron's schema is often made with this; our tables name their own character sets.
    "--character-set-server=utf8mb3",
    "--collation-server=utf8mb3_general_ci",
)


@dataclass(slots=True)
class Server:
    """A running server; ``root`` has no password."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    flags: tuple[str, ...] = ("--user=root",)

    def url(self, database: str, driver: str = "mysql+asyncmy") -> str:
        """The SQLAlchemy URL of a database."""
        return f"{driver}://root@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A plain connection that commits every statement."""
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True)

    def run(self, statement: str) -> None:
        """Execute one statement outside of any database."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def stop(self) -> None:
        """End the server, the hard way when it does not go by itself."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        """Start the server again on its data and port, and wait until it answers."""
        self.process = spawn(self.folder, self.port, self.flags)
        _wait(self)


def missing_programs() -> list[str]:
    """Which of the programs are not installed (Debian: mariadb-server)."""
    return [name for name in _PROGRAMS if _program(name) is None]


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A fresh server with its data in ``folder``; ended when the block ends."""
    install(folder / "data")
    port = free_port()
    running = Server(port, folder, spawn(folder, port))
    try:
        _wait(running)
        yield running
    finally:
        running.stop()


def install(data: Path) -> None:
    """Make the system tables in a folder."""
    command = [
        str(_program("mariadb-install-db")),
        "--no-defaults",
        f"--datadir={data}",
        "--user=root",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def spawn(folder: Path, port: int, flags: tuple[str, ...] = ("--user=root",)) -> subprocess.Popen[bytes]:
    """Start a server on ``folder / "data"``; it writes to ``mariadbd.log``."""
    command = [
        str(_program("mariadbd")),
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        f"--socket={folder / 'mysql.sock'}",
        f"--port={port}",
        f"--pid-file={folder / 'mariadbd.pid'}",
        *_FLAGS,
        *flags,
    ]
    with (folder / "mariadbd.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _wait(running: Server) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if running.process.poll() is not None:
            break
        try:
            running.connect().close()
        except pymysql.err.OperationalError:
            time.sleep(0.05)
        else:
            return
    log = (running.folder / "mariadbd.log").read_text(errors="replace")
    raise RuntimeError(f"mariadbd did not come up on port {running.port}:\n{log[-3000:]}")


def free_port() -> int:
    """A port on which nothing listens now."""
    while True:
        port = random.randrange(40000, 60000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

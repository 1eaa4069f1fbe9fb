# SPDX-License-Identifier: Apache-2.0
"""How does a test get a Galera cluster of two nodes on this machine?

Needs root, the user ``mysql``, rsync and Galera's library: what the Debian package mariadb-server brings. Nodes copy
the first one's data by rsync, which refuses to run as root; so they run as ``mysql``, in a folder that is theirs.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pymysql

from tests import mariadb

_LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
_SYNCED_S = 120


def missing() -> list[str]:
    """What is needed and not there."""
    wanting = mariadb.missing_programs()
    if not _LIBRARY.exists():
        wanting.append(str(_LIBRARY))
    if shutil.which("rsync") is None:
        wanting.append("rsync")
    if os.geteuid() != 0:
        wanting.append("root")
    try:
        pwd.getpwnam("mysql")
    except KeyError:
        wanting.append("the user mysql")
    return wanting


@contextmanager
def cluster() -> Iterator[tuple[mariadb.Server, mariadb.Server]]:
    """Two nodes that have the same data, each open for writes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="galera-")))
        folder.chmod(0o755)
        nodes: list[mariadb.Server] = []
        for number in (1, 2):
            home = folder / f"node{number}"
            (home / "data").mkdir(parents=True)
            if number == 1:
                mariadb.install(home / "data")
            subprocess.run(["chown", "-R", "mysql:mysql", str(home)], check=True)
            node = _start(home, seed=nodes[0] if nodes else None)
            stack.callback(node.stop)
            nodes.append(node)
            _wait(node, size=number)
        yield nodes[0], nodes[1]


def _start(home: Path, *, seed: mariadb.Server | None) -> mariadb.Server:
    port, group, increments, copies = (mariadb.free_port() for _ in range(4))
    options = f"gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{increments};gcache.size=16M"
    flags = (
        "--user=mysql",
        "--binlog-format=ROW",
        "--default-storage-engine=InnoDB",
        "--innodb-autoinc-lock-mode=2",
        "--wsrep-on=ON",
        f"--wsrep-provider={_LIBRARY}",
        "--wsrep-cluster-name=tricircle-tests",
        f"--wsrep-cluster-address=gcomm://{(seed.folder / 'group').read_text() if seed else ''}",
        f"--wsrep-node-address=127.0.0.1:{group}",
        f"--wsrep-provider-options={options}",
        "--wsrep-sst-method=rsync",
        f"--wsrep-sst-receive-address=127.0.0.1:{copies}",
        *(() if seed else ("--wsrep-new-cluster",)),
    )
    (home / "group").write_text(f"127.0.0.1:{group}")
    return mariadb.Server(port, home, mariadb.spawn(home, port, flags), flags)


def _wait(node: mariadb.Server, *, size: int) -> None:
    until = time.monotonic() + _SYNCED_S
    while time.monotonic() < until and node.process.poll() is None:
        try:
            if _status(node, "wsrep_local_state_comment") == "Synced" and _status(node, "wsrep_cluster_size") == str(
                size
            ):
                return
        except pymysql.err.OperationalError:
            pass
        time.sleep(0.1)
    log = (node.folder / "mariadbd.log").read_text(errors="replace")
    raise RuntimeError(f"a node did not join its cluster:\n{log[-3000:]}")


def _status(node: mariadb.Server, name: str) -> str:
    with node.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW STATUS LIKE '{name}'")
        row = cursor.fetchone()
    return str(row[1]) if row else ""

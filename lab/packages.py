# SPDX-License-Identifier: Apache-2.0
"""Which Debian packages does the lab need, and how do they get here without starting anything?"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lab.topology import Lab

# What a package is recognised by; the name of a file where it brings no program.
_PROGRAMS = {
    "mariadbd": "mariadb-server",
    "memcached": "memcached",
    "mariadb_config": "libmariadb-dev",
    "pkg-config": "pkg-config",
    "gcc": "gcc",
}
# Only for a lab with real packets.
_DATA_PATH_PROGRAMS = {
    "ovs-vswitchd": "openvswitch-switch",
    "ovn-northd": "ovn-central",
    "ovn-controller": "ovn-host",
    "udhcpc": "udhcpc",
    "dhcpcd": "dhcpcd-base",
    "haproxy": "haproxy",
    "tcpdump": "tcpdump",
    "ethtool": "ethtool",
    "ping": "iputils-ping",
    "ip": "iproute2",
}
_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = "#!/bin/sh\nexit 101\n"


class PackagesError(Exception):
    """Packages are missing and cannot be installed; the text holds the line to run."""


def missing(lab: Lab) -> list[str]:
    """The names of the packages that have to be installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    programs = _PROGRAMS | (_DATA_PATH_PROGRAMS if lab.has_packets else {})
    names = [package for program, package in programs.items() if not shutil.which(program, path=path)]
    if lab.rabbit_pods and not _RABBIT.exists():
        names.append("rabbitmq-server")
    return names


def install(lab: Lab) -> list[str]:
    """Install what is missing; the names. Raises PackagesError where that is not possible."""
    names = missing(lab)
    if not names:
        return []
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        line = f"sudo apt-get install --no-install-recommends {' '.join(names)}"
        raise PackagesError(f"Debian packages are missing. Install them, then run this again:\n  {line}")
    with _no_services():
        # The lists may be old or absent: fetch them only when the first try fails.
        if _apt_get("install", *names).returncode:
            _apt_get("update")
            done = _apt_get("install", *names)
            if done.returncode:
                raise PackagesError(f"apt-get install {' '.join(names)}:\n{done.stdout[-3000:]}")
    return names


def _apt_get(verb: str, *names: str) -> subprocess.CompletedProcess[str]:
    options = ["--yes", "--no-install-recommends"] if verb == "install" else []
    return subprocess.run(
        ["apt-get", "--quiet", verb, *options, *names],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting what they install: the lab runs the programs itself."""
    before = _POLICY.read_text() if _POLICY.exists() else None
    mode = _POLICY.stat().st_mode if before is not None else 0o755
    _POLICY.write_text(_DENY)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            _POLICY.unlink(missing_ok=True)
        else:
            _POLICY.write_text(before)
            _POLICY.chmod(mode)

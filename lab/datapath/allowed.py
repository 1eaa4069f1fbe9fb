# SPDX-License-Identifier: Apache-2.0
"""May a data path be made on this machine? Tried in a namespace that ends with the trial."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_NET_ADMIN, _SYS_ADMIN = 12, 21
_TUN = Path("/dev/net/tun")
_TRIAL = (
    "ip link add trial0 type bridge",
    "ip link add trial1 type veth peer name trial2",
    "ip tuntap add dev trial3 mode tap",
    "ip -6 address add fd00::1/64 dev trial0",
)


def obstacle() -> str | None:
    """Why it may not, as the end of a sentence; None when it may."""
    if os.geteuid() != 0 or not _has_capabilities():
        return "it needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    if not _TUN.exists():
        return f"there is no {_TUN}"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", " && ".join(_TRIAL)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"namespaces cannot be tried: {error}"
    if done.returncode:
        return f"bridges, veth pairs, taps and addresses of IPv6 cannot be made: {(done.stderr or done.stdout).strip()}"
    return None


def _has_capabilities() -> bool:
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return all(held >> number & 1 for number in (_NET_ADMIN, _SYS_ADMIN))

# SPDX-License-Identifier: Apache-2.0
"""Which process holds the other end of a connection on this machine?"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc/net/tcp")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are alive."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Line:
    """A connection by its ports, as its caller has them: one port of its own can lead to several places at once."""

    own: int
    other: int


def holder(line: Line, candidates: Iterable[int]) -> int | None:
    """The process among these whose connection it is; None when it is none of theirs."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(f":{line.own:04X}", f":{line.other:04X}")}
    return next((pid for pid in candidates if wanted & _open_files(pid)), None)


def listeners(port: int) -> int:
    """How many sockets listen on a port: processes that serve together have one each."""
    return len(_inodes(f":{port:04X}", ":0000"))


def is_gone(pid: int) -> bool:
    """Whether nothing of a process is left but its exit code: all that it had open is closed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        # The first thread may have ended while others still hold the sockets.
        return state == "Z" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True


def _inodes(own: str, other: str) -> set[str]:
    """The sockets with these ends of their addresses. One that has ended keeps its line for a minute, without a
    socket.
    """
    lines = (line.split() for line in _TABLE.read_text().splitlines()[1:])
    return {fields[9] for fields in lines if fields[1].endswith(own) and fields[2].endswith(other)} - {"0"}


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for name in names:
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return found

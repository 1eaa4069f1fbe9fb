# SPDX-License-Identifier: Apache-2.0
"""How do several processes start, live and stop as one?

The parent forks its members, starts one anew when it dies, and ends them all when it is told to. It does nothing
else: no threads, no event loop. A member knows two pipes: on one it says that it is ready, the other one ends when
the parent is gone.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oslo_log import log

LOG = log.getLogger(__name__)

#: A member that dies is started anew at once, but not more often than this; seconds.
_BETWEEN_STARTS_S = 1.0
#: What a member needs beyond its own bound to end; seconds.
_LAST_WORDS_S = 5.0
_STOP = (signal.SIGTERM, signal.SIGINT)
_HEARD = frozenset((*_STOP, signal.SIGCHLD))


@dataclass(frozen=True, slots=True)
class Pipes:
    """What a member talks through: descriptors to write readiness to, and to see the parent's end on."""

    ready: int
    parent: int

    def say_ready(self) -> None:
        """Tell the parent that requests are served from now on. Only the first call counts."""
        os.write(self.ready, b"1")


@dataclass(frozen=True, slots=True)
class Member:
    """One process to keep running; ``run`` is called in it and returns its exit code."""

    name: str
    run: Callable[[Pipes], int]


@dataclass(slots=True)
class _Child:
    member: Member
    pid: int
    ready: int
    started_at: float
    is_ready: bool = False


@dataclass(slots=True)
class Flock:
    """The parent of some members.

    :param grace_s: seconds that members give themselves to stop
    :param on_death: told the process id of every member that has ended
    """

    members: Sequence[Member]
    grace_s: float
    on_death: Callable[[int], None] = lambda _pid: None
    _children: dict[int, _Child] = field(default_factory=dict)
    _lifeline: tuple[int, int] = (-1, -1)
    _due: list[tuple[float, Member]] = field(default_factory=list)

    def run(self) -> int:
        """Keep the members running until a signal ends them. Returns the exit code.

        0: stopped as told; 1: a member could not start, or had to be killed. Once all have been ready, one that dies
        while it starts anew is started again: the others go on serving.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        self._lifeline = os.pipe()
        for member in self.members:
            self._start(member)
        is_announced = False
        while True:
            heard = signal.sigtimedwait(_HEARD, 0.2 if self._due or not is_announced else 5.0)
            if heard is not None and heard.si_signo in _STOP:
                LOG.info("Stopping: requests in flight have %s s to end", self.grace_s)
                return self._stop()
            for child in self._ended():
                if not (child.is_ready or is_announced):
                    LOG.error("%s could not start", child.member.name)
                    self._stop()
                    return 1
                self._due.append((child.started_at + _BETWEEN_STARTS_S, child.member))
            self._start_due()
            if not is_announced and all(self._is_ready(child) for child in self._children.values()):
                is_announced = True
                LOG.info("Ready: %s", ", ".join(f"{c.member.name}={c.pid}" for c in self._children.values()))

    def _start(self, member: Member) -> None:
        ready, said = os.pipe()
        os.set_blocking(ready, False)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            _become(member, Pipes(ready=said, parent=self._lifeline[0]), self._lifeline[1])
        os.close(said)
        self._children[pid] = _Child(member, pid, ready, time.monotonic())

    def _start_due(self) -> None:
        now = time.monotonic()
        due, self._due = [m for at, m in self._due if at <= now], [pair for pair in self._due if pair[0] > now]
        for member in due:
            LOG.warning("Starting %s anew", member.name)
            self._start(member)

    def _is_ready(self, child: _Child) -> bool:
        if not child.is_ready:
            try:
                child.is_ready = os.read(child.ready, 1) == b"1"
            except BlockingIOError:
                return False
        return child.is_ready

    def _ended(self) -> list[_Child]:
        found: list[_Child] = []
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            child = self._children.pop(pid, None)
            if child is None:
                continue
            self._is_ready(child)
            os.close(child.ready)
            self.on_death(pid)
            LOG.log(
                log.INFO if status == 0 else log.ERROR,
                "%s (process %d) has ended with %d",
                child.member.name,
                pid,
                os.waitstatus_to_exitcode(status),
            )
            found.append(child)
        return found

    def _stop(self) -> int:
        self._signal(signal.SIGTERM)
        until = time.monotonic() + self.grace_s + _LAST_WORDS_S
        while self._children and time.monotonic() < until:
            heard = signal.sigtimedwait(_HEARD, min(0.2, max(0.0, until - time.monotonic())))
            if heard is not None and heard.si_signo in _STOP:
                LOG.warning("Told a second time to stop: not waiting any longer")
                break
            self._ended()
        left = len(self._children)
        self._signal(signal.SIGKILL)
        while self._children:
            signal.sigtimedwait(_HEARD, 0.2)
            self._ended()
        return 1 if left else 0

    def _signal(self, number: signal.Signals) -> None:
        for pid in list(self._children):
            os.kill(pid, number)


def _become(member: Member, pipes: Pipes, parents_end: int) -> None:
    """Be a member, in the forked process; never returns."""
    code = 1
    try:
        os.close(parents_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        code = member.run(pipes)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        LOG.exception("%s failed", member.name)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

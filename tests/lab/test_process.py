# SPDX-License-Identifier: Apache-2.0
"""Are processes started once, recognised later, and ended without touching anybody else's?"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.process import StartError, Supervisor, crashes, read_stat
from lab.service import PortOpen, Service, Started

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)


def a_service(name: str = "sleeper", command: tuple[str, ...] = SLEEP, **facts: object) -> Service:
    chosen = {"probe": Started(), "environment": dict(os.environ), "grace": 5.0, **facts}
    return Service(name=name, command=command, **chosen)  # type: ignore[arg-type]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "run", tmp_path / "log")
    yield made
    made.stop(made.records())


def wait_for(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_a_second_start_does_nothing(supervisor: Supervisor) -> None:
    assert supervisor.start(a_service())
    first = supervisor.running("sleeper")
    assert not supervisor.start(a_service())
    assert supervisor.running("sleeper") == first


def test_another_command_sees_the_process_by_its_record(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(a_service())
    other = Supervisor(tmp_path / "run", tmp_path / "log")
    assert not other.start(a_service())
    assert other.running("sleeper") == supervisor.running("sleeper")


def test_a_changed_configuration_restarts_the_process(supervisor: Supervisor, tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text("one")
    supervisor.start(a_service(files=(conf,)))
    before = supervisor.running("sleeper")
    conf.write_text("two")
    assert supervisor.start(a_service(files=(conf,)))
    after = supervisor.running("sleeper")
    assert before is not None
    assert after is not None
    assert before.pid != after.pid


def test_stop_ends_the_process_and_forgets_it(supervisor: Supervisor) -> None:
    supervisor.start(a_service())
    record = supervisor.running("sleeper")
    assert record is not None
    assert supervisor.stop([record]) == ["sleeper"]
    assert supervisor.running("sleeper") is None
    assert supervisor.records() == []


def test_children_of_the_process_end_with_it(supervisor: Supervisor) -> None:
    parent = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    supervisor.start(a_service(command=(sys.executable, "-c", parent + "time.sleep(600)")))
    record = supervisor.records()[0]
    wait_for(lambda: len(supervisor.members(record)) == 2)
    children = supervisor.members(record)
    supervisor.stop([record])
    left = [pid for pid in children if (stat := read_stat(pid)) is not None and stat.state != "Z"]
    assert left == []


def test_what_does_not_listen_to_sigterm_is_killed_after_its_grace(supervisor: Supervisor) -> None:
    supervisor.start(a_service(command=STUBBORN, grace=0.2))
    wait_for(lambda: "deaf" in supervisor.tail("sleeper"))
    began = time.monotonic()
    assert supervisor.stop(supervisor.records()) == ["sleeper"]
    assert time.monotonic() - began >= 0.2
    assert supervisor.running("sleeper") is None


def test_a_process_that_only_has_the_same_number_is_not_ours(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(a_service())
    path = tmp_path / "run" / "sleeper.process"
    true_record = path.read_text()
    facts = json.loads(true_record)
    path.write_text(json.dumps({**facts, "started": facts["started"] - 1}))
    stranger = supervisor.records()[0]
    assert supervisor.running("sleeper") is None
    assert supervisor.stop([stranger]) == []
    assert read_stat(facts["pid"]) is not None
    path.write_text(true_record)


def test_a_failed_start_shows_the_end_of_the_log(supervisor: Supervisor) -> None:
    failing = a_service(command=(sys.executable, "-c", "print('no such table'); raise SystemExit(3)"))
    supervisor.start(failing)
    wait_for(lambda: supervisor.running("sleeper") is None)
    with pytest.raises(StartError, match=r"(?s)sleeper: ended while starting.*no such table"):
        supervisor.wait_ready([failing])


def test_what_is_never_ready_is_named_with_its_log(supervisor: Supervisor) -> None:
    silent = a_service(probe=PortOpen(port=1))
    supervisor.start(silent)
    with pytest.raises(StartError, match=r"sleeper: not ready after 0 s"):
        supervisor.wait_ready([silent], seconds=0.3)


@pytest.mark.parametrize("said", ["", "1 crashes: pid 12926 died, killed (Aborted)"])
def test_what_a_monitor_says_of_crashes(said: str) -> None:
    name = f"ovs-vswitchd: monitoring pid 7 ({said or 'healthy'})"
    with subprocess.Popen([name, "600"], executable="sleep") as monitor:
        try:
            # Its files are closed, which is what Popen waits for, a moment before it has its name.
            while not Path(f"/proc/{monitor.pid}/cmdline").read_bytes():
                assert monitor.poll() is None
            assert crashes(monitor.pid) == said
        finally:
            monitor.kill()
    assert crashes(monitor.pid) == ""

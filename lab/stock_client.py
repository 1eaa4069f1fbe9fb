# SPDX-License-Identifier: Apache-2.0
"""How do we run the stock ``openstack`` client again and again without paying its start each time?

A process imports python-openstackclient once and calls its own ``main(argv)`` for every command, exactly as the
``openstack``
script does. ``StockClient`` is the side that asks; run as a script (with the lab's Python) this module is the side
that answers:
one JSON object a line in, one a line out.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandError(Exception):
    """The client ended with an exit code other than 0."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        super().__init__(f"openstack {' '.join(argv)} ended with {code}:\n{output.strip()}")
        self.code = code
        self.output = output


@dataclass(frozen=True)
class Result:
    """What one command printed."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The output of a command that was run with ``-f json``."""
        return json.loads(self.out) if self.out.strip() else None


class StockClient:
    """Running stock clients, one process for each cloud. Use as a context manager.

    The client keeps its sessions in class attributes, so a process can speak to one cloud only.

    :param python: the interpreter of an environment that holds python-openstackclient
    :param clouds: path of the clouds.yaml to use
    :param environment: more variables, such as ``http_proxy``
    """

    def __init__(self, python: Path, clouds: Path, environment: Mapping[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OS_") and not k.lower().endswith("_proxy")}
        self._environment = clean | {
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "PYTHONWARNINGS": "ignore",
            # The client's default is 3.0, at which Cinder takes no snapshot of a volume in use.
            "OS_VOLUME_API_VERSION": "3.66",
            **(environment or {}),
        }
        self._python = python
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "StockClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            if process.stdin:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self._processes.clear()

    def warm(self, *clouds: str) -> None:
        """Start the processes of these clouds now, at once, so that the first commands do not wait for imports."""
        for cloud in clouds:
            self._process(cloud)

    def run(self, cloud: str, *argv: str, check: bool = True) -> Result:
        """Run ``openstack --os-cloud <cloud> <argv>``.

        :raises CommandError: on an exit code other than 0, unless ``check`` is False
        """
        process = self._process(cloud)
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the stock client's pipes are closed")
        process.stdin.write(json.dumps(["--os-cloud", cloud, *argv]) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise CommandError(argv, -1, "the client process ended")
        reply = json.loads(line)
        result = Result(argv=tuple(argv), code=reply["code"], out=reply["out"], err=reply["err"])
        if check and result.code != 0:
            raise CommandError(argv, result.code, result.err or result.out)
        return result

    def json(self, cloud: str, *argv: str) -> Any:
        """Run with ``-f json`` and parse what it printed."""
        return self.run(cloud, *argv, "-f", "json").json()

    def _process(self, cloud: str) -> "subprocess.Popen[str]":
        if cloud not in self._processes:
            self._processes[cloud] = subprocess.Popen(
                [str(self._python), str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
            )
        return self._processes[cloud]


def _run_one(argv: list[str]) -> dict[str, object]:
    from openstackclient import shell  # the lab's environment has it, ours need not

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(argv)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def _serve() -> None:
    import openstackclient.shell  # noqa: F401  (now, while nobody waits for it)

    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that a plugin prints may mix with the replies
    for line in sys.stdin:
        replies.write(json.dumps(_run_one(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    _serve()

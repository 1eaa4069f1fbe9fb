# SPDX-License-Identifier: Apache-2.0
"""How do we run the stock ``openstack`` client again and again without paying its start each time?

One process imports python-openstackclient once and calls its own ``main(argv)`` for every command, exactly as the
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
    """A running stock client. Use as a context manager.

    :param python: the interpreter of an environment that holds python-openstackclient
    :param clouds: path of the clouds.yaml to use
    :param environment: more variables, such as ``http_proxy``
    """

    def __init__(self, python: Path, clouds: Path, environment: Mapping[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OS_") and not k.lower().endswith("_proxy")}
        clean |= {"OS_CLIENT_CONFIG_FILE": str(clouds), "PYTHONWARNINGS": "ignore", **(environment or {})}
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean,
        )

    def __enter__(self) -> "StockClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, cloud: str, *argv: str, check: bool = True) -> Result:
        """Run ``openstack --os-cloud <cloud> <argv>``.

        :raises CommandError: on an exit code other than 0, unless ``check`` is False
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the stock client's pipes are closed")
        self._process.stdin.write(json.dumps(["--os-cloud", cloud, *argv]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
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
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that a plugin prints may mix with the replies
    for line in sys.stdin:
        replies.write(json.dumps(_run_one(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    _serve()

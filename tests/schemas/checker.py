# SPDX-License-Identifier: Apache-2.0
"""Is every answer of ours one that the service's own schemas, and Tempest's, allow? One object for a run of tests.

The schemas stay where they are installed: Nova's in the lab's environment, Tempest's in that of ``conformance``. Two
processes there are told every call with its answer (``upstream.py``), and say which schema it was held against.
"""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance import environment
from lab.topology import Lab

Json = dict[str, Any]
_SCRIPT = Path(__file__).with_name("upstream.py")
#: What a service is called in the header that says in which microversion it answered.
_WORDS = {"compute": "compute", "block-storage": "volume"}
_DEFAULTS = {"compute": "2.1", "block-storage": "3.0"}
#: Answers of the real services themselves that the schemas of others do not allow: whose, which, and what they say.
KNOWN: Mapping[tuple[str, str], str] = {
    # Cinder tells the reason only to who disables.
    ("tempest", "PUT /os-services/enable"): "'disabled_reason' is a required property",
    # Tempest has no schema of 3.45, from which on Cinder counts.
    ("tempest", "GET /volumes"): "'count' was unexpected",
    # Tempest has another schema for who asks for a reservation id, and only a caller knows which.
    ("tempest", "POST /servers"): "'reservation_id' was unexpected",
    # Tempest knows no consoles of VMware.
    ("tempest", "POST /servers/{server_id}/remote-consoles"): "'webmks' is not one of",
    # Nova says so when an event was not taken.
    ("tempest", "POST /os-server-external-events"): "status 207, not [200]",
    # What Nova lists here are names of hosts.
    ("nova", "GET /os-instance_usage_audit_log"): "is not a 'uuid'",
    ("nova", "GET /os-instance_usage_audit_log/{id}"): "is not a 'uuid'",
    # Nova tells it from 2.88 on, for which Tempest has no schema.
    ("tempest", "GET /os-hypervisors/{hypervisor_id}"): "'uptime' was unexpected",
    ("tempest", "GET /os-hypervisors/detail"): "'uptime' was unexpected",
}


class Judge:
    """One process with schemas. ``routes``: all that it knows."""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(python), str(_SCRIPT), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lock = threading.Lock()
        self.routes: list[Json] = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the schemas of {self.name} cannot be read: {self._process.args!r} ended"
        return line

    def verdict(self, call: Json) -> Json:
        """Which route and version a call was held against, and what is wrong."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            said: Json = json.loads(self._line())
            return said

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Checker:
    """Holds answers against all schemas there are, and counts what it has seen."""

    def __init__(self, lab: Lab) -> None:
        environment.install(lab)
        self.judges = [
            Judge("nova", lab.state / "venv" / "bin" / "python"),
            Judge("tempest", environment.python(lab)),
        ]
        #: (whose schema, service, route, version from which on it holds) -> how many answers.
        self.seen: Counter[tuple[str, str, str, str]] = Counter()

    def check(
        self, method: str, service: str, url: str, status: int, headers: Mapping[str, str], content: bytes, sent: object
    ) -> None:
        """Fail for an answer that a schema does not allow. Errors have none; versions come from the answer's header.

        :param url: of the call, with the door and the version in front
        :param sent: the body of the call
        """
        if service not in _WORDS or status >= 400:
            return
        lower = {name.lower(): value for name, value in headers.items()}
        call = {
            "service": service,
            "verb": method,
            "path": _below(url),
            "action": next(iter(sent), "") if isinstance(sent, dict) and url.rstrip("/").endswith("/action") else "",
            "version": lower.get("openstack-api-version", "").removeprefix(_WORDS[service]).strip()
            or _DEFAULTS[service],
            "status": status,
            "headers": lower,
            # Whatever it is called: Cinder calls a volume's metadata text/html.
            "body": json.loads(content) if content[:1] == b"{" else None,
        }
        for judge in self.judges:
            if judge.name == "tempest" and _is_of_a_down_cell(call["body"]):
                continue
            said = judge.verdict(call)
            if said["route"] is None:
                continue
            self.seen[judge.name, service, said["route"], said["since"]] += 1
            known = KNOWN.get((judge.name, said["route"]))
            if said["error"] is not None and (known is None or known not in said["error"]):
                at = f"{said['route']} at {call['version']} (schema of {judge.name} from {said['since']} on)"
                message = f"{at}: {said['error']}"
                raise AssertionError(message)

    def summary(self) -> list[str]:
        """What was held against schemas, in figures."""
        lines = []
        for judge in self.judges:
            mine = [key for key in self.seen if key[0] == judge.name]
            of = sum(len(route["versions"]) for route in judge.routes)
            lines.append(
                f"answers held against schemas of {judge.name}: {sum(self.seen[key] for key in mine)}, "
                f"{len({key[1:3] for key in mine})} of {len(judge.routes)} routes, "
                f"{len(mine)} of {of} routes x versions"
            )
        return lines

    def close(self) -> None:
        """End all processes."""
        for judge in self.judges:
            judge.close()


def _is_of_a_down_cell(body: object) -> bool:
    """Whether a server is in Nova's form for cells that are down (2.69). Nova has schemas for it, Tempest has none."""
    if not isinstance(body, dict):
        return False
    servers = [*body.get("servers", ()), body.get("server")]
    return any(isinstance(one, dict) and one.get("status") == "UNKNOWN" for one in servers)


def _below(url: str) -> str:
    """A path behind door, version and, where there is one, project id."""
    segments = urlsplit(url).path.split("/")
    rest = segments[3:]
    if rest and len(rest[0]) == 32 and all(char in "0123456789abcdef" for char in rest[0]):
        rest = rest[1:]
    return "/" + "/".join(rest)

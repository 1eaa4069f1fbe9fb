# SPDX-License-Identifier: Apache-2.0
"""A pod that a test can make ill: a region of its own in Keystone, and one small server behind all its endpoints.

When it is well, its lists are empty, it has no limits, and it answers what registration asks, and that it has not what
somebody looks for, with the answers of the lab's first pod; all else is 503. When it is ill it closes its port, or
takes calls and says nothing.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.functional.region_world import Region, ask, eventually, unique

#: First segment of the path -> catalog type, and what the catalog has behind it.
_PLACES = {
    "compute": ("compute", "/v2.1"),
    "volume": ("block-storage", "/v3/%(project_id)s"),
    "network": ("network", ""),
}
#: What it answers as the first pod does: what registration asks, and single things.
_SURVEYED = re.compile(r"(.*/)?(os-services|agents|extensions|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?")
_LIMITS = re.compile(r"(quotas|os-quota-sets)/[0-9a-f]{32}$")
_LISTS = re.compile(r"(servers|volumes|snapshots)(/detail)?$")


#: What every pod of this kind is called, and how long no run of tests takes.
_NAME, _LONGEST_RUN = "fn-sick", timedelta(minutes=20)


class Health(StrEnum):
    """How the pod is."""

    WELL = "well"
    SILENT = "silent"  # takes a call and never answers
    DOWN = "down"  # nobody listens


class SickPod:
    """The server, and what is known of the pod.

    :ivar asked: (verb, path) of all calls that were taken
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.name = unique(_NAME)
        self.zone = unique("az-sick")
        self.pod_id = ""
        self.asked: list[tuple[str, str]] = []
        self.health = Health.DOWN
        self._behind = {
            place: region.pods["Pod1"].roots[service].rpartition("/v")[0] for place, (service, _) in _PLACES.items()
        }
        self._ends = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    def be(self, health: Health) -> None:
        """Fall ill, or get well."""
        if health is Health.DOWN:
            self._close()
        elif self._server is None:
            self._ends.clear()
            self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
            self._server.daemon_threads = True
            self._port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.health = health

    def url(self, place: str) -> str:
        """What the catalog says of one service."""
        return f"http://127.0.0.1:{self._port}/{place}{_PLACES[place][1]}"

    def _close(self) -> None:
        self._ends.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _said(self, method: str, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        _, place, rest = target.split("/", 2)
        path = rest.partition("?")[0]
        if method == "GET" and (listed := _LISTS.search(path)):
            return 200, json.dumps({listed[1]: []}).encode()
        if method == "GET" and (limits := _LIMITS.search(path)):
            return 200, json.dumps({"quota" if limits[1] == "quotas" else "quota_set": {"anything": -1}}).encode()
        if method != "GET" or not _SURVEYED.fullmatch(path):
            return 503, b"{}"
        passed_on = {name: value for name, value in headers.items() if name.lower() != "host"}
        answer = ask("GET", f"{self._behind[place]}/{rest}", headers=passed_on)
        return answer.status_code, answer.content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pod = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                pod.asked.append((self.command, self.path))
                if pod.health is Health.SILENT:
                    pod._ends.wait(60)
                    self.close_connection = True
                    return
                status, body = pod._said(self.command, self.path, dict(self.headers.items()))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

        return Handler


@contextmanager
def sick_pod(region: Region) -> Iterator[SickPod]:
    """A registered pod in a zone of its own that is well; afterwards there is neither pod nor region."""
    pod = SickPod(region)
    admin = region.admin
    endpoints: list[str] = []
    _remove_stale(region)
    pod.be(Health.WELL)
    admin.make("identity", "regions", "region", id=pod.name, parent_region_id="RegionOne")
    try:
        for place, (service_type, _) in _PLACES.items():
            service = admin.list("identity", "services", type=service_type)[0]
            values = {"interface": "public", "region_id": pod.name, "url": pod.url(place), "service_id": service["id"]}
            endpoints.append(str(admin.make("identity", "endpoints", "endpoint", **values)["id"]))
        made = region.operate("POST", "/pods", {"pod": {"pod_name": pod.name, "az_name": pod.zone}})
        assert made.status_code == 200, made.text
        pod.pod_id = made.json()["pod"]["pod_id"]
        _known(pod)
        yield pod
    finally:
        pod.be(Health.DOWN)
        # 409 would say that something of ours was left in the pod.
        removed = region.operate("DELETE", f"/pods/{pod.pod_id}") if pod.pod_id else None
        for endpoint_id in endpoints:
            admin.delete("identity", f"/endpoints/{endpoint_id}")
        admin.delete("identity", f"/regions/{pod.name}")
        assert removed is None or removed.status_code == 200, removed.text
        _forgotten(pod)


def _remove_stale(region: Region) -> None:
    """What a run that was killed left: a pod that is away for ever would mark everybody's lists."""
    for pod in region.operate("GET", "/pods").json()["pods"]:
        age = datetime.now(UTC) - datetime.fromisoformat(pod["created_at"])
        if pod["pod_name"].startswith(_NAME) and age > _LONGEST_RUN:
            region.operate("DELETE", f"/pods/{pod['pod_id']}")
            for endpoint in region.admin.list("identity", "endpoints", region_id=pod["pod_name"]):
                region.admin.delete("identity", f"/endpoints/{endpoint['id']}")
            region.admin.delete("identity", f"/regions/{pod['pod_name']}")


def _known(pod: SickPod) -> None:
    """The gateway looks for registered pods every two seconds."""
    eventually(lambda: _zones(pod.region), lambda zones: pod.zone in zones, f"{pod.zone} is known")


def _forgotten(pod: SickPod) -> None:
    eventually(lambda: _zones(pod.region), lambda zones: pod.zone not in zones, f"{pod.zone} is forgotten")


def _zones(region: Region) -> set[str]:
    listed = region.admin.good("GET", "compute", "/os-availability-zone")["availabilityZoneInfo"]
    return {str(zone["zoneName"]) for zone in listed}

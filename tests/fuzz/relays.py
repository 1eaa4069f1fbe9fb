# SPDX-License-Identifier: Apache-2.0
"""Whom does the gateway ask for one request? A gateway of our own behind relays that write it down.

It takes the place of the lab's own, which rests meanwhile. Pods are reached at the catalog's *admin* endpoints, which
lead to the relays as long as the stage stands; central services by the settings.
"""

import asyncio
import configparser
import os
import re
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.topology import CENTRAL_REGION, HOST, Lab, load_lab
from tests.functional.region_world import ROOT
from tests.kill.stage import SHIFT, in_place_of_the_labs
from tests.kill.wires import Message, read_answer, read_request

_CENTRAL = {
    "compute_url": "nova",
    "block_storage_url": "cinder",
    "network_url": "neutron",
    "image_url": "glance",
    "identity_url": "keystone",
}
_IN_PODS = ("nova", "cinder", "neutron")
#: Nobody is sick here: who is slow on a busy machine is waited for, so that an answer tells of the request alone.
_SETTINGS: dict[str, dict[str, str]] = {
    "gateway": {"request_deadline_s": "110", "list_deadline_s": "60", "boot_deadline_s": "110"},
    "upstream": {"interface": "admin", "breaker_failures": "1000"},
}
_ID = re.compile(rb"\r\nx-openstack-request-id:[ \t]*([^\r\n]+)", re.IGNORECASE)
_LIMIT = 1 << 20
#: A gateway that cannot end its processes kills them after a minute.
_ENDING_S = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call of the gateway's. ``place``: ``RegionOne`` or a pod's region; ``answer_id``: the service's own id."""

    place: str
    service: str
    method: str
    path: str
    status: int
    answer_id: str


class Relays:
    """Relays on ports of their own, in a thread of their own."""

    def __init__(self) -> None:
        self._asked: defaultdict[str, list[Asked]] = defaultdict(list)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="relays")
        self._thread.start()

    def asked(self, request_id: str) -> list[Asked]:
        """What the gateway asked for one request of a client's; it is forgotten by that."""
        return self._asked.pop(request_id, [])

    def open(self, place: str, service: str, port: int, inner: int) -> None:
        """Listen on ``port`` for a service that listens on ``inner``."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The loop itself holds no task fast.
            task = asyncio.current_task()
            self._tasks.add(task)
            try:
                with suppress(ConnectionError, OSError, asyncio.CancelledError):
                    await self._line(place, service, inner, reader, writer)
            finally:
                self._tasks.discard(task)
                writer.close()

        starting = asyncio.start_server(serve, HOST, port, limit=_LIMIT)
        self._servers.append(asyncio.run_coroutine_threadsafe(starting, self._loop).result(10))

    def close(self) -> None:
        """Hang up everywhere."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _cancel_all(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _line(
        self, place: str, service: str, inner: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(HOST, inner, limit=_LIMIT)
        try:
            while (request := await read_request(reader)) is not None:
                behind_writer.write(request.data)
                await behind_writer.drain()
                answer = await read_answer(behind_reader, request.verb)
                self._write_down(place, service, request, answer)
                if answer is None:
                    return
                writer.write(answer.data)
                await writer.drain()
                if answer.is_last:
                    return
        finally:
            behind_writer.close()

    def _write_down(self, place: str, service: str, request: Message, answer: Message | None) -> None:
        head = request.data.partition(b"\r\n\r\n")[0] + b"\r\n"
        known = _ID.search(head)
        if known is None:
            return
        said = b"" if answer is None else answer.data.partition(b"\r\n\r\n")[0] + b"\r\n"
        own = _ID.search(said)
        self._asked[known[1].decode("latin-1")].append(
            Asked(
                place=place,
                service=service,
                method=request.verb,
                path=request.path,
                status=int(said[9:12]) if said else 0,
                answer_id=own[1].decode("latin-1") if own else "",
            )
        )


class Watched:
    """Our gateway and worker, and who was asked."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.relays = Relays()
        self._folder = lab.state / "fuzz"
        self._folder.mkdir(exist_ok=True)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Open the relays, start both programs."""
        for place in _CENTRAL.values():
            port = self.lab.port(place)
            self.relays.open(CENTRAL_REGION, place, port + SHIFT, port)
        for pod in self.lab.pods:
            for place in _IN_PODS:
                self.relays.open(pod.region, place, pod.port(place) + SHIFT, pod.port(place))
        self.run()

    def run(self) -> None:
        """Start both programs."""
        conf = self._conf()
        for program in ("tricircle-gateway", "tricircle-worker"):
            command = [str(self.lab.root / ".venv" / "bin" / program), "--config-file", str(conf)]
            with (self._folder / f"{program}.log").open("ab") as output:
                environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
                started = subprocess.Popen(
                    command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
                )
            self._running.append(started)

    def end(self) -> None:
        """End both programs."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(_ENDING_S)
        self._running.clear()

    def stop(self) -> None:
        """End everything that was started here."""
        self.end()
        self.relays.close()

    def _conf(self) -> Path:
        conf = configparser.ConfigParser(interpolation=None)
        conf.read(self.lab.etc / "tricircle.conf")
        conf.read_dict(_SETTINGS)
        for option, place in _CENTRAL.items():
            conf["central"][option] = f"http://{HOST}:{self.lab.port(place) + SHIFT}"
        path = self._folder / "tricircle.conf"
        with path.open("w") as file:
            conf.write(file)
        path.chmod(0o600)
        return path


@contextmanager
def watched() -> Iterator[Watched]:
    """The running lab with a gateway that is watched; afterwards it is as it was before."""
    lab = load_lab(ROOT)
    made = Watched(lab)
    with in_place_of_the_labs(lab, made):
        yield made

# SPDX-License-Identifier: Apache-2.0
"""How are many bad requests sent to one door, and to a service beside it, and judged?"""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.fuzz.calls import Call
from tests.fuzz.evenness import Evenness
from tests.fuzz.hostile import TAG, Hostile
from tests.fuzz.known import excuse
from tests.fuzz.mutations import Case
from tests.fuzz.relays import Asked, Relays
from tests.fuzz.report import Report
from tests.fuzz.verdict import Finding, differs, escaped, is_routed, leaks, said, who_answered, wrongly_written
from tests.fuzz.wire import NO_ANSWER, Heard, Sent, headers, send
from tests.fuzz.world import OURS, THEIRS, Side, World

WORKERS = 6
#: Everything that requests name is there.
RIGHT_POD = "Pod1"
SERVICES = {
    "compute": "nova",
    "block-storage": "cinder",
    "image": "glance",
    "network": "neutron",
    "identity": "keystone",
    "admin": "",
}
#: A difference is looked at again so often, after so many seconds each: what runs may be between two states.
_AGAIN = (0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One door under fire."""

    door: str
    world: World
    relays: Relays
    words: tuple[str, ...]
    report: Report
    evenness: Evenness

    def mutations(self, cases: list[Case]) -> None:
        """Send good requests made bad to both sides, and compare."""
        self._all(cases, self._mutation)

    def hostilities(self, cases: list[Hostile]) -> None:
        """Send hostile requests to both sides; they need not agree in everything."""
        self._all(cases, self._hostility)

    def _all(self, cases: Iterable[Any], one: Callable[[Any], None]) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, cases))
        self.report.seconds += time.monotonic() - started

    def _mutation(self, case: Case) -> None:
        ours, theirs = self.world.sides(self.door)
        with self.evenness.turn(case):
            sent, heard, asked = self._ask(case, ours)
            direct = None if theirs is None else self._exchange(case, theirs, THEIRS)[1]
        who = who_answered(heard, asked)
        self.report.count(status=heard.status, who=who, is_mutation=True, is_routed=is_routed(heard, who))
        # What another than we said is compared below, as often as that needs.
        self._judge(case.call, case.how, (sent, heard, direct), asked, is_ours=who == "us" or direct is None)
        if direct is None or theirs is None:
            return
        kind = differs(heard, direct)
        for pause in (*_AGAIN, None):
            if kind is None:
                break
            if pause is None and not self.evenness.renewed(case):
                break
            time.sleep(pause or 0)
            with self.evenness.turn(case):
                sent, heard, _ = self._ask(case, ours)
                direct = self._exchange(case, theirs, THEIRS)[1]
            kind = differs(heard, direct)
        self.report.compare(is_same_class=kind != "class")
        if kind is not None:
            self._find(kind, case.call.name, case.how, sent, said(heard), said(direct))

    def _ask(self, case: Case, side: Side) -> tuple[Sent, Heard, list[Asked]]:
        sent, heard = self._exchange(case, side, OURS)
        return sent, heard, self.relays.asked(heard.header("x-openstack-request-id") or "")

    def _exchange(self, case: Case, side: Side, place: int) -> tuple[Sent, Heard]:
        sent = self.world.request(case, side, place)
        heard = send(side.host, side.port, sent)
        self.world.take_back(side, sent, heard)
        return sent, heard

    def _judge(
        self,
        call: Call,
        how: str,
        answer: tuple[Sent, Heard, Heard | None],
        asked: list[Asked],
        *,
        is_ours: bool = True,
    ) -> None:
        """What holds whatever the service says.

        :param is_ours: a failure is ours, if the service does not fail as well
        """
        sent, heard, direct = answer
        told = self._teller(call.name, how, sent)
        if is_ours and heard.status >= 500 and (direct is None or NO_ANSWER < direct.status < 500):
            told("500", said(heard), said(direct))
        if heard.status == NO_ANSWER and (direct is None or direct.status != NO_ANSWER):
            told("500", "no answer", said(direct))
        if call.who == "member":
            for leak in leaks(sent, heard, self.words):
                told("canary", leak, "")
        placing = call.path in ("/servers", "/volumes", "/os-volumes_boot") and call.method == "POST"
        for one in [] if placing and b'"az1"' not in sent.body else wrongly_written(asked, RIGHT_POD):
            told("wrong pod", f"{one.method} {one.service} {one.path} {one.status}", "")

    def _hostility(self, case: Hostile) -> None:
        ours, theirs = self.world.sides(self.door)
        sent = self._hostile_request(case, ours, OURS)
        heard = send(ours.host, ours.port, sent)
        self.world.take_back(ours, sent, heard)
        asked = self.relays.asked(heard.header("x-openstack-request-id") or "")
        who = who_answered(heard, asked)
        self.report.count(status=heard.status, who=who, is_mutation=False, is_routed=is_routed(heard, who))
        direct = None
        if theirs is not None and (heard.status >= 500 or heard.status == NO_ANSWER):
            twin = self._hostile_request(case, theirs, THEIRS)
            direct = send(theirs.host, theirs.port, twin)
            self.world.take_back(theirs, twin, direct)
        asker = "admin" if self.door == "admin" else "member"
        call = Call(method=case.method, path=case.target[:120], who=asker)
        self._judge(call, case.how, (sent, heard, direct), asked)
        for one in escaped(asked, SERVICES[self.door], TAG):
            self._find("escape", case.name, case.how, sent, f"{one.place} {one.service} {one.path}", "")

    def _hostile_request(self, case: Hostile, side: Side, place: int) -> Sent:
        target = case.target.replace("{V}", side.root).replace("{P}", side.prefix)
        extra = {name: value for name, value in case.headers if value is not None}
        token = side.tokens["admin" if self.door == "admin" else "member"]
        made = headers(token, extra.items())
        left_out = {name.encode() for name, value in case.headers if value is None}
        return Sent(
            method=case.method.encode(),
            target=self.world.spelled(target, place).encode(),
            headers=tuple(pair for pair in made if pair[0] not in left_out),
            body=case.body,
        )

    def _teller(self, call: str, how: str, sent: Sent) -> Callable[[str, str, str], None]:
        def tell(kind: str, ours: str, theirs: str) -> None:
            self._find(kind, call, how, sent, ours, theirs)

        return tell

    def _find(self, kind: str, call: str, how: str, sent: Sent, ours: str, theirs: str) -> None:
        finding = Finding(kind=kind, door=self.door, call=call, how=how, request=sent.text(), ours=ours, theirs=theirs)
        self.report.find(finding, excuse(finding))


def words(canaries: str, ports: list[int]) -> tuple[str, ...]:
    """What stands only in pods, from the lab's list."""
    listed = json.loads(canaries)["words"]
    return (*listed, *(f"127.0.0.1:{port}" for port in ports))

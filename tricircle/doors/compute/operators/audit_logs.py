# SPDX-License-Identifier: Apache-2.0
"""Did the hosts of all pods report how their servers were used? What each pod's Nova says of its own, put together."""

from collections.abc import Iterable, Mapping

from tricircle.http.message import Answer, Request
from tricircle.model.host_names import full_name
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import NONSENSE, Gap

#: Numbers that are added up.
_NUMBERS = (
    "num_hosts", "num_hosts_done", "num_hosts_running", "num_hosts_not_run", "total_instances", "total_errors",
)  # fmt: skip


class AuditLogs:
    """``GET /os-instance_usage_audit_log`` and ``.../{before}``, for administrators: hosts are named."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def index(self, request: Request) -> Answer:
        """The last period that has ended."""
        return await self._together(request, "instance_usage_audit_logs")

    async def show(self, request: Request) -> Answer:
        """The last period that had ended at a time."""
        return await self._together(request, "instance_usage_audit_log")

    async def _together(self, request: Request, key: str) -> Answer:
        fan = await self._carrier.fan_out(request)
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        parts, lacking = list[tuple[Pod, Mapping[str, object]]](), list(fan.lacking)
        for pod, reply in fan.replies:
            part = reply.json().get(key) if reply.status < 300 else None
            if isinstance(part, Mapping):
                parts.append((pod, part))
            elif reply.status < 300:
                lacking.append(Gap(pod, NONSENSE))
        if not parts:
            raise self._carrier.unknowable(request, lacking, "No availability zone answers. Please try again later.")
        return Answer.json(200, {key: together(parts)}, self._carrier.incomplete(request, lacking))


def together(parts: Iterable[tuple[Pod, Mapping[str, object]]]) -> dict[str, object]:
    """One report of those of several pods, in Nova's words; hosts are named with their pods.

    >>> one = {"num_hosts": 1, "num_hosts_done": 0, "total_errors": 0, "log": {}, "hosts_not_run": ["a"]}
    >>> whole = together([(Pod(id="1", name="P1", az_name="x"), one), (Pod(id="2", name="P2", az_name="x"), one)])
    >>> whole["overall_status"], whole["hosts_not_run"]
    ('0 of 2 hosts done. 0 errors.', ['P1.a', 'P2.a'])
    """
    whole: dict[str, object] = {}
    totals = dict.fromkeys(_NUMBERS, 0)
    log: dict[str, object] = {}
    waiting: list[object] = []
    for pod, part in parts:
        whole = whole or {name: value for name, value in part.items() if name.startswith("period_")}
        for name in _NUMBERS:
            value = part.get(name)
            totals[name] += value if isinstance(value, int) else 0
        entries, hosts = part.get("log"), part.get("hosts_not_run")
        for host, entry in entries.items() if isinstance(entries, Mapping) else ():
            log[str(full_name(pod, host))] = entry
        waiting.extend(full_name(pod, host) for host in (hosts if isinstance(hosts, list) else ()))
    done, hosts_in_all = totals["num_hosts_done"], totals["num_hosts"]
    how_many = "ALL" if done == hosts_in_all else f"{done} of {hosts_in_all}"
    words = f"{how_many} hosts done. {totals['total_errors']} errors."
    return {**whole, **totals, "hosts_not_run": waiting, "overall_status": words, "log": log}

# SPDX-License-Identifier: Apache-2.0
"""Which addresses do pods use by themselves, and does the centre hold them for nobody else?

A pod's slice of a subnet is a port at the centre (``copies/addresses.py``), found by a digest of the pod's id. A pod
whose id was lost gets its slices back under the new one; what a pod uses and no slice holds is added to it.
"""

from collections.abc import Sequence

from tricircle.context import Deadline
from tricircle.copies.addresses import device_id
from tricircle.copies.bodies import Body, member, rows, text
from tricircle.copies.origins import SLICE_OWNER
from tricircle.errors import TricircleError
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Centre, Declared, is_keyed
from tricircle.recovery.missing import own_addresses
from tricircle.recovery.report import Did, Report

_CALL_S = 30.0
_NOUN = "slice"


class SliceRecovery:
    """Makes the centre's ports with slices right."""

    def __init__(self, centre: Centre, report: Report, *, is_rehearsal: bool) -> None:
        self._centre = centre
        self._report = report
        self._is_rehearsal = is_rehearsal

    async def run(self, pods: Sequence[Contents], declared: Declared) -> Declared:
        """Slices that are found by the pods' ids and hold what the pods use; what is declared afterwards."""
        for contents in pods:
            for holding in contents.lists.get(Kind.SUBNET, ()):
                subnet = declared.subnets.get(holding.central_id or "")
                if subnet is not None and holding.project_id == declared.owner_id:
                    declared = await self._one(contents.pod, subnet, holding.body, declared)
        return declared

    async def _one(self, pod: Pod, subnet: Body, copy: Body, declared: Declared) -> Declared:
        subnet_id = text(subnet, "id")
        port = declared.slice_of(pod, subnet_id)
        held = {text(ip, "ip_address") for ip in rows(port or {}, "fixed_ips") if ip.get("subnet_id") == subnet_id}
        more = [address for address in own_addresses(subnet, copy) if address not in held]
        taken = [address for address in more if (subnet_id, address) in declared.addresses]
        if taken:
            self._report.problem(
                f"Pod {pod.name} uses {', '.join(taken)} of subnet {subnet_id} for itself, and the centre has given "
                "it to a port.",
                "Delete or move that port, and run this again before the doors open.",
            )
        more = [address for address in more if address not in taken]
        change: dict[str, object] = {}
        if port is None or not is_keyed(port, pod, subnet_id):
            change["device_id"] = device_id(pod.id, subnet_id)
        if more:
            addresses = [*sorted(held), *more]
            change["fixed_ips"] = [{"subnet_id": subnet_id, "ip_address": address} for address in addresses]
        if (port is None and not more) or not change:
            return declared
        self._report.count(pod.name, _NOUN, Did.WRITTEN)
        if self._is_rehearsal:
            return declared
        try:
            return declared.with_slice(pod, subnet_id, await self._write(pod, subnet, port, change))
        except TricircleError as error:
            self._report.problem(
                f"Pod {pod.name}: its own addresses of subnet {subnet_id} ({', '.join(more)}) could not be held at "
                f"the centre: {error}",
                "Free them at the centre, and run this again before the doors open.",
            )
            return declared

    async def _write(self, pod: Pod, subnet: Body, port: Body | None, change: dict[str, object]) -> Body:
        client, deadline = self._centre.client(Service.NETWORK), Deadline.after(_CALL_S)
        if port is not None:
            answer = await client.put(f"/v2.0/ports/{text(port, 'id')}", body={"port": change}, deadline=deadline)
            return member(answer, "port")
        fresh = {
            "network_id": text(subnet, "network_id"),
            "device_owner": SLICE_OWNER,
            "binding:host_id": pod.name,
            "name": "",
        }
        answer = await client.post("/v2.0/ports", body={"port": {**fresh, **change}}, deadline=deadline)
        return member(answer, "port")

# SPDX-License-Identifier: Apache-2.0
"""Which addresses do pods use by themselves, and does the centre hold them for nobody else?

A pod's slice of a subnet is a port at the centre (``copies/addresses.py``), found by a digest of the pod's id. A pod
whose id was lost gets its slices back under the new one.
"""

from tricircle.audit.declared import Centre, Declared, is_keyed
from tricircle.audit.recoverable import Sorted
from tricircle.audit.recovery_report import Did, Report
from tricircle.context import Deadline
from tricircle.copies.addresses import device_id
from tricircle.copies.bodies import text
from tricircle.model.pod import Pod, Service

_CALL_S = 30.0


class SliceRecovery:
    """Makes the centre's ports with slices right."""

    def __init__(self, centre: Centre, report: Report, *, is_rehearsal: bool) -> None:
        self._centre = centre
        self._report = report
        self._is_rehearsal = is_rehearsal

    async def rekey(self, pod: Pod, subnets: Sorted, declared: Declared) -> None:
        """Let the slices of a pod be found by its id."""
        for subnet_id in subnets.facts:
            port = declared.slice_of(pod, subnet_id)
            if port is None or is_keyed(port, pod, subnet_id):
                continue
            self._report.count(pod.name, "slice", Did.WRITTEN)
            if not self._is_rehearsal:
                change = {"port": {"device_id": device_id(pod.id, subnet_id)}}
                path = f"/v2.0/ports/{text(port, 'id')}"
                await self._centre.client(Service.NETWORK).put(path, body=change, deadline=Deadline.after(_CALL_S))

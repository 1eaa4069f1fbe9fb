# SPDX-License-Identifier: Apache-2.0
"""Which QoS rules can be made at the centre, and how do the pods learn of a change?

Every type of Neutron's own: which of them a pod can do is the pod's to say (``copies/qos_policies.py``). Floating IPs
and router gateways have policies as records only.
"""

from collections.abc import Mapping
from typing import Any

from neutron.db.qos import models
from neutron.services.qos.drivers.openvswitch.driver import SUPPORTED_RULES
from neutron_lib.api.definitions import portbindings
from neutron_lib.services.qos import base

from tricircle.model.job import JobType
from tricircle_neutron import jobs

_VNIC_TYPES = (portbindings.VNIC_NORMAL, portbindings.VNIC_DIRECT, portbindings.VNIC_MACVTAP)


class QosDriver(base.DriverBase):
    """Files jobs for policies, in the transactions of their changes. A policy that is new is nowhere yet."""

    def __init__(self) -> None:
        super().__init__(
            name="tricircle",
            vif_types=(portbindings.VIF_TYPE_OVS,),
            vnic_types=_VNIC_TYPES,
            supported_rules=SUPPORTED_RULES,
        )

    def update_policy_precommit(self, context: Any, policy: Any) -> None:
        """Also called when a rule is made, changed or deleted."""
        context.session.flush()
        row = context.session.get(models.QosPolicy, policy.id)
        _file(context, policy.id, revision=None if row is None else int(row.revision_number))

    def delete_policy_precommit(self, context: Any, policy: Any) -> None:
        """File the removal of all copies."""
        _file(context, policy.id, payload={"deleted": True})


def _file(
    context: Any, policy_id: str, *, revision: int | None = None, payload: Mapping[str, object] | None = None
) -> None:
    jobs.append(
        context.session,
        JobType.QOS_POLICY,
        policy_id,
        project_id=context.project_id,
        revision=revision,
        payload=payload,
    )

# SPDX-License-Identifier: Apache-2.0
"""What becomes of trunks at the centre, where no agent and no switch exist?

Jobs are filed in the transactions of changes. What an agent would do, the worker and this driver do together: who
makes a sub-port in a pod binds it to that pod; here it is let go of when it, or the parent, leaves. A trunk has the
status that its copy was last seen to have (``realisation.py``): each update of its parent looks.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from neutron.objects import trunk as trunk_objects
from neutron.services.trunk import models
from neutron.services.trunk.drivers import base
from neutron_lib import exceptions
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from neutron_lib.services.trunk import constants
from oslo_log import log

from tricircle.model.job import JobType
from tricircle_neutron import jobs, realisation

LOG = log.getLogger(__name__)

SUB_PORT_OWNER = "trunk:subport"
_FREE = {portbindings.HOST_ID: "", "device_owner": ""}
#: What of a trunk copies carry, beside sub-ports.
_FIELDS = ("name", "admin_state_up")


class TrunkDriver(base.DriverBase):
    """The driver ``tricircle`` of the trunk plugin."""

    def __init__(self) -> None:
        super().__init__(
            "tricircle",
            interfaces=(portbindings.VIF_TYPE_OVS,),
            segmentation_types=(constants.SEGMENTATION_TYPE_VLAN,),
            agent_type=None,
            # Not every pod can: one with Neutron's Open vSwitch agent cannot.
            can_trunk_bound_port=False,
        )
        for event in (events.PRECOMMIT_CREATE, events.PRECOMMIT_UPDATE):
            registry.subscribe(_changed, resources.TRUNK, event)
        registry.subscribe(_deleted, resources.TRUNK, events.PRECOMMIT_DELETE)
        registry.subscribe(_let_go_of_all, resources.TRUNK, events.AFTER_DELETE)
        for event in (events.PRECOMMIT_CREATE, events.PRECOMMIT_DELETE):
            registry.subscribe(_sub_ports_changed, resources.SUBPORTS, event)
        registry.subscribe(_let_go_of_some, resources.SUBPORTS, events.AFTER_DELETE)
        registry.subscribe(_port_updated, resources.PORT, events.AFTER_UPDATE)

    @property
    def is_loaded(self) -> bool:
        """Always: only our mechanism driver makes this object."""
        return True


def _changed(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    trunk = payload.desired_state
    # A status concerns nobody but the centre.
    if payload.states and all(getattr(payload.states[0], name) == getattr(trunk, name) for name in _FIELDS):
        return
    _file(payload.context, trunk)


def _sub_ports_changed(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _file(payload.context, payload.states[1])


def _file(context: Any, trunk: Any) -> None:
    context.session.flush()
    row = context.session.get(models.Trunk, trunk.id)
    number = None if row is None else int(row.revision_number)
    jobs.append(context.session, JobType.TRUNK, trunk.id, project_id=trunk.project_id, revision=number)


def _deleted(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    trunk = payload.states[0]
    left = {"deleted": True}
    jobs.append(payload.context.session, JobType.TRUNK, trunk.id, project_id=trunk.project_id, payload=left)


def _let_go_of_all(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _let_go(payload.context, payload.states[0].sub_ports)


def _let_go_of_some(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _let_go(payload.context, payload.metadata["subports"])


def _port_updated(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    """A parent came to a pod or left it, or whoever asked the pod has news."""
    before, now = payload.states[0], payload.latest_state
    if not isinstance(now, Mapping) or not (details := now.get("trunk_details")):
        return
    if before.get(portbindings.HOST_ID) and not now.get(portbindings.HOST_ID):
        trunk = trunk_objects.Trunk.get_object(payload.context.elevated(), id=details["trunk_id"])
        _let_go(payload.context, trunk.sub_ports if trunk is not None else ())
    _settle(payload.context, details["trunk_id"], now.get(portbindings.HOST_ID) or "")


def _let_go(context: Any, sub_ports: Iterable[Any]) -> None:
    """No pod carries these any more. That files the jobs which remove their copies."""
    core, admin = directory.get_plugin(), context.elevated()
    for sub_port in sub_ports:
        try:
            if core.get_port(admin, sub_port.port_id)["device_owner"] == SUB_PORT_OWNER:
                core.update_port(admin, sub_port.port_id, {"port": dict(_FREE)})
        except exceptions.PortNotFound:
            LOG.debug("Sub-port %s is gone", sub_port.port_id)


def _settle(context: Any, trunk_id: str, host: str) -> None:
    """Write the status that the trunk has in the pod of its parent."""
    admin = context.elevated()
    with db_api.CONTEXT_WRITER.using(admin):
        trunk = trunk_objects.Trunk.get_object(admin, id=trunk_id)
        status = realisation.of_trunk(admin.session, trunk_id, host)
        if trunk is not None and trunk.status != status:
            trunk.update(status=status)

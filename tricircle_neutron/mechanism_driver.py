# SPDX-License-Identifier: Apache-2.0
"""How does the central ML2 file jobs, bind ports to pods and list their availability zones?

Hooks named ``*_precommit`` and callbacks named ``PRECOMMIT_*`` run inside the user's transaction. What they raise
undoes it.
"""

from collections.abc import Mapping
from typing import Any

from neutron.db import models_v2
from neutron.db.models import securitygroup as security_group_models
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_log import log

from tricircle.model.job import JobType
from tricircle.model.routing import Kind
from tricircle_neutron import (
    automatic_subnets,
    changes,
    facts,
    jobs,
    leaving,
    memberships,
    network_zones,
    plugin_view,
    qos_driver,
    quarantine,
    realisation,
    shares,
    slices,
    trunk_driver,
)

LOG = log.getLogger(__name__)

#: A deletion's job says so, or the worker would wait for a change that is not yet visible.
_DELETED = {"deleted": True}
#: Entry points that the settings must name.
_IPAM_DRIVER, _VLAN_DRIVER, _STOCK_VLAN = "tricircle", "tricircle_vlan", "vlan"
_VIF_DETAILS = {portbindings.CAP_PORT_FILTER: True, portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2}


class TricircleMechanismDriver(api.MechanismDriver):
    """The ML2 mechanism driver ``tricircle``."""

    def initialize(self) -> None:
        """Subscribe to what ML2 has no hook for; called once per process, after the database is there."""
        self._trunk_driver = trunk_driver.TrunkDriver()
        self._qos_driver = qos_driver.QosDriver()
        registry.subscribe(self._security_group_changed, resources.SECURITY_GROUP, events.PRECOMMIT_UPDATE)
        registry.subscribe(self._security_group_deleted, resources.SECURITY_GROUP, events.PRECOMMIT_DELETE)
        registry.subscribe(self._rule_created, resources.SECURITY_GROUP_RULE, events.PRECOMMIT_CREATE)
        registry.subscribe(_addresses_given, resources.PORT, events.PRECOMMIT_UPDATE)
        registry.subscribe(self._rule_deleted, resources.SECURITY_GROUP_RULE, events.PRECOMMIT_DELETE)
        _check_settings()
        slices.protect()
        quarantine.protect()
        memberships.watch()
        shares.watch()
        network_zones.map_to_networks()
        # The core plugin is still under construction; it can be found when the process is.
        registry.subscribe(plugin_view.install, resources.PROCESS, events.AFTER_INIT)

    @property
    def connectivity(self) -> str:
        """Ports without an address can be bound too."""
        return str(portbindings.CONNECTIVITY_L2)

    # --- networks, subnets, ports --------------------------------------------------------------------------------

    def update_network_precommit(self, context: Any) -> None:
        """File a job when a field changed that copies carry."""
        if changes.concerns_pods(Kind.NETWORK, context.original, context.current):
            _changed(context, JobType.NETWORK, models_v2.Network)

    def delete_network_precommit(self, context: Any) -> None:
        """File the removal of all copies."""
        _deleted(context, JobType.NETWORK)

    def create_subnet_precommit(self, context: Any) -> None:
        """Refuse a subnet that can be in one pod only, on a network that is in several."""
        automatic_subnets.check(context.current)

    def update_subnet_precommit(self, context: Any) -> None:
        """File a job when a field changed that copies carry."""
        if changes.concerns_pods(Kind.SUBNET, context.original, context.current):
            _changed(context, JobType.SUBNET, models_v2.Subnet)

    def delete_subnet_precommit(self, context: Any) -> None:
        """File the removal of all copies and slices; also called for the subnets of a deleted network."""
        _deleted(context, JobType.SUBNET, network_id=context.current["network_id"])

    def create_port_precommit(self, context: Any) -> None:
        """See that no pod has the MAC of another port, and file jobs for the groups that it is a member of."""
        quarantine.check_mac(context.current)
        memberships.port_changes(context.plugin_context.session, None, context.current)

    def update_port_precommit(self, context: Any) -> None:
        """File a job for a port that a pod carries; called for changes of status and binding too, which need none."""
        original, current, session = context.original, context.current, context.plugin_context.session
        if changes.port_concerns_pods(original, current):
            _changed(context, JobType.PORT, models_v2.Port)
        memberships.port_changes(session, original, current)
        if leaving.mac_of(original) != leaving.mac_of(current):
            quarantine.check_mac(current)
        if left := leaving.by_change(original, current):
            quarantine.port_leaves(session, original, left, _revision(session, models_v2.Port, current["id"]))

    def delete_port_precommit(self, context: Any) -> None:
        """File the removal of the copy when a pod carries the port; what it has waits until all pods let go."""
        port = context.current
        quarantine.port_leaves(context.plugin_context.session, port, leaving.by_deletion(port), None)
        memberships.port_changes(context.plugin_context.session, port, None)
        if changes.is_carried(port) and not changes.is_slice(port):
            _deleted(context, JobType.PORT, network_id=port["network_id"])

    # --- binding -------------------------------------------------------------------------------------------------

    def bind_port(self, context: Any) -> None:
        """Bind the port to the pod whose name is the host; an unknown or disabled pod leaves it unbound
        ("binding_failed").
        """
        with db_api.CONTEXT_READER.using(context.plugin_context):
            pod = facts.pod_named(context.plugin_context.session, context.host)
            status = realisation.of_port(context.plugin_context.session, context.current)
        if pod is None:
            LOG.warning(
                "Port %s cannot be bound: no pod that may carry it is named %s", context.current["id"], context.host
            )
            return
        segment = context.segments_to_bind[0]
        context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, _VIF_DETAILS, status=status)

    def update_port_postcommit(self, context: Any) -> None:
        """Let the status of a bound port be what its pod was last seen to say: at the centre no agent reports any."""
        port, plugin_context = context.current, context.plugin_context
        if context.vif_type != portbindings.VIF_TYPE_OVS or not changes.is_carried(port):
            return
        with db_api.CONTEXT_READER.using(plugin_context):
            status = realisation.of_port(plugin_context.session, port)
        if port["status"] != status:
            directory.get_plugin().update_port_status(plugin_context, port["id"], status)

    # --- security groups -----------------------------------------------------------------------------------------

    def _security_group_changed(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        group = payload.desired_state
        if changes.concerns_pods(Kind.SECURITY_GROUP, payload.states[0], group):
            _group_job(payload, group["id"], group["project_id"])

    def _security_group_deleted(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        project_id = payload.states[0]["project_id"]
        _group_job(payload, payload.resource_id, project_id, _DELETED)
        memberships.group_is_deleted(payload.context.session, payload.resource_id, project_id)

    def _rule_created(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        rule = payload.latest_state
        _group_job(payload, rule["security_group_id"], rule["project_id"])

    def _rule_deleted(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        _group_job(payload, payload.metadata["security_group_id"], None)


def _addresses_given(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    """File what follows when a new subnet of router advertisements has given a port an address.

    Neutron writes the address by itself, and then asks for a change of the port that changes nothing.
    """
    if set(payload.request_body) != {"id"}:
        return
    port, session = payload.desired_state, payload.context.session
    if changes.is_carried(port) and not changes.is_of_network_service(port):
        revision = _revision(session, models_v2.Port, port["id"])
        jobs.append(session, JobType.PORT, port["id"], project_id=port["project_id"], revision=revision)
    memberships.look_again(session, port)


def _check_settings() -> None:
    """Say so where stock drivers would give out what pods still have."""
    if cfg.CONF.ipam_driver != _IPAM_DRIVER:
        LOG.error("[DEFAULT] ipam_driver must be '%s', or addresses that pods still have are given out", _IPAM_DRIVER)
    if _STOCK_VLAN in cfg.CONF.ml2.type_drivers:
        LOG.error(
            "[ml2] type_drivers must name '%s' instead of '%s', or VLAN ids that pods still have are given out",
            _VLAN_DRIVER,
            _STOCK_VLAN,
        )


def _changed(context: Any, job_type: JobType, model: type) -> None:
    session, current = context.plugin_context.session, context.current
    jobs.append(
        session,
        job_type,
        current["id"],
        project_id=current["project_id"],
        revision=_revision(session, model, current["id"]),
    )


def _deleted(context: Any, job_type: JobType, **payload: object) -> None:
    current = context.current
    jobs.append(
        context.plugin_context.session,
        job_type,
        current["id"],
        project_id=current["project_id"],
        payload=_DELETED | payload,
    )


def _group_job(
    payload: Any, group_id: str, project_id: str | None, facts_left: Mapping[str, object] | None = None
) -> None:
    session = payload.context.session
    revision = None if facts_left else _revision(session, security_group_models.SecurityGroup, group_id)
    jobs.append(session, JobType.SECURITY_GROUP, group_id, project_id=project_id, revision=revision, payload=facts_left)


def _revision(session: Any, model: type, object_id: str) -> int | None:
    """The revision number that the change leads to: Neutron raises it when the session is flushed, not before."""
    session.flush()
    row = session.get(model, object_id)
    return None if row is None else int(row.revision_number)

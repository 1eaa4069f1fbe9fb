# SPDX-License-Identifier: Apache-2.0
"""In which words does Nova refuse what cannot be used? Pure; the texts are those of Nova 34, measured on a pod.

Clients and test suites read them, so they are kept in one place and to the letter.
"""

from collections.abc import Iterable, Mapping

import msgspec

from tricircle.errors import (
    SERVICE_AWAY,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    TricircleError,
    UnavailableError,
    UpstreamStatusError,
)

AZ_NOT_AVAILABLE = "The requested availability zone is not available"
IMAGE_NOT_FOUND = "Can not find requested image"
KEY_NOT_FOUND = "Invalid key_name provided."
NETWORK_AMBIGUOUS = "Multiple possible networks found, use a Network ID to be more specific."
GROUPS_CANNOT_BE_APPLIED = (
    "Network requires port_security_enabled and subnet associated in order to apply security groups."
)
PORT_LIMIT = "Maximum number of ports exceeded"


def flavor_not_found(flavor_id: str) -> InvalidRequestError:
    """A flavor that does not exist, or that the project may not see."""
    return InvalidRequestError(f"Flavor {flavor_id} could not be found.")


def instance_not_found(server_id: str) -> NotFoundError:
    """A server that no pod has."""
    return NotFoundError(f"Instance {server_id} could not be found.")


def networks_not_found(network_ids: Iterable[str]) -> InvalidRequestError:
    """One or several networks, in one message."""
    return InvalidRequestError(f"Network {', '.join(network_ids)} could not be found.")


def network_requires_subnet(network_id: str) -> InvalidRequestError:
    """A network without an address to give."""
    return InvalidRequestError(f"Network {network_id} requires a subnet in order to boot instances on.")


def external_network(network_id: str) -> ForbiddenError:
    """Only administrators may put servers on an external network."""
    return ForbiddenError(f"It is not allowed to create an interface on external network {network_id}")


def no_auto_network(project_id: str) -> InvalidRequestError:
    """``auto``, but the network service cannot make one."""
    return InvalidRequestError(f"Unable to automatically allocate a network for project {project_id}")


def port_not_found(port_id: str) -> str:
    """400 in a boot, 404 when attaching."""
    return f"Port id {port_id} could not be found."


def port_in_use(port_id: str) -> ConflictError:
    """A port that a server or router has."""
    return ConflictError(f"Port {port_id} is still in use.")


def port_not_usable(port_id: str, server: str) -> InvalidRequestError:
    """A port of another project."""
    return InvalidRequestError(f"Port {port_id} not usable for instance {server}.")


def port_requires_address(port_id: str) -> InvalidRequestError:
    """A port without an address on a network that gives some."""
    return InvalidRequestError(f"Port {port_id} requires a FixedIP in order to be used.")


def group_not_found(name: str) -> InvalidRequestError:
    """A security group in a boot; in an action Nova says something else."""
    return InvalidRequestError(f"Unable to find security_group with name or id '{name}'")


def group_not_in_project(name: str, project_id: str) -> NotFoundError:
    """A security group in an action."""
    return NotFoundError(f"Security group {name} is not found for project {project_id}")


def group_not_on_server(name: str, server_id: str) -> NotFoundError:
    """A security group to be removed from a server that does not have it."""
    return NotFoundError(f"Security group {name} not associated with the instance {server_id}")


def group_ambiguous(name: str) -> ConflictError:
    """Two security groups of one name."""
    return ConflictError(f"Multiple security_group matches found for name '{name}', use an ID to be more specific.")


def server_group_not_found(group_id: str) -> InvalidRequestError:
    """The ``group`` scheduler hint."""
    return InvalidRequestError(f"Instance group {group_id} could not be found.")


def address_in_use(address: str, server_id: str) -> str:
    """A fixed address that a port has already: 400 in a boot, 409 when attaching."""
    return f"Fixed IP address {address} is already in use on instance {server_id}."


def no_network(project_id: str) -> str:
    """An attach that names no network, of a project that sees none."""
    return f"No specific network was requested and none are available for project '{project_id}'."


def device_not_found(kind: str, identifier: str) -> InvalidRequestError:
    """A volume or image that a block device is to be made from; a snapshot has words of its own."""
    if kind == "snapshot":
        return InvalidRequestError(f"Snapshot {identifier} could not be found.")
    return InvalidRequestError(f"Block Device Mapping is Invalid: failed to get {kind} {identifier}.")


def network_elsewhere(network_id: str, zones: Iterable[str]) -> InvalidRequestError:
    """A network that is limited to other AZs than the server's."""
    names = ", ".join(sorted(set(zones)))
    return InvalidRequestError(
        f"Network {network_id} is limited to availability zones by its hints. The server must be in: {names}."
    )


def volumes_elsewhere(server_zone: str, volume_zones: Iterable[str]) -> InvalidRequestError:
    """Volumes that are not in the AZ of the server."""
    zones = ", ".join(sorted(set(volume_zones)))
    return InvalidRequestError(
        "The availability zone between the server and its attached volumes do not match: Server and volumes are not in "
        f"the same availability zone. Server is in: {server_zone}. Volumes are in: {zones}."
    )


def type_elsewhere(name: object, zones: Iterable[str]) -> InvalidRequestError:
    """A volume type that is limited to other AZs than the server's."""
    names = ", ".join(sorted(set(zones)))
    return InvalidRequestError(f"Volume type {name} is only supported in these availability zones: {names}.")


def limit_below_use(name: str, used: int, limit: int) -> InvalidRequestError:
    """A limit that is below what is used already."""
    return InvalidRequestError(
        f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved {used}."
    )


def over_quota(overs: Mapping[str, tuple[object, int, int]]) -> QuotaExceededError:
    """Resource -> (requested, used, limit), in one sentence.

    >>> over_quota({"cores": (2, 20, 20), "instances": (1, 10, 10)}).message
    'Quota exceeded for cores, instances: Requested 2, 1, but already used 20, 10 of 20, 10 cores, instances'
    """
    names = ", ".join(sorted(overs))
    columns = [", ".join(str(overs[name][column]) for name in sorted(overs)) for column in range(3)]
    requested, used, allowed = columns
    return QuotaExceededError(
        f"Quota exceeded for {names}: Requested {requested}, but already used {used} of {allowed} {names}"
    )


def network_refusal(error: UpstreamStatusError, *, network_id: str, address: str | None) -> TricircleError:
    """What Nova makes of Neutron's refusal of a port."""
    kind, message = _neutron_error(error.body)
    if kind in ("OverQuota", "PortLimitExceeded"):
        return QuotaExceededError(PORT_LIMIT)
    if error.status == 404:
        return networks_not_found([network_id])
    if kind in ("InvalidIpForNetwork", "InvalidIpForSubnet"):
        return InvalidRequestError(
            f"Invalid input received: Fixed IP {address} is not a valid ip address for network {network_id}."
        )
    if kind in ("IpAddressInUse", "IpAddressAlreadyAllocated"):
        return InvalidRequestError(address_in_use(address or "", ""))
    if kind == "IpAddressGenerationFailure":
        return InvalidRequestError(f"No fixed IP addresses available for network: {network_id}")
    if error.status == 403:
        return ForbiddenError(message)
    if error.status == 409:
        return ConflictError(message)
    if 400 <= error.status < 500 and message:
        return InvalidRequestError(message)
    return UnavailableError(SERVICE_AWAY)


def attach_refusal(error: UpstreamStatusError, *, network_id: str, address: str | None) -> TricircleError:
    """The same for an interface of a server that is there, of which Nova says some things otherwise."""
    kind, _ = _neutron_error(error.body)
    if kind in ("IpAddressInUse", "IpAddressAlreadyAllocated"):
        return ConflictError(f"Fixed IP {address} is already in use.")
    refusal = network_refusal(error, network_id=network_id, address=address)
    return NotFoundError(refusal.message) if error.status == 404 else refusal


def _neutron_error(body: str) -> tuple[str, str]:
    """Type and message of a Neutron error body; blanks when it is none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return "", ""
    error = document.get("NeutronError") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return str(error.get("type", "")), str(error.get("message", ""))
    return "", str(error or "")

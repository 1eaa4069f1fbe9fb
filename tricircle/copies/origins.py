# SPDX-License-Identifier: Apache-2.0
"""Who made a port: we, for a server, or the user who brought it? And what of it survives the loss of its routing?

A port of ours ends with its server; a user's stays. The routing says which it is, and of ours the port says so too. In
the moment between its making, by the user's own hand, and its binding only its description can. Ports that hold what
pods use of an adopted network say of which one. All of it stands under a key of our own in ``binding:profile``; the
other keys are an operator's.
"""

from collections.abc import Mapping

from tricircle.copies.bodies import Body, text
from tricircle.model.routing import ASKED_AZ

#: Values of ``origin`` in the details of a port's routing.
GATEWAY, USER = "gateway", "user"
_OURS = "tricircle"
PROFILE = "binding:profile"
#: What the profile of a slice says of an adoption: the network's id in the pod.
ADOPTED_NETWORK = "adopted_network"
#: What Neutron writes into sub-ports of trunks.
SUB_PORT_OWNER = "trunk:subport"
#: How ports are recognised that hold a pod's own addresses (``addresses.py``); the driver inside Neutron protects those
#: that carry both.
SLICE_OWNER = "network:dhcp"
SLICE_PREFIX = "tricircle-"
#: The description of a port that we make for a server, until it is bound to a pod.
UNBOUND = "tricircle-claim"


def profile_of(origin: str, asked_az: str | None) -> dict[str, object]:
    """What ``binding:profile`` of a central port keeps for the day when its routing is lost.

    >>> profile_of(GATEWAY, "az1")
    {'tricircle': {'origin': 'gateway', 'asked_az': 'az1'}}
    """
    return {_OURS: {"origin": origin, **({ASKED_AZ: asked_az} if asked_az else {})}}


def profile_of_adopted(pod_network_id: str) -> dict[str, object]:
    """What ``binding:profile`` of a slice port keeps of an adoption for that day.

    >>> profile_of_adopted("0f2a")
    {'tricircle': {'adopted_network': '0f2a'}}
    """
    return {_OURS: {ADOPTED_NETWORK: pod_network_id}}


def server_owner(az_name: str) -> str:
    """The ``device_owner`` of a port that a server has, as Nova writes it: users see the AZ in it.

    >>> server_owner("az1")
    'compute:az1'
    """
    return f"compute:{az_name}"


def is_slice(port: Body) -> bool:
    """Whether a port of the centre holds a slice.

    >>> is_slice({"device_owner": "network:dhcp", "device_id": "tricircle-0f2a"}), is_slice({"device_owner": ""})
    (True, False)
    """
    return text(port, "device_owner") == SLICE_OWNER and text(port, "device_id").startswith(SLICE_PREFIX)


def is_unbound_claim(port: Body) -> bool:
    """Whether a port at the centre was made for a server by a boot (or an attach) that came no further.

    It has no host, no owner, and the id of a claim as its device: so may a port of a user's, or of another service's,
    and only ours says what it is.
    """
    has_nobody = not (port.get("device_owner") or port.get("binding:host_id"))
    return has_nobody and bool(port.get("device_id")) and port.get("description") == UNBOUND


def kept(port: Body) -> Mapping[str, str]:
    """What was written into the profile of a central port (``origin``, ``asked_az``; ``adopted_network``); empty when
    nothing was.
    """
    profile = port.get(PROFILE)
    ours = profile.get(_OURS) if isinstance(profile, Mapping) else None
    return {str(key): str(value) for key, value in ours.items()} if isinstance(ours, Mapping) else {}


def operators(port: Body) -> dict[str, object]:
    """What an operator wrote into the profile of a central port: all of it but ours.

    >>> operators({"binding:profile": {"trusted": "true", **profile_of(GATEWAY, None)}})
    {'trusted': 'true'}
    """
    profile = port.get(PROFILE)
    return {key: value for key, value in profile.items() if key != _OURS} if isinstance(profile, Mapping) else {}

# SPDX-License-Identifier: Apache-2.0
"""Who made a port: we, for a server, or the user who brought it? And what of it survives the loss of its routing?

A port of ours ends with its server; a user's stays. The routing says which it is, and of ours the port says so too.
"""

from collections.abc import Mapping

from tricircle.copies.bodies import Body

#: Values of ``origin`` in the details of a port's routing.
GATEWAY, USER = "gateway", "user"
_OURS = "tricircle"


def profile_of(origin: str, asked_az: str | None) -> dict[str, object]:
    """What ``binding:profile`` of a central port keeps for the day when its routing is lost.

    >>> profile_of(GATEWAY, "az1")
    {'tricircle': {'origin': 'gateway', 'asked_az': 'az1'}}
    """
    return {_OURS: {"origin": origin, **({"asked_az": asked_az} if asked_az else {})}}


def kept(port: Body) -> Mapping[str, str]:
    """What ``profile_of`` has written into a central port (``origin``, ``asked_az``); empty when it has not."""
    profile = port.get("binding:profile")
    ours = profile.get(_OURS) if isinstance(profile, Mapping) else None
    return {str(key): str(value) for key, value in ours.items()} if isinstance(ours, Mapping) else {}

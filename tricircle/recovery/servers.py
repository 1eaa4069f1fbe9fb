# SPDX-License-Identifier: Apache-2.0
"""What does a routing say of a server, beside where it is? Pure.

The pod's list says all of it but the server's group; that is in the list of groups. So no server is asked for alone.
"""

from collections.abc import Iterable, Mapping

from tricircle.audit.findings import Holding
from tricircle.copies import flavor_content
from tricircle.copies.bodies import Body, text, words
from tricircle.copies.image import content as image_content
from tricircle.copies.server_groups import marked_id
from tricircle.model.pod import Pod
from tricircle.model.remembered import ENDING, SEEN, is_kept, seen_in
from tricircle.model.routing import ASKED_AZ, Kind
from tricircle.recovery.facts import Fact, owned

#: By server: the groups that it is a member of, as users know them.
Memberships = Mapping[str, list[str]]


def memberships(groups: Iterable[Holding]) -> Memberships:
    """The groups of each server that is in one. A group of the pod's own has the pod's id, as users are shown it.

    :param groups: the server groups of a pod
    """
    found: dict[str, list[str]] = {}
    for group in groups:
        for server_id in words(group.body, "members"):
            found.setdefault(server_id, []).append(marked_id(group.body.get("name")) or group.pod_resource_id)
    return found


def server(pod: Pod, holding: Holding, zone: str | None, groups: Memberships | None) -> Fact:
    """The routing of a server.

    :param zone: the AZ that its boot asked for
    :param groups: None when they could not be read: then what the row remembers is kept, and one that remembers
        nothing says that the server is in no group
    """
    details: dict[str, object] = {ASKED_AZ: zone} if zone else {}
    if not is_kept(holding.body):
        details[ENDING] = True
    members = (groups or {}).get(holding.pod_resource_id, [])
    seen = seen_in({**_as_users_see(holding.body), "server_groups": members}, {})
    remembered: dict[str, object] = {} if seen is None else {SEEN: [seen]}
    if groups is not None:
        details |= remembered
    fact = owned(pod, Kind.SERVER, holding, details)
    return Fact(routing=fact.routing, defaults={} if groups is not None else remembered)


def _as_users_see(body: Body) -> dict[str, object]:
    """A server with the centre's names and ids."""
    flavor, image = body.get("flavor"), body.get("image")
    if isinstance(flavor, dict) and "original_name" in flavor:
        flavor = {**flavor, "original_name": flavor_content.central_name(text(flavor, "original_name"))}
    if isinstance(image, dict):
        image = {"id": image_content.central_id(text(image, "id"))}
    return {**body, "flavor": flavor, "image": image}

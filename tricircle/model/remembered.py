# SPDX-License-Identifier: Apache-2.0
"""What does a routing remember of a server, for the time when its pod does not answer? Pure.

Written by boots, by what clients are shown, and by a recovery; read for Nova's down-cell form.
"""

from collections.abc import Mapping
from typing import Any

from tricircle.model.routing import Routing

#: Where a routing's details have what is shown of a server, and that it was deleted.
SEEN, ENDING = "seen", "is_ending"


def seen_of(routing: Routing) -> Mapping[str, Any] | None:
    """What is remembered of a server; None when nothing is."""
    seen = routing.details.get(SEEN)
    return seen[0] if isinstance(seen, list) and seen and isinstance(seen[0], dict) else None


def seen_in(server: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of a server's body is worth remembering; None below 2.47, where it does not embed its flavor.

    What not everybody is shown (extra specs, by a policy) is not forgotten by being hidden once.

    :param server: as users see it: names and ids are the centre's
    :param known: what was remembered of it
    """
    flavor, image = server.get("flavor"), server.get("image")
    if not isinstance(flavor, dict) or "original_name" not in flavor:
        return None
    before = known.get("flavor") or {}
    if before.get("original_name") == flavor["original_name"]:
        flavor = {**before, **flavor}
    seen: dict[str, Any] = {"image": image.get("id") if isinstance(image, dict) else "", "flavor": flavor}
    return seen | {key: server[key] for key in ("user_id", "server_groups") if key in server}


def is_kept(server: Mapping[str, Any]) -> bool:
    """Whether a server is not being deleted."""
    task = server.get("OS-EXT-STS:task_state")
    return task not in ("deleting", "soft-deleting") and server.get("status") not in ("DELETED", "SOFT_DELETED")

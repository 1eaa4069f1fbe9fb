# SPDX-License-Identifier: Apache-2.0
"""What is said at the root of the gateway? Where the doors are."""

from collections.abc import Callable, Iterable

from tricircle.http.message import Answer
from tricircle.road.door import Door


def front_page(public_endpoint: str, doors: Iterable[Door]) -> Callable[[], Answer]:
    """Makes the answer at ``/``: the doors by service type, with our addresses."""
    links = [{"rel": str(door.service), "href": f"{public_endpoint}{door.prefix}/"} for door in doors]
    body = {"services": [{"type": link["rel"], "links": [{"rel": "self", "href": link["href"]}]} for link in links]}
    return lambda: Answer.json(200, body)

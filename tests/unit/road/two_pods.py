# SPDX-License-Identifier: Apache-2.0
"""Two scripted pods, and a server that lives in the second."""

from tests.unit.road.scripted import World, pod
from tricircle.model.routing import Kind
from tricircle.road.row import Behaviour, Row

ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")
ID = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11"
SERVER_ROW = Row(
    ("GET", "DELETE"),
    "/servers/{server_id}",
    Behaviour.ROUTE,
    kind=Kind.SERVER,
    id_param="server_id",
    singular="server",
)


def world() -> World:
    made = World((ONE, TWO))
    made.routings.add(Kind.SERVER, ID, TWO)
    return made

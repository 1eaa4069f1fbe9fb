# SPDX-License-Identifier: Apache-2.0
"""Do limits hold when many take at once, and is nothing left of what was only meant? Through the whole gateway."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from tests import mariadb
from tests.api.doors.test_servers import SERVERS, boot, network
from tests.api.doors.test_volume_limits import limit
from tests.api.doors.test_volumes import VOLUMES, create, refused
from tests.api.whole import Plan, Whole, _living
from tricircle.app.gateway import gateway
from tricircle.app.rooms import open_rooms
from tricircle.app.worker import chores
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

__all__ = ["network"]
#: Seconds; more than looking again takes before a refusal.
PATIENT = Plan(request_deadline_s=15)
TOO_MANY = "VolumeLimitExceeded: Maximum number of volumes allowed (3) exceeded for quota 'volumes'."


@pytest.fixture
def plan() -> Plan:
    return PATIENT


class Books:
    """What is written down."""

    def __init__(self, server: mariadb.Server, database: str) -> None:
        self._server, self._name = server, database.rpartition("/")[2]

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with self._server.connect(self._name) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def reserved(self) -> int:
        """How many reservations there are."""
        return len(self.sql("SELECT id FROM tricircle_reservations"))

    def let_time_pass(self, seconds: int = 3600) -> None:
        """All that is reserved was so for longer, and all readings are older."""
        ago = f"INTERVAL {seconds} SECOND"
        self.sql(f"UPDATE tricircle_reservations SET created_at = created_at - {ago}, until = until - {ago}")
        self.sql(f"UPDATE tricircle_usages SET seen_at = seen_at - {ago}")


@pytest.fixture
def books(server: mariadb.Server, database: str, cloud: Whole) -> Books:
    return Books(server, database)


def makes(asked: Asked) -> bool:
    """Whether a server or a volume is asked for."""
    return asked.method == "POST" and asked.path.endswith(("/servers", "/volumes"))


async def server_limit(cloud: Whole, **limits: int) -> None:
    path = f"/compute/v2.1/os-quota-sets/{cloud.project_id('demo')}"
    assert (await cloud.admin.ask("PUT", path, {"quota_set": limits})).status == 200


async def look(cloud: Whole) -> None:
    """Read the usage, as any dashboard does."""
    project = cloud.project_id("demo")
    said = await cloud.tenant.ask("GET", f"/volume/v3/os-quota-sets/{project}?usage=True")
    assert {quota["reserved"] for quota in said.json()["quota_set"].values() if isinstance(quota, dict)} == {0}
    assert (await cloud.tenant.ask("GET", "/compute/v2.1/limits")).status == 200


async def test_of_many_volumes_at_once_as_many_as_allowed_are_made(cloud: Whole, books: Books) -> None:
    await limit(cloud, volumes=3)
    asked = (refused(cloud.tenant, availability_zone=f"az{1 + number % 2}") for number in range(8))
    said = await asyncio.gather(*asked)
    assert Counter(one.status for one in said) == {202: 3, 413: 5}
    assert {one.message for one in said if one.status == 413} == {TOO_MANY}
    assert sum(len(pod.cinder.volumes) for pod in cloud.pods.values()) == 3
    await look(cloud)
    assert books.reserved() == 0


async def test_of_many_boots_at_once_as_many_as_allowed_are_made(cloud: Whole, network: str, books: Books) -> None:
    await server_limit(cloud, instances=3)
    asked = (
        boot(cloud, cloud.tenant, networks=[{"uuid": network}], availability_zone=f"az{1 + number % 2}")
        for number in range(8)
    )
    said = await asyncio.gather(*asked)
    assert Counter(one.status for one in said) == {202: 3, 403: 5}
    assert {one.message for one in said if one.status == 403} == {
        "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"
    }
    assert sum(len(pod.nova.servers) for pod in cloud.pods.values()) == 3
    assert len((await cloud.tenant.ask("GET", "/network/v2.0/ports")).json()["ports"]) == 3
    await look(cloud)
    assert books.reserved() == 0


async def test_a_users_limit_holds_for_boots_at_once_from_two_gateways(
    cloud: Whole, network: str, books: Books
) -> None:
    """Others of the project go on: the limit is the user's."""
    user = cloud.identities.of(cloud.identities.sign_in("demo", "secret", "demo"))
    assert user is not None
    path = f"/compute/v2.1/os-quota-sets/{cloud.project_id('demo')}?user_id={user.user_id}"
    assert (await cloud.admin.ask("PUT", path, {"quota_set": {"cores": 3}})).status == 200
    async with _living(gateway(cloud.settings)) as second:
        token = cloud.identities.sign_in("demo", "secret", "demo")
        doors = [cloud.tenant, second.having(x_auth_token=token)]
        asked = (
            boot(cloud, doors[number // 4], networks="none", availability_zone=f"az{1 + number % 2}")
            for number in range(8)
        )
        said = await asyncio.gather(*asked)
    assert Counter(one.status for one in said) == {202: 3, 403: 5}
    assert {one.message for one in said if one.status == 403} == {
        "Quota exceeded for cores: Requested 1, but already used 3 of 3 cores"
    }
    other = cloud.doors.having(x_auth_token=cloud.identities.sign_in("admin", "secret", "demo"))
    assert (await boot(cloud, other, networks="none", availability_zone="az1")).status == 202
    await look(cloud)
    assert books.reserved() == 0
    assert (await cloud.admin.ask("DELETE", path)).status == 202
    assert (await boot(cloud, cloud.tenant, networks="none", availability_zone="az1")).status == 202


async def test_several_by_one_call_are_as_many_as_allowed(cloud: Whole, network: str, books: Books) -> None:
    await server_limit(cloud, instances=3)
    said = await boot(cloud, cloud.tenant, networks="none", min_count=1, max_count=5)
    assert said.status == 202
    assert sum(len(pod.nova.servers) for pod in cloud.pods.values()) == 3
    assert (await boot(cloud, cloud.tenant, networks="none", min_count=1, max_count=2)).status == 403
    await look(cloud)
    assert books.reserved() == 0


async def test_servers_that_nova_does_not_count_yet_are_counted(cloud: Whole, network: str, books: Books) -> None:
    """Nova answers before the conductor has written a server down in its cell, and only then counts it."""
    await server_limit(cloud, instances=2)
    cloud.pods["Pod1"].nova.is_conductor_away = True
    for _ in range(2):
        assert (await boot(cloud, cloud.tenant, networks="none", availability_zone="az1")).status == 202
    absolute = (await cloud.tenant.ask("GET", "/compute/v2.1/limits")).json()["limits"]["absolute"]
    assert absolute["totalInstancesUsed"] == 0
    assert (await boot(cloud, cloud.tenant, networks="none", availability_zone="az1")).status == 403
    assert books.reserved() == 2
    cloud.pods["Pod1"].nova.conduct()
    await look(cloud)
    assert books.reserved() == 0


async def test_a_server_that_is_deleted_makes_room(cloud: Whole, network: str, books: Books) -> None:
    await server_limit(cloud, instances=1)
    for _ in range(3):
        said = await boot(cloud, cloud.tenant, networks="none")
        assert said.status == 202
        path = f"{SERVERS}/{said.json()['server']['id']}"
        assert (await cloud.tenant.ask("DELETE", path)).status == 204
    await look(cloud)
    assert books.reserved() == 0


async def test_nothing_is_kept_of_what_a_pod_refused(cloud: Whole, network: str, books: Books) -> None:
    await limit(cloud, volumes=1)
    for symptom, status in ((Symptom.FAILING, 409), (Symptom.FAILING, 503)):
        only_posts = Ailment(symptom=symptom, status=status, only=makes)
        cloud.pods["Pod1"].fall_ill(only_posts, ["block-storage", "compute"])
        assert (await refused(cloud.tenant, availability_zone="az1")).status == status
        said = await boot(cloud, cloud.tenant, networks="none", availability_zone="az1")
        assert said.status == status, said.body
        assert books.reserved() == 0
    cloud.pods["Pod1"].fall_ill(None)
    assert (await refused(cloud.tenant, availability_zone="az1")).status == 202


LOST = Ailment(symptom=Symptom.CUT, is_carried_out=True, only=makes)
ERRED = Ailment(symptom=Symptom.FAILING, status=500, only=makes)


@pytest.mark.parametrize(("ailment", "status"), [(LOST, 504), (ERRED, 500)], ids=["made", "not made"])
async def test_what_nobody_knows_counts_until_the_pod_can_say(
    cloud: Whole, books: Books, ailment: Ailment, status: int
) -> None:
    """The pod's answer was lost, or says nothing; or this process died with it."""
    await create(cloud.tenant, availability_zone="az1")
    await limit(cloud, volumes=2)
    cloud.pods["Pod1"].fall_ill(ailment, ["block-storage"])
    assert (await refused(cloud.tenant, availability_zone="az1")).status == status
    assert books.reserved() == 1
    cloud.pods["Pod1"].fall_ill(None)
    assert (await refused(cloud.tenant, availability_zone="az2")).status == 413, "nobody may take it meanwhile"
    books.let_time_pass()
    assert (await refused(cloud.tenant, availability_zone="az2")).status == (413 if ailment is LOST else 202)
    await look(cloud)
    assert books.reserved() == 0


async def test_a_pod_that_is_down_counts_also_after_a_restart(cloud: Whole, books: Books) -> None:
    await limit(cloud, volumes=3)
    for zone in ("az1", "az2", "az2"):
        await create(cloud.tenant, availability_zone=zone)
    await look(cloud)
    await cloud.ports["Pod2"].refuse()
    async with _living(gateway(cloud.settings)) as restarted:
        tenant = restarted.having(x_auth_token=cloud.identities.sign_in("demo", "secret", "demo"))
        assert (await refused(tenant, availability_zone="az1")).message == TOO_MANY
        absolute = (await tenant.ask("GET", "/volume/v3/limits")).json()["limits"]["absolute"]
        assert (absolute["totalVolumesUsed"], absolute["totalGigabytesUsed"]) == (3, 3)
        servers = (await tenant.ask("GET", "/compute/v2.1/limits")).json()["limits"]["absolute"]
        assert servers["totalInstancesUsed"] == 0


async def test_a_new_type_is_held_against_its_own_limit(cloud: Whole, books: Books) -> None:
    for name in ("silver", "gold"):
        made = await cloud.admin.ask("POST", "/volume/v3/types", {"volume_type": {"name": name}})
        assert made.status == 200
    await limit(cloud, volumes_gold=1)
    ids = [(await create(cloud.tenant, volume_type="silver", availability_zone="az1"))["id"] for _ in range(2)]
    change = {"os-retype": {"new_type": "gold", "migration_policy": "never"}}
    said = [await cloud.tenant.ask("POST", f"{VOLUMES}/{one}/action", change) for one in ids]
    assert [one.status for one in said] == [202, 413]
    await look(cloud)
    assert books.reserved() == 0


async def test_what_is_taken_over_is_held_against_the_takers_limit(cloud: Whole, books: Books) -> None:
    """Its size is not told to the taker before; it counts all the same."""
    made = await create(cloud.other, size=2, availability_zone="az1")
    path = "/volume/v3/os-volume-transfer"
    gift = (await cloud.other.ask("POST", path, {"transfer": {"volume_id": made["id"], "name": "gift"}})).json()
    key = {"accept": {"auth_key": gift["transfer"]["auth_key"]}}
    for gigabytes, status in ((1, 413), (2, 202)):
        await limit(cloud, gigabytes=gigabytes)
        said = await cloud.tenant.ask("POST", f"{path}/{gift['transfer']['id']}/accept", key)
        assert said.status == status, said.body
    await look(cloud)
    giver = cloud.project_id("alt")
    assert books.sql(f"SELECT id FROM tricircle_reservations WHERE project_id <> '{giver}'") == []


@pytest.mark.parametrize(("wish", "status"), [({}, 413), ({"no_snapshots": True}, 202)], ids=["with", "without"])
async def test_snapshots_that_come_with_a_volume_take_too(
    cloud: Whole, books: Books, wish: dict[str, object], status: int
) -> None:
    made = await create(cloud.other, size=2, availability_zone="az1")
    taken = await cloud.other.ask("POST", "/volume/v3/snapshots", {"snapshot": {"volume_id": made["id"]}})
    assert taken.status == 202
    path, other = "/volume/v3/volume-transfers", cloud.other.having(openstack_api_version="volume 3.55")
    gift = (await other.ask("POST", path, {"transfer": {"volume_id": made["id"], "name": "gift", **wish}})).json()
    taker = cloud.tenant.having(openstack_api_version="volume 3.55")
    key = {"accept": {"auth_key": gift["transfer"]["auth_key"]}}
    await limit(cloud, snapshots=0)
    said = await taker.ask("POST", f"{path}/{gift['transfer']['id']}/accept", key)
    assert said.status == status, said.body
    if status == 413:
        assert said.message == "SnapshotLimitExceeded: Maximum number of snapshots allowed (0) exceeded"
        await limit(cloud, snapshots=1, gigabytes=4)
        assert (await taker.ask("POST", f"{path}/{gift['transfer']['id']}/accept", key)).status == 202


async def test_the_worker_settles_what_idle_projects_left(
    cloud: Whole, network: str, books: Books, queued: Callable[[], list[tuple[str, str]]]
) -> None:
    """Nobody asks for a project that has stopped making things: the chores of the worker do."""
    await create(cloud.tenant, availability_zone="az1")
    assert (await boot(cloud, cloud.tenant, networks="none")).status == 202
    assert books.reserved() == 2
    books.let_time_pass()
    rooms = open_rooms(cloud.settings)
    for chore in chores(rooms):
        await chore()
    await rooms.close()
    assert books.reserved() == 0
    known = books.sql("SELECT amounts FROM tricircle_usages WHERE pod_id <> ''")
    assert any('"instances": 1' in str(row) for row in known)
    assert any('"volumes": 1' in str(row) for row in known)

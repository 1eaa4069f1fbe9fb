# SPDX-License-Identifier: Apache-2.0
"""Does any bad request break us? The requests of ``tests/fuzz``, to the whole gateway in front of fakes.

What a door says is compared with real services there; here it is only seen that nothing of ours fails (500), that no
pod is named, and that nothing is sent where it does not belong. All of it runs in one process, so that many are tried.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests.api.whole import Whole
from tests.asgi import Said
from tests.fuzz.hostile import Hostile, hostile
from tests.fuzz.mutations import Case, spread
from tests.fuzz.tables import DOORS

COUNT = int(os.environ.get("TRICIRCLE_FUZZ_FAKES", "60"))
SEED = int(os.environ.get("TRICIRCLE_FUZZ_SEED", "34"))
NOBODY = "0bad0bad-0bad-4bad-8bad-0bad0bad0bad"
#: Names of pods and their zones, which the fakes have too.
WORDS = ("Pod1", "Pod2", "canary-zone")
#: What we say when something of ours failed (``http/faults.py``).
OUR_FAILURES = (
    "the operator of this cloud",
    "erred or is incapable",
    "internal server error",
    "unexpected error prevented",
)
PREFIXES = {
    "compute": ("/compute", "/v2.1"),
    "block-storage": ("/volume", "/v3"),
    "image": ("/image", "/v2"),
    "network": ("/network", "/v2.0"),
    "identity": ("/identity", "/v3"),
    "admin": ("", "/v1.0"),
}


@dataclass(frozen=True, kw_only=True)
class Things:
    """What names stand for in this cloud."""

    cloud: Whole
    names: Mapping[str, str]

    def spelled(self, text: str) -> str:
        """A text with its names replaced."""
        for name in sorted(self.names, key=len, reverse=True):
            own = self.names[name]
            for suffix, form in (("!upper", own.upper()), ("!plain", own.replace("-", "")), ("", own)):
                text = text.replace(f"@{name}{suffix}", form)
        return text.replace("@unique", f"u-{secrets.token_hex(4)}")

    async def mutated(self, door: str, case: Case) -> Said:
        """The answer to a good request made bad."""
        cloud = self.cloud
        client = cloud.admin if case.call.who == "admin" else cloud.tenant
        if door == "admin":
            who = cloud.identities.sign_in("admin" if case.call.who == "admin" else "demo", "secret", "demo")
            client = cloud.operators.having(x_auth_token=who)
        if case.header is not None:
            client = client.having(openstack_api_version=case.header)
        body = self.spelled(case.data()).encode("utf-8", "surrogatepass")
        return await client.ask(case.call.method, "".join(PREFIXES[door]) + self.spelled(case.target()), body)

    async def hostile(self, door: str, case: Hostile) -> Said:
        """The answer to a hostile request."""
        prefix, version = PREFIXES[door]
        target = case.target.replace("{V}", prefix + version).replace("{P}", prefix)
        admin = self.cloud.identities.sign_in("admin", "secret", "admin")
        client = self.cloud.operators.having(x_auth_token=admin) if door == "admin" else self.cloud.tenant
        client = client.having(**{name.replace("-", "_").lower(): value for name, value in case.headers if value})
        return await client.ask(case.method, self.spelled(target), case.body)


@pytest.fixture
async def things(cloud: Whole) -> Things:
    """A server, a volume and what else requests name, in Pod1."""
    tenant, project = cloud.tenant, cloud.project_id("demo")
    admin = cloud.admin
    flavor = await admin.ask(
        "POST", "/compute/v2.1/flavors", {"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1}}
    )
    user_id = next(uid for uid, name in cloud.identities.user_ids().items() if name == "demo")
    names = {
        "zone": "az1",
        "image": cloud.image_id,
        "own-image": cloud.image_id,
        "foreign-image": cloud.image_id,
        "flavor": str(flavor.json()["flavor"]["id"]),
        "project": project,
        "other-project": cloud.project_id("alt"),
        "user": user_id,
        "user-name": "demo",
        "nobody": NOBODY,
        "public-key": "ssh-ed25519 AAAA x",
        **dict.fromkeys(("keypair", "group", "group-id", "network", "subnet", "port", "deleted-port"), NOBODY),
        **dict.fromkeys(("server-group", "snapshot", "foreign-network"), NOBODY),
    }
    for name in ("volume", "victim-volume", "deleted-volume"):
        made = await tenant.ask("POST", "/volume/v3/volumes", {"volume": {"size": 1, "availability_zone": "az1"}})
        names[name] = str(made.json()["volume"]["id"])
    for name in ("server", "victim", "deleted-server"):
        server = {
            "name": name,
            "flavorRef": names["flavor"],
            "imageRef": cloud.image_id,
            "networks": "none",
            "availability_zone": "az1",
        }
        latest = tenant.having(openstack_api_version="compute 2.90")
        booted = await latest.ask("POST", "/compute/v2.1/servers", {"server": server})
        names[name] = str(booted.json()["server"]["id"])
    made = await cloud.other.ask("POST", "/volume/v3/volumes", {"volume": {"size": 1, "availability_zone": "az1"}})
    names["foreign-volume"] = names["foreign-server"] = str(made.json()["volume"]["id"])
    return Things(cloud=cloud, names=names)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("door", DOORS)
async def test_nothing_of_ours_breaks(things: Things, door: str) -> None:
    broken: list[str] = []
    for case in spread(list(DOORS[door]()), door, COUNT, SEED):
        said = await things.mutated(door, case)
        broken += judged(
            f"{case.call.name} | {case.how} | {case.data()[:200]}", said, shows_pods=case.call.who == "admin"
        )
    for wild in hostile(door, COUNT, SEED):
        said = await things.hostile(door, wild)
        broken += judged(f"{wild.how} | {quote(wild.name)}", said, shows_pods=door == "admin")
    assert not broken, f"{len(broken)}:\n" + "\n".join(broken)


def judged(what: str, said: Said, *, shows_pods: bool) -> list[str]:
    """What is wrong with an answer, as lines."""
    text = said.body.decode("utf-8", "replace")
    # The fakes break too, and say so in other words.
    is_ours = said.status == 500 and any(words in text for words in OUR_FAILURES)
    found = [f"{said.status} {what} -> {text[:200]}"] if is_ours else []
    words = [] if shows_pods else [word for word in WORDS if word in text + str(said.headers)]
    found += [f"{word} {what} -> {text[:200]}" for word in words]
    if found:
        print(*found, sep="\n", flush=True)
    return found


@pytest.mark.parametrize("body", [b"[]", b'""', b"[1, 2]", b'"pause"', b"7", b"[{}]", b"null", b"true", b"{"])
async def test_an_action_that_is_no_object_is_refused_as_nova_does(things: Things, body: bytes) -> None:
    said = await things.cloud.tenant.ask("POST", f"/compute/v2.1/servers/{things.names['server']}/action", body)
    # Nova counts the members before it looks for the name of an action: other than one is malformed.
    is_malformed = body in (b"[]", b'""', b"[1, 2]", b'"pause"', b"{")
    assert said.status == (400 if is_malformed else 404), said.body


async def test_a_volume_is_not_filled_anew_from_an_image_that_nobody_has(things: Things) -> None:
    latest = things.cloud.tenant.having(openstack_api_version="volume 3.68")
    path = f"/volume/v3/volumes/{things.names['volume']}/action"
    said = await latest.ask("POST", path, {"os-reimage": {"image_id": NOBODY}})
    assert (said.status, said.json()["itemNotFound"]["message"]) == (404, f"Image {NOBODY} could not be found.")


async def test_a_verb_that_an_image_does_not_have_is_not_allowed(things: Things) -> None:
    """Not 501: no image is in a pod, and the table has all verbs."""
    said = await things.cloud.tenant.ask("OPTIONS", f"/image/v2/images/{things.names['image']}")
    assert said.status == 405


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"pod":' * 5000 + b"1" + b"}" * 5000])
@pytest.mark.parametrize("door", ["admin", "compute", "block-storage"])
async def test_a_body_that_is_too_deep_is_malformed(things: Things, door: str, body: bytes) -> None:
    path = {"admin": "/pods", "compute": "/servers", "block-storage": "/volumes"}[door]
    wild = Hostile(how="deep", method="POST", target="{V}" + path, body=body)
    assert (await things.hostile(door, wild)).status == 400

# SPDX-License-Identifier: Apache-2.0
"""What do the tests with relays share? Two gateway processes and two workers, and tenants to be."""

import os
import random
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.functional.region_world import Region, unique
from tests.kill.operations import Props
from tests.kill.play import Company
from tests.kill.proxies import Delays
from tests.kill.stage import Stage, stage
from tests.kill.trigger import Trigger

SEED = int(os.environ.get("TRICIRCLE_KILL_SEED", random.randrange(10_000)))
_COUNTS_READS = os.environ.get("TRICIRCLE_KILL_READS") == "1"
_DELAYS = Delays(chance=0.25, seconds=0.4)


@pytest.fixture(scope="session")
def seed() -> int:
    """What all choices follow from."""
    random.seed(SEED)
    return SEED


# Of the package: the lab's own gateway is back before other tests run.
@pytest.fixture(scope="package")
def set_stage() -> Iterator[Stage]:
    """Our processes behind relays, in the place of the lab's own."""
    with stage(Trigger(counts_reads=_COUNTS_READS), _DELAYS) as made:
        yield made


@pytest.fixture(scope="package")
def props(set_stage: Stage) -> Props:
    """What all scenes share. The flavor stays until the lab is made anew: copies of it are no leftovers."""
    region = Region()
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    flavor = region.admin.make("compute", "flavors", "flavor", name=unique("kill"), ram=64, vcpus=1, disk=1)
    return Props(region=region, image_id=region.image_id(), flavor_id=str(flavor["id"]), key=text)


@pytest.fixture
def company(set_stage: Stage, props: Props) -> Iterator[Company]:
    """Those who play; nothing is left of them."""
    playing = Company(region=props.region, stage=set_stage, props=props)
    yield playing
    playing.close()

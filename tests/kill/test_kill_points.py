# SPDX-License-Identifier: Apache-2.0
"""Is nothing lost, doubled or left behind, wherever a process of ours dies? See README.md in this folder."""

import os
import random
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.functional.region_world import Region, unique
from tests.kill.operations import Props
from tests.kill.play import Company, sample
from tests.kill.proxies import Delays
from tests.kill.repertoire import OPERATIONS
from tests.kill.stage import stage
from tests.kill.trigger import Trigger

pytestmark = [pytest.mark.lab, pytest.mark.kill, pytest.mark.timeout(7200)]

_SIZE = int(os.environ.get("TRICIRCLE_KILL_POINTS", "40"))
_IS_WHOLE = os.environ.get("TRICIRCLE_KILL") == "all"
_COUNTS_READS = os.environ.get("TRICIRCLE_KILL_READS") == "1"
_ONLY = os.environ.get("TRICIRCLE_KILL_ONLY", "")
_SEED = int(os.environ.get("TRICIRCLE_KILL_SEED", random.randrange(10_000)))
_DELAYS = Delays(chance=0.25, seconds=0.4)


@pytest.fixture
def company() -> Iterator[Company]:
    """Two gateway processes and two workers, and tenants to be."""
    with stage(Trigger(counts_reads=_COUNTS_READS), _DELAYS) as made:
        region = Region()
        key = ed25519.Ed25519PrivateKey.generate().public_key()
        text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        flavor = region.admin.make("compute", "flavors", "flavor", name=unique("kill"), ram=64, vcpus=1, disk=1)
        props = Props(region=region, image_id=region.image_id(), flavor_id=str(flavor["id"]), key=text)
        playing = Company(region=region, stage=made, props=props)
        yield playing
        playing.close()


def test_nothing_is_lost_doubled_or_left(company: Company) -> None:
    random.seed(_SEED)
    operations = [operation for operation in OPERATIONS if _ONLY in operation.name]
    plans = company.learn(operations)
    chosen = plans if _IS_WHOLE else sample(plans, _SIZE, _SEED)
    print(f"\n{len(chosen)} of {len(plans)} points in {len(operations)} operations; TRICIRCLE_KILL_SEED={_SEED}")
    company.play(chosen)
    for (name, role, party), count in sorted(company.tried.items()):
        print(f"{name:20} {role:8} {party:9} {count}")
    print(f"{len(company.missed)} did not come to their point: {'; '.join(company.missed)}")
    problems = company.judge()
    assert not problems, "\n".join(problems)

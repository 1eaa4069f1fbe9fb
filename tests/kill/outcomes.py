# SPDX-License-Identifier: Apache-2.0
"""What does a client hear of a call whose outcome nobody knows, and what becomes of it?

Sent without an answer: 504, no ``Retry-After``, and never a second attempt of ours; what came of it is found out later.
Not sent: 503 with ``Retry-After``, and nothing is left.
"""

import re

from tests.functional.region_world import eventually
from tests.kill.operations import Operation
from tests.kill.play import Company
from tests.kill.repertoire import BARE, ON_NETWORK, ON_PORT
from tests.kill.servers import Attach, Detach, ServerDelete
from tests.kill.stage import SHIFT
from tests.kill.storage import SnapshotCreate, VolumeCreate
from tests.kill.trigger import CUTS, Party, Point, Role

#: Operations, and the call to the pod that is all about them.
_CALLS: tuple[tuple[Operation, str], ...] = (
    (BARE, r"^POST /v2.1/servers$"),
    (ON_NETWORK, r"^POST /v2.1/servers$"),
    (ON_PORT, r"^POST /v2.1/servers$"),
    (Attach(), r"^POST .*/os-interface$"),
    (Detach(), r"^DELETE .*/os-interface/"),
    (ServerDelete(), r"^DELETE /v2.1/servers/[^/]*$"),
    (VolumeCreate(), r"^POST .*/volumes$"),
    (SnapshotCreate(), r"^POST .*/snapshots$"),
)


def lose_calls(company: Company) -> None:
    """A request, or an answer, is lost on the way: 504."""
    cuts = [(operation, call, when) for operation, call in _CALLS for when in CUTS]
    trigger = company.stage.trigger
    for scene, (_, call, when) in zip(company.prepared([cut[0] for cut in cuts]), cuts, strict=True):
        trigger.arm(Point(role=Role.GATEWAY, party=Party.POD, number=1, when=when, what=call))
        scene.told = scene.operation.act(company.props, scene)
        scene.point = trigger.disarm()
        assert scene.point, f"{scene} made no such call: {trigger.log}"
        assert (scene.told.status, scene.told.retry_after) == (504, ""), (str(scene), when, scene.told)
        sent = [line.partition(": ")[2] for line in trigger.log if f" {Party.POD} " in line]
        assert len([line for line in sent if re.search(call, line)]) == 1, trigger.log


def refuse_calls(company: Company) -> None:
    """Nobody listens in the pod: 503, and a client may try again."""
    (pod, *_) = company.stage.lab.pods
    scenes = company.prepared([operation for operation, _ in _CALLS if operation.name != SnapshotCreate.name])
    for scene in scenes:
        service = "cinder" if isinstance(scene.operation, VolumeCreate) else "nova"
        with company.stage.proxies.refusing(pod.port(service) + SHIFT):
            scene.told = scene.operation.act(company.props, scene)
        scene.point = f"nobody listens: {service}"
        assert scene.told.status == 503, (str(scene), scene.told)
        assert int(scene.told.retry_after) > 0, (str(scene), scene.told)
    here = scenes[0].tenant.here
    answers = [("compute", "/servers"), ("block-storage", "/volumes")]
    eventually(
        lambda: [here("GET", service, path).headers.get("OpenStack-Incomplete-AZs") for service, path in answers],
        lambda marks: not any(marks),
        "the pod is asked again",
    )

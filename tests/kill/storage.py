# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing with volumes and snapshots while a process dies? See ``operations.py``."""

from typing import TYPE_CHECKING

from tests.kill.operations import ZONE, Props, Scene, Told, gone, tell, times

if TYPE_CHECKING:
    from tests.kill.truth import Truth


class VolumeCreate:
    """A volume."""

    name, shares_project = "volume create", True

    def prepare(self, props: Props, scene: Scene) -> None:
        """Nothing is needed."""

    def act(self, props: Props, scene: Scene) -> Told:
        body = {"volume": {"name": scene.name, "size": 1, "availability_zone": ZONE}}
        return tell(lambda: scene.tenant.here("POST", "block-storage", "/volumes", body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return times(len([volume for volume in truth.volumes if volume["name"] == scene.name]), scene.told)


class VolumeDelete:
    """No volume any more."""

    name, shares_project = "volume delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        scene.things["volume"] = scene.tenant.volume(ZONE, name=scene.name)

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "block-storage", f"/volumes/{scene.things['volume']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone(scene, truth.volumes, "volume")


class VolumeAttach:
    """A volume at a server."""

    name, shares_project = "volume attach", True

    def prepare(self, props: Props, scene: Scene) -> None:
        scene.things["volume"] = scene.tenant.volume(ZONE, name=scene.name)
        scene.things["server"] = props.server(scene)

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/servers/{scene.things['server']['id']}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": scene.things["volume"]["id"]}}
        return tell(lambda: scene.tenant.here("POST", "compute", path, body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return times(_attachments(scene, truth), scene.told)


class VolumeDetach:
    """A volume taken from a server."""

    name, shares_project = "volume detach", True

    def prepare(self, props: Props, scene: Scene) -> None:
        VolumeAttach().prepare(props, scene)
        assert VolumeAttach().act(props, scene).is_done
        volume_id = scene.things["volume"]["id"]
        scene.tenant.reached("block-storage", f"/volumes/{volume_id}", "volume", "in-use")

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/servers/{scene.things['server']['id']}/os-volume_attachments/{scene.things['volume']['id']}"
        return tell(lambda: scene.tenant.here("DELETE", "compute", path))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return ["was detached and is there"] if scene.told.is_done and _attachments(scene, truth) else []


class SnapshotCreate:
    """A snapshot."""

    name, shares_project = "snapshot create", True

    def prepare(self, props: Props, scene: Scene) -> None:
        scene.things["volume"] = scene.tenant.volume(ZONE, name=scene.name)

    def act(self, props: Props, scene: Scene) -> Told:
        body = {"snapshot": {"name": scene.name, "volume_id": scene.things["volume"]["id"]}}
        return tell(lambda: scene.tenant.here("POST", "block-storage", "/snapshots", body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return times(len([made for made in truth.snapshots if made["name"] == scene.name]), scene.told)


class SnapshotDelete:
    """No snapshot any more."""

    name, shares_project = "snapshot delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        SnapshotCreate().prepare(props, scene)
        snapshot = SnapshotCreate().act(props, scene).body["snapshot"]
        path = f"/snapshots/{snapshot['id']}"
        scene.things["snapshot"] = scene.tenant.reached("block-storage", path, "snapshot", "available")

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/snapshots/{scene.things['snapshot']['id']}"
        return tell(lambda: scene.tenant.here("DELETE", "block-storage", path))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone(scene, truth.snapshots, "snapshot")


def _attachments(scene: Scene, truth: "Truth") -> int:
    (volume,) = [volume for volume in truth.volumes if volume["id"] == scene.things["volume"]["id"]]
    return len(volume["attachments"])

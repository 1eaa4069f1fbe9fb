# SPDX-License-Identifier: Apache-2.0
"""What does the imitated storage array do? It says yes to everything and keeps no data."""

import io

from cinder import exception
from cinder.tests import fake_driver
from cinder.volume import volume_utils

CAPACITY_GB = 1 << 20
IMAGE_BYTES = 64 * 1024
# A qcow2 header, version 3, of an empty disk of 64 KiB: Glance looks into what it is sent.
_QCOW2 = (
    b"QFI\xfb"
    + (3).to_bytes(4, "big")
    + bytes(12)
    + (16).to_bytes(4, "big")
    + IMAGE_BYTES.to_bytes(8, "big")
    + bytes(60)
    + (4).to_bytes(4, "big")
    + (104).to_bytes(4, "big")
)


class LabStorage(fake_driver.FakeLoggingVolumeDriver):
    """A pool of one pebibyte in which every operation succeeds.

    What Cinder no longer manages is remembered by name as long as the process lives, so that it can be managed again.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        #: Size by name, and of snapshots the name of their volume.
        self._left_volumes = {}
        self._left_snapshots = {}

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        """Nothing: there is nowhere to copy to."""

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        # "Cloned already": so that Cinder neither downloads nor converts the image.
        return {}, True

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        data = _QCOW2 if image_meta.get("disk_format") == "qcow2" else b""
        image_service.update(context, image_meta["id"], {}, io.BytesIO(data.ljust(IMAGE_BYTES, b"\0")))

    def extend_volume(self, volume, new_size):
        """Nothing: there is room. Imitated LVM of older releases has no such thing."""

    def retype(self, context, volume, new_type, diff, host):
        return True

    def migrate_volume(self, context, volume, host):
        return True, None

    def revert_to_snapshot(self, context, volume, snapshot):
        """Nothing: all snapshots are alike."""

    def unmanage(self, volume):
        self._left_volumes[volume.name] = volume.size

    def manage_existing_get_size(self, volume, existing_ref):
        return _known(self._left_volumes, existing_ref)

    def manage_existing(self, volume, existing_ref):
        _known(self._left_volumes, existing_ref)
        del self._left_volumes[existing_ref["source-name"]]

    def get_manageable_volumes(self, cinder_volumes, marker, limit, offset, sort_keys, sort_dirs):
        entries = [_entry(volume.name, volume.size, volume.id) for volume in cinder_volumes]
        # Cinder forgets a volume only after the driver has left it: until then it is "already managed".
        is_known = {volume.name for volume in cinder_volumes}
        entries += [_entry(name, size) for name, size in self._left_volumes.items() if name not in is_known]
        return volume_utils.paginate_entries_list(entries, marker, limit, offset, sort_keys, sort_dirs)

    def unmanage_snapshot(self, snapshot):
        # LVM keeps the word "snapshot" for itself.
        self._left_snapshots["_" + snapshot.name] = (snapshot.volume_size, snapshot.volume.name)

    def manage_existing_snapshot_get_size(self, snapshot, existing_ref):
        return _known(self._left_snapshots, existing_ref)[0]

    def manage_existing_snapshot(self, snapshot, existing_ref):
        _known(self._left_snapshots, existing_ref)
        del self._left_snapshots[existing_ref["source-name"]]

    def get_manageable_snapshots(self, cinder_snapshots, marker, limit, offset, sort_keys, sort_dirs):
        entries = [
            _entry("_" + one.name, one.volume_size, one.id, source_reference={"source-name": one.volume.name})
            for one in cinder_snapshots
        ]
        is_known = {"_" + one.name for one in cinder_snapshots}
        entries += [
            _entry(name, size, source_reference={"source-name": volume})
            for name, (size, volume) in self._left_snapshots.items()
            if name not in is_known
        ]
        return volume_utils.paginate_entries_list(entries, marker, limit, offset, sort_keys, sort_dirs)

    def _update_volume_stats(self):
        super()._update_volume_stats()
        self._stats["volume_backend_name"] = self.configuration.volume_backend_name
        self._stats["pools"][0].update(
            total_capacity_gb=CAPACITY_GB,
            free_capacity_gb=CAPACITY_GB,
            reserved_percentage=0,
            thin_provisioning_support=True,
            thick_provisioning_support=False,
            max_over_subscription_ratio="20.0",
            multiattach=True,
        )


def _known(left, reference):
    """What is remembered of a thing that Cinder left."""
    if not isinstance(reference, dict) or reference.get("source-name") not in left:
        raise exception.ManageExistingInvalidReference(existing_ref=reference, reason="There is no such thing here.")
    return left[reference["source-name"]]


def _entry(name, size, cinder_id=None, **more):
    """How drivers describe what could be managed."""
    return {
        "reference": {"source-name": name},
        "size": size,
        "cinder_id": cinder_id,
        "safe_to_manage": cinder_id is None,
        "reason_not_safe": "already managed" if cinder_id else None,
        "extra_info": None,
        **more,
    }

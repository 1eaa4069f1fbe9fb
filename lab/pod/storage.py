# SPDX-License-Identifier: Apache-2.0
"""What does the imitated storage array do? It says yes to everything and keeps no data."""

import io

from cinder.tests import fake_driver

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
    """A pool of one pebibyte in which every operation succeeds."""

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        """Nothing: there is nowhere to copy to."""

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        # "Cloned already": so that Cinder neither downloads nor converts the image.
        return {}, True

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        data = _QCOW2 if image_meta.get("disk_format") == "qcow2" else b""
        image_service.update(context, image_meta["id"], {}, io.BytesIO(data.ljust(IMAGE_BYTES, b"\0")))

    def retype(self, context, volume, new_type, diff, host):
        return True

    def migrate_volume(self, context, volume, host):
        return True, None

    def revert_to_snapshot(self, context, volume, snapshot):
        """Nothing: all snapshots are alike."""

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

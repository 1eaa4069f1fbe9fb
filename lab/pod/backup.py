# SPDX-License-Identifier: Apache-2.0
"""How does the lab's Cinder back volumes up? As a real one into a directory, but from volumes that hold no data."""

import io

from cinder.backup import manager

#: What is read of every volume, whatever its size: one chunk of nothing.
VOLUME_BYTES = 64 * 1024


class LabBackupManager(manager.BackupManager):
    """A backup service whose devices are imitated: there is nothing that could be attached to this machine."""

    def _attach_device(self, ctxt, backup_device, properties, is_snapshot=False):
        return {"device": {"path": io.BytesIO(bytes(VOLUME_BYTES))}}

    def _detach_device(self, ctxt, attach_info, device, *_properties, **_manner):
        """Nothing: it was not attached."""

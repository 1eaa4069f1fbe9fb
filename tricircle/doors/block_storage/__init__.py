# SPDX-License-Identifier: Apache-2.0
"""How do we speak the block-storage API (Cinder's v3)?

Volumes, and everything made of them, run in pods; types, QoS specs and limits are the central Cinder's. A volume, its
snapshots, backups and clones, and the server it is attached to share a pod. May use: ``road`` and everything below.
Must never: let a request cross pods silently.
"""

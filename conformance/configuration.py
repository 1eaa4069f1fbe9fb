# SPDX-License-Identifier: Apache-2.0
"""What is Tempest told about a target?"""

from pathlib import Path

from conformance.targets import EXTERNAL, FLAVORS, MULTIATTACH, Place
from lab import ini
from lab.services import cinder, nova
from lab.topology import PASSWORD

_STESTR = """\
[DEFAULT]
test_path={tests}
top_dir={top}
group_regex=([^\\.]*\\.)*
"""
#: Seconds until a test that waits for something gives up.
_PATIENCE = 120


def write(folder: Path, place: Place, *, site_packages: Path) -> None:
    """Write ``etc/tempest.conf`` and ``.stestr.conf`` into a workspace."""
    ini.write(folder / "etc" / "tempest.conf", ini.render(_sections(folder, place)))
    tests = site_packages / "tempest" / "test_discover"
    (folder / ".stestr.conf").write_text(_STESTR.format(tests=tests, top=site_packages))


def _sections(folder: Path, place: Place) -> ini.Sections:
    region = {"region": place.region}
    return {
        "DEFAULT": {"log_dir": folder / "log", "log_file": "tempest.log"},
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {
            "use_dynamic_credentials": True,
            "admin_username": "admin",
            "admin_password": PASSWORD,
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
            "admin_user_domain_name": "Default",
            "admin_project_domain_name": "Default",
            "tempest_roles": "member",
        },
        "identity": {**region, "auth_version": "v3", "uri_v3": place.identity_url, "v3_endpoint_type": "public"},
        "service_available": {"swift": False, "cinder": True, "glance": True, "neutron": True, "nova": True},
        "validation": {"run_validation": False},
        **_compute(place, region),
        "network": {
            **region,
            "public_network_id": place.external_network_id,
            "floating_network_name": EXTERNAL,
            "build_timeout": _PATIENCE,
        },
        "network-feature-enabled": {"ipv6_subnet_attributes": True, "port_security": True},
        **_storage(place, region),
    }


def _compute(place: Place, region: ini.Section) -> ini.Sections:
    return {
        "compute": {
            **region,
            "image_ref": place.image_ids[0],
            "image_ref_alt": place.image_ids[1],
            "flavor_ref": FLAVORS[0]["id"],
            "flavor_ref_alt": FLAVORS[1]["id"],
            "min_compute_nodes": place.hosts,
            "max_microversion": place.maxima[0],
            "build_interval": 1,
            "build_timeout": _PATIENCE,
        },
        "compute-feature-enabled": {
            "change_password": True,
            "console_output": True,
            "vnc_console": True,
            "spice_console": True,
            "serial_console": True,
            "live_migration": place.hosts > 1,
            # Nova chooses the host: as in any cloud of several cells, not every one will do.
            "can_migrate_between_any_hosts": False,
            "volume_backed_live_migration": True,
            "block_migration_for_live_migration": True,
            "hostname_fqdn_sanitization": True,
            "personality": True,
            "resize": True,
            "attach_encrypted_volume": False,
            "stable_rescue": True,
            "swap_volume": True,
            "volume_multiattach": True,
            "scheduler_enabled_filters": nova.FILTERS,
        },
    }


def _storage(place: Place, region: ini.Section) -> ini.Sections:
    return {
        "volume": {
            **region,
            "max_microversion": place.maxima[1],
            "disk_format": "raw",
            "build_timeout": _PATIENCE,
            "catalog_type": "volumev3",
            "storage_protocol": "fake",
            "backend_names": cinder.BACKENDS,
            "volume_type_multiattach": MULTIATTACH,
        },
        "volume-feature-enabled": {
            "backup": True,
            "snapshot": True,
            "clone": True,
            "extend_attached_volume": True,
            "manage_volume": True,
            "manage_snapshot": True,
            "multi_backend": len(cinder.BACKENDS) > 1,
        },
        "image": {
            **region,
            "build_timeout": _PATIENCE,
            "http_image": place.image_url,
            "http_qcow2_image": place.image_url,
            "image_caching_enabled": True,
        },
        # The lab's Glance takes a few bytes of nothing as an image of any format.
        "image-feature-enabled": {"image_format_enforcement": False},
    }

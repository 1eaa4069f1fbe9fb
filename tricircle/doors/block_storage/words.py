# SPDX-License-Identifier: Apache-2.0
"""What does Cinder say when it refuses? Its own texts, for what we refuse before a pod is asked.

``tests/contract`` has seen real services say those that can be provoked there.
"""

import re
from collections.abc import Sequence

from tricircle.errors import ForbiddenError, InvalidRequestError, NotFoundError, QuotaExceededError

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_FIELD = "Invalid input for field/attribute"


def zone_invalid(name: str) -> InvalidRequestError:
    """The AZ does not exist."""
    return InvalidRequestError(f"Availability zone '{name}' is invalid.")


def type_nowhere(zones: Sequence[str]) -> InvalidRequestError:
    """A type is limited to AZs none of which exists."""
    return InvalidRequestError(f"Volume type is only supported in these availability zones: {list(zones)}")


def body_missing(entity: str) -> InvalidRequestError:
    """The body does not hold what the path is about."""
    return InvalidRequestError(f"'{entity}' is a required property")


def field_missing(entity: str, value: object, field: str) -> InvalidRequestError:
    """What the body holds lacks a field."""
    return InvalidRequestError(f"{_FIELD} {entity}. Value: {value}. '{field}' is a required property")


def size_invalid(value: object) -> InvalidRequestError:
    """A size that is no whole number of GiB above zero."""
    if isinstance(value, str):
        return InvalidRequestError(f"{_FIELD} size. Value: {value}. '{value}' does not match '^[0-9]+$'")
    if isinstance(value, int) and not isinstance(value, bool):
        return InvalidRequestError(f"{_FIELD} size. Value: {value}. {value} is less than the minimum of 1")
    return InvalidRequestError(f"{_FIELD} size. Value: {value}. {value!r} is not of type 'integer', 'string'")


def type_invalid(value: object) -> InvalidRequestError:
    """The volume type is no text."""
    return InvalidRequestError(f"{_FIELD} volume_type. Value: {value}. {value!r} is not of type 'string', 'null'")


def types_forbidden() -> ForbiddenError:
    """The caller may not see volume types at all, as with a token without a project."""
    return ForbiddenError("Policy doesn't allow volume_extension:type_get_all to be performed.")


def type_not_found(asked: str) -> NotFoundError:
    """The volume type does not exist, or the caller may not use it."""
    by_name = "" if _UUID.fullmatch(asked) else "with name "
    return NotFoundError(f"Volume type {by_name}{asked} could not be found.")


def manageable_type_missing(asked: str) -> InvalidRequestError:
    """The type of what shall be managed does not exist."""
    return InvalidRequestError(f"Invalid volume type: Cannot find requested '{asked}' volume type")


def group_type_not_found(asked: str) -> NotFoundError:
    """The group type does not exist, or the caller may not use it."""
    by_name = "" if _UUID.fullmatch(asked) else "with name "
    return NotFoundError(f"Group type {by_name}{asked} could not be found.")


def group_zone_invalid(name: str) -> InvalidRequestError:
    """The AZ of a group does not exist."""
    return InvalidRequestError(f"Invalid input received: Availability zone '{name}' is invalid.")


def record_unknown() -> InvalidRequestError:
    """The record of a backup says no place of the cloud. No words of Cinder's: it has one place only."""
    return InvalidRequestError(
        "Invalid input received: the record names no place of this cloud. Export it here, or name the pod in its host."
    )


def service_id_alone() -> InvalidRequestError:
    """Services are numbered in each pod. No words of Cinder's: it has one place only."""
    return InvalidRequestError("Invalid input received: name the host of the service beside service_id.")


def host_elsewhere(name: str) -> InvalidRequestError:
    """A volume shall go to a host where it cannot."""
    return InvalidRequestError(f"Invalid host: No available service named '{name}'")


def default_type_missing() -> NotFoundError:
    """No type is named and there is no default one."""
    return NotFoundError("Default volume type can not be found.")


def image_unusable() -> InvalidRequestError:
    """The image does not exist, or the caller may not use it."""
    return InvalidRequestError("Invalid image identifier or unable to access requested image.")


def another_zone(noun: str) -> InvalidRequestError:
    """What the volume is made of is in another AZ than the one asked for. ``noun``: ``snapshot``, ``source volume``."""
    return InvalidRequestError(f"Invalid input received: Volume must be in the same availability zone as the {noun}")


def apart() -> InvalidRequestError:
    """The request refers to things that are in different pods. No words of Cinder's: it has one place only."""
    return InvalidRequestError(
        "Invalid input received: what the request names is in different places of the cloud and cannot be used "
        "together."
    )


def limit_below_use(name: str, used: int, limit: int) -> InvalidRequestError:
    """A limit is put below what is used already."""
    return InvalidRequestError(
        f"Quota {name} limit must be equal or greater than existing resources. Current usage is {used} and the "
        f"requested limit is {limit}."
    )


def too_big(asked: int, limit: int) -> QuotaExceededError:
    """One volume is larger than volumes may be (GiB)."""
    return QuotaExceededError(
        f"VolumeSizeExceedsLimit: Requested volume size {asked}G is larger than maximum allowed limit {limit}G."
    )


def too_many(name: str, limit: int) -> QuotaExceededError:
    """One more would be over a limit of numbers. ``name``: the quota's, such as ``volumes_gold``."""
    noun = name.partition("_")[0]
    if noun == "volumes":
        text = f"VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota '{name}'."
    else:
        code = {"snapshots": "SnapshotLimitExceeded", "backups": "BackupLimitExceeded"}.get(noun, "GroupLimitExceeded")
        text = f"{code}: Maximum number of {noun} allowed ({limit}) exceeded"
    return QuotaExceededError(text)


def too_large(name: str, asked: int, limit: int, used: int) -> QuotaExceededError:
    """So much more would be over a limit of GiB. ``name``: the quota's, such as ``gigabytes_gold``."""
    if name == "backup_gigabytes":
        return QuotaExceededError(
            "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. "
            f"Requested {asked}G, quota is {limit}G and {used}G has been consumed."
        )
    return QuotaExceededError(
        f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. Requested "
        f"{asked}G, quota is {limit}G and {used}G has been consumed."
    )

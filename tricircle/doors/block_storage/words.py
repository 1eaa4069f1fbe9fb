# SPDX-License-Identifier: Apache-2.0
"""What does Cinder say when it refuses? Its own texts (``cinder/exception.py``), for what is refused before a pod is
asked."""

from tricircle.errors import InvalidRequestError, NotFoundError, QuotaExceededError


def zone_invalid(name: str) -> InvalidRequestError:
    """The AZ does not exist."""
    return InvalidRequestError(f"Availability zone '{name}' is invalid.")


def body_missing(entity: str) -> InvalidRequestError:
    """The body does not hold what the path is about."""
    return InvalidRequestError(f"Missing required element '{entity}' in request body.")


def type_not_found(asked: str) -> NotFoundError:
    """The volume type does not exist, or the caller may not use it."""
    return NotFoundError(f"Volume type with name {asked} could not be found.")


def elsewhere(noun: str, identifier: str, zone: str) -> InvalidRequestError:
    """What the request refers to is not where the new resource was asked for."""
    return InvalidRequestError(
        f"Invalid input received: {noun} {identifier} is in availability zone {zone}, and what is made of it must "
        "be in the same one."
    )


def apart() -> InvalidRequestError:
    """The request refers to things that are in different pods."""
    return InvalidRequestError(
        "Invalid input received: the volumes, snapshots, backups and servers that the request names are in different "
        "places of the cloud and cannot be used together."
    )


def too_many(name: str, limit: int) -> QuotaExceededError:
    """A limit of numbers."""
    noun = {
        "volumes": "VolumeLimitExceeded: Maximum number of volumes",
        "snapshots": "SnapshotLimitExceeded: Maximum number of snapshots",
    }
    return QuotaExceededError(f"{noun[name]} allowed ({limit}) exceeded for quota '{name}'.")


def too_large(asked: int, limit: int, used: int) -> QuotaExceededError:
    """A limit of GiB."""
    return QuotaExceededError(
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested "
        f"{asked}G, quota is {limit}G and {used}G has been consumed."
    )

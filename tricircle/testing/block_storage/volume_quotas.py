# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder say about limits and usage, and when does it refuse for them?"""

from collections.abc import Callable, Mapping, Sequence

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, route

_DEFAULTS = {"volumes": 10, "snapshots": 10, "gigabytes": 1000, "backups": 10, "backup_gigabytes": 1000,
             "per_volume_gigabytes": -1, "groups": 10}  # fmt: skip


class VolumeQuotas:
    """Limits per project; ``holdings`` names volumes, snapshots and type names (by id) of a project."""

    def __init__(self, holdings: Callable[[str], tuple[Sequence[Json], Sequence[Json], Mapping[str, str]]]) -> None:
        self.stored: dict[str, dict[str, int]] = {}
        self._holdings = holdings

    def routes(self) -> Sequence[Route]:
        """Paths of limits and quota sets."""
        return [
            route("GET", "/limits", self._limits),
            route("GET", "/os-quota-sets/{project_id}", self._show),
            route("PUT", "/os-quota-sets/{project_id}", self._set),
            route("DELETE", "/os-quota-sets/{project_id}", self._unset),
            route("GET", "/os-quota-sets/{project_id}/defaults", self._defaults),
        ]

    def of(self, project_id: str) -> dict[str, dict[str, int]]:
        """Limit and usage by resource."""
        volumes, snapshots, types = self._holdings(project_id)
        limits = {**_DEFAULTS, **self.stored.get(project_id, {})}
        counts = {"volumes": len(volumes), "snapshots": len(snapshots)}
        counts["gigabytes"] = sum(int(one["size"]) for one in (*volumes, *snapshots))
        for type_id, name in types.items():
            ones = [one for one in volumes if one["_type"] == type_id]
            counts |= {f"volumes_{name}": len(ones), f"gigabytes_{name}": sum(int(one["size"]) for one in ones)}
            for noun in ("volumes", "gigabytes", "snapshots"):
                limits.setdefault(f"{noun}_{name}", -1)
        return {name: {"limit": limit, "in_use": counts.get(name, 0), "reserved": 0} for name, limit in limits.items()}

    def check(self, project_id: str, size: int) -> None:
        """Whether a volume of ``size`` GiB more is allowed. :raises Refusal: 413."""
        quota = self.of(project_id)
        largest = quota["per_volume_gigabytes"]["limit"]
        if 0 <= largest < size:
            text = f"Requested volume size {size}G is larger than maximum allowed limit {largest}G."
            raise Refusal(413, f"VolumeSizeExceedsLimit: {text}")
        limit, used = quota["gigabytes"]["limit"], quota["gigabytes"]["in_use"]
        if 0 <= limit < used + size:
            raise Refusal(
                413,
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
                f"Requested {size}G, quota is {limit}G and {used}G has been consumed.",
            )
        limit, used = quota["volumes"]["limit"], quota["volumes"]["in_use"]
        if 0 <= limit < used + 1:
            text = f"Maximum number of volumes allowed ({limit}) exceeded for quota 'volumes'."
            raise Refusal(413, f"VolumeLimitExceeded: {text}")

    def _show(self, asked: Asked, project_id: str) -> Said:
        quota = self.of(project_id)
        if asked.one("usage", "false") in ("True", "true", "1"):
            return Said(body={"quota_set": {**quota, "id": project_id}})
        return Said(body={"quota_set": {**{name: one["limit"] for name, one in quota.items()}, "id": project_id}})

    def _set(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("volume_extension:quotas:update")
        quota = self.of(project_id)
        for name, limit in asked.part("quota_set").items():
            used = quota.get(name, {}).get("in_use", 0)
            # Only what the project has a limit of its own for is held against what it uses.
            if 0 <= limit < used and name in self.stored.get(project_id, {}):
                text = (
                    f"Quota {name} limit must be equal or greater than existing resources. Current usage is {used} "
                    f"and the requested limit is {limit}."
                )
                raise Refusal(400, text)
        self.stored.setdefault(project_id, {}).update(asked.part("quota_set"))
        return Said(body={"quota_set": {name: one["limit"] for name, one in self.of(project_id).items()}})

    def _defaults(self, asked: Asked, project_id: str) -> Said:
        return Said(body={"quota_set": {**_DEFAULTS, "id": project_id}})

    def _unset(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("volume_extension:quotas:delete")
        self.stored.pop(project_id, None)
        return Said(status=200)

    def _limits(self, asked: Asked) -> Said:
        quota = self.of(asked.caller.project_id)
        names = {
            "Volumes": "volumes",
            "Snapshots": "snapshots",
            "Backups": "backups",
            "BackupGigabytes": "backup_gigabytes",
        }
        absolute = {f"maxTotal{word}": quota[name]["limit"] for word, name in names.items()}
        absolute |= {f"total{word}Used": quota[name]["in_use"] for word, name in names.items()}
        absolute["maxTotalVolumeGigabytes"] = quota["gigabytes"]["limit"]
        absolute["totalGigabytesUsed"] = quota["gigabytes"]["in_use"]
        return Said(body={"limits": {"rate": [], "absolute": absolute}})

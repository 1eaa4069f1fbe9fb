# SPDX-License-Identifier: Apache-2.0
"""What do a catalog's URL and a service's version document say? Pure.

A catalog says where a service is in forms that differ between deployments: with or without a version, a project
template, a path prefix of a proxy. Version documents differ between services: Nova and Placement name microversions,
Cinder too (and answers 300), Neutron has none, Glance lists one entry per minor version.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tricircle.model.pod import Service

#: ``/%(project_id)s``, ``/$(tenant_id)s``, ``/AUTH_%(tenant_id)s`` at the end of a catalog URL.
_TEMPLATE = re.compile(r"/(?:AUTH_)?[%$]\((?:project|tenant)_id\)s$")
_VERSION = re.compile(r"^(?P<root>.*?)(?P<prefix>/v\d+(?:\.\d+)?)?$")
_ID = re.compile(r"^v(\d+)\.(\d+)$")

#: The versions we speak: the id in the version document, and the prefix that calls have.
SPOKEN: Mapping[Service, tuple[str, str]] = {
    Service.COMPUTE: ("v2.1", "/v2.1"),
    Service.BLOCK_STORAGE: ("v3.0", "/v3"),
    Service.IMAGE: ("v2.", "/v2"),
    Service.NETWORK: ("v2.0", "/v2.0"),
    Service.PLACEMENT: ("v1.0", ""),
    Service.IDENTITY: ("v3.", "/v3"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A catalog URL, taken apart: ``http://h/compute/v2.1`` is root ``http://h/compute`` and prefix ``/v2.1``."""

    root: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a service speaks. Both are None for an API without microversions."""

    minimum: str | None = None
    maximum: str | None = None


def locate(url: str) -> Location | None:
    """The parts of a catalog URL, or None when it is not an http(s) URL.

    >>> locate("http://10.0.0.5:8776/v3/%(project_id)s/")
    Location(root='http://10.0.0.5:8776', prefix='/v3')
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    plain = _TEMPLATE.sub("", url.strip().rstrip("/"))
    found = _VERSION.match(plain)
    if found is None:
        return None
    return Location(root=found["root"].rstrip("/"), prefix=found["prefix"] or "")


def _entries(document: Mapping[str, object]) -> Iterable[Mapping[str, object]]:
    listed = document.get("versions", document.get("version"))
    if isinstance(listed, Mapping):
        # Keystone's root holds {"versions": {"values": [...]}}; a versioned root holds one {"version": {...}}.
        values = listed.get("values")
        listed = values if isinstance(values, list) else [listed]
    if not isinstance(listed, list):
        return []
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _text(entry: Mapping[str, object], *names: str) -> str | None:
    for name in names:
        value = entry.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def versions(service: Service, document: Mapping[str, object]) -> Versions | None:
    """What the version document offers of the API that we speak, or None when it does not offer it.

    For the image service the range is that of its minor versions (``2.0`` to ``2.16``), since these are features there.

    >>> versions(Service.COMPUTE, {"version": {"id": "v2.1", "min_version": "2.1", "version": "2.96"}})
    Versions(minimum='2.1', maximum='2.96')
    """
    wanted, _ = SPOKEN[service]
    spoken = [entry for entry in _entries(document) if str(entry.get("id", "")).startswith(wanted)]
    if not spoken:
        return None
    if service is Service.IMAGE:
        minors = sorted(int(found[2]) for entry in spoken if (found := _ID.match(str(entry["id"]))))
        return Versions(minimum=f"2.{minors[0]}", maximum=f"2.{minors[-1]}") if minors else Versions()
    best = spoken[0]
    return Versions(minimum=_text(best, "min_version"), maximum=_text(best, "max_version", "version"))

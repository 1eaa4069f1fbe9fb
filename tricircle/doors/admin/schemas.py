# SPDX-License-Identifier: Apache-2.0
"""What do bodies and queries of the Admin API look like? Pure.

Nothing is dropped in silence: an unknown field or filter is refused with its name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

from tricircle.context import PodId
from tricircle.errors import InvalidRequestError, UnprocessableError
from tricircle.model.binding import Binding
from tricircle.model.pod import PHYSICAL_NETWORKS, Pod, PodState
from tricircle.pods.aggregates import paired
from tricircle.pods.registration import Change, Draft

Json = Mapping[str, object]
R = TypeVar("R")

#: Length of names in the tables.
_LONGEST = 255
#: Numbers of rows are BIGINT in the tables; a greater one is the id of nothing.
_GREATEST_ID = 2**63 - 1
#: Items of a page when no limit is asked for, and at most.
PAGE_LIMIT = 1000


def draft(body: Json) -> Draft:
    """What ``POST /pods`` asks for.

    :raises InvalidRequestError: no ``pod``, an unknown field, a value of the wrong kind
    :raises UnprocessableError: no name
    """
    rest, physical_networks = _apart(body)
    fields = text_fields(rest, "pod", ("pod_name", "az_name", "pod_az_name", "dc_name", PHYSICAL_NETWORKS))
    name = fields.get("pod_name", "")
    if not name:
        raise UnprocessableError("pod_name is empty.")
    az_name = _az(fields.get("az_name", ""))
    return Draft(
        name=name,
        az_name=az_name,
        pod_az_name=fields.get("pod_az_name", ""),
        dc_name=fields.get("dc_name", ""),
        physical_networks=physical_networks or {},
    )


def change(body: Json) -> Change:
    """What ``PUT /pods/{id}`` asks for. Raises as :func:`draft`."""
    rest, physical_networks = _apart(body)
    fields = text_fields(rest, "pod", ("state", "az_name", "pod_az_name", "dc_name", PHYSICAL_NETWORKS))
    if not fields and physical_networks is None:
        raise InvalidRequestError("Nothing to change: 'pod' has no field.")
    state = fields.get("state")
    if state is not None and state not in list(PodState):
        raise InvalidRequestError(f"state must be one of {', '.join(PodState)}, not '{state}'.")
    az_name = fields.get("az_name")
    return Change(
        state=None if state is None else PodState(state),
        az_name=None if az_name is None else _az(az_name),
        pod_az_name=fields.get("pod_az_name"),
        dc_name=fields.get("dc_name"),
        physical_networks=physical_networks,
    )


def wanted_binding(body: Json) -> tuple[str, str]:
    """Project and pod id that ``POST /bindings`` asks for. Raises as :func:`draft`."""
    fields = text_fields(body, "pod_binding", ("tenant_id", "pod_id"))
    for name in ("tenant_id", "pod_id"):
        if not fields.get(name):
            raise UnprocessableError(f"{name} is empty.")
    return fields["tenant_id"], fields["pod_id"]


def show_pod(pod: Pod) -> dict[str, object]:
    """A pod as the API shows it. The five fields of the first release come first."""
    return {
        "pod_id": pod.id,
        "pod_name": pod.name,
        "pod_az_name": pod.pod_az_name,
        "dc_name": pod.dc_name,
        "az_name": pod.az_name,
        "state": pod.state.value,
        PHYSICAL_NETWORKS: dict(pod.physical_networks),
        "endpoints": {service.value: end.url + end.prefix for service, end in sorted(pod.endpoints.items())},
        "versions": {
            service.value: {"min": end.min_version, "max": end.max_version}
            for service, end in sorted(pod.endpoints.items())
            if end.max_version is not None
        },
        "created_at": instant(pod.created_at),
        "updated_at": instant(pod.updated_at),
    }


def show_binding(binding: Binding) -> dict[str, object]:
    """A binding as the API shows it."""
    return {
        "id": binding.id,
        "tenant_id": binding.project_id,
        "pod_id": binding.pod_id,
        "created_at": instant(binding.created_at),
        "updated_at": instant(binding.updated_at),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list is asked for: at most ``limit`` items behind ``marker`` that have one of the values of every
    filter."""

    limit: int = PAGE_LIMIT
    marker: str | None = None
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """How a list is called and paged: JSON key, the id's field, where it stands, and what it may be filtered by."""

    key: str
    id_field: str
    href: str
    filters: frozenset[str]

    def listing(self, query: Sequence[tuple[str, str]]) -> Listing:
        """The query of a list. :raises InvalidRequestError: an unknown parameter, a limit that is no positive
        number."""
        limit, marker = PAGE_LIMIT, None
        filters: dict[str, frozenset[str]] = {}
        for name, value in query:
            if name == "limit":
                limit = _limit(value)
            elif name == "marker":
                marker = value
            elif name in self.filters:
                filters[name] = filters.get(name, frozenset()) | {value}
            else:
                known = ", ".join(sorted({"limit", "marker", *self.filters}))
                raise InvalidRequestError(f"Unknown query parameter '{name}'. Known are: {known}.")
        return Listing(limit=limit, marker=marker, filters=filters)

    def page(self, records: Sequence[R], show: Callable[[R], dict[str, object]], listing: Listing) -> dict[str, object]:
        """One page of ``records`` as a body, with a link when there is more.

        :raises InvalidRequestError: the marker is none of the records
        """
        shown = [show(record) for record in records]
        start = 0
        if listing.marker is not None:
            ids = [item[self.id_field] for item in shown]
            if listing.marker not in ids:
                raise InvalidRequestError(f"marker '{listing.marker}' was not found.")
            start = ids.index(listing.marker) + 1
        rest = [item for item in shown[start:] if _passes(item, listing.filters)]
        return self.body(rest[: listing.limit], listing, has_more=len(rest) > listing.limit)

    def body(self, shown: Sequence[Mapping[str, object]], listing: Listing, *, has_more: bool) -> dict[str, object]:
        """One page that was found already, with a link when there is more."""
        body: dict[str, object] = {self.key: shown}
        if has_more:
            body[f"{self.key}_links"] = [{"rel": "next", "href": self._next(listing, shown[-1])}]
        return body

    def _next(self, listing: Listing, last: Mapping[str, object]) -> str:
        query = [(name, value) for name, values in sorted(listing.filters.items()) for value in sorted(values)]
        return f"{self.href}?{urlencode([*query, ('limit', listing.limit), ('marker', last[self.id_field])])}"


def number(word: str) -> int | None:
    """The number of a row that a word spells; None when it can be that of none."""
    # Python refuses to read numbers of thousands of digits.
    if not (word.isascii() and word.isdigit() and len(word) < 20):
        return None
    return int(word) if 0 < int(word) <= _GREATEST_ID else None


def number_marker(listing: Listing) -> int | None:
    """The marker of a list whose items have numbers. :raises InvalidRequestError: it can be that of none"""
    if listing.marker is None:
        return None
    found = number(listing.marker)
    if found is None:
        raise InvalidRequestError(f"marker '{listing.marker}' was not found.")
    return found


def pods_of(listing: Listing, pods: Mapping[str, PodId]) -> frozenset[str] | None:
    """The ids of the pods that the filters ``pod_id`` and ``pod_name`` leave; None: any.

    :param pods: ids by name
    :raises InvalidRequestError: an unknown name of a pod
    """
    pod_ids, names = listing.filters.get("pod_id"), listing.filters.get("pod_name")
    if not names:
        return pod_ids
    for name in sorted(names - set(pods)):
        raise InvalidRequestError(f"There is no pod '{name}'.")
    named: frozenset[str] = frozenset(pods[name] for name in names)
    return named if pod_ids is None else named & pod_ids


def _passes(item: Mapping[str, object], filters: Mapping[str, frozenset[str]]) -> bool:
    return all(item[name] in values for name, values in filters.items())


def _limit(value: str) -> int:
    # Python refuses to read numbers of thousands of digits.
    if not value.isascii() or not value.isdigit() or len(value) > _LONGEST or int(value) == 0:
        raise InvalidRequestError(f"limit must be a positive number, not '{value[:_LONGEST]}'.")
    return min(int(value), PAGE_LIMIT)


def text_fields(body: Json, key: str, known: tuple[str, ...]) -> dict[str, str]:
    """The strings under ``key``, blanks at both ends removed as in the first release.

    :raises InvalidRequestError: there is no such object, an unknown field, a value that is no string or too long
    """
    if key not in body or not isinstance(fields := body[key], dict):
        raise InvalidRequestError(f"The body has no object '{key}'.")
    unknown = sorted({*(set(body) - {key}), *(set(fields) - set(known))})
    if unknown:
        raise InvalidRequestError(f"Unknown field '{unknown[0]}'. Known in '{key}' are: {', '.join(known)}.")
    found = {}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InvalidRequestError(f"{name} must be a string.")
        plain = value.strip()
        if len(plain) > _LONGEST:
            raise InvalidRequestError(f"{name} is longer than {_LONGEST} characters.")
        if not plain.isprintable():
            raise InvalidRequestError(f"{name} holds characters that cannot be shown.")
        found[name] = plain
    return found


def _apart(body: Json) -> tuple[Json, dict[str, str] | None]:
    """The body without the names of physical networks, and these, by those at the centre; None: it has none.

    :raises InvalidRequestError: they are no map of names, or too long together for the place where they are kept, too
    """
    fields = body.get("pod")
    if not isinstance(fields, dict) or PHYSICAL_NETWORKS not in fields:
        return body, None
    names = fields[PHYSICAL_NETWORKS]
    if not isinstance(names, dict) or not all(_is_physnet(name) for pair in names.items() for name in pair):
        raise InvalidRequestError(
            f"{PHYSICAL_NETWORKS} must be an object whose keys are names of the centre's physical networks and whose "
            "values are those of the pod: printable, without ':', ',' and blanks at the ends."
        )
    if len(paired(names)) > _LONGEST:
        raise InvalidRequestError(f"{PHYSICAL_NETWORKS} has more than {_LONGEST} characters.")
    rest = {**body, "pod": {name: value for name, value in fields.items() if name != PHYSICAL_NETWORKS}}
    return rest, {central: own for central, own in names.items() if central != own}


def _is_physnet(name: object) -> bool:
    is_text = isinstance(name, str) and bool(name) and name == name.strip() and name.isprintable()
    return is_text and not {":", ","} & set(str(name))


def _az(name: str) -> str:
    if ":" in name:
        # Nova reads "zone:host:node" in what a client sends as an AZ.
        raise InvalidRequestError("az_name must not hold ':'.")
    return name


def instant(value: datetime | None) -> str | None:
    """A time as the API shows it."""
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def force(query: Sequence[tuple[str, str]]) -> bool:
    """Whether a deletion is meant although something is left.

    :raises InvalidRequestError: another parameter, or a value that is neither true nor false
    """
    wanted = False
    for name, value in query:
        if name != "force":
            raise InvalidRequestError(f"Unknown query parameter '{name}'. Known are: force.")
        if value.lower() not in {"true", "false"}:
            raise InvalidRequestError(f"force must be true or false, not '{value}'.")
        wanted = value.lower() == "true"
    return wanted

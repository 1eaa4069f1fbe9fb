# SPDX-License-Identifier: Apache-2.0
"""How are records laid out for the eye?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from osc_lib.cli import format_columns

if TYPE_CHECKING:
    _Column = FormattableColumn[Any]
else:
    # Not every release of cliff that we run with knows type parameters.
    _Column = FormattableColumn

#: What of an error fits into a table; ``-f json`` and the like have all of it.
_ERROR_LENGTH = 60


class ErrorColumn(_Column):
    """The beginning of an error, on one line."""

    def human_readable(self) -> str:
        """What a table shows."""
        line = " ".join(str(self._value).split())
        return line if len(line) <= _ERROR_LENGTH else f"{line[:_ERROR_LENGTH]}..."


class IdsColumn(_Column):
    """The ids of a resource by name, one below the other."""

    def human_readable(self) -> str:
        """What a table shows."""
        return "\n".join(f"{name}={value}" for name, value in self._value.items())


#: Values that are maps or lists in the API, or long.
_FORMATTERS: dict[str, type[_Column]] = {
    "versions": format_columns.DictColumn,
    "endpoints": format_columns.DictColumn,
    "physical_networks": format_columns.DictColumn,
    "resource": IdsColumn,
    "error": ErrorColumn,
    "report": format_columns.DictColumn,
    "details": format_columns.DictColumn,
    "jobs": format_columns.ListColumn,
    "addresses": format_columns.ListColumn,
    "history": format_columns.ListDictColumn,
}

POD_COLUMNS = (
    "pod_id",
    "pod_name",
    "az_name",
    "pod_az_name",
    "dc_name",
    "state",
    "physical_networks",
    "endpoints",
    "versions",
    "created_at",
    "updated_at",
)
POD_LIST_COLUMNS = ("pod_id", "pod_name", "az_name", "state")
POD_LONG_COLUMNS = ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name", "state", "versions", "created_at")
BINDING_COLUMNS = ("id", "tenant_id", "pod_id", "created_at", "updated_at")
BINDING_LIST_COLUMNS = ("id", "tenant_id", "pod_id")
JOB_COLUMNS = (
    "id",
    "type",
    "resource",
    "pod_name",
    "project_id",
    "status",
    "attempts",
    "error",
    "created_at",
    "not_before",
    "started_at",
    "finished_at",
    "owner",
)
JOB_SHOW_COLUMNS = (*JOB_COLUMNS, "report", "folded_into", "history")
JOB_LIST_COLUMNS = ("id", "type", "resource", "pod_name", "status", "attempts", "timestamp", "error")
JOB_LONG_COLUMNS = (*JOB_COLUMNS, "timestamp")
ROUTING_COLUMNS = (
    "id",
    "resource_type",
    "top_id",
    "bottom_id",
    "pod_name",
    "pod_id",
    "project_id",
    "state",
    "revision",
    "details",
    "owner",
    "lease_until",
    "created_at",
    "updated_at",
)
ROUTING_LIST_COLUMNS = ("id", "resource_type", "top_id", "bottom_id", "pod_name", "state")
ROUTING_LONG_COLUMNS = (*ROUTING_LIST_COLUMNS, "project_id", "created_at", "updated_at")
PIECE_COLUMNS = (
    *("pod_name", "az_name", "pod_state", "resource_type", "id", "name", "in_pod", "addresses"),
    *("status", "state", "is_adopted", "jobs"),
)
DIFFERENCE_COLUMNS = ("what", "centre", "pod", "is_obstacle", "advice")
ADOPTION_COLUMNS = ("id", "network_id", "pod_name", "pod_network_id", "addresses", "to_reserve")
SCHEMA_COLUMNS = ("type", "resource")


def row(record: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """The values of one record in the order of ``columns``; absent ones empty."""
    values = []
    for column in columns:
        value = record.get(column)
        formatter = format_columns.ListColumn if isinstance(value, list) and column == "resource" else None
        formatter = formatter or _FORMATTERS.get(column)
        values.append(formatter(value) if formatter and value is not None else ("" if value is None else value))
    return tuple(values)

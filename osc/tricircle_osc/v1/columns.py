# SPDX-License-Identifier: Apache-2.0
"""How are records laid out for the eye?"""

from collections.abc import Mapping, Sequence
from typing import Any

from osc_lib.cli import format_columns

#: Values that are maps or lists in the API.
_FORMATTERS = {"versions": format_columns.DictColumn, "endpoints": format_columns.DictColumn}

POD_COLUMNS = (
    "pod_id",
    "pod_name",
    "az_name",
    "pod_az_name",
    "dc_name",
    "state",
    "endpoints",
    "versions",
    "created_at",
    "updated_at",
)
POD_LIST_COLUMNS = ("pod_id", "pod_name", "az_name", "state")
POD_LONG_COLUMNS = ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name", "state", "versions", "created_at")
BINDING_COLUMNS = ("id", "tenant_id", "pod_id", "created_at", "updated_at")
BINDING_LIST_COLUMNS = ("id", "tenant_id", "pod_id")


def row(record: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """The values of one record in the order of ``columns``; absent ones empty."""
    values = []
    for column in columns:
        value = record.get(column)
        formatter = _FORMATTERS.get(column)
        values.append(formatter(value) if formatter and value is not None else ("" if value is None else value))
    return tuple(values)

# SPDX-License-Identifier: Apache-2.0
"""What happens to aggregates? Rows."""

from collections.abc import Iterator

from tricircle.doors.compute.operators.aggregates import Aggregates
from tricircle.road.row import Behaviour, Row


def aggregate_rows(aggregates: Aggregates) -> Iterator[Row]:
    """Written down at the centre; hosts are in the pods."""
    one = "/os-aggregates/{aggregate_id}"
    yield Row(("GET",), "/os-aggregates", Behaviour.CENTRAL, handler=aggregates.index)
    yield Row(("POST",), "/os-aggregates", Behaviour.CENTRAL)
    yield Row(("GET",), one, Behaviour.CENTRAL, handler=aggregates.show)
    yield Row(("PUT",), one, Behaviour.CENTRAL, handler=aggregates.update)
    yield Row(("DELETE",), one, Behaviour.CENTRAL, handler=aggregates.delete)
    yield Row(("POST",), one + "/action", Behaviour.CENTRAL, handler=aggregates.act)
    yield Row(("POST",), one + "/images", Behaviour.CENTRAL, handler=aggregates.images)

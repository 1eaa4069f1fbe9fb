# SPDX-License-Identifier: Apache-2.0
"""Does the memory of routings forget what is old, much, or dropped?"""

from tricircle.context import PodId, ProjectId
from tricircle.ledger.recent import Recent
from tricircle.model.routing import Kind, Routing


def _routing(number: int, central_id: str | None = None) -> Routing:
    name = central_id or f"s{number}"
    return Routing(
        id=number,
        central_id=name,
        kind=Kind.SERVER,
        pod_id=PodId("pod1"),
        project_id=ProjectId("demo"),
        pod_resource_id=name,
    )


def test_what_was_put_in_comes_out_until_it_is_old() -> None:
    clock = [100.0]
    recent = Recent(ttl_s=60, clock=lambda: clock[0])
    recent.put(_routing(1))
    clock[0] = 159.9
    assert recent.get(Kind.SERVER, "s1") == _routing(1)
    assert recent.get(Kind.VOLUME, "s1") is None
    clock[0] = 160.0
    assert recent.get(Kind.SERVER, "s1") is None


def test_what_nobody_asked_for_goes_first() -> None:
    recent = Recent(size=2)
    recent.put(_routing(1))
    recent.put(_routing(2))
    recent.get(Kind.SERVER, "s1")
    recent.put(_routing(3))
    assert recent.get(Kind.SERVER, "s2") is None
    assert recent.get(Kind.SERVER, "s1") == _routing(1)
    assert recent.get(Kind.SERVER, "s3") == _routing(3)


def test_a_dropped_routing_is_gone() -> None:
    recent = Recent()
    recent.put(_routing(1))
    recent.drop(1)
    recent.drop(99)
    assert recent.get(Kind.SERVER, "s1") is None


def test_a_row_that_was_written_anew_replaces_the_old_one() -> None:
    recent = Recent()
    recent.put(_routing(1, "s"))
    recent.put(_routing(2, "s"))
    recent.drop(1)
    assert recent.get(Kind.SERVER, "s") == _routing(2, "s")

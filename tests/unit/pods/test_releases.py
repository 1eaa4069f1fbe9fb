# SPDX-License-Identifier: Apache-2.0
"""Is it named who holds microversions back?"""

from tricircle.context import PodId
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.pods.releases import Lag, ceilings, lags


def a_pod(name: str, top: str, *, az: str = "az", state: PodState = PodState.ENABLED) -> Pod:
    endpoint = Endpoint(service=Service.COMPUTE, url="http://x", max_version=top)
    return Pod(id=PodId(name), name=name, az_name=az, state=state, endpoints={Service.COMPUTE: endpoint})


def test_ceilings_name_who_keeps_them_low() -> None:
    assert ceilings([a_pod("Pod1", "2.96"), a_pod("Pod2", "2.104")]) == {Service.COMPUTE: ("2.96", ("Pod1",))}
    assert ceilings([a_pod("Pod1", "2.96"), a_pod("Pod2", "2.96")]) == {Service.COMPUTE: ("2.96", ())}
    assert ceilings([]) == {}


def test_a_pod_is_behind_those_in_use() -> None:
    old, new, centre = a_pod("Pod1", "2.96"), a_pod("Pod2", "2.104"), a_pod("RegionOne", "2.100", az="")
    everybody = (centre, old, new, a_pod("Pod3", "2.200", state=PodState.DISABLED))
    lag = Lag(service=Service.COMPUTE, version="2.96", best="2.104", ahead=("Pod2", "the centre"))
    assert lags(old, everybody) == [lag]
    assert lags(new, everybody) == []

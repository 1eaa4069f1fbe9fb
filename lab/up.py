# SPDX-License-Identifier: Apache-2.0
"""In which order does the lab come up? Every step finds what is there and adds what is missing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import canaries, clouds, database, environment, identity, packages, schemas, seed
from lab.datapath import allowed, switches, wires
from lab.datapath.plan import data_path
from lab.process import StartError, Supervisor
from lab.progress import Progress
from lab.service import Service
from lab.services import central, cinder, glance, infrastructure, keystone, metadata, neutron, nova, tricircle
from lab.topology import DataPathKind, Lab, Pod, save_lab
from lab.turn import turn

COMPUTE_SECONDS = 90.0
SOCKET_PATH = 107


def prepare(lab: Lab, progress: Progress) -> None:
    """Install what the lab is made of."""
    with progress.step("Debian packages") as notes:
        notes += packages.install(lab)
    for release in lab.releases:
        of_what = f"those of {release}" if release else "the services"
        with progress.step(f"Python environment of {of_what}") as notes:
            if environment.install(lab, release):
                notes.append("installed")
    with progress.step("this project") as notes:
        if lab.tricircle and environment.install_project(lab):
            notes.append("installed")


def up(lab: Lab) -> None:
    """Bring up the lab until everything answers.

    Raises StartError, SqlError, RestError, MigrationError, RecordError, PackagesError, PathError or
    EnvironmentFailedError, each with a text for the person who waits.
    """
    with turn(lab):
        _up(lab, Progress())


def _up(lab: Lab, progress: Progress) -> None:
    if len(str(lab.socket)) > SOCKET_PATH:
        raise StartError(f"{lab.socket}: the path of a Unix socket has at most {SOCKET_PATH} characters; move the lab")
    check_releases(lab)
    check_data_path(lab)
    prepare(lab, progress)
    save_lab(lab)
    _make_directories(lab)
    keep_releases(lab)
    keep_data_path(lab)
    supervisor = Supervisor(lab.run, lab.logs)
    _stop_strangers(lab, supervisor)
    if supervisor.running(keystone.service(lab).name) is None:
        lab.identity_ready.unlink(missing_ok=True)
    infra = infrastructure.services(lab)
    made = _bring_data(lab, supervisor, infra, progress)
    _bring_data_path(lab, supervisor, progress)
    ours = tricircle.services(lab) if lab.tricircle else []
    changed = not all(supervisor.current(service) for service in ours)
    # Most of a start is the loading of Python: what can go on at the same time does.
    with ThreadPoolExecutor(1) as aside:
        with progress.step("Keystone") as notes:
            services = [keystone.service(lab), *openstack(lab)]
            notes += _count(_start(supervisor, services))
            tables = aside.submit(tricircle.upgrade_tables, lab) if changed else None
            supervisor.wait_ready(services[:1])
        with progress.step("regions, users, endpoints"):
            identity.populate(lab)
            if schemas.KEYSTONE in made:
                schemas.keep_identity(lab)
            lab.identity_ready.touch()
        catalog = aside.submit(tricircle.sync_catalog, lab) if changed else None
        if tables:
            with progress.step("tables of tricircle"):
                tables.result()
        with progress.step("centre and pods") as notes:
            notes += _count(_start(supervisor, ours))
            supervisor.wait_ready([*infra, *services])
        with progress.step("compute hosts"):
            for pod in lab.pods:
                _wait_for_hosts(lab, supervisor, pod)
        with progress.step("flavors, images, networks"):
            seed.seed(lab)
            clouds.write(lab)
            canaries.write(lab)
        if catalog:
            with progress.step("catalog of tricircle"):
                catalog.result()
    if ours:
        with progress.step("tricircle"):
            supervisor.wait_ready(ours)
    progress.end("The lab is up")


def _release_of(lab: Lab, pod: Pod) -> Path:
    """Holds the release by which the pod's data was made; absent where there is none yet."""
    return lab.var / pod.name / "release"


def check_releases(lab: Lab) -> None:
    """:raises StartError: a pod shall run a release that did not make its data"""
    for pod in lab.pods:
        path = _release_of(lab, pod)
        # Labs from before there was a choice have none.
        made = path.read_text() if path.exists() else ""
        if path.parent.exists() and made != pod.release:
            named = made or "the newest release"
            raise StartError(f"{pod.name} holds data of {named}. Begin with no data: python -m lab up --fresh ...")


def keep_releases(lab: Lab) -> None:
    """Remember by which release each pod's data was made."""
    for pod in lab.older_pods:
        _release_of(lab, pod).write_text(pod.release)


def _data_path_of(lab: Lab) -> Path:
    """Says by which data path the pods' data was made; absent where there is none yet."""
    return lab.var / "datapath"


def check_data_path(lab: Lab) -> None:
    """:raises StartError: this machine has no data path, or another one made the data: their ports are bound by it"""
    if lab.has_packets and (why := allowed.obstacle()):
        raise StartError(f"No data path on this machine: {why}. Without one: python -m lab up --datapath imitated")
    made = made_by(lab)
    if made not in (None, lab.datapath):
        begin = f"python -m lab up --fresh --datapath {lab.datapath}"
        raise StartError(f"The lab's data was made with the data path {made!r}. Begin with no data: {begin} ...")


def no_packets(lab: Lab) -> str | None:
    """Why a lab that was not asked for one can have no data path, as the end of a sentence; None when it can."""
    if lab.older_pods or lab.compute_hosts > 1:
        return "pods of an older release and second compute hosts have none"
    if made_by(lab) == DataPathKind.IMITATED:
        return "the lab's data was made without them (python -m lab up --fresh --datapath ovn begins anew)"
    return allowed.obstacle()


def made_by(lab: Lab) -> str | None:
    """The data path by which the data was made; None where there is no data."""
    path = _data_path_of(lab)
    if path.exists():
        return path.read_text()
    # Labs from before there was a choice say nothing.
    return DataPathKind.IMITATED if lab.var.exists() else None


def keep_data_path(lab: Lab) -> None:
    """Remember by which data path the data was made."""
    _data_path_of(lab).write_text(lab.datapath)


def _bring_data_path(lab: Lab, supervisor: Supervisor, progress: Progress) -> None:
    """Wires and switches of all pods. Where a switch is new, so are its ports: who plugged them begins anew."""
    if not lab.has_packets:
        return
    path = data_path(lab)
    with progress.step("wires and switches") as notes:
        made = wires.lay(path)
        started = switches.start(path, supervisor)
        notes += _count(started)
        for pod in lab.pods:
            new = switches.switch(path.of(pod)).name in started or path.of(pod).hypervisor in made
            names = (nova.compute_name(pod), metadata.agent_name(pod), metadata.front_name(pod)) if new else ()
            supervisor.stop([record for name in names if (record := supervisor.running(name))])


def _bring_data(lab: Lab, supervisor: Supervisor, infra: Sequence[Service], progress: Progress) -> list[str]:
    """MariaDB with all schemas; the names of the schemas that were missing."""
    with progress.step("MariaDB, memcached") as notes:
        database.prepare(lab)
        notes += _start(supervisor, infra)
        # Only these two are waited for: RabbitMQ may take its time until it is needed.
        supervisor.wait_ready(infra[:2])
        database.grant(lab)
    with progress.step("schemas") as notes:
        made = schemas.create(lab)
        if made:
            notes.append(f"{len(made)} made")
    return made


def _count(names: Sequence[str]) -> list[str]:
    return [f"{len(names)} processes started"] if names else []


def openstack(lab: Lab) -> list[Service]:
    """All processes of centre and pods but Keystone; their configuration is written on the way."""
    services = central.services(lab)
    for pod in lab.pods:
        services += nova.pod_services(lab, pod)
        services += neutron.pod_services(lab, pod)
        services += metadata.pod_services(lab, pod)
        services += cinder.pod_services(lab, pod)
        services += glance.pod_services(lab, pod)
    return services


def everything(lab: Lab) -> list[Service]:
    """All processes that the lab consists of when it is up."""
    services = [*infrastructure.services(lab), keystone.service(lab), *openstack(lab)]
    if lab.has_packets:
        services += switches.services(data_path(lab))
    return services + (tricircle.services(lab) if lab.tricircle else [])


def _start(supervisor: Supervisor, services: Sequence[Service]) -> list[str]:
    return [f"{service.name}" for service in services if supervisor.start(service)]


def _stop_strangers(lab: Lab, supervisor: Supervisor) -> None:
    """End what an earlier start with other choices left running."""
    wanted = {service.name for service in everything(lab)}
    supervisor.stop([record for record in supervisor.records() if record.name not in wanted])


def _wait_for_hosts(lab: Lab, supervisor: Supervisor, pod: Pod) -> None:
    """Wait until the pod's compute host has reported after its start: until then nobody boots on it."""
    record = supervisor.running(nova.compute_name(pod))
    deadline = time.monotonic() + COMPUTE_SECONDS
    while record is None or not schemas.map_hosts(lab, pod, int(record.began)):
        if time.monotonic() > deadline:
            name = nova.compute_name(pod)
            late = f"{pod.name}: no compute host after {COMPUTE_SECONDS:.0f} s"
            raise StartError(f"{late}. The end of {supervisor.log(name)}:\n{supervisor.tail(name)}")
        time.sleep(0.2)


def _make_directories(lab: Lab) -> None:
    """The directories that services expect to find."""
    for place in ("central", *(pod.name for pod in lab.pods)):
        for name in ("lock", "nova", "neutron", "cinder"):
            (lab.var / place / name).mkdir(parents=True, exist_ok=True)
    for path in (lab.run, lab.logs, lab.templates):
        path.mkdir(parents=True, exist_ok=True)

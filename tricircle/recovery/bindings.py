# SPDX-License-Identifier: Apache-2.0
"""Which projects use a pod, and are their limits there lifted?

A project is bound where it has something, or where its limits were lifted: a binding does that, whether or not
anything is made then. Whether they are lifted is what the pod says. A project that does not exist any more and has
nothing in a pod is not bound to it.
"""

import uuid
from collections.abc import Collection
from dataclasses import replace

from tricircle.context import Deadline, ProjectId
from tricircle.errors import TricircleError, UpstreamStatusError
from tricircle.model.binding import Binding
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.recovery.at_once import at_once
from tricircle.recovery.report import Did, Report
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Connection, Engine, transact

_NOUN = "binding"
_AT_ONCE = 8
#: Seconds for the limits of one project in one pod, and for one list of them.
_ASK_S = 60.0


class BindingRecovery:
    """Writes bindings."""

    def __init__(self, engine: Engine, bindings: Bindings, report: Report, *, is_rehearsal: bool) -> None:
        self._engine = engine
        self._bindings = bindings
        self._report = report
        self._is_rehearsal = is_rehearsal

    async def run(self, pod: Pod, projects: Collection[ProjectId], *, owner_id: ProjectId) -> None:
        """Bind projects to the pod; bindings of others stay as the pod confirms them.

        :param projects: who has something there
        :param owner_id: the project of copies, which needs no binding
        """
        holders, there = (
            set(projects) - {owner_id},
            {one.project_id: one for one in await self._bindings.find(pod_id=pod.id)},
        )
        wanted = sorted((holders | there.keys() | await self._lifted(pod)) - {ProjectId(""), owner_id})
        self._report.progress(f"{pod.name}: limits of {len(wanted)} projects")
        work = [self._bind(pod, one, there.get(one), is_holder=one in holders) for one in wanted]
        await at_once(work, limit=_AT_ONCE)

    async def _lifted(self, pod: Pod) -> frozenset[ProjectId]:
        try:
            return await self._bindings.lifted(pod, Deadline.after(_ASK_S))
        except TricircleError as error:
            self._report.problem(
                f"Pod {pod.name}: whose limits are lifted could not be read: {error.__cause__ or error}",
                "Nothing is lost: projects that have nothing there are bound by their next use. Or mend the pod, and "
                "run this again.",
            )
            return frozenset()

    async def _bind(self, pod: Pod, project_id: ProjectId, former: Binding | None, *, is_holder: bool) -> None:
        try:
            is_lifted = not await self._bindings.bounded(project_id, pod, Deadline.after(_ASK_S))
        except UpstreamStatusError as error:
            if error.status != 400:
                return self._unasked(pod, project_id, error)
            if not is_holder:
                return await self._unbind(pod, former)
            self._report.note(f"Pod {pod.name} holds something of project {project_id}, which does not exist any more.")
            is_lifted = False
        except TricircleError as error:
            return self._unasked(pod, project_id, error)
        if former is None and not is_holder and not is_lifted:
            return None  # unlimited networks are not a binding's doing alone
        if former is not None and former.are_limits_lifted == is_lifted:
            return self._report.count(pod.name, _NOUN, Did.KEPT)
        self._report.count(pod.name, _NOUN, Did.WRITTEN)
        if self._is_rehearsal:
            return None
        fresh = Binding(id=str(uuid.uuid4()), project_id=project_id, pod_id=pod.id)
        binding = replace(former or fresh, are_limits_lifted=is_lifted)

        async def work(connection: Connection) -> None:
            if former is None:
                await BindingRows.insert(connection, binding)
            else:
                await BindingRows.update(connection, binding)

        return await transact(self._engine, work)

    async def _unbind(self, pod: Pod, former: Binding | None) -> None:
        """Forget the binding of a project that does not exist any more."""
        if former is None:
            return
        self._report.count(pod.name, _NOUN, Did.REMOVED)
        if not self._is_rehearsal:
            await self._bindings.remove(former.id)

    def _unasked(self, pod: Pod, project_id: ProjectId, error: TricircleError) -> None:
        self._report.problem(
            f"Pod {pod.name}: the limits of project {project_id} could not be read: {error.__cause__ or error}",
            "Nothing is lost: the project's next use of the pod binds it. Or mend the pod, and run this again.",
        )

# SPDX-License-Identifier: Apache-2.0
"""Which projects use a pod, and are their limits there lifted?

A project is bound where it has something. Whether its limits are lifted is what the pod says.
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
#: Seconds for the limits of one project in one pod.
_ASK_S = 60.0


class BindingRecovery:
    """Writes bindings."""

    def __init__(self, engine: Engine, bindings: Bindings, report: Report, *, is_rehearsal: bool) -> None:
        self._engine = engine
        self._bindings = bindings
        self._report = report
        self._is_rehearsal = is_rehearsal

    async def run(self, pod: Pod, projects: Collection[ProjectId]) -> None:
        """Bind ``projects`` to the pod; bindings of others stay as the pod confirms them."""
        there = {binding.project_id: binding for binding in await self._bindings.find(pod_id=pod.id)}
        wanted = sorted((set(projects) | there.keys()) - {ProjectId("")})
        self._report.progress(f"{pod.name}: limits of {len(wanted)} projects")
        await at_once([self._bind(pod, project_id, there.get(project_id)) for project_id in wanted], limit=_AT_ONCE)

    async def _bind(self, pod: Pod, project_id: ProjectId, former: Binding | None) -> None:
        try:
            is_lifted = not await self._bindings.bounded(project_id, pod, Deadline.after(_ASK_S))
        except UpstreamStatusError as error:
            if error.status != 400:
                return self._unasked(pod, project_id, error)
            self._report.note(f"Pod {pod.name} holds something of project {project_id}, which does not exist any more.")
            is_lifted = False
        except TricircleError as error:
            return self._unasked(pod, project_id, error)
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

    def _unasked(self, pod: Pod, project_id: ProjectId, error: TricircleError) -> None:
        self._report.problem(
            f"Pod {pod.name}: the limits of project {project_id} could not be read: {error.__cause__ or error}",
            "Nothing is lost: the project's next use of the pod binds it. Or mend the pod, and run this again.",
        )

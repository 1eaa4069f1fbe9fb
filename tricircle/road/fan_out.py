# SPDX-License-Identifier: Apache-2.0
"""What did several pods answer to one question? Pure."""

from dataclasses import dataclass

from tricircle.model.pod import Pod
from tricircle.road.gaps import Gap, refusal_of
from tricircle.upstream.reply import Reply


@dataclass(frozen=True, slots=True)
class FanOut:
    """What several pods answered to one question.

    :ivar replies: by pod, in the pods' fixed order; any status below 500, links not yet rewritten
    :ivar gaps: pods that did not answer in time, refused the connection, sent 5xx or nonsense, do not have the
        microversion, or are switched off
    """

    replies: tuple[tuple[Pod, Reply], ...]
    gaps: tuple[Gap, ...]

    @property
    def good(self) -> tuple[Reply, ...]:
        """What can be added up."""
        return tuple(reply for _, reply in self.replies if reply.status < 300)

    @property
    def lacking(self) -> tuple[Gap, ...]:
        """What a sum lacks: the parts of pods that did not answer, or refused."""
        return self.gaps + tuple(refusal_of(pod, reply) for pod, reply in self.replies if reply.status >= 300)

    @property
    def refusal(self) -> tuple[Pod, Reply] | None:
        """The answer to a question that every pod which answered refused; None when there is something to add up."""
        return self.replies[0] if self.replies and not self.good else None

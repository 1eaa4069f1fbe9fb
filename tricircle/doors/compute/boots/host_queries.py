# SPDX-License-Identifier: Apache-2.0
"""In which pods can a scheduler hint ``query`` be true that names hosts, what is it there, and to whom is it shown?

Pure.

The grammar is that of Nova's JsonFilter: lists with an operator in front, as JSON in a text, such as
``["and", [">=", "$free_ram_mb", 1024], ["=", "$host", "Pod1.cmp1"]]``. Only what names of hosts say is looked at:
everything else is for the scheduler of the pod that is chosen.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tricircle.context import PodId
from tricircle.model.host_names import name_in, pod_named
from tricircle.model.pod import Pod

Query = Sequence[object]
#: Among a server's routing's details: the query as it was asked, and as it is shown to others than administrators.
ASKED_QUERY, SHOWN_QUERY = "asked_query", "shown_query"
#: What names a host in Nova's state of one.
_OF_HOSTS = ("$host", "$nodename", "$hypervisor_hostname", "$service.host")
_HIDDEN = "(hidden)"
#: Levels of lists in the deepest query that is read here. Nova's own filter calls itself for each, too.
_DEEPEST = 50


def query_of(hints: Mapping[str, object]) -> Query | None:
    """The query of hints; None when there is none, or none that Nova could read.

    >>> query_of({"query": '["=", "$host", "Pod1.cmp1"]'}), query_of({"query": "["})
    (['=', '$host', 'Pod1.cmp1'], None)
    """
    text = hints.get("query")
    found = _decoded(text) if isinstance(text, str) else None
    return found if isinstance(found, list) else None


def unread(hints: Mapping[str, object]) -> str | None:
    """What others than administrators are shown of a query that cannot be read here: nobody knows what it names. None
    when it can be, and when there is none.

    >>> unread({"query": "["}), unread({"query": '["=", "$host", "cmp1"]'})
    ('(hidden)', None)
    """
    text = hints.get("query")
    return _HIDDEN if isinstance(text, str) and _decoded(text) is None else None


def possible(query: Query, pods: Sequence[Pod]) -> frozenset[PodId] | None:
    """The pods in which the query can be true; None when it confines to none of them, or can be true in none."""
    found = frozenset(pod.id for pod in pods if _can_be_true(query, pod, pods))
    return found if 0 < len(found) < len(pods) else None


def in_pod(query: object, pod: Pod) -> object:
    """The query with the pod's own names of its hosts.

    >>> in_pod(["=", "$host", "Pod1.cmp1", "Pod2.cmp1"], Pod(id="1", name="Pod1", az_name="az1"))
    ['=', '$host', 'cmp1', 'Pod2.cmp1']
    """
    if isinstance(query, list):
        return [in_pod(one, pod) for one in query]
    return name_in(pod, query) if isinstance(query, str) else query


def without_hosts(query: object, pods: Sequence[Pod]) -> object:
    """The query without names of hosts: full ones of these pods, and whatever is compared with a host's name.

    >>> without_hosts(["and", ["=", "$host", "cmp1"], ["=", "$ram", "cmp1"]], [])
    ['and', ['=', '$host', '(hidden)'], ['=', '$ram', 'cmp1']]
    """
    if not isinstance(query, list):
        return query
    is_of_host = any(term in _OF_HOSTS for term in query)

    def shown(term: object) -> object:
        if not isinstance(term, str) or term.startswith("$"):
            return without_hosts(term, pods)
        return _HIDDEN if is_of_host or pod_named(pods, term) is not None else term

    return [*query[:1], *map(shown, query[1:])]


def remembered(hints: Mapping[str, object], shown: object) -> dict[str, object]:
    """What a routing remembers of a boot's query.

    :param shown: what others than administrators are shown, a query or a text; None: what was asked
    """
    asked = hints.get("query")
    if not isinstance(asked, str):
        return {}
    if shown is None:
        return {ASKED_QUERY: asked, SHOWN_QUERY: asked}
    return {ASKED_QUERY: asked, SHOWN_QUERY: shown if isinstance(shown, str) else text_of(shown)}


def text_of(query: object) -> str:
    """The query as a hint."""
    return msgspec.json.encode(query).decode()


def seen_query(text: object, pod: Pod, details: Mapping[str, object], *, is_admin: bool) -> object:
    """The hint as whoever asks may read it.

    :param text: as the pod shows it
    :param details: of the server's routing; nothing is remembered after a recovery
    """
    known = details.get(ASKED_QUERY if is_admin else SHOWN_QUERY)
    if known is not None or is_admin:
        return text if known is None else known
    hint = {"query": text}
    query = query_of(hint)
    if query is None:
        return unread(hint) or text
    return text_of(without_hosts(query, [pod]))


def _decoded(text: str) -> object:
    """What a text says; None when it is no JSON, or lists in lists beyond reason."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    level = [found]
    for _ in range(_DEEPEST + 1):
        level = [one for part in level for one in _inside(part)]
        if not level:
            return found
    return None


def _inside(part: object) -> Iterable[object]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()


def _can_be_true(query: object, pod: Pod, pods: Sequence[Pod]) -> bool:
    """False only if names of other pods' hosts make it false, whatever else it says."""
    if not isinstance(query, list) or not query:
        return True
    operator, *terms = query
    if operator == "=":
        return not any(_is_elsewhere(term, pod, pods) for term in terms)
    if operator == "in":
        return len(terms) < 2 or not all(_is_elsewhere(term, pod, pods) for term in terms[1:])
    if operator == "and":
        return all(_can_be_true(term, pod, pods) for term in terms)
    if operator == "or":
        return not terms or any(_can_be_true(term, pod, pods) for term in terms)
    return True


def _is_elsewhere(term: object, pod: Pod, pods: Sequence[Pod]) -> bool:
    named = pod_named(pods, term) if isinstance(term, str) else None
    return named is not None and named.id != pod.id

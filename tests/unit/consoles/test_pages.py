# SPDX-License-Identifier: Apache-2.0
"""What of a pod's pages reaches a browser?"""

from pathlib import Path

import pytest

from tests.unit.consoles.stage import HOST, POD_TOKEN, stage
from tricircle.conf.settings import ConsoleSettings

PAGE = b"<html>page</html>"


def head(answer: bytes) -> str:
    """Status line and headers, in lower case."""
    return answer.partition(b"\r\n\r\n")[0].decode("latin-1").lower()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


async def test_the_file_and_nothing_that_names_the_pod(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.pod.file(
            "/vnc_lite.html", PAGE, Content_Type="text/html", ETag='"1"', Set_Cookie="a=canary", Via="canary",
            Server="canary", Link="<http://canary>", Access_Control_Allow_Origin="*", Refresh="0; url=http://canary",
        )  # fmt: skip
        url = await here.url()
        answer = await here.fetch(url, {"Cookie": "a=b", "Authorization": "x", "Accept": "text/html"})
        assert status(answer) == 200
        assert answer.endswith(PAGE)
        assert "canary" not in head(answer)
        for line in ("content-type: text/html", 'etag: "1"', "referrer-policy: no-referrer", "nosniff", "close"):
            assert line in head(answer)
        (asked,) = here.pod.requests
        assert asked.path == "/vnc_lite.html"
        assert dict(asked.headers.raw_items()).keys() <= {"host", "via", "accept"}
        assert asked.headers["host"] == f"{HOST}:{here.pod.port}"


async def test_large_files_come_whole(tmp_path: Path) -> None:
    large = bytes(range(256)) * 20_000
    async with stage(tmp_path) as here:
        here.pod.file("/core/big.js", large, Content_Type="text/javascript")
        url = (await here.url()).partition("vnc_lite")[0]
        assert (await here.fetch(f"{url}core/big.js")).endswith(b"\r\n\r\n" + large)


@pytest.mark.parametrize(("theirs", "ours"), [(404, 404), (403, 404), (405, 404), (500, 502), (304, 304), (204, 502)])
async def test_failures_are_said_in_our_words(tmp_path: Path, theirs: int, ours: int) -> None:
    async with stage(tmp_path) as here:
        here.pod.file("/vnc_lite.html", b"" if theirs in (304, 204) else b"canary", status=theirs)
        answer = await here.fetch(await here.url())
        assert status(answer) == ours
        assert b"canary" not in answer


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("/vnc.html", "vnc.html"), ("sub/", "sub/"), ("http://{pod}/app/?x=1#y", "app/"),
        ("http://canary.example/", ""), ("//canary.example/", ""), ("http://{pod}.canary.example/", ""),
        ("http://[", ""),
        ("javascript:alert(1)", ""), ("", "vnc_lite.html"),
    ],
)  # fmt: skip
async def test_redirects_stay_in_the_folder(tmp_path: Path, location: str, ours: str) -> None:
    async with stage(tmp_path) as here:
        here.pod.file("/vnc_lite.html", status=301, Location=location.format(pod=f"{HOST}:{here.pod.port}"))
        url = await here.url()
        answer = await here.fetch(url)
        assert "canary" not in head(answer)
        if not ours:
            assert status(answer) == 502
            return
        assert status(answer) == 302
        folder = url.partition(f":{here.port}")[2].partition("vnc_lite")[0]
        assert f"location: {folder}{ours}\r\n" in head(answer) + "\r\n"


@pytest.mark.parametrize("path", ["../x", "%2e%2e/x", "a/../../x", ".htaccess", "a%2fb", "a//b", "\\x"])
async def test_nobody_climbs_out(tmp_path: Path, path: str) -> None:
    async with stage(tmp_path) as here:
        url = (await here.url()).partition("vnc_lite")[0]
        assert status(await here.fetch(url + path)) == 404
        assert not here.pod.requests


async def test_only_reading_and_only_consoles(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.pod.file("/vnc_lite.html", PAGE)
        url = await here.url()
        assert status(await here.fetch(url, method="HEAD")) == 405
        assert status(await here.fetch(url, method="POST")) == 405
        assert status(await here.fetch(f"/{'0' * 32}/vnc_lite.html")) == 404
        assert status(await here.fetch("/vnc_lite.html")) == 404
        assert status(await here.fetch("/")) == 404
        assert not here.pod.requests


async def test_pages_that_want_the_token(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.pod.file("/", PAGE)
        url, other = await here.url("webmks", page=""), await here.url("webmks", page="")
        assert PAGE in await here.fetch(url)
        assert here.pod.requests[-1].path == f"/?token={POD_TOKEN}"
        swapped = url.partition("token=")[0] + "token=" + other.partition("token=")[2]
        assert status(await here.fetch(swapped)) == 403
        assert PAGE in await here.fetch(url.partition("?")[0])
        assert here.pod.requests[-1].path == "/"


async def test_a_pod_that_is_away(tmp_path: Path) -> None:
    async with stage(tmp_path, settings=ConsoleSettings(open_timeout_s=2)) as here:
        here.pod.port = 1
        assert status(await here.fetch(await here.url())) == 503
        here.pods.switch_off()
        assert status(await here.fetch(await here.url())) == 503
        here.pods.pod = None
        assert status(await here.fetch(await here.url())) == 404


async def test_health(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        assert (await here.fetch("/healthz")).endswith(b'{"status": "ok"}')

# SPDX-License-Identifier: Apache-2.0
"""The console proxies of a pod, and the screens and lines behind them.

The proxies are Nova's own (nova-novncproxy, nova-serialproxy, nova-spicehtml5proxy), each in a child of this process so
that what they load is in memory once. What they connect to is imitated here: one server for each protocol, which learns
from the proxy which machine is meant, as VMware's and Nova's own tunnels do (`CONNECT <id>`).

Usage: python -m lab.pod.consoles <nova.conf> <novnc|serial|spice>:<port of the proxy>:<port of the imitation> ...
"""

from nova.cmd import novncproxy, serialproxy, spicehtml5proxy  # isort: skip  (first: they decide for native threads)

import asyncio
import contextlib
import gc
import os
import signal
import struct
import sys
from pathlib import Path

from nova.console import websocketproxy

HOST = "127.0.0.1"
PAGES = Path(__file__).with_name("console_pages")
PROXIES = {"novnc": novncproxy.main, "serial": serialproxy.main, "spice": spicehtml5proxy.main}
RFB_VERSION = b"RFB 003.008\n"
NO_SECURITY, SUCCESS = b"\x01\x01", bytes(4)
WIDTH = HEIGHT = 16
# 32 bits, true colour, eight bits each of red, green and blue
PIXELS = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
# How much follows the first byte of a client's message; a text has its length in bytes 4 to 7.
MESSAGES = {0: 19, 3: 9, 4: 7, 5: 5, 6: 7}
SPICE_HEAD = struct.Struct("<4sIII")
SPICE_BODY = bytes(4 + 162 + 12)  # no error, a key of zeros, no capabilities


class _SameHost:
    """Stands for the call to nova-compute, where that is in another process and the bus in memory only."""

    def __init__(self, port):
        self._port = port

    def validate_console_port(self, _context, _instance, port, _console_type):
        return port == self._port


async def _tunnel(reader, writer):
    """The machine that a proxy asks for."""
    line = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    return line.split()[1].decode()


async def screen(reader, writer):
    """A VNC server (RFC 6143): no password, a small grey screen; its name says whose it is."""
    machine = await _tunnel(reader, writer)
    writer.write(RFB_VERSION)
    await reader.readexactly(len(RFB_VERSION))
    writer.write(NO_SECURITY)
    await reader.readexactly(1)
    writer.write(SUCCESS)
    await reader.readexactly(1)
    name = f"server {machine}".encode()
    writer.write(struct.pack(">HH", WIDTH, HEIGHT) + PIXELS + struct.pack(">I", len(name)) + name)
    while True:
        kind = (await reader.readexactly(1))[0]
        if kind == 2:
            count = struct.unpack(">xH", await reader.readexactly(3))[0]
            await reader.readexactly(4 * count)
            continue
        rest = await reader.readexactly(MESSAGES[kind])
        if kind == 6:
            await reader.readexactly(struct.unpack(">3xI", rest)[0])
        if kind == 3:
            head = struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0)
            writer.write(head + b"\x80" * (4 * WIDTH * HEIGHT))
            await writer.drain()


async def line(reader, writer):
    """A serial line: says whose it is, and repeats what is typed."""
    machine = await _tunnel(reader, writer)
    writer.write(f"server {machine} login: ".encode())
    while typed := await reader.read(4096):
        writer.write(typed)
        await writer.drain()


async def spice(reader, writer):
    """A SPICE server as far as its greeting; also without a tunnel, for proxies of its own protocol."""
    head = await reader.readexactly(4)
    if head == b"CONN":
        await _tunnel(reader, writer)
        head = await reader.readexactly(4)
    size = struct.unpack("<8xI", await reader.readexactly(12))[0]
    await reader.readexactly(size)
    writer.write(SPICE_HEAD.pack(b"REDQ", 2, 2, len(SPICE_BODY)) + SPICE_BODY)
    await reader.read()


def _until_gone(serve):
    async def answer(reader, writer):
        with contextlib.suppress(OSError, EOFError, KeyError):
            await serve(reader, writer)
            await writer.drain()
        writer.close()

    return answer


async def _imitate(ports):
    servers = {"novnc": screen, "serial": line, "spice": spice}
    for kind, port in ports.items():
        await asyncio.start_server(_until_gone(servers[kind]), HOST, port)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    loop.add_signal_handler(signal.SIGCHLD, told.set)  # a pod without one of them must be seen at once
    await told.wait()


def _proxy(kind, config, imitation):
    """Be one of Nova's proxies. Never returns."""
    sys.argv = [f"nova-{kind}proxy", "--config-file", config]
    if kind != "serial":
        sys.argv += ["--web", str(PAGES)]
    if os.environ.get("LAB_CONSOLE_BUS") == "memory":
        websocketproxy.NovaProxyRequestHandler.compute_rpcapi = _SameHost(imitation)
    try:
        PROXIES[kind]()
    finally:
        os._exit(1)


def main(config, *places):
    ports, children = {}, []
    gc.freeze()
    for place in places:
        kind, _, imitation = place.split(":")
        ports[kind] = int(imitation)
        child = os.fork()
        if child == 0:
            _proxy(kind, config, imitation)
        children.append(child)
    try:
        asyncio.run(_imitate(ports))
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])

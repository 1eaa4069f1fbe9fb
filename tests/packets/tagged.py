# SPDX-License-Identifier: Apache-2.0
"""Does an address answer a ping that leaves a device with a VLAN tag? Runs inside a server; exit code 0: it does.

For kernels without devices for VLANs (8021q): frames are written and read as they are. Who has the address is asked
first (ARP), and the answer must carry the same tag. All pings have one number, so that to switches each is of the same
connection as the last one, be it over or not.
"""

import argparse
import socket
import struct
import time

_ANY, _TAGGED, _ARP, _IPV4 = 3, 0x8100, 0x0806, 0x0800
_PACKET, _AUXDATA, _VLAN_VALID = 263, 8, 0x10
_REQUEST, _REPLY, _ECHO, _ECHO_REPLY = 1, 2, 8, 0
_ID = 0x7A67


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Line:
    """A device on which frames carry one tag."""

    def __init__(self, device: str, vlan: int, mac: bytes, until: float) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ANY))
        self._socket.bind((device, 0))
        # The kernel takes the tag out of what it hands over, and tells it beside.
        self._socket.setsockopt(_PACKET, _AUXDATA, 1)
        self._vlan, self._mac, self._until = vlan, mac, until

    def send(self, to: bytes, kind: int, payload: bytes) -> None:
        """One frame."""
        self._socket.send(to + self._mac + struct.pack("!HHH", _TAGGED, self._vlan, kind) + payload)

    def receive(self) -> bytes | None:
        """The next frame to us with the tag, as if it had none; None when it is too late."""
        while (left := self._until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, beside, _, _ = self._socket.recvmsg(2048, 256)
            except TimeoutError:
                return None
            if frame[:6] == self._mac and self._vlan in [_tag(data) for _, kind, data in beside if kind == _AUXDATA]:
                return frame
        return None


def _tag(auxdata: bytes) -> int | None:
    """The VLAN in a struct tpacket_auxdata (linux/if_packet.h)."""
    status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", auxdata[:20])
    return tci & 0xFFF if status & _VLAN_VALID else None


def answers(line: Line, mac: bytes, source: bytes, target: bytes) -> bool:
    """Whether ``target`` tells its MAC, and then answers a ping."""
    ask = struct.pack("!HHBBH", 1, _IPV4, 6, 4, _REQUEST) + mac + source + bytes(6) + target
    line.send(b"\xff" * 6, _ARP, ask)
    while (frame := line.receive()) is not None:
        if frame[12:14] == struct.pack("!H", _ARP) and frame[20:22] == struct.pack("!H", _REPLY):
            break
    else:
        return False
    ping = struct.pack("!BBHHH", _ECHO, 0, 0, _ID, 1)
    ping = ping[:2] + struct.pack("!H", checksum(ping)) + ping[4:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(ping), 1, 0, 64, socket.IPPROTO_ICMP, 0) + source + target
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    line.send(frame[22:28], _IPV4, head + ping)
    while (frame := line.receive()) is not None:
        # Ethernet 14, IPv4 20: type of the ICMP message, and our number.
        if (frame[26:30], frame[34], frame[38:40]) == (target, _ECHO_REPLY, struct.pack("!H", _ID)):
            return True
    return False


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device")
    parser.add_argument("vlan", type=int)
    parser.add_argument("mac")
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("seconds", type=float)
    told = parser.parse_args()
    mac = bytes.fromhex(told.mac.replace(":", ""))
    line = Line(told.device, told.vlan, mac, time.monotonic() + told.seconds)
    found = answers(line, mac, socket.inet_aton(told.source), socket.inet_aton(told.target))
    return 0 if found else 1


if __name__ == "__main__":
    raise SystemExit(_main())

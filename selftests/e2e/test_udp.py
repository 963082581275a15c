# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams: no parser reads them yet, but no byte of them goes uncounted."""

import socket

from lib.case import BOTH, case, check, equal, patience

SIZES = (1, 100, 1400)


def datagrams(t, family, address):
    """Three datagrams from a bound socket to a bound one; all bytes count at both ends."""
    ports = t.port(), t.port()
    with socket.socket(family, socket.SOCK_DGRAM) as a, \
            socket.socket(family, socket.SOCK_DGRAM) as b:
        for s, port in zip((a, b), ports):
            s.settimeout(patience(10))
            s.bind((address, port))
        a.connect((address, ports[1]))
        b.connect((address, ports[0]))
        for n in SIZES:
            a.send(b"GET / HTTP/1.1\r\n\r\n".ljust(n, b"u")[:n])
        for n in SIZES:
            equal(len(b.recv(65536)), n, "bytes of a datagram")
    t.spand.settle()
    return ports


@case(hooks=BOTH)
def test_counted(t):
    ports = set()
    want = 0
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        ports.update(datagrams(t, family, address))
        want += 2 * sum(SIZES)
        equal(t.delta()["bytes_udp"], want, "bytes_udp, sent and received")
    mine = [s for s in t.spans() if {s["src_port"], s["dst_port"]} & ports]
    check(not mine, "spans of datagrams: %s", mine)

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that are older than the daemon."""

import threading
import time

from lib.case import BOTH, SLOW, case, check, equal, patience
from lib.http_cases import sizes, verdict
from lib.wire import Conn, Peer, http_request, http_response, resp_array, tcp_seqs


def start(t):
    """The daemon of a manual case, now."""
    t.spand.start()
    t.spand.settle()
    t.mark = 0
    t.before = t.spand.assert_ledger()


@case(hooks=BOTH, manual=True)
def test_keepalive(t):
    """Role, addresses, link and sequence numbers of a connection in its middle."""
    req, res = http_request("/old"), http_response(b"o" * 99)

    def fn(conn, _n):
        for _ in range(12):
            conn.exact(len(req))
            # An answer that overtakes the hook at the end of its request's write would
            # hide that the connection was idle before.
            time.sleep(0.3 if SLOW else 0.02)
            conn.send(res)
    for bind, target, ip in (("127.0.0.1",) * 3, ("::", "127.0.0.1", "127.0.0.1"),
                             ("::1", "::1", "::1")):
        port = t.port()
        peer = Peer(fn, (bind, port))
        t.defer(peer.stop)
        c = Conn((target, port))
        t.defer(c.close)
        for _ in range(7):
            c.send(req)
            c.exact(len(res))
        t.__dict__.setdefault("old", []).append((c, port, ip, peer))
    start(t)
    want = {}
    for c, port, ip, peer in t.old:
        want[port] = []
        for _ in range(5):
            want[port].append(tcp_seqs(c.sock))
            c.send(req)
            c.exact(len(res))
        peer.join()
    for c, port, ip, _ in t.old:
        local = c.sock.getsockname()[1]
        for pair, seqs in zip(t.pairs(5, port), want[port]):
            verdict(pair, "GET /old", 200)
            sizes(pair, len(req), len(res))
            for s in pair:
                equal((s["src_ip"], s["src_port"], s["dst_ip"], s["dst_port"]),
                      (ip, local, ip, port), "addresses of the %s span" % s["kind"])
                equal((s["req_tcp_seq"], s["resp_tcp_seq"]), seqs, "sequence numbers")
    t.nothing_lost()


@case(hooks=BOTH, manual=True)
def test_open_request(t):
    """The answer to a request from before: counted, given to nobody."""
    port = t.port()
    old, new = http_request("/before"), http_request("/after")
    res_old, res_new = http_response(b"old" * 5, "404 Not Found"), http_response(b"new")
    go = threading.Event()

    def fn(conn, _n):
        conn.exact(len(old))
        check(go.wait(patience(60)), "no start")
        conn.send(res_old)
        for _ in range(3):
            conn.exact(len(new))
            conn.send(res_new)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(old)
            start(t)
            go.set()
            c.exact(len(res_old))
            for _ in range(3):
                c.send(new)
                c.exact(len(res_new))
    t.spand.settle()
    got = t.spans(port)
    for s in got:
        verdict((s,), "GET /after", 200)
        sizes((s,), len(new), len(res_new))
    # The first exchange may be needed to find out that nothing is open.
    check(len(got) >= 4, "%d spans of 3 exchanges seen at two ends", len(got))


@case(hooks=BOTH, manual=True)
def test_open_pipeline(t):
    """Requests in flight at the start, and more before their answers: no wrong pair."""
    port = t.port()
    go = threading.Event()
    n = 6
    reqs = [resp_array("ECHO", "x" * (10 + i)) for i in range(2 * n)]
    ress = [b"$%d\r\n%s\r\n" % (10 + i, b"x" * (10 + i)) for i in range(2 * n)]

    def fn(conn, _n):
        conn.exact(sum(map(len, reqs[:n])))
        check(go.wait(patience(60)), "no start")
        conn.exact(sum(map(len, reqs[n:])))
        for r in ress:
            conn.send(r)
        for _ in range(4):
            conn.exact(len(reqs[0]))
            conn.send(ress[0])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(b"".join(reqs[:n]))
            start(t)
            c.send(b"".join(reqs[n:]))
            go.set()
            c.exact(sum(map(len, ress)))
            for _ in range(4):
                c.send(reqs[0])
                c.exact(len(ress[0]))
    t.spand.settle()
    allowed = {(len(a), len(b)) for a, b in zip(reqs, ress)}
    got = [s for s in t.spans(port) if s["status"] != "no_response"]
    for s in got:
        check((s["req_size"], s["resp_size"]) in allowed, "a wrong pair: %d and %d bytes",
              s["req_size"], s["resp_size"])
    check(len(got) >= 6, "only %d spans after the connection was quiet", len(got))


@case(hooks=BOTH, manual=True)
def test_inside_a_body(t):
    """Attached while a body is on its way: found again at the next message."""
    port = t.port()
    req = http_request("/body")
    body = b"filler\r\n" * 50000
    res = http_response(body)
    go = threading.Event()

    def fn(conn, _n):
        conn.exact(len(req))
        conn.send(res[:len(res) // 2])
        check(go.wait(patience(60)), "no start")
        conn.send(res[len(res) // 2:])
        for _ in range(4):
            conn.exact(len(req))
            conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            c.exact(len(res) // 2)
            start(t)
            go.set()
            c.exact(len(res) - len(res) // 2)
            for _ in range(4):
                c.send(req)
                c.exact(len(res))
    t.spand.settle()
    got = t.spans(port)
    for s in got:
        verdict((s,), "GET /body", 200)
        sizes((s,), len(req), len(res))
    check(len(got) >= 6, "%d spans of 4 whole exchanges seen at two ends", len(got))


@case(manual=True, heavy=True)
def test_real_servers(t):
    """nginx and redis that were there before, on connections made before."""
    web, db = t.nginx, t.redis
    with Conn(("127.0.0.1", web.port)) as a, Conn(("127.0.0.1", db.port)) as b:
        def both():
            a.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            a.until(b"\r\n\r\n")
            a.exact(17)
            b.send(resp_array("PING"))
            b.exact(7)
        both()
        start(t)
        for _ in range(3):
            both()
    for pair in t.pairs(3, web.port):
        verdict(pair, "GET /page", 200)
        equal(pair[1]["component"], "nginx", "component")
    for pair in t.pairs(3, db.port):
        verdict(pair, "PING", 0, "ok", "redis")
        equal(pair[1]["component"], "redis-server", "component")
    t.nothing_lost()

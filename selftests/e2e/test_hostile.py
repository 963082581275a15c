# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Peers and circumstances that mean no good: always counted, never wrong, never a crash."""

import mmap
import os
import random
import resource
import selectors
import signal
import socket
import threading
import time

from lib import ledger
from lib.case import BOTH, case, check, equal, patience, scale
from lib.http_cases import exchange, sizes, verdict
from lib.servers import PAGE
from lib.wire import (Conn, Peer, answer, http_request, http_response, reset, resp_array)

HTTP = b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n"


def still_works(t):
    """A plain exchange with nginx has its two spans."""
    want = {"status": "ok", "name": "GET /page"}
    before = {kind: len(t.spans(t.nginx.port, kind=kind, **want)) for kind in ("client", "server")}
    with Conn(("127.0.0.1", t.nginx.port)) as c:
        c.send(HTTP)
        c.until(b"\r\n\r\n")
        c.exact(len(PAGE))
    for kind, n in before.items():
        t.exactly(n + 1, t.nginx.port, kind=kind, **want)


def storm(port, n):
    """n connections open at once, one request each; how many were answered in full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 500), max(hard, n + 500)))
    sel = selectors.DefaultSelector()
    socks = []
    done = 0
    try:
        for _ in range(n):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            sel.register(s, selectors.EVENT_WRITE)
            socks.append(s)
        connected = 0
        end = time.monotonic() + patience(40)
        while connected < n and time.monotonic() < end:
            for key, _ in sel.select(1):
                sel.unregister(key.fileobj)
                connected += 1
        equal(connected, n, "connections at once")
        for s in socks:
            s.send(HTTP)
            sel.register(s, selectors.EVENT_READ)
        while done < n and time.monotonic() < end:
            for key, _ in sel.select(1):
                data = key.fileobj.recv(65536)
                # Header and body may come apart.
                if data.endswith(PAGE) or not data:
                    done += bool(data)
                    sel.unregister(key.fileobj)
    finally:
        sel.close()
        for s in socks:
            s.close()
    return done


@case(hooks=BOTH, heavy=True)
def test_storm(t):
    """5,000 short connections at once: as many spans at each end."""
    n = scale(5000, 300)
    equal(storm(t.nginx.port, n), n, "answers")
    pairs = t.pairs(n, t.nginx.port, seconds=40)
    equal({c["name"] for c, _ in pairs}, {"GET /page"}, "names")
    equal({c["status_code"] for c, _ in pairs}, {200}, "codes")
    equal(len({c["src_port"] for c, _ in pairs}), n, "connections")
    t.nothing_lost()


@case(hooks=BOTH, heavy=True, own=True, config={"trace.span": {"max_sockets": 64}})
def test_map_full(t):
    """Ten times more sockets than there is room for: what is not seen is counted."""
    n = scale(640, 200)
    equal(storm(t.nginx.port, n), n, "answers")
    t.spand.settle()
    d = t.delta()
    got = t.spans(t.nginx.port)
    check(d["conn_full"] > 0, "no room for the state of %d sockets, but conn_full is 0: %s",
          2 * n, ledger.nonzero(d))
    check(d["bytes_conn_full"] > 0, "bytes_conn_full is 0")
    check(0 < len(got) < 2 * n, "%d spans", len(got))
    for s in got:
        equal((s["name"], s["status"], s["req_size"]), ("GET /page", "ok", len(HTTP)), "a span")
    for _ in range(3):
        still_works(t)


@case(hooks=BOTH, own=True, config={"trace.span": {"max_inflight": 64}})
def test_inflight_full(t):
    """More open requests than can be remembered: the others are counted, none mixed up."""
    n = 600
    reqs = [resp_array("ECHO", "i" * (i + 1)) for i in range(n)]
    ress = [b"$%d\r\n%s\r\n" % (i + 1, b"i" * (i + 1)) for i in range(n)]
    port = t.port()

    def fn(conn, _n):
        for r in reqs:
            conn.exact(len(r))
        for r in ress:
            conn.send(r)
        conn.exact(len(reqs[0]))
        conn.send(ress[0])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for r in reqs:
                c.send(r)
            c.exact(sum(map(len, ress)))
            c.send(reqs[0])
            c.exact(len(ress[0]))
    t.spand.settle()
    d = t.delta()
    got = t.spans(port)
    allowed = {(len(a), len(b)) for a, b in zip(reqs, ress)}
    for s in got:
        verdict((s,), "ECHO", 0, "ok", "redis")
        check((s["req_size"], s["resp_size"]) in allowed, "a wrong pair: %d and %d bytes",
              s["req_size"], s["resp_size"])
    check(d["req_lost_inflight_full"] > 0, "req_lost_inflight_full is 0: %s", ledger.nonzero(d))
    equal(d["req_lost_inflight_full"], d["resp_inflight_full"], "requests and their responses")
    equal(len(got) + d["req_lost_inflight_full"], 2 * (n + 1), "spans and counted losses")
    for kind in ("client", "server"):
        last = t.spans(port, kind=kind)[-1]
        sizes((last,), len(reqs[0]), len(ress[0]))


@case(hooks=BOTH, own=True, config={"ebpf.trace": {"max_buffered_events": 1024}})
def test_ring_full(t):
    """The reader is stopped: what finds no room in the ring is counted, the rest is right."""
    n = scale(12000, 6000)
    req, res = resp_array("PING"), b"+PONG\r\n"
    with Conn(("127.0.0.1", t.redis.port)) as c:
        t.spand.signal(signal.SIGSTOP)
        try:
            for at in range(0, n, 100):
                c.send(req * 100)
                c.exact(len(res) * 100)
        finally:
            t.spand.signal(signal.SIGCONT)
        t.spand.settle(20)
        d = t.delta()
        check(d["req_lost_ring_full"] > 0, "nothing was lost in a ring of 1024 records and %d "
              "spans: %s", 2 * n, ledger.nonzero(d))
        equal(d["req_lost_ring_full"], d["resp_ring_full"], "requests and their responses")
        equal(len(t.spans(t.redis.port)) + d["req_lost_ring_full"], 2 * n,
              "spans and counted losses")
        before = len(t.spans(t.redis.port))
        for _ in range(20):
            c.send(req)
            c.exact(len(res))
        t.exactly(before + 40, t.redis.port)
    for s in t.spans(t.redis.port):
        verdict((s,), "PING", 0, "ok", "redis")
        sizes((s,), len(req), len(res))


@case(hooks=BOTH)
def test_garbage_to_servers(t):
    """Noise sent to nginx and redis: no request of it, whatever they answer."""
    rnd = random.Random(7)
    for port in (t.nginx.port, t.redis.port):
        for i in range(scale(60, 15)):
            with Conn(("127.0.0.1", port)) as c:
                noise = bytes(rnd.choice((rnd.randrange(128, 256), rnd.randrange(1, 9)))
                              for _ in range(rnd.choice((1, 3, 16, 255, 256, 257, 1024, 5000))))
                try:
                    c.send(noise + b"\r\n")
                    c.sock.shutdown(socket.SHUT_WR)
                    c.to_end()
                except OSError:
                    pass
    t.spand.settle()
    equal([s for s in t.spans() if s["dst_port"] in (t.nginx.port, t.redis.port)
           and s["status"] == "ok"], [], "spans made of noise")
    d = t.delta()
    check(d["bytes_unclassified"] > 0, "bytes_unclassified is 0")
    still_works(t)


@case(hooks=BOTH)
def test_garbage_both_ways(t):
    """Two peers that talk nonsense at length: no span, all bytes counted, little else."""
    rnd = random.Random(11)
    up = [rnd.randbytes(rnd.choice((1, 7, 100, 4000))) for _ in range(100)]
    down = [rnd.randbytes(rnd.choice((1, 9, 300, 5000))) for _ in range(100)]
    port = exchange(t, list(zip(up, down)))
    t.spand.settle()
    equal([s["name"] for s in t.spans(port)], [], "spans made of noise")
    total = 2 * (sum(map(len, up)) + sum(map(len, down)))
    d = t.delta()
    counted = sum(v for k, v in d.items() if k.startswith("bytes_") and k != "bytes_message")
    check(counted >= total, "%d bytes of noise, %d in the ledger as not of a message", total,
          counted)


@case(hooks=BOTH)
def test_garbage_after(t):
    """A connection that stops making sense and comes to its senses again."""
    good = (http_request("/sane"), http_response(b"sane"))
    bad = (b"\x00\xff\x80zzz" * 30, b"\xfe\xfd\xfc" * 50)
    port = exchange(t, [good] * 3 + [bad] * 3 + [good] * 6)
    t.spand.settle()
    for kind in ("client", "server"):
        got = t.spans(port, kind=kind, status="ok")
        check(4 <= len(got) <= 9, "%d spans of 9 good exchanges at the %s", len(got), kind)
        for s in got:
            verdict((s,), "GET /sane", 200)
            sizes((s,), len(good[0]), len(good[1]))


@case(hooks=BOTH)
def test_wrong_verdict(t):
    """Begins like HTTP, is something else; begins like Redis, is HTTP."""
    fake = (b"GET something without a version\n", b"fine\n")
    port = exchange(t, [fake] * 10)
    t.spand.settle()
    for s in t.spans(port):
        check(s["protocol"].lower() != "http" or s["status"] != "ok", "a span of it: %s",
              s["name"])
    good = (http_request("/heals"), http_response(b"1"))
    odd = (b"PING\r\n", b"what?\r\n")
    port = exchange(t, [odd] + [good] * 8)
    t.spand.settle()
    for kind in ("client", "server"):
        got = t.spans(port, kind=kind, status="ok", name="GET /heals")
        check(len(got) >= 4, "%d spans of 8 exchanges at the %s after a false start", len(got),
              kind)
        for s in got:
            sizes((s,), len(good[0]), len(good[1]))


@case(hooks=BOTH)
def test_half_closed(t):
    """The client has said that it sends no more, then comes the answer."""
    req, res = http_request("/half"), http_response(b"closed")
    port = t.port()

    def fn(conn, _n):
        conn.exact(len(req))
        equal(conn.recv(1), b"", "end of the client's stream")
        conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            c.sock.shutdown(socket.SHUT_WR)
            c.exact(len(res))
    pair = t.one(port)
    verdict(pair, "GET /half", 200)
    sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_reset(t):
    """A reset instead of an answer: no_response at both ends, as soon as the socket is gone."""
    req = http_request("/reset")
    port = t.port()

    def fn(conn, number):
        conn.exact(len(req))
        if number % 2:
            reset(conn.sock)
        else:
            try:
                conn.recv(1)
            except ConnectionResetError:
                pass
    with Peer(fn, ("127.0.0.1", port)):
        for i in range(6):
            c = Conn(("127.0.0.1", port))
            c.send(req)
            if i % 2:
                try:
                    c.recv(1)
                except ConnectionResetError:
                    pass
                c.close()
            else:
                reset(c.sock)
    for pair in t.pairs(6, port):
        verdict(pair, "GET /reset", 0, "no_response")
        sizes(pair, len(req), 0)
    equal(t.delta()["no_response"], 12, "no_response in the ledger")
    t.nothing_lost()


@case(hooks=BOTH)
def test_cut_answer(t):
    """A connection that breaks in the middle of an answer's body: never a whole answer."""
    req, res = http_request("/broken"), http_response(b"c" * 5000)
    port = t.port()

    def fn(conn, _n):
        conn.exact(len(req))
        conn.send(res[:1000])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            equal(c.to_end(), 1000, "bytes of the answer")
    t.spand.settle()
    for kind in ("client", "server"):
        got = t.spans(port, kind=kind)
        check(len(got) <= 1, "%d spans of one request", len(got))
        for s in got:
            equal(s["name"], "GET /broken", "name")
            check(s["resp_size"] <= 1000, "resp_size %d of 1000 bytes", s["resp_size"])


@case(hooks=BOTH)
def test_never_answers(t):
    """Closed without an answer: every request that was open is one no_response."""
    reqs = [http_request("/silent/%d" % i) for i in range(12)]
    port = t.port()

    def fn(conn, _n):
        for r in reqs:
            conn.exact(len(r))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for r in reqs:
                c.send(r)
            c.to_end()
    pairs = t.pairs(12, port)
    equal([c["name"] for c, _ in pairs], ["GET /silent/%d" % i for i in range(12)], "names")
    for pair, req in zip(pairs, reqs):
        verdict(pair, pair[0]["name"], 0, "no_response")
        sizes(pair, len(req), 0)
    t.nothing_lost()


@case(own=True, hooks=BOTH, config={"trace.span": {"request_timeout": 1, "cleanup_interval": 1}})
def test_timeout(t):
    """No answer in request_timeout: no_response while the connection lives; a late answer is
    nobody's, and the next exchange is right."""
    req, res = http_request("/late"), http_response(b"late", "404 Not Found")
    req2, res2 = http_request("/next"), http_response(b"next")
    port = t.port()
    go = threading.Event()

    def fn(conn, _n):
        conn.exact(len(req))
        check(go.wait(patience(40)), "no start")
        conn.send(res)
        for _ in range(3):
            conn.exact(len(req2))
            conn.send(res2)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            try:
                end = time.monotonic() + patience(20)
                while len(t.spans(port)) < 2 and time.monotonic() < end:
                    time.sleep(0.1)
                for s in t.exactly(2, port):
                    verdict((s,), "GET /late", 0, "no_response")
            finally:
                go.set()
            c.exact(len(res))
            for _ in range(3):
                c.send(req2)
                c.exact(len(res2))
    t.spand.settle()
    got = t.spans(port)[2:]
    for s in got:
        verdict((s,), "GET /next", 200)
        sizes((s,), len(req2), len(res2))
    check(len(got) >= 4, "%d spans of 3 exchanges after a late answer", len(got))


@case(hooks=BOTH)
def test_early_answer(t):
    """Answered before the request's body is complete."""
    head = http_request("/early", "POST", ["Content-Length: 100000"])
    res = http_response(b"too large", "413 Content Too Large")
    port = t.port()

    def fn(conn, _n):
        conn.exact(len(head) + 1000)
        conn.send(res)
        conn.exact(99000)
        conn.exact(len(http_request("/then")))
        conn.send(http_response(b"then"))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(head + b"b" * 1000)
            c.exact(len(res))
            c.send(b"b" * 99000)
            c.send(http_request("/then"))
            c.exact(len(http_response(b"then")))
    t.spand.settle()
    for kind in ("client", "server"):
        got = t.spans(port, kind=kind)
        equal([(s["name"], s["status_code"]) for s in got],
              [("POST /early", 413), ("GET /then", 200)], "spans of the " + kind)
        sizes((got[1],), len(http_request("/then")), len(http_response(b"then")))
        equal(got[0]["resp_size"], len(res), "resp_size")
    t.nothing_lost()


@case(hooks=BOTH)
def test_address_reuse(t):
    """Sockets that come and go at the same addresses and ports are different connections."""
    n = scale(400, 60)
    http = (http_request("/r"), http_response(b"r"))
    port = t.port()
    redis = (resp_array("PING"), b"+PONG\r\n")

    def fn(conn, number):
        answer([http if number % 2 == 0 else redis])(conn, number)
    local = t.port()
    with Peer(fn, ("127.0.0.1", port)):
        for i in range(n):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", local))
            s.connect(("127.0.0.1", port))
            c = Conn(sock=s)
            req, res = http if i % 2 == 0 else redis
            c.send(req)
            c.exact(len(res))
            reset(c.sock)
    pairs = t.pairs(n, port)
    equal([c["name"] for c, _ in pairs], ["GET /r", "PING"] * (n // 2), "names in order")
    t.nothing_lost()


@case(hooks=BOTH)
def test_unmapped_buffer(t):
    """A body that is sent from pages which are not in memory: skipped or counted, not guessed."""
    size = 1 << 20
    path = os.path.join(t.folder(), "pages")
    with open(path, "wb") as f:
        f.truncate(size)
    head = http_response(length=False, headers=["Content-Length: %d" % size])
    req = http_request("/pages")
    port = t.port()

    def fn(conn, _n):
        with open(path, "rb") as f, mmap.mmap(f.fileno(), size, prot=mmap.PROT_READ) as m:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for _ in range(2):
                conn.exact(len(req))
                conn.send(head)
                with memoryview(m) as view:
                    conn.send(view)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for _ in range(2):
                c.send(req)
                c.exact(len(head) + size)
    for pair in t.pairs(2, port):
        verdict(pair, "GET /pages", 200)
        sizes(pair, len(req), len(head) + size)

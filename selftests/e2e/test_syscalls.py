# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every way to move bytes through a socket, and every way to come by its descriptor."""

import array
import ctypes
import os
import socket
import subprocess
import sys
import threading

from lib import ledger
from lib.case import BOTH, Skip, case, check, equal, helper, patience
from lib.http_cases import sizes, verdict
from lib.syscalls import cut, recv_all, recv_with, send_with
from lib.wire import Conn, Peer, answer, http_request, http_response

PYTHON = sys.executable or "/usr/bin/python3"


def ways():
    """Each sending call with each receiving call."""
    return [(s, r) for s in send_with for r in recv_with]


def run_ways(t, port, pieces, scatter, pairs):
    req = http_request("/way", "POST", body=b"q" * 37)
    res = http_response(b"a" * 211, headers=["X-Pad: " + "p" * 50])

    def fn(conn, _n):
        conn.sock.settimeout(None)
        for snd, rcv in pairs:
            equal(recv_all(rcv, conn.sock.fileno(), len(req), scatter), req, "request by " + rcv)
            send_with[snd](conn.sock.fileno(), cut(res, *pieces))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.sock.settimeout(None)
            for snd, rcv in pairs:
                send_with[snd](c.sock.fileno(), cut(req, *pieces))
                equal(recv_all(rcv, c.sock.fileno(), len(res), scatter), res, "answer by " + rcv)
    got = t.pairs(len(pairs), port)
    for pair, (snd, rcv) in zip(got, pairs):
        verdict(pair, "POST /way", 200)
        sizes(pair, len(req), len(res))
        client, server = pair
        equal((client["req_syscall"], client["resp_syscall"]), (snd, rcv), "client's calls")
        equal((server["req_syscall"], server["resp_syscall"]), (rcv, snd), "server's calls")
    t.nothing_lost()


@case(hooks=BOTH)
def test_ten(t):
    """All ten data calls, in all pairs, whole buffers."""
    run_ways(t, t.port(), (), (4096,), ways())


@case(hooks=BOTH)
def test_scattered(t):
    """The header cut across iovec elements and messages of recvmmsg/sendmmsg."""
    run_ways(t, t.port(), (3, 1, 9, 6, 20, 2), (5, 1, 18, 40, 7, 300), ways())


@case(hooks=BOTH)
def test_scattered_first(t):
    """The same on new connections: the protocol has to be recognised in such pieces."""
    for way in ways():
        run_ways(t, t.port(), (3, 1, 9, 6, 20, 2), (5, 1, 18, 40, 7, 300), [way])


@case(hooks=BOTH)
def test_empty_elements(t):
    """iovecs with elements of no bytes, in front, between, at the end."""
    req, res = http_request("/holes"), http_response(b"abc")
    port = t.port()

    def fn(conn, _n):
        conn.sock.settimeout(None)
        fd = conn.sock.fileno()
        equal(recv_all("readv", fd, len(req), (len(req),)), req, "request")
        os.writev(fd, [b"", res[:4], b"", b"", res[4:], b""])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.sock.settimeout(None)
            os.writev(c.sock.fileno(), [b"", b"", req[:7], b"", req[7:]])
            bufs = [bytearray(0), bytearray(3), bytearray(0), bytearray(500)]
            got = os.readv(c.sock.fileno(), bufs)
            c.exact(len(res) - got)
    pair = t.one(port)
    verdict(pair, "GET /holes", 200)
    sizes(pair, len(req), len(res))


@case(hooks=BOTH)
def test_many_elements(t):
    """More iovec elements than anybody walks at once: 1000 of one byte a call."""
    body = b"e" * 2000
    req, res = http_request("/many", "POST", body=body), http_response(body)
    port = t.port()

    def fn(conn, _n):
        conn.sock.settimeout(None)
        conn.exact(len(req))
        for at in range(0, len(res), 1000):
            os.writev(conn.sock.fileno(), [res[i:i + 1] for i in range(at, min(at + 1000,
                                                                               len(res)))])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.sock.settimeout(None)
            for at in range(0, len(req), 1000):
                os.writev(c.sock.fileno(),
                          [req[i:i + 1] for i in range(at, min(at + 1000, len(req)))])
            c.exact(len(res))
    t.spand.settle()
    for kind in ("client", "server"):
        for s in t.spans(port, kind=kind):
            equal((s["name"], s["req_size"], s["resp_size"]),
                  ("POST /many", len(req), len(res)), "a span of it")
    d = t.delta()
    n = len(t.spans(port))
    check(n == 2 or d["bytes_budget"] or d["bytes_unclassified"] >= len(req),
          "%d of 2 spans, and the ledger does not tell why: %s", n, ledger.nonzero(d))


@case(hooks=BOTH)
def test_discarded(t):
    """A body that the reader throws away with MSG_TRUNC moved all the same."""
    req, body = http_request("/trunc"), b"t" * 30000
    res = http_response(body)
    port = t.port()
    libc = ctypes.CDLL(None, use_errno=True)
    with Peer(answer([(req, res)] * 3), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.sock.settimeout(None)
            for _ in range(3):
                c.send(req)
                c.exact(len(res) - len(body))
                left = len(body)
                while left:
                    n = libc.recv(c.sock.fileno(), None, left, socket.MSG_TRUNC)
                    check(n > 0, "recv with MSG_TRUNC")
                    left -= n
    for pair in t.pairs(3, port):
        verdict(pair, "GET /trunc", 200)
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_short_write(t):
    """A non-blocking write that takes only a part: what was written counts, once."""
    body = bytes(6 << 20)
    req = http_request("/short", "POST", body=body)
    res = http_response(b"ok")
    port = t.port()
    go = threading.Event()

    def fn(conn, _n):
        check(go.wait(patience(20)), "no start")
        conn.exact(len(req))
        conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.sock.setblocking(False)
            sent = short = 0
            while sent < len(req):
                try:
                    n = c.sock.send(req[sent:])
                    short += n < len(req) - sent
                    sent += n
                except BlockingIOError:
                    go.set()
            check(short, "no write was short")
            c.sock.settimeout(patience(20))
            c.exact(len(res))
    pair = t.one(port)
    verdict(pair, "POST /short", 200)
    sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_failed_calls(t):
    """Calls that fail move nothing: EAGAIN, EFAULT, a closed descriptor."""
    req, res = http_request("/fails"), http_response(b"f" * 20)
    port = t.port()
    libc = ctypes.CDLL(None, use_errno=True)

    def fn(conn, _n):
        conn.exact(len(req))
        conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            fd = c.sock.fileno()
            c.sock.setblocking(False)
            for _ in range(5):
                try:
                    c.sock.recv(100)
                except BlockingIOError:
                    pass
                equal(libc.write(fd, ctypes.c_void_p(8), 50), -1, "write from nowhere")
            equal(libc.write(9999, b"GET / HTTP/1.1\r\n\r\n", 18), -1, "write to nothing")
            c.sock.settimeout(patience(20))
            c.send(req)
            c.exact(len(res))
    pair = t.one(port)
    verdict(pair, "GET /fails", 200)
    sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_dup_and_fork(t):
    """A dup'ed descriptor and an inherited one are the same connection."""
    req, res = http_request("/dup"), http_response(b"d")
    port = t.port()
    with Peer(answer([(req, res)] * 3), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            c.exact(len(res))
            c.sock.settimeout(None)
            other = os.dup(c.sock.fileno())
            os.write(other, req)
            c.exact(len(res))
            script = ("import os,sys\nfd=int(sys.argv[1])\nos.write(fd, sys.argv[2].encode())\n"
                      "n=int(sys.argv[3])\nwhile n: n-=len(os.read(fd, n))\n")
            subprocess.run([PYTHON, "-c", script, str(other), req.decode(), str(len(res))],
                           pass_fds=[other], check=True, timeout=patience(30))
            os.close(other)
    pairs = t.pairs(3, port)
    equal(len({c["src_port"] for c, _ in pairs}), 1, "connections")
    for pair in pairs:
        verdict(pair, "GET /dup", 200)
        sizes(pair, len(req), len(res))
    check(pairs[2][0]["tgid"] != pairs[0][0]["tgid"], "the child's request is not the child's")
    t.nothing_lost()


@case(hooks=BOTH)
def test_passed(t):
    """A descriptor that came through SCM_RIGHTS into another process."""
    req, res = http_request("/passed"), http_response(b"p" * 10)
    port = t.port()
    ours, theirs = socket.socketpair()
    script = ("import array,os,socket,sys\ns=socket.socket(fileno=int(sys.argv[1]))\n"
              "m,anc,_,_=s.recvmsg(1,socket.CMSG_SPACE(4))\n"
              "fd=array.array('i',anc[0][2])[0]\n"
              "n=int(sys.argv[2])\nwhile n: n-=len(os.read(fd,n))\n"
              "os.write(fd, sys.argv[3].encode())\n")
    child = subprocess.Popen([PYTHON, "-c", script, str(theirs.fileno()), str(len(req)),
                              res.decode()], pass_fds=[theirs.fileno()])

    def fn(conn, _n):
        conn.sock.settimeout(None)
        fds = array.array("i", [conn.sock.fileno()])
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            c.exact(len(res))
    equal(child.wait(patience(20)), 0, "the child")
    ours.close()
    theirs.close()
    pair = t.one(port)
    verdict(pair, "GET /passed", 200)
    sizes(pair, len(req), len(res))
    equal(pair[1]["tgid"], child.pid, "the process that served it")
    t.nothing_lost()


@case(hooks=BOTH)
def test_inetd(t):
    """A server that talks on descriptors 0 and 1."""
    req, res = http_request("/inetd"), http_response(b"from stdout")
    port = t.port()
    script = ("import os,sys\nn=int(sys.argv[1])\nwhile n: n-=len(os.read(0,n))\n"
              "os.write(1, sys.argv[2].encode())\n")
    pids = []

    def fn(conn, _n):
        conn.sock.settimeout(None)
        p = subprocess.Popen([PYTHON, "-c", script, str(len(req)), res.decode()],
                             stdin=conn.sock.fileno(), stdout=conn.sock.fileno())
        pids.append(p.pid)
        equal(p.wait(patience(20)), 0, "the child")
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            c.exact(len(res))
    pair = t.one(port)
    verdict(pair, "GET /inetd", 200)
    equal(pair[1]["tgid"], pids[0], "the process that served it")
    t.nothing_lost()


@case(hooks=BOTH)
def test_two_threads(t):
    """One thread writes the requests, another reads the answers, at both ends."""
    n = 200
    reqs = [http_request("/t/%d" % i) for i in range(n)]
    ress = [http_response(b"t" * i) for i in range(n)]
    port = t.port()

    def fn(conn, _n):
        ready = threading.Semaphore(0)

        def write():
            for r in ress:
                check(ready.acquire(timeout=patience(20)), "no request")
                conn.send(r)
        w = threading.Thread(target=write)
        w.start()
        for r in reqs:
            equal(conn.exact(len(r)), r, "request")
            ready.release()
        w.join(patience(20))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            window = threading.Semaphore(5)

            def write():
                for r in reqs:
                    window.acquire(timeout=patience(20))
                    c.send(r)
            w = threading.Thread(target=write)
            w.start()
            for r in ress:
                c.exact(len(r))
                window.release()
            w.join(patience(20))
    for i, pair in enumerate(t.pairs(n, port)):
        verdict(pair, "GET /t/%d" % i, 200)
        sizes(pair, len(reqs[i]), len(ress[i]))
    t.nothing_lost()


@case(hooks=BOTH)
def test_sendfile_splice(t):
    """A body by sendfile(), and one by splice() through a pipe."""
    req = http_request("/file")
    head = http_response(length=False, headers=["Content-Length: 100000"])
    path = t.folder() + "/body"
    with open(path, "wb") as f:
        f.write(b"z" * 100000)
    port = t.port()
    if not hasattr(os, "splice"):
        raise Skip("this Python has no os.splice")

    def fn(conn, _n):
        conn.sock.settimeout(None)
        fd = conn.sock.fileno()
        with open(path, "rb") as f:
            conn.exact(len(req))
            conn.send(head)
            at = 0
            while at < 100000:
                at += os.sendfile(fd, f.fileno(), at, 100000 - at)
            conn.exact(len(req))
            conn.send(head)
            r, w = os.pipe()
            at = 0
            while at < 100000:
                n = os.splice(f.fileno(), w, 50000, offset_src=at)
                at += n
                while n:
                    n -= os.splice(r, fd, n)
            os.close(r)
            os.close(w)
            conn.exact(len(req))
            conn.send(http_response(b"!"))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for _ in range(2):
                c.send(req)
                c.exact(len(head) + 100000)
            c.send(req)
            c.exact(len(http_response(b"!")))
    pairs = t.pairs(3, port)
    for pair in pairs[:2]:
        sizes(pair, len(req), len(head) + 100000)
    sizes(pairs[2], len(req), len(http_response(b"!")))
    t.nothing_lost()


@case(hooks=BOTH)
def test_io_uring(t):
    """What io_uring moves is counted as that; the other end is traced as ever."""
    req, res = http_request("/uring"), http_response(b"u" * 300)
    n = 5
    port = t.port()
    with Peer(answer([(req, res)] * n), ("127.0.0.1", port)):
        run = subprocess.run([helper("uring"), str(port), str(n), req.decode(), str(len(res))],
                             capture_output=True, text=True, timeout=patience(30), check=False)
        if run.returncode == 77:
            raise Skip(run.stdout.strip() or "io_uring is refused")
        equal(run.returncode, 0, "the io_uring client: " + run.stderr)
    servers = t.exactly(n, port, kind="server")
    for s in servers:
        verdict((s,), "GET /uring", 200)
        sizes((s,), len(req), len(res))
    d = t.delta()
    check(d["io_uring"] >= 2 * n, "%d socket calls of io_uring, at least %d were made",
          d["io_uring"], 2 * n)
    # At system calls alone io_uring's bytes pass unseen.
    check(t.hooks == "syscall" or d["bytes_io_uring"] >= n * (len(req) + len(res)),
          "bytes_io_uring is %d", d["bytes_io_uring"])


@case(hooks=BOTH)
def test_io_uring_after(t):
    """A connection that changes from io_uring to system calls finds its place again."""
    req, res = http_request("/back"), http_response(b"b")
    port = t.port()
    with Peer(answer([(req, res)] * 8), ("127.0.0.1", port)):
        run = subprocess.run([helper("uring"), str(port), "4", req.decode(), str(len(res)), "4"],
                             capture_output=True, text=True, timeout=patience(30), check=False)
        if run.returncode == 77:
            raise Skip(run.stdout.strip() or "io_uring is refused")
        equal(run.returncode, 0, "the io_uring client: " + run.stderr)
    t.exactly(8, port, kind="server")
    clients = t.spans(port, kind="client")
    check(clients, "no client span after io_uring")
    for s in clients:
        verdict((s,), "GET /back", 200)
        sizes((s,), len(req), len(res))

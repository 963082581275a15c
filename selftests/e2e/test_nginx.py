# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""curl against nginx: names, codes, sizes to the byte."""

import http.client
import subprocess

from lib.case import BOTH, SLOW, Skip, case, check, equal, patience, scale, tool
from lib.http_cases import curl, sizes, verdict
from lib.servers import BIG, HUGE, PAGE
from lib.wire import Conn, CountingProxy

BIG_REQ, HUGE_REQ, PAGE_REQ = (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % name
                               for name in (b"big", b"huge", b"page"))


def url(t, path):
    return "http://127.0.0.1:%d%s" % (t.nginx.port, path)


@case(hooks=BOTH)
def test_get(t):
    n = curl(url(t, "/page?secret=1&b=2"))
    pair = t.one(t.nginx.port)
    verdict(pair, "GET /page", 200)
    sizes(pair, n["request"], n["response"])
    equal(n["body"], len(PAGE), "curl's own count")
    client, server = pair
    equal(client["component"], "curl", "component of the client")
    equal(server["component"], "nginx", "component of the server")
    for s in pair:
        equal((s["src_ip"], s["dst_ip"], s["l4"]), ("127.0.0.1", "127.0.0.1", "tcp"), "addresses")
        # curl's command line has it, and belongs to the process.
        s["attributes"].pop("process.command_line", None)
        check("secret" not in str(s), "the query string left the kernel: %s", s)
    t.nothing_lost()


@case(hooks=BOTH)
def test_codes(t):
    """HEAD, 301, 404, 204, 503: bodies that are or are not there."""
    wanted = []
    for path, args, name, code, status in (
            ("/page", ["-I"], "HEAD /page", 200, "ok"),
            ("/big", ["-I"], "HEAD /big", 200, "ok"),
            ("/moved?x=y", [], "GET /moved", 301, "ok"),
            ("/absent", [], "GET /absent", 404, "error"),
            ("/nothing", [], "GET /nothing", 204, "ok"),
            ("/fail", [], "GET /fail", 503, "error"),
            ("/empty", [], "GET /empty", 200, "ok")):
        n = curl(url(t, path), *args)
        equal(n["code"], code, "curl's code")
        wanted.append((name, code, status, n["request"], n["response"]))
    for pair, (name, code, status, up, down) in zip(t.pairs(7, t.nginx.port), wanted):
        verdict(pair, name, code, status)
        sizes(pair, up, down)
    t.nothing_lost()


@case(hooks=BOTH)
def test_post(t):
    """A body is part of the request."""
    n = curl(url(t, "/post"), "--data-binary", "x" * 5000)
    verdict(t.one(t.nginx.port), "POST /post", 200)
    sizes(t.one(t.nginx.port), n["request"], n["response"])


@case(hooks=BOTH)
def test_expect_continue(t):
    """The interim answer is not the answer."""
    proxy = CountingProxy(("127.0.0.1", t.port()), ("127.0.0.1", t.nginx.port))
    t.defer(proxy.stop)
    port = proxy.listener.getsockname()[1]
    curl("http://127.0.0.1:%d/dav/new" % port, "-T", t.nginx.folder + "/root/mid",
         "-H", "Expect: 100-continue")
    proxy.join()
    up, down = proxy.counts[0]
    front, back = t.one(port), t.one(t.nginx.port)
    for pair in (front, back):
        equal(pair[0]["name"], "PUT /dav/new", "name")
        check(pair[0]["status_code"] in (201, 204), "code %s", pair[0]["status_code"])
        equal(pair[0]["status"], "ok", "status")
        equal(pair[0]["req_size"], up, "req_size")
        # Where the 100 is counted is open; nothing else may be.
        check(pair[0]["resp_size"] in (down, down - len(b"HTTP/1.1 100 Continue\r\n\r\n")),
              "resp_size %d of %d on the wire", pair[0]["resp_size"], down)


@case(hooks=BOTH)
def test_keepalive(t):
    """Many requests in one connection: one span each, in order, none merged."""
    n = scale(300, 40)
    conn = http.client.HTTPConnection("127.0.0.1", t.nginx.port, timeout=patience(20))
    for i in range(n):
        conn.request("GET", "/page?%d" % i if i % 3 else "/absent/%d" % i)
        conn.getresponse().read()
    conn.close()
    pairs = t.pairs(n, t.nginx.port)
    equal([c["name"] for c, _ in pairs],
          ["GET /page" if i % 3 else "GET /absent/%d" % i for i in range(n)], "names in order")
    equal([c["status_code"] for c, _ in pairs], [200 if i % 3 else 404 for i in range(n)],
          "codes in order")
    equal(len({c["src_port"] for c, _ in pairs}), 1, "connections")
    for (a, _), (b, _) in zip(pairs, pairs[1:]):
        equal((a["req_tcp_seq"] + a["req_size"]) & 0xffffffff, b["req_tcp_seq"],
              "where the next request begins")
        equal((a["resp_tcp_seq"] + a["resp_size"]) & 0xffffffff, b["resp_tcp_seq"],
              "where the next response begins")
        check(a["end_time"] <= b["start_time"], "a request began before the answer to the last")
    t.nothing_lost()


@case()
def test_curl_reuses(t):
    """curl's own keep-alive with several URLs."""
    res = subprocess.run([tool("curl"), "-q", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-o",
                          "/dev/null", url(t, "/page"), url(t, "/empty"), url(t, "/mid")],
                         timeout=patience(60), check=False)
    equal(res.returncode, 0, "curl")
    pairs = t.pairs(3, t.nginx.port)
    equal([c["name"] for c, _ in pairs], ["GET /page", "GET /empty", "GET /mid"], "names")
    equal(len({c["src_port"] for c, _ in pairs}), 1, "connections")


@case(hooks=BOTH)
def test_sendfile(t):
    """A body that no write() carries: header and file, to the byte."""
    n = curl(url(t, "/mid"))
    equal(n["body"], 3 << 20, "curl's own count")
    pair = t.one(t.nginx.port)
    sizes(pair, n["request"], n["response"])
    t.nothing_lost()


@case(hooks=BOTH, heavy=True)
def test_gigabyte(t):
    """1 GiB (less under emulation) and the next request on the same connection."""
    conn = Conn(("127.0.0.1", t.nginx.port))
    conn.send(BIG_REQ)
    head = conn.until(b"\r\n\r\n")
    left = BIG
    while left:
        left -= len(conn.recv(min(left, 1 << 20)))
    conn.send(PAGE_REQ)
    head2 = conn.until(b"\r\n\r\n")
    conn.exact(len(PAGE))
    conn.close()
    big, small = t.pairs(2, t.nginx.port)
    verdict(big, "GET /big", 200)
    sizes(big, len(BIG_REQ), len(head) + BIG)
    verdict(small, "GET /page", 200)
    sizes(small, len(PAGE_REQ), len(head2) + len(PAGE))
    t.nothing_lost()


@case(heavy=True, hooks=BOTH)
def test_beyond_32_bits(t):
    """A connection whose stream is longer than TCP's sequence numbers."""
    if SLOW:
        raise Skip("4 GiB take too long here")
    buf = bytearray(4 << 20)
    with Conn(("127.0.0.1", t.nginx.port)) as conn:
        conn.send(HUGE_REQ)
        head = conn.until(b"\r\n\r\n")
        left = HUGE
        while left:
            left -= conn.sock.recv_into(buf, min(left, len(buf)))
        for _ in range(3):
            conn.send(PAGE_REQ)
            conn.until(b"\r\n\r\n")
            conn.exact(len(PAGE))
    pairs = t.pairs(4, t.nginx.port)
    sizes(pairs[0], len(HUGE_REQ), len(head) + HUGE)
    equal([c["name"] for c, _ in pairs[1:]], ["GET /page"] * 3, "names")
    t.nothing_lost()


@case(heavy=True)
def test_gigabyte_up(t):
    """A request body of that size."""
    conn = Conn(("127.0.0.1", t.nginx.port))
    head = b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG
    conn.send(head)
    piece = bytes(1 << 20)
    for _ in range(BIG >> 20):
        conn.send(piece)
    conn.until(b"\r\n\r\nposted\n")
    conn.close()
    # nginx answers before it reads what it discards: its span may end with the header.
    client = t.exactly(1, t.nginx.port, kind="client")[0]
    server = t.exactly(1, t.nginx.port, kind="server")[0]
    verdict((client, server), "POST /post", 200)
    equal(server["parent_span_id"], client["span_id"], "parent of the server's span")
    equal(client["req_size"], len(head) + BIG, "req_size of the client")
    check(len(head) <= server["req_size"] <= len(head) + BIG, "req_size of the server: %d",
          server["req_size"])
    t.nothing_lost()


@case(hooks=BOTH)
def test_chunked(t):
    """nginx chunks what SSI makes; the frames count as they are on the wire."""
    proxy = CountingProxy(("127.0.0.1", t.port()), ("127.0.0.1", t.nginx.port))
    t.defer(proxy.stop)
    port = proxy.listener.getsockname()[1]
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=patience(20))
    for _ in range(3):
        conn.request("GET", "/ssi")
        res = conn.getresponse()
        equal(res.getheader("Transfer-Encoding"), "chunked", "nginx's framing")
        res.read()
    conn.close()
    proxy.join()
    up, down = proxy.counts[0]
    for p in (port, t.nginx.port):
        pairs = t.pairs(3, p)
        equal(sum(c["req_size"] for c, _ in pairs), up, "bytes up")
        equal(sum(s["resp_size"] for _, s in pairs), down, "bytes down")


@case(hooks=BOTH)
def test_http10(t):
    """HTTP/1.0 and Connection: close: the end of the stream ends the answer."""
    for args, path in ((["--http1.0"], "/ssi"), (["-H", "Connection: close"], "/page")):
        n = curl(url(t, path), *args)
        pair = t.one(t.nginx.port, name="GET " + path)
        verdict(pair, "GET " + path, 200)
        sizes(pair, n["request"], n["response"])
    t.nothing_lost()


@case(unfiltered=True)
def test_unix(t):
    n = curl("http://e2e.test/page", "--unix-socket", t.nginx.unix)
    client = t.exactly(1, kind="client", l4="unix", component="curl")[0]
    server = t.exactly(1, kind="server", l4="unix", component="nginx")[0]
    for s in (client, server):
        verdict((s,), "GET /page", 200)
        sizes((s,), n["request"], n["response"])
        equal((s["src_port"], s["dst_port"]), (0, 0), "ports of a unix socket")


@case(hooks=BOTH)
def test_ab(t):
    n, c = scale(3000, 60), 8
    subprocess.run([tool("ab"), "-q", "-n", str(n), "-c", str(c), "-k", url(t, "/page")],
                   check=True, stdout=subprocess.DEVNULL, timeout=patience(60))
    pairs = t.pairs(n, t.nginx.port, seconds=30)
    equal({p[0]["name"] for p in pairs}, {"GET /page"}, "names")
    equal({p[0]["status_code"] for p in pairs}, {200}, "codes")
    t.nothing_lost()


@case(heavy=True)
def test_ab_closing(t):
    """A new connection for each request."""
    n = scale(2000, 60)
    subprocess.run([tool("ab"), "-q", "-n", str(n), "-c", "16", url(t, "/page")],
                   check=True, stdout=subprocess.DEVNULL, timeout=patience(60))
    pairs = t.pairs(n, t.nginx.port, seconds=30)
    equal({p[0]["name"] for p in pairs}, {"GET /page"}, "names")
    t.nothing_lost()


@case(heavy=True, hooks=BOTH)
def test_wrk(t):
    """wrk stops in the middle of things: what it completed is a span, the rest is counted."""
    out = subprocess.run([tool("wrk"), "-t", "2", "-c", "16", "-d", "2s", url(t, "/page")],
                         check=True, capture_output=True, text=True, timeout=patience(60)).stdout
    done = next(int(l.split()[0]) for l in out.split("\n") if " requests in " in l)
    t.spand.settle(30)
    ok = {kind: len(t.spans(t.nginx.port, kind=kind, status="ok")) for kind in ("client",
                                                                                "server")}
    d = t.delta()
    lost = d["req_lost_ring_full"]
    check(ok["client"] + lost >= done, "wrk completed %d, client spans %d, lost %d", done,
          ok["client"], lost)
    check(ok["server"] + lost >= done, "wrk completed %d, server spans %d, lost %d", done,
          ok["server"], lost)
    check(ok["client"] <= done + 16 and ok["server"] <= done + 16, "%s spans of %d requests", ok,
          done)

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""HTTP/1 on the wire, byte for byte, between scripted peers."""

import asyncio
import socket
import urllib.request

from lib.case import BOTH, case, check, equal, patience, scale
from lib.http_cases import exchange, sizes, verdict
from lib.wire import Conn, Peer, answer, http_request, http_response, tcp_seqs

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH",
           "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH",
           "MKCALENDAR", "VERSION-CONTROL", "BASELINE-CONTROL", "PURGE", "M-SEARCH")


def chunk(data, ext=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), ext, data)


def check_dialog(t, port, dialog, want):
    """The spans of a dialog: (name, code[, status]) in order, sizes as on the wire."""
    pairs = t.pairs(len(dialog), port)
    for pair, (request, response), (name, code, *status) in zip(pairs, dialog, want):
        verdict(pair, name, code, *status)
        sizes(pair, len(request), len(response))
    t.nothing_lost()
    return pairs


@case(hooks=BOTH)
def test_sequence_numbers(t):
    """req_tcp_seq and resp_tcp_seq are the kernel's own, asked through TCP_REPAIR."""
    port = t.port()
    req, res = http_request("/seq", "POST", body=b"b" * 100), http_response(b"r" * 50)
    with Peer(answer([(req, res)] * 3), ("127.0.0.1", port)):
        conn = Conn(("127.0.0.1", port))
        want = []
        for _ in range(3):
            want.append(tcp_seqs(conn.sock))
            conn.send(req)
            conn.exact(len(res))
        local = conn.sock.getsockname()[1]
        conn.close()
    pairs = t.pairs(3, port)
    for (c, s), (up, down) in zip(pairs, want):
        equal((c["req_tcp_seq"], c["resp_tcp_seq"]), (up, down), "sequence numbers")
        equal((s["req_tcp_seq"], s["resp_tcp_seq"]), (up, down), "sequence numbers")
        equal((c["src_port"], c["dst_port"]), (local, port), "ports of the client's span")
        equal((s["src_port"], s["dst_port"]), (local, port), "ports of the server's span")


@case(hooks=BOTH)
def test_methods(t):
    """The registered methods and tokens that nobody has registered, on one connection."""
    dialog, want = [], []
    for m in METHODS:
        body = b"" if m == "HEAD" else b"abc"
        head = http_response(b"abc")
        dialog.append((http_request("/m/%s?q=1" % m.lower(), m),
                       head[:-3] if not body else head))
        want.append(("%s /m/%s" % (m, m.lower()), 200))
    check_dialog(t, exchange(t, dialog), dialog, want)


@case(hooks=BOTH)
def test_unknown_method(t):
    """A token that is a method only by grammar, after the protocol is known."""
    dialog = [(http_request("/a"), http_response(b"1")),
              (http_request("/b", "FROBNICATE"), http_response(b"no", "501 Not Implemented")),
              (http_request("/c"), http_response(b"1"))]
    check_dialog(t, exchange(t, dialog), dialog,
                 [("GET /a", 200), ("FROBNICATE /b", 501, "error"), ("GET /c", 200)])


@case(hooks=BOTH)
def test_bodies(t):
    """Content-Length, chunked with extensions and trailers, none at all; in both directions."""
    chunked = ["Transfer-Encoding: chunked"]
    body = chunk(b"a" * 5) + chunk(b"b" * 3000, b";x=\"y\"") + b"0\r\nTrailer: t\r\n\r\n"
    dialog = [
        (http_request("/1", "POST", body=b"x" * 1000), http_response(b"y" * 4000)),
        (http_request("/2", "POST", chunked) + body,
         http_response(length=False, headers=chunked) + body),
        (http_request("/3", "HEAD"), http_response(headers=["Content-Length: 999"],
                                                   length=False)),
        (http_request("/4"), http_response(status="204 No Content", length=False)),
        (http_request("/5"), http_response(status="304 Not Modified", length=False,
                                           headers=["Content-Length: 1234"])),
        (http_request("/6"), http_response(b"")),
        (http_request("/7", "HEAD"), http_response(headers=chunked, length=False)),
        (http_request("/8"), http_response(b"end")),
    ]
    want = [("POST /1", 200), ("POST /2", 200), ("HEAD /3", 200), ("GET /4", 204),
            ("GET /5", 304), ("GET /6", 200), ("HEAD /7", 200), ("GET /8", 200)]
    check_dialog(t, exchange(t, dialog), dialog, want)


@case(hooks=BOTH)
def test_tricky_headers(t):
    """Spellings that a careless reader of headers gets wrong."""
    def raw(line):
        return b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n"
    dialog = [
        (http_request("/lower"), raw(b"content-length: 3") + b"abc"),
        (http_request("/spaces"), raw(b"CONTENT-LENGTH:    3   ") + b"abc"),
        (http_request("/none"), raw(b"Content-Length:3") + b"abc"),
        (http_request("/decoy"), raw(b"X-Content-Length: 99\r\nContent-Length: 3") + b"abc"),
        (http_request("/decoy2"), raw(b"X-Note: Content-Length: 99\r\nContent-Length: 3") + b"abc"),
        (http_request("/te"), raw(b"Content-Length: 77\r\nTransfer-Encoding: chunked") +
         b"3\r\nabc\r\n0\r\n\r\n"),
        (http_request("/case"), raw(b"transfer-encoding: Chunked") + b"3\r\nabc\r\n0\r\n\r\n"),
        (http_request("/long"), raw(b"X-Long: " + b"v" * 3000 + b"\r\nContent-Length: 3") + b"abc"),
        (http_request("/reason"), b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"),
        (b"GET /bare HTTP/1.1\nHost: x\n\n", b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"),
        (http_request("/end"), http_response(b"z")),
    ]
    want = [("GET /lower", 200), ("GET /spaces", 200), ("GET /none", 200), ("GET /decoy", 200),
            ("GET /decoy2", 200), ("GET /te", 200), ("GET /case", 200), ("GET /long", 200),
            ("GET /reason", 404), ("GET /bare", 200), ("GET /end", 200)]
    pairs = t.pairs(len(dialog), exchange(t, dialog))
    for pair, (request, response), (name, code) in zip(pairs, dialog, want):
        equal((pair[0]["name"], pair[0]["status_code"]), (name, code), "name and code")
        sizes(pair, len(request), len(response))
    t.nothing_lost()


@case()
def test_body_looks_like_http(t):
    """A body full of messages is a body."""
    inner = (http_request("/inner") + http_response(b"inner")) * 40
    dialog = [(http_request("/outer", "POST", body=inner), http_response(inner)),
              (http_request("/next"), http_response(b"n"))]
    check_dialog(t, exchange(t, dialog), dialog, [("POST /outer", 200), ("GET /next", 200)])


@case(hooks=BOTH)
def test_close_delimited(t):
    """Neither length nor chunks: the answer ends with the stream."""
    port = t.port()
    req = http_request("/until-close", version="1.0")
    head = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n"

    def fn(conn, _n):
        conn.exact(len(req))
        conn.send(head)
        for _ in range(10):
            conn.send(b"d" * 1000)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req)
            equal(c.to_end(), len(head) + 10000, "bytes until the end")
    pair = t.one(port)
    verdict(pair, "GET /until-close", 200)
    sizes(pair, len(req), len(head) + 10000)
    t.nothing_lost()


@case(hooks=BOTH)
def test_pipelined(t):
    """All requests in one write, all answers in one write; then again, in odd pieces."""
    n = scale(60, 20)
    reqs = [http_request("/p/%d" % i, "POST" if i % 4 == 0 else "GET",
                         body=b"b" * i if i % 4 == 0 else b"") for i in range(n)]
    ress = [http_response(b"r" * (i * 3), "404 Not Found" if i % 5 == 0 else "200 OK")
            for i in range(n)]
    port = t.port()
    up, down = b"".join(reqs), b"".join(ress)

    def fn(conn, number):
        conn.exact(len(up))
        if number == 0:
            conn.send(down)
        else:
            for at in range(0, len(down), 997):
                conn.send(down[at:at + 997])
    with Peer(fn, ("127.0.0.1", port)):
        for piece in (len(up), 331):
            with Conn(("127.0.0.1", port)) as c:
                for at in range(0, len(up), piece):
                    c.send(up[at:at + piece])
                c.exact(len(down))
    pairs = t.pairs(2 * n, port)
    first = pairs[0][0]["src_port"]
    runs = ([p for p in pairs if p[0]["src_port"] == first],
            [p for p in pairs if p[0]["src_port"] != first])
    for run in runs:
        equal(len(run), n, "spans of one connection")
        for i, pair in enumerate(run):
            name = "%s /p/%d" % ("POST" if i % 4 == 0 else "GET", i)
            equal((pair[0]["name"], pair[0]["status_code"]),
                  (name, 404 if i % 5 == 0 else 200), "name and code")
            sizes(pair, len(reqs[i]), len(ress[i]))
    t.nothing_lost()


@case(hooks=BOTH)
def test_byte_by_byte(t):
    """One byte per write and per read, headers and bodies."""
    req = http_request("/byte/by/byte?q=2", "POST", body=b"body!")
    res = http_response(length=False, headers=["Transfer-Encoding: chunked"]) + \
        chunk(b"abc") + b"0\r\n\r\n"
    port = t.port()

    def fn(conn, _n):
        for _ in range(2):
            for c in range(len(req)):
                equal(conn.sock.recv(1), req[c:c + 1], "byte")
            for c in range(len(res)):
                conn.send(res[c:c + 1])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for _ in range(2):
                for i in range(len(req)):
                    c.send(req[i:i + 1])
                for i in range(len(res)):
                    equal(c.sock.recv(1), res[i:i + 1], "byte")
    for pair in t.pairs(2, port):
        verdict(pair, "POST /byte/by/byte", 200)
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_cut_everywhere(t):
    """A message in two writes, cut at every place; the peer reads it in two other pieces."""
    req = http_request("/cut", "POST", body=b"12345")
    res = http_response(b"abcdefg", "201 Created")
    cuts = range(1, max(len(req), len(res)), scale(1, 7))
    port = t.port()

    def twice(conn, data, at):
        at = min(at, len(data) - 1)
        conn.send(data[:at])
        conn.send(data[at:])

    def fn(conn, _n):
        for at in cuts:
            other = len(req) - min(at, len(req) - 1)
            conn.exact(other)
            conn.exact(len(req) - other)
            twice(conn, res, at)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for at in cuts:
                twice(c, req, at)
                c.exact(len(res))
    for pair in t.pairs(len(cuts), port):
        verdict(pair, "POST /cut", 201)
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_interim(t):
    """100 Continue and 103 Early Hints belong to the request that waits."""
    req1 = http_request("/interim", "POST", ["Expect: 100-continue", "Content-Length: 4"])
    cont = b"HTTP/1.1 100 Continue\r\n\r\n"
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    final = http_response(b"done", "202 Accepted")
    port = t.port()

    def fn(conn, _n):
        conn.exact(len(req1))
        conn.send(cont)
        conn.exact(4)
        conn.send(hints)
        conn.send(final)
        conn.exact(len(http_request("/after")))
        conn.send(http_response(b"x"))
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(req1)
            c.exact(len(cont))
            c.send(b"body")
            c.exact(len(hints) + len(final))
            c.send(http_request("/after"))
            c.exact(len(http_response(b"x")))
    first, after = t.pairs(2, port)
    verdict(first, "POST /interim", 202)
    verdict(after, "GET /after", 200)
    for s in first:
        equal(s["req_size"], len(req1) + 4, "req_size")
        check(s["resp_size"] in (len(final), len(cont) + len(hints) + len(final)),
              "resp_size %d", s["resp_size"])
    t.nothing_lost()


@case(hooks=BOTH)
def test_upgrade(t):
    """After 101 the connection is not HTTP any more: no more spans, nothing guessed."""
    req = http_request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"])
    res = http_response(status="101 Switching Protocols", length=False,
                        headers=["Connection: Upgrade", "Upgrade: websocket"])
    frame = b"\x81\x85\x01\x02\x03\x04" + b"\x69\x67\x6f\x68\x6e"
    port = t.port()
    dialog = [(req, res)] + [(frame * 20, frame)] * 20
    exchange(t, dialog, port=port)
    pair = t.one(port)
    verdict(pair, "GET /ws", 101)
    sizes(pair, len(req), len(res))


@case(hooks=BOTH)
def test_connect(t):
    """CONNECT opens a tunnel: the bytes inside are not HTTP messages of this connection."""
    req = b"CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n"
    res = b"HTTP/1.1 200 Connection established\r\n\r\n"
    noise = bytes(range(128, 256)) * 8
    port = exchange(t, [(req, res)] + [(noise, noise[::-1])] * 10)
    pair = t.one(port)
    verdict(pair, "CONNECT db.test:5432", 200)
    sizes(pair, len(req), len(res))


@case(hooks=BOTH)
def test_peek(t):
    """MSG_PEEK reads nothing: the bytes count once."""
    req, res = http_request("/peek"), http_response(b"p" * 100)
    port = t.port()

    def fn(conn, _n):
        for _ in range(3):
            conn.sock.recv(10, socket.MSG_PEEK)
            conn.sock.recv(1000, socket.MSG_PEEK)
            conn.exact(len(req))
            conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for _ in range(3):
                c.send(req)
                c.sock.recv(40, socket.MSG_PEEK)
                c.sock.recvmsg(65536, 0, socket.MSG_PEEK)
                c.exact(len(res))
    for pair in t.pairs(3, port):
        verdict(pair, "GET /peek", 200)
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_long_names(t):
    """A path longer than what leaves the kernel is cut, and its query never shows."""
    dialog = [(http_request("/" + "p" * n + "?token=sesame"), http_response(b"1"))
              for n in (100, 122, 123, 124, 500, 900, 5000)]
    pairs = t.pairs(len(dialog), exchange(t, dialog))
    for pair, (request, response) in zip(pairs, dialog):
        full = "GET " + request.split(b" ")[1].split(b"?")[0].decode()
        for s in pair:
            check(full.startswith(s["name"]) and len(s["name"]) >= min(len(full), 64),
                  "name %r of %r", s["name"], full[:140])
            check("sesame" not in str(s) and "token" not in str(s), "query in %s", s)
        sizes(pair, len(request), len(response))
    t.nothing_lost()


@case()
def test_python_server(t):
    """http.server, urllib and an asyncio client with many connections at a time."""
    port = t.http_server.port
    urllib.request.urlopen("http://127.0.0.1:%d/file.txt" % port,
                           timeout=patience(20)).read()
    pair = t.one(port)
    verdict(pair, "GET /file.txt", 200)
    check(pair[0]["resp_size"] > 10000, "resp_size %d", pair[0]["resp_size"])
    equal(pair[1]["tgid"], t.http_server.pid, "tgid of the server")
    n = scale(64, 12)

    async def one(i):
        r, w = await asyncio.open_connection("127.0.0.1", port)
        w.write(http_request("/file.txt?%d" % i, version="1.0"))
        await w.drain()
        data = await r.read()
        check(data.endswith(b"x" * 10000), "answer of http.server")
        w.close()

    async def everything():
        gate = asyncio.Semaphore(16)

        async def gated(i):
            async with gate:
                await one(i)
        await asyncio.gather(*(gated(i) for i in range(n)))
    asyncio.run(everything())
    for pair in t.pairs(n + 1, port):
        equal(pair[0]["name"], "GET /file.txt", "name")
    t.nothing_lost()


@case(hooks=BOTH)
def test_addresses(t):
    """IPv6, and IPv4 on an IPv6 socket, which must show as IPv4."""
    req, res = http_request("/addr"), http_response(b"a")
    for bind, target, ip in (("::1", "::1", "::1"), ("::", "127.0.0.1", "127.0.0.1"),
                             ("::", "::ffff:127.0.0.1", "127.0.0.1"),
                             ("127.0.0.1", "127.0.0.1", "127.0.0.1")):
        port = t.port()
        with Peer(answer([(req, res)]), (bind, port)):
            with Conn((target, port)) as c:
                c.send(req)
                c.exact(len(res))
                local = c.sock.getsockname()[1]
        for s in t.one(port):
            equal((s["src_ip"], s["dst_ip"], s["src_port"], s["dst_port"]),
                  (ip, ip, local, port), "addresses for %s by %s" % (bind, target))
    t.nothing_lost()


@case(unfiltered=True, hooks=BOTH)
def test_unix_stream(t):
    """AF_UNIX: no ports, both ends seen."""
    path = t.folder() + "/s"
    req, res = http_request("/over/unix"), http_response(b"u" * 30)
    with Peer(answer([(req, res)] * 3), path):
        with Conn(path) as c:
            for _ in range(3):
                c.send(req)
                c.exact(len(res))
    for kind in ("client", "server"):
        for s in t.exactly(3, kind=kind, l4="unix", name="GET /over/unix"):
            sizes((s,), len(req), len(res))
            equal((s["src_port"], s["dst_port"], s["status_code"]), (0, 0, 200), "fields")

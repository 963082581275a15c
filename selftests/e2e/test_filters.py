# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Filters, sampling, probes, capture: from the file and changed while traffic runs."""

import json
import subprocess
import sys
import threading

from lib.agent import AGENT_COMM
from lib.case import BOTH, case, check, equal, patience, scale
from lib.http_cases import exchange, verdict
from lib.wire import Conn, Peer, http_request, http_response, resp_array

PYTHON = sys.executable or "/usr/bin/python3"
REQ, RES = http_request("/f"), http_response(b"filtered?")

# Connects, then for each line on stdin does that many exchanges.
CLIENT = """
import ctypes, socket, sys
if len(sys.argv) > 4: ctypes.CDLL(None).prctl(15, sys.argv[4].encode(), 0, 0, 0)
c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
print('ready', flush=True)
for line in sys.stdin:
    for i in range(int(line)):
        c.sendall(sys.argv[2].encode()); left = int(sys.argv[3])
        while left:
            d = c.recv(left)
            if not d: sys.exit(1)
            left -= len(d)
    print('done', flush=True)
"""


class Client:
    """Another process with a name of its own choice, which talks when it is told to."""

    def __init__(self, t, port, comm=None, req=REQ, res=RES):
        self.proc = subprocess.Popen([PYTHON, "-c", CLIENT, str(port), req.decode(),
                                      str(len(res))] + ([comm] if comm else []), text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        t.defer(self.close)
        equal(self.proc.stdout.readline().strip(), "ready", "the client")

    def talk(self, n):
        self.proc.stdin.write("%d\n" % n)
        self.proc.stdin.flush()
        equal(self.proc.stdout.readline().strip(), "done", "the client")

    def close(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.wait(patience(10))


def echo(conn, _n):
    """Answers REQ with RES until the end of the stream."""
    data = b""
    while True:
        got = conn.recv()
        if not got:
            return
        data += got
        while len(data) >= len(REQ):
            data = data[len(REQ):]
            conn.send(RES)


def serve(t, fn=echo):
    port = t.port()
    peer = Peer(fn, ("127.0.0.1", port))
    t.defer(peer.stop)
    return port


def exclude(*names):
    return {"trace": {"exclude_processes": [AGENT_COMM, *names]}}


@case(own=True, hooks=BOTH)
def test_pids(t):
    """Only one process, then another, then all; pids = [] is none."""
    port = serve(t)
    a, b = Client(t, port), Client(t, port)
    t.spand.update({"ebpf": {"trace": {"pids": [a.proc.pid]}}})
    a.talk(3)
    b.talk(5)
    got = t.exactly(3, port)
    equal({(s["kind"], s["tgid"]) for s in got}, {("client", a.proc.pid)}, "who was traced")
    t.spand.update({"ebpf": {"trace": {"pids": [b.proc.pid]}}})
    a.talk(4)
    b.talk(2)
    got = t.exactly(5, port)[3:]
    equal({(s["kind"], s["tgid"]) for s in got}, {("client", b.proc.pid)}, "who was traced")
    t.spand.update({"ebpf": {"trace": {"pids": []}}})
    a.talk(3)
    b.talk(3)
    t.exactly(5, port)
    t.spand.update({"ebpf": {"trace": {"pids": None}}})
    c = Client(t, port)
    c.talk(4)
    t.spand.settle()
    fresh = [s for s in t.spans(port) if s["tgid"] == c.proc.pid]
    equal(len(fresh), 4, "spans of a client that came after the filter went")


@case(own=True)
def test_processes(t):
    """include_processes and exclude_processes, by comm."""
    port = serve(t)
    good, bad = Client(t, port, "e2e-good"), Client(t, port, "e2e-bad")
    with open("/proc/self/comm", encoding="utf-8") as f:
        server = f.read().strip()
    t.spand.update(exclude("e2e-bad", server))
    good.talk(3)
    bad.talk(4)
    equal({s["component"] for s in t.exactly(3, port)}, {"e2e-good"}, "who was traced")
    t.spand.update({"trace": {"include_processes": ["e2e-bad"],
                              "exclude_processes": [AGENT_COMM]}})
    good.talk(3)
    bad.talk(2)
    equal({s["component"] for s in t.exactly(5, port)[3:]}, {"e2e-bad"}, "who was traced")


@case(own=True, unfiltered=True, hooks=BOTH)
def test_ports(t):
    """Only one port, at both ends; live to another one."""
    a, b = serve(t), serve(t)
    t.spand.update({"trace": {"ports": [a]}})
    for port in (a, b):
        exchange_on(port, 4)
    t.pairs(4, a)
    equal(len(t.spans(b)), 0, "spans of the other port")
    equal({s["dst_port"] for s in t.spans()}, {a}, "ports of all spans")
    t.spand.update({"trace": {"ports": [b]}})
    for port in (a, b):
        exchange_on(port, 4)
    t.pairs(4, b)
    t.pairs(4, a)


def exchange_on(port, n):
    with Conn(("127.0.0.1", port)) as c:
        for _ in range(n):
            c.send(REQ)
            c.exact(len(RES))


@case(own=True, config={"trace": {"sampling_rate": 4}}, hooks=BOTH)
def test_sampling(t):
    """1 in N: both ends keep the same requests, the others are counted."""
    port = serve(t)
    conns, each = 20, scale(40, 20)
    for _ in range(conns):
        exchange_on(port, each)
    n = conns * each
    t.spand.settle()
    clients, servers = t.spans(port, kind="client"), t.spans(port, kind="server")
    equal({s["parent_span_id"] for s in servers}, {c["span_id"] for c in clients},
          "requests that each end kept")
    equal(len(servers), len(clients), "spans")
    d = t.delta()
    equal(d["spans"] + d["req_sampled"], 2 * n, "kept and left out")
    equal(d["req_sampled"], d["resp_sampled"], "requests and responses left out")
    equal(len(clients), n - d["req_sampled"] // 2, "spans and what was counted as left out")
    # The chance of leaving these bounds with a fair 1 in 4 is below 1e-9, by connection or request.
    check(0 < len(clients) < n, "%d of %d were kept", len(clients), n)
    t.nothing_lost()
    t.spand.update({"trace": {"sampling_rate": 1}})
    before = len(t.spans(port))
    exchange_on(port, 30)
    t.exactly(before + 60, port)


@case(own=True, heavy=True, hooks=BOTH)
def test_live_updates(t):
    """Updates that do not concern this traffic lose none of it."""
    port = serve(t)
    total = [0, 0]
    stop = threading.Event()

    def client(i):
        while not stop.is_set():
            exchange_on(port, 25)
            total[i] += 25
    threads = [threading.Thread(target=client, args=(i,)) for i in range(2)]
    for th in threads:
        th.start()
    ports = [port, *range(t.session.first + 1, t.session.first + 40)]
    patches = [
        {"trace": {"ports": ports}}, {"ebpf": {"trace": {"log_level": "warn"}}},
        {"trace": {"exclude_processes": [AGENT_COMM, "nobody-here"]}},
        {"capture": {"enabled": True, "max_payload_size": 64}},
        {"trace": {"ports": ports[:20] + [port]}}, {"capture": {"enabled": False}},
        {"trace": {"sampling_rate": 1}}, {"ebpf": {"trace": {"log_level": "info"}}},
        {"trace": {"exclude_processes": [AGENT_COMM]}},
    ]
    try:
        for _ in range(scale(4, 1)):
            for p in patches:
                t.spand.update(p)
    finally:
        stop.set()
        for th in threads:
            th.join(patience(30))
    n = sum(total)
    pairs = t.pairs(n, port, seconds=30)
    equal({c["name"] for c, _ in pairs}, {"GET /f"}, "names")
    t.nothing_lost()


@case(own=True)
def test_bad_update(t):
    """An update with one bad key changes nothing at all."""
    port = serve(t)
    before = t.spand.get("/config")
    for patch, field in (({"trace": {"sampling_rate": 5, "no_such_key": 1}}, "no_such_key"),
                         ({"trace": {"sampling_rate": "many"}}, "sampling_rate"),
                         ({"trace": {"ports": [port, 70000]}}, "ports"),
                         ({"capture": {"enabled": True, "max_payload_size": 1 << 20}},
                          "max_payload_size"),
                         ({"ebpf": {"trace": {"enabled_probes": ["sys_enter_nonsense"]}}},
                          "enabled_probes")):
        res = t.spand.ask("/api/config/update", "POST", patch)
        check(400 <= res["status"] < 500, "%s was answered with %d", patch, res["status"])
        body = json.loads(res["body"])
        check(field in body["field"], "field %r does not name %s", body["field"], field)
        check(body["error"], "no error text")
        equal(t.spand.get("/config"), before, "the configuration after a refused update")
    res = t.spand.ask("/api/config/update", "POST", "{broken")
    equal(res["status"], 400, "status for what is not JSON")
    exchange_on(port, 3)
    t.pairs(3, port)


PROBES = ["read", "readv", "recvfrom", "recvmsg", "recvmmsg", "write", "writev", "sendto",
          "sendmsg", "sendmmsg", "socket", "connect", "accept", "accept4", "close", "sendfile",
          "splice"]


@case(own=True, hooks=BOTH)
def test_probes(t):
    """Probes off: nothing wrong is said of what they would have seen. On again: all is seen."""
    port = serve(t)
    names = ["sys_%s_%s" % (way, p) for p in PROBES for way in ("enter", "exit")]
    off = [n for n in names if not n.endswith(("_sendto", "_recvfrom"))]
    exchange_on(port, 3)
    t.pairs(3, port)
    t.spand.update({"ebpf": {"trace": {"enabled_probes": off}}})
    exchange_on(port, 5)
    t.spand.settle()
    equal(len(t.spans(port)), 6, "spans with the probes of send() and recv() off")
    t.spand.update({"ebpf": {"trace": {"enabled_probes": names}}})
    exchange_on(port, 4)
    t.pairs(7, port)
    t.spand.update({"ebpf": {"trace": {"enabled_probes": off}}})
    t.spand.update({"ebpf": {"trace": {"enabled_probes": None}}})
    exchange_on(port, 2)
    t.pairs(9, port)


CAPTURE = {"capture": {"enabled": True, "max_payload_size": 100,
                       "filter_headers": ["Authorization", "X-Secret"]}}


@case(own=True, config=CAPTURE, hooks=BOTH)
def test_capture(t):
    """Prefixes up to the limit, without the headers that must not be there."""
    secret = "Open5esame"
    res = http_response(b"the answer's body " * 30)
    dialog = []
    for head in (["Authorization: Bearer " + secret], ["authorization: " + secret],
                 ["X-A: 1", "x-secret:%s" % secret, "X-B: 2"],
                 ["X-Secret: " + "y" * 200 + secret], ["AUTHORIZATION:\t" + secret]):
        dialog.append((http_request("/c?visible=1", "POST", head, b"body of the request"), res))
    pairs = t.pairs(len(dialog), exchange(t, dialog))
    for pair, (request, response) in zip(pairs, dialog):
        for s in pair:
            check(secret not in json.dumps(s), "a filtered header was captured: %s", s)
            a = s["attributes"]
            check(a.get("req_content", "").startswith("POST /c"), "req_content of %s", a)
            check(a.get("resp_content", "").startswith("HTTP/1.1 200 OK"), "resp_content of %s", a)
            check(len(a["req_content"]) <= 100 and len(a["resp_content"]) <= 100,
                  "more than the limit: %d and %d", len(a["req_content"]),
                  len(a["resp_content"]))
            check(response.decode().startswith(a["resp_content"]),
                  "resp_content is not the response's beginning: %r", a["resp_content"])
            equal(len(a["resp_content"]), 100, "length of the response's prefix")


@case(own=True, config=CAPTURE)
def test_capture_pieces(t):
    """A filtered header that is cut at every place still does not show."""
    secret = "0pen-5esame"
    req = http_request("/s", headers=["X-Secret: " + secret, "X-C: z"])
    res = http_response(b"r")
    at = req.index(b"X-Secret")
    cuts = range(at - 3, at + 32)
    port = t.port()

    def fn(conn, _n):
        for _ in cuts:
            conn.exact(len(req))
            conn.send(res)
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for i in cuts:
                c.send(req[:i])
                c.send(req[i:])
                c.exact(len(res))
    for pair in t.pairs(len(cuts), port):
        verdict(pair, "GET /s", 200)
        for s in pair:
            text = json.dumps(s)
            for n in range(len(secret) - 4):
                check(secret[n:n + 5] not in text, "a part of a filtered header in %s", s)


@case()
def test_no_capture(t):
    """By default there is no content, and no header, body or query anywhere."""
    words = ["qUeRyWord", "hEaDerWord", "bOdyWord", "aNswerWord"]
    dialog = [(http_request("/n?x=" + words[0], "POST", ["X-H: " + words[1]], words[2].encode()),
               http_response(words[3].encode(), headers=["X-I: " + words[1]]))]
    for s in t.pairs(1, exchange(t, dialog))[0]:
        check("req_content" not in s["attributes"] and "resp_content" not in s["attributes"],
              "content without capture: %s", s)
        for w in words:
            check(w not in json.dumps(s), "%s in %s", w, s)


@case(own=True)
def test_capture_live(t):
    """Capture goes on and off while it runs; exclude_payloads leaves a protocol out."""
    port = serve(t)
    label = None
    for n, enabled in enumerate((False, True, False), 1):
        t.spand.update({"capture": {"enabled": enabled}})
        exchange_on(port, 1)
        last = t.pairs(n, port)[-1]
        for s in last:
            equal("req_content" in s["attributes"], enabled, "content with capture " +
                  ("on" if enabled else "off"))
        label = last[0]["protocol"]
    t.spand.update({"capture": {"enabled": True, "exclude_payloads": [label]}})
    exchange_on(port, 1)
    with Conn(("127.0.0.1", t.redis.port)) as c:
        c.send(resp_array("PING"))
        c.exact(7)
    for s in t.pairs(4, port)[-1]:
        check("req_content" not in s["attributes"], "content of an excluded protocol: %s", s)
    for s in t.one(t.redis.port):
        check("req_content" in s["attributes"], "no content of another protocol: %s", s)


@case()
def test_own_process(t):
    """The daemon never traces itself, whatever it is asked."""
    for path in ("/status", "/api/spans?limit=5", "/metrics", "/processes", "/config"):
        equal(t.spand.ask(path)["status"], 200, path)
    t.spand.settle()
    mine = [s for s in t.spans() if s["tgid"] == t.spand.proc.pid]
    equal(mine, [], "spans of spand itself")

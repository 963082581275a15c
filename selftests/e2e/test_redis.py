# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""redis-cli, redis-benchmark and raw sockets against redis-server."""

import json
import re
import subprocess
import threading

from lib.case import BOTH, Fail, case, check, equal, patience, scale, tool
from lib.http_cases import sizes, verdict
from lib.spans import names
from lib.wire import Conn, Peer, answer, resp_array


def cli(t, *args, stdin=None):
    res = subprocess.run([tool("redis-cli"), "-p", str(t.redis.port), *args], input=stdin,
                         capture_output=True, text=True, timeout=patience(60), check=False)
    if res.returncode:
        raise Fail("redis-cli %s: %s" % (args, res.stderr))
    return res.stdout


def calls(t, command):
    """How often the server says that it ran a command."""
    with Conn(("127.0.0.1", t.redis.port)) as c:
        c.send(resp_array("INFO", "commandstats"))
        text = c.exact(int(c.until(b"\r\n")[1:-2]) + 2).decode()
    m = re.search(r"cmdstat_%s:calls=(\d+)" % command, text)
    return int(m.group(1)) if m else 0


def reply(c):
    """Reads one RESP2 reply; its bytes."""
    line = c.until(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        return line + (c.exact(int(rest) + 2) if int(rest) >= 0 else b"")
    if kind == b"*":
        return line + b"".join(reply(c) for _ in range(max(0, int(rest))))
    return line


def talk(t, commands, address=None):
    """Commands one by one in one connection; [(request, reply)]."""
    out = []
    with Conn(address or ("127.0.0.1", t.redis.port)) as c:
        for cmd in commands:
            req = cmd if isinstance(cmd, bytes) else resp_array(*cmd)
            c.send(req)
            out.append((req, reply(c)))
    return out


def check_talk(t, dialog, want):
    pairs = t.pairs(len(dialog), t.redis.port)
    for pair, (req, res), name in zip(pairs, dialog, want):
        verdict(pair, name, 0, "error" if res[:1] == b"-" else "ok", "redis")
        sizes(pair, len(req), len(res))
    t.nothing_lost()
    return pairs


@case(hooks=BOTH)
def test_cli(t):
    cli(t, "SET", "colour", "green")
    equal(cli(t, "get", "colour").strip(), "green", "redis-cli")
    cli(t, "DEL", "colour")
    pairs = t.pairs(3, t.redis.port)
    equal([c["name"] for c, _ in pairs], ["SET", "GET", "DEL"], "names")
    equal({c["component"] for c, _ in pairs}, {"redis-cli"}, "component of the clients")
    equal({s["component"] for _, s in pairs}, {"redis-server"}, "component of the servers")
    verdict(pairs[1], "GET", 0, "ok", "redis")
    sizes(pairs[0], len(resp_array("SET", "colour", "green")), len("+OK\r\n"))
    sizes(pairs[1], len(resp_array("get", "colour")), len("$5\r\ngreen\r\n"))
    t.nothing_lost()


@case(hooks=BOTH)
def test_commands(t):
    """Nested replies, nulls, integers, errors: names, status and sizes."""
    commands = [("FLUSHALL",), ("SET", "a", "1"), ("GET", "a"), ("GET", "absent"), ("INCR", "a"),
                ("RPUSH", "l", *range(30)), ("LRANGE", "l", 0, -1), ("LRANGE", "none", 0, -1),
                ("INCR", "l"), ("NOSUCHCOMMAND", "x"), ("EVAL", "return {1,{2,{3,'x'}},{}}", 0),
                ("SET", "e", ""), ("GET", "e"), ("hset", "h", "f", "v"), ("HGETALL", "h"),
                ("COMMAND", "INFO", "get", "set", "mget"), ("PING",), ("PING", "hello")]
    want = [c[0].upper() for c in commands]
    check_talk(t, talk(t, commands), want)


@case(hooks=BOTH)
def test_multi(t):
    commands = [("MULTI",), ("SET", "a", "1"), ("GET", "a"), ("INCR", "a"), ("EXEC",),
                ("MULTI",), ("SET", "a", "1"), ("DISCARD",), ("EXEC",)]
    check_talk(t, talk(t, commands), [c[0] for c in commands])


@case(hooks=BOTH)
def test_inline(t):
    """Commands typed as in telnet, after arrays and as the first thing on a connection."""
    first = talk(t, [("PING",), b"PING\r\n", b"SET inl one\r\n", b"get inl\r\n", b"NOPE\r\n",
                     ("PING",)])
    check_talk(t, first, ["PING", "PING", "SET", "GET", "NOPE", "PING"])
    second = talk(t, [b"PING\r\n", b"EXISTS inl\r\n", b"PING\r\n"])
    pairs = t.pairs(9, t.redis.port)[6:]
    equal([c["name"] for c, _ in pairs], ["PING", "EXISTS", "PING"], "names")
    for pair, (req, res) in zip(pairs, second):
        sizes(pair, len(req), len(res))


@case(hooks=BOTH)
def test_big_bulk(t):
    """10 MB up and down, and what follows them."""
    n = scale(10_000_000, 2_000_000)
    dialog = talk(t, [("SET", "big", b"v" * n), ("GET", "big"), ("STRLEN", "big"),
                      ("DEL", "big")])
    check(len(dialog[1][1]) > n, "redis's answer")
    check_talk(t, dialog, ["SET", "GET", "STRLEN", "DEL"])


@case(hooks=BOTH)
def test_bulk_looks_like_redis(t):
    """A value full of commands and replies is a value."""
    value = (resp_array("FLUSHALL") + b"+OK\r\n-ERR no\r\n$3\r\nabc\r\n") * 300
    dialog = talk(t, [("SET", "v", value), ("GET", "v"), ("PING",)])
    check_talk(t, dialog, ["SET", "GET", "PING"])


def mixed(n):
    """n commands and their replies."""
    kinds = [
        lambda i: (("SET", "key:%d" % (i % 7), "v%d" % i), b"+OK\r\n"),
        lambda i: (("ECHO", "e" * (i % 23)), b"$%d\r\n%s\r\n" % (i % 23, b"e" * (i % 23))),
        lambda i: (("PING",), b"+PONG\r\n"),
        lambda i: (("NOTACOMMAND",),
                   b"-ERR unknown command 'NOTACOMMAND', with args beginning with: \r\n"),
        lambda i: (("GET", "absent"), b"$-1\r\n"),
        lambda i: (("TYPE", "absent"), b"+none\r\n"),
        lambda i: (("EXISTS", "absent"), b":0\r\n"),
    ]
    return [kinds[i * i % 7](i) for i in range(n)]


def pipeline(t, n, piece):
    """n commands without waiting, `piece` bytes a write; the list of (name, request, reply)."""
    cmds = mixed(n)
    up = b"".join(resp_array(*c) for c, _ in cmds)
    down = b"".join(r for _, r in cmds)
    with Conn(("127.0.0.1", t.redis.port)) as c:
        got = []
        reader = threading.Thread(target=lambda: got.append(c.exact(len(down))))
        reader.start()
        for at in range(0, len(up), piece):
            c.send(up[at:at + piece])
        reader.join(patience(60))
        equal(got and got[0], down, "redis's answers")
    return [(c[0], resp_array(*c), r) for c, r in cmds]


@case(hooks=BOTH)
def test_pipeline(t):
    """10,000 commands in one connection: as many spans at each end, in order."""
    want = pipeline(t, scale(10000, 1000), 4000)
    pairs = t.pairs(len(want), t.redis.port, seconds=30)
    for i, (pair, (name, req, res)) in enumerate(zip(pairs, want)):
        equal(pair[0]["name"], name, "name of command %d" % i)
        equal(pair[0]["status"], "error" if res[:1] == b"-" else "ok", "status of %d" % i)
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(heavy=True)
def test_pipeline_one_write(t):
    """All of them in one write: each is a span or a counted loss, and none is mixed up."""
    n = scale(10000, 1000)
    want = pipeline(t, n, 1 << 30)
    t.spand.settle(20)
    d = t.delta()
    for kind in ("client", "server"):
        got = t.spans(t.redis.port, kind=kind)
        check(len(got) <= n, "%d spans of %d commands", len(got), n)
        if len(got) == n:
            equal([s["name"] for s in got], [w[0] for w in want], "names of the " + kind)
        else:
            check(any(v for k, v in d.items() if "lost" in k or "budget" in k or "desync" in k),
                  "%d of %d spans at the %s and no loss in the ledger: %s", len(got), n, kind, d)
        allowed = {(w[0], len(w[1]), len(w[2])) for w in want}
        for s in got:
            if s["status"] != "no_response":
                check((s["name"], s["req_size"], s["resp_size"]) in allowed,
                      "no command of ours: %s %d %d", s["name"], s["req_size"], s["resp_size"])


@case(hooks=BOTH)
def test_cut_everywhere(t):
    """A command and its reply cut at every place."""
    req, res = resp_array("SET", "some:key", "a value"), resp_array("x", "yy", b"\r\n$1\r\n")
    cuts = range(1, max(len(req), len(res)))
    port = t.port()

    def fn(conn, _n):
        for at in cuts:
            conn.exact(len(req))
            at = min(at, len(res) - 1)
            conn.send(res[:at])
            conn.send(res[at:])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for at in cuts:
                at = min(at, len(req) - 1)
                c.send(req[:at])
                c.send(req[at:])
                c.exact(len(res) - at % 7)
                c.exact(at % 7)
    for pair in t.pairs(len(cuts), port):
        verdict(pair, "SET", 0, "ok", "redis")
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_resp3(t):
    """HELLO 3 and every type of RESP3 in a reply."""
    replies = [
        b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n",  # to HELLO 3
        b"~3\r\n:1\r\n:2\r\n+three\r\n", b",3.1415\r\n", b",inf\r\n", b"_\r\n", b"#t\r\n",
        b"(3492890328409238509324850943850943825024385\r\n", b"=15\r\ntxt:Some string\r\n",
        b"!21\r\nSYNTAX invalid syntax\r\n", b"*0\r\n", b"%0\r\n",
        b"*2\r\n%1\r\n+k\r\n~2\r\n#f\r\n_\r\n*1\r\n*1\r\n$-1\r\n",
        b"|1\r\n+ttl\r\n:3600\r\n$1\r\nx\r\n", b"+OK\r\n"]
    commands = [("HELLO", "3")] + [("GET", "k%d" % i) for i in range(1, len(replies))]
    dialog = [(resp_array(*c), r) for c, r in zip(commands, replies)]
    port = t.port()
    with Peer(answer(dialog), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for req, res in dialog:
                c.send(req)
                c.exact(len(res))
    pairs = t.pairs(len(dialog), port)
    for pair, (req, res), cmd in zip(pairs, dialog, commands):
        verdict(pair, cmd[0], 0, "error" if res[:1] in b"-!" else "ok", "redis")
        sizes(pair, len(req), len(res))
    t.nothing_lost()


@case(hooks=BOTH)
def test_hello3(t):
    """RESP3 spoken by the real server."""
    cmds = [("HELLO", "3"), ("DEL", "h", "s"), ("HSET", "h", "a", "1", "b", "2"),
            ("HGETALL", "h"), ("SADD", "s", "m"), ("SMEMBERS", "s"), ("GET", "absent"),
            ("CLIENT", "ID")]
    with Conn(("127.0.0.1", t.redis.port)) as c:
        for cmd in cmds:
            c.send(resp_array(*cmd))
            c.recv(65536)
    pairs = t.pairs(len(cmds), t.redis.port)
    equal([c["name"] for c, _ in pairs], [c[0] for c in cmds], "names")
    equal({c["status"] for c, _ in pairs}, {"ok"}, "status")
    t.nothing_lost()


def pubsub(t, hello):
    n = 5
    a = ("127.0.0.1", t.redis.port)
    mark = b">" if hello else b"*"
    with Conn(a) as sub, Conn(a) as pub:
        if hello:
            sub.send(resp_array("HELLO", "3"))
            sub.recv(65536)
        sub.send(resp_array("SUBSCRIBE", "news"))
        sub.exact(len(mark + b"3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
        for i in range(n):
            pub.send(resp_array("PUBLISH", "news", "item %d" % i))
            equal(reply(pub), b":1\r\n", "receivers")
            sub.exact(len(mark + b"3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\nitem 1\r\n"))
        sub.send(resp_array("UNSUBSCRIBE", "news"))
        sub.exact(len(mark + b"3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n"))
        sub.send(resp_array("PING"))
        sub.exact(len(b"+PONG\r\n"))
    t.spand.settle()
    oneway = [s for s in t.spans(t.redis.port) if s["attributes"].get("oneway")]
    equal(len(oneway), 2 * n, "one-way spans of %d messages seen at two ends" % n)
    for s in oneway:
        equal((s["req_size"], s["status"]), (0, "ok"), "a push")
        equal(s["resp_size"], len(mark + b"3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\nitem 1\r\n"),
              "size of a push")
        check("item" not in json.dumps(s["name"]), "payload in %s", s["name"])
    rest = [s for s in t.spans(t.redis.port, kind="server") if not s["attributes"].get("oneway")]
    want = {"SUBSCRIBE": 1, "PUBLISH": n, "UNSUBSCRIBE": 1, "PING": 1}
    if hello:
        want["HELLO"] = 1
    equal(dict(names(rest)), want, "requests with answers")
    equal({s["status"] for s in rest}, {"ok"}, "status")
    t.nothing_lost()


@case(hooks=BOTH)
def test_pubsub(t):
    """What the server pushes is a one-way span and answers nothing."""
    pubsub(t, hello=False)


@case(hooks=BOTH)
def test_pubsub_resp3(t):
    pubsub(t, hello=True)


@case()
def test_secrets(t):
    """Neither keys nor values nor channel names are in any field of any span."""
    secret = "Tr0ub4dor"
    talk(t, [("SET", secret, secret), ("GET", secret), ("APPEND", secret, secret),
             ("GETX" + "Y" * 3, secret), ("EVAL", "return '%s'" % secret, 0),
             ("CONFIG", "GET", secret), b"SET %s 1\r\n" % secret.encode(), ("DEL", secret),
             ("AUTH", secret)])
    pairs = t.pairs(9, t.redis.port)
    for s in t.spans():
        check(secret.lower() not in json.dumps(s).lower(), "a secret in %s", s)
    equal(pairs[-1][0]["name"], "AUTH", "name")
    equal(pairs[-1][0]["status"], "error", "AUTH without a password set")


@case()
def test_blocking(t):
    """An answer that comes when another connection makes it come."""
    a = ("127.0.0.1", t.redis.port)
    talk(t, [("DEL", "q")])
    with Conn(a) as waits, Conn(a) as gives:
        waits.send(resp_array("BLPOP", "q", 0))
        for i in range(20):
            gives.send(resp_array("ECHO", i))
            reply(gives)
        equal(len(t.spans(t.redis.port, name="BLPOP")), 0, "BLPOP before its answer")
        gives.send(resp_array("RPUSH", "q", "job"))
        reply(gives)
        reply(waits)
    t.pairs(23, t.redis.port)
    blpop = t.one(t.redis.port, name="BLPOP")
    push = t.one(t.redis.port, name="RPUSH")
    check(blpop[0]["start_time"] < push[0]["start_time"] < blpop[0]["end_time"],
          "BLPOP does not span the RPUSH that ended it")


def benchmark(t, n, *args):
    base = {c: calls(t, c) for c in ("get", "set")}
    subprocess.run([tool("redis-benchmark"), "-p", str(t.redis.port), "-q", "-t", "get,set", "-n",
                    str(n), *args], check=True, stdout=subprocess.DEVNULL, timeout=patience(60))
    for c in ("get", "set"):
        ran = calls(t, c) - base[c]
        check(ran >= n, "redis ran %s %d times", c, ran)
        pairs = t.pairs(ran, t.redis.port, seconds=40, name=c.upper())
        equal({p[0]["status"] for p in pairs}, {"ok"}, "status")
    t.nothing_lost()


@case(hooks=BOTH)
def test_benchmark(t):
    benchmark(t, scale(10000, 400), "-c", "16")


@case(hooks=BOTH)
def test_benchmark_pipelined(t):
    benchmark(t, scale(16000, 800), "-c", "16", "-P", "16")


@case(heavy=True)
def test_benchmark_long(t):
    benchmark(t, scale(60000, 1600), "-c", "50", "-P", "64", "-d", "200")


@case(unfiltered=True)
def test_unix(t):
    path = t.redis.unix
    dialog = talk(t, [("PING",), ("SET", "u", "1"), ("GET", "u"), ("INCR", "u")], path)
    for kind in ("client", "server"):
        got = t.exactly(4, kind=kind, l4="unix", protocol="redis")
        equal([s["name"] for s in got], ["PING", "SET", "GET", "INCR"], "names")
        for s, (req, res) in zip(got, dialog):
            sizes((s,), len(req), len(res))

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon's life: starting, refusing to start, reloading, ending, dying; its API."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from lib import daemon, ledger
from lib.case import BUILD, Skip, case, check, equal, patience, scale, tool
from lib.http_cases import exchange
from lib.wire import Conn, Peer, answer, http_request, http_response, resp_array

REQ, RES = http_request("/life"), http_response(b"life")


def some_traffic(t, n=3):
    return exchange(t, [(REQ, RES)] * n)


def run(t, *args, tables=None, prefix=()):
    """spand in the foreground, on the case's configuration; (status, what it printed)."""
    t.spand.write_config(tables)
    res = subprocess.run([*prefix, *t.spand.command(*args)], capture_output=True, text=True,
                         timeout=patience(40), check=False)
    return res.returncode, res.stdout + res.stderr


def one_line(text, *words):
    lines = [l for l in text.split("\n") if "error:" in l]
    equal(len(lines), 1, "error lines in %r" % text)
    for w in words:
        check(w in lines[0], "%r is not in %r", w, lines[0])


def only_line(text, *words):
    """One line in all, not one of errors among others."""
    one_line(text, *words)
    equal(len(text.splitlines()), 1, "lines in %r" % text)


def other(t, **over):
    """The tables of a second daemon that collides in nothing."""
    tables = daemon.merge(t.spand.tables, {"api": {"port": t.port()}})
    return daemon.merge(tables, over)


@case(own=True)
def test_second(t):
    """A second instance says so and leaves the first alone."""
    code, text = run(t, tables=other(t))
    equal(code, daemon.EXIT_SECOND, "exit status: " + text)
    one_line(text, str(t.spand.proc.pid))
    t.pairs(3, some_traffic(t))


@case(own=True)
def test_second_pins(t):
    """Nor does one with a pid file of its own take the pins away."""
    had = pins(t)
    check(had, "nothing is pinned in %s", t.spand.pin_dir)
    link = os.path.join(t.folder("link"), "pins")
    os.symlink(t.spand.pin_dir, link)
    for pin_dir in (t.spand.pin_dir, link):
        pid_file = "/run/spand-e2e-%d.second.pid" % os.getpid()
        # The last one given counts.
        code, text = run(t, "--pid-file", pid_file, "--pin-dir", pin_dir, tables=other(t))
        equal(code, daemon.EXIT_SECOND, "exit status: " + text)
        one_line(text, pin_dir)
        check(not os.path.exists(pid_file), "the pid file is left")
        equal(pins(t), had, "the pins of the first")
    t.pairs(3, some_traffic(t))


@case(manual=True)
def test_pin_dir(t):
    """A folder that can't hold pins is refused and keeps what is in it."""
    folder = t.folder("pins")
    mine = os.path.join(folder, "mine")
    open(mine, "w", encoding="utf-8").close()
    nowhere = os.path.join(folder, ".link")
    os.symlink(os.path.join(folder, "nowhere"), nowhere)
    for pin_dir in (folder, nowhere):
        code, text = run(t, "--pin-dir", pin_dir)
        equal(code, daemon.EXIT_BPF, "exit status: " + text)
        only_line(text, pin_dir)
        check(os.path.exists(mine), "spand removed a file from %s", folder)


@case(manual=True)
def test_no_btf(t):
    """A kernel that hides its types."""
    unshare = tool("unshare")
    if not os.path.isdir("/sys/kernel/btf"):
        raise Skip("no /sys/kernel/btf to hide")
    code, text = run(t, prefix=(unshare, "-m", "sh", "-c",
                                'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"))
    equal(code, daemon.EXIT_NO_BTF, "exit status: " + text)
    only_line(text, "/sys/kernel/btf/vmlinux")
    check(not pins(t), "pins are left: %s", pins(t))


@case(manual=True)
def test_bpf_refused(t):
    """Without the capabilities: one line, libbpf's own only with -v."""
    prefix = (tool("setpriv"), "--bounding-set", "-bpf,-perfmon,-sys_admin")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        raise Skip("this setpriv can't drop bpf and perfmon")
    code, text = run(t, prefix=prefix)
    equal(code, daemon.EXIT_BPF, "exit status: " + text)
    only_line(text, "BPF", "run with -v for its reasons")
    code, text = run(t, "-v", prefix=prefix)
    equal(code, daemon.EXIT_BPF, "exit status with -v: " + text)
    one_line(text, "BPF")
    check("libbpf: " in text, "-v does not show libbpf's reasons: %s", text)
    check(not pins(t), "pins are left: %s", pins(t))


@case(manual=True)
def test_port_taken(t):
    with socket.create_server(("127.0.0.1", t.spand.port)):
        code, text = run(t)
    equal(code, daemon.EXIT_PORT, "exit status: " + text)
    one_line(text, str(t.spand.port))
    check(not pins(t), "pins are left: %s", pins(t))


def pins(t):
    return sorted(os.listdir(t.spand.pin_dir)) if os.path.isdir(t.spand.pin_dir) else []


@case(manual=True)
def test_bad_config(t):
    """Every mistake at once, each with its line; nothing is attached."""
    with open(t.spand.conf, "w", encoding="utf-8") as f:
        f.write("[agent]\nname = \"x\"\nnmae = \"y\"\n[trace]\nsampling_rate = \"often\"\n"
                "ports = [99999]\n[nonsense]\nkey = 1\n")
    for args in ((), ("--check-config",)):
        res = subprocess.run(t.spand.command(*args), capture_output=True, text=True,
                             timeout=patience(20), check=False)
        text = res.stdout + res.stderr
        equal(res.returncode, daemon.EXIT_CONFIG, "exit status: " + text)
        for line, key in ((3, "nmae"), (5, "sampling_rate"), (6, "ports"), (7, "nonsense")):
            check(any("%s:%d" % (t.spand.conf, line) in l and key in l
                      for l in text.split("\n")), "no error for line %d, %s: %s", line, key, text)
    check(not pins(t), "pins are left: %s", pins(t))
    with open(t.spand.conf, "w", encoding="utf-8") as f:
        f.write("[agent\n")
    res = subprocess.run(t.spand.command(), capture_output=True, text=True,
                         timeout=patience(20), check=False)
    equal(res.returncode, daemon.EXIT_CONFIG, "exit status for bad syntax")
    check("%s:1" % t.spand.conf in res.stdout + res.stderr, "no line number: %s", res.stderr)
    os.unlink(t.spand.conf)
    res = subprocess.run(t.spand.command(), capture_output=True, text=True,
                         timeout=patience(20), check=False)
    equal(res.returncode, daemon.EXIT_CONFIG, "exit status for a missing file")


@case(manual=True)
def test_check_config(t):
    code, text = run(t, "--check-config")
    equal(code, 0, "exit status: " + text)
    res = subprocess.run([os.path.join(BUILD, "spand"), "--version"], capture_output=True,
                         text=True, timeout=patience(20), check=False)
    equal(res.returncode, 0, "exit status of --version")
    check(res.stdout.startswith("spand "), "--version prints %r", res.stdout)
    res = subprocess.run([os.path.join(BUILD, "spand"), "--nonsense"], capture_output=True,
                         text=True, timeout=patience(20), check=False)
    equal(res.returncode, daemon.EXIT_USAGE, "exit status for an unknown option")


@case(manual=True)
def test_not_root(t):
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise Skip("no setpriv here")
    # As nobody it can't come to the build folder or ours.
    copy = "/tmp/spand-e2e-%d" % os.getpid()
    os.mkdir(copy, 0o755)
    t.defer(shutil.rmtree, copy)
    shutil.copy(os.path.join(BUILD, "spand"), copy)
    conf = os.path.join(copy, "spand.toml")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("[api]\nport = %d\n" % t.spand.port)
    os.chmod(conf, 0o644)
    res = subprocess.run([setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups",
                          os.path.join(copy, "spand"), "-c", conf, "--pin-dir", t.spand.pin_dir,
                          "--pid-file", os.path.join("/tmp", "spand-nobody-%d" % os.getpid())],
                         capture_output=True, text=True, timeout=patience(20), check=False)
    equal(res.returncode, daemon.EXIT_NO_ROOT, "exit status: " + res.stderr)
    one_line(res.stderr, "root")


@case(manual=True)
def test_sink_refused(t):
    """A sender that can't be opened."""
    code, text = run(t, tables=daemon.merge(t.spand.tables, {
        "sender.file.e2e": {"path": "/proc/no/such/file"}}))
    equal(code, daemon.EXIT_SINK, "exit status: " + text)
    one_line(text, "/proc/no/such/file")


@case(own=True, errors_ok=True)
def test_sighup(t):
    """SIGHUP reads the file again and loses nothing; a bad file changes nothing."""
    port = t.port()
    tables = daemon.merge(t.spand.tables, {"trace": {"sampling_rate": 1000000}})
    with Peer(answer([(REQ, RES)] * 30), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            def talk(n):
                for _ in range(n):
                    c.send(REQ)
                    c.exact(len(RES))

            def reload_and_wait(tables, want):
                t.spand.write_config(tables)
                t.spand.signal(signal.SIGHUP)
                end = time.monotonic() + patience(10)
                while time.monotonic() < end:
                    if want(t.spand.get("/config")):
                        return
                    time.sleep(0.05)
                check(False, "SIGHUP had no effect")
            talk(10)
            t.pairs(10, port)
            reload_and_wait(tables, lambda c: c["trace"]["sampling_rate"] == 1000000)
            talk(10)
            t.spand.settle()
            check(t.delta()["req_sampled"] >= 15, "sampling after SIGHUP: %s",
                  ledger.nonzero(t.delta()))
            reload_and_wait(None, lambda c: c["trace"]["sampling_rate"] == 1)
            before = len(t.spans(port))
            talk(10)
            t.exactly(before + 20, port)
    good = t.spand.get("/config")
    with open(t.spand.conf, "w", encoding="utf-8") as f:
        f.write("[trace]\nsampling_rate = \"bad\"\n")
    t.spand.signal(signal.SIGHUP)
    end = time.monotonic() + patience(10)
    while "sampling_rate" not in t.spand.log() and time.monotonic() < end:
        time.sleep(0.05)
    check("sampling_rate" in t.spand.log(), "nothing is said of a bad file")
    equal(t.spand.get("/config"), good, "the configuration after a bad file")
    t.pairs(3, some_traffic(t))


@case(manual=True)
def test_sigterm_drains(t):
    """Every span from before SIGTERM is in the file; pins and pid file are gone."""
    t.spand.start()
    n = scale(4000, 400)
    with Conn(("127.0.0.1", t.redis.port)) as c:
        req, res = resp_array("PING"), b"+PONG\r\n"
        for at in range(0, n, 50):
            c.send(req * 50)
            c.exact(len(res) * 50)
        t.spand.signal(signal.SIGTERM)
        equal(t.spand.wait(), 0, "exit status")
    got = [s for s in t.spand.spans() if s["dst_port"] == t.redis.port]
    equal(len(got), 2 * n, "spans in the file")
    check(not pins(t), "pins are left: %s", pins(t))
    check(not os.path.exists(t.spand.pid_file), "the pid file is left")
    equal(t.spand.errors(), [], "errors")


@case(manual=True)
def test_sigint(t):
    t.spand.start()
    t.spand.signal(signal.SIGINT)
    equal(t.spand.wait(), 0, "exit status")
    check(not pins(t), "pins are left: %s", pins(t))


@case(manual=True)
def test_kill(t):
    """After kill -9 the next start cleans up and works."""
    for _ in range(2):
        t.spand.start()
        check(pins(t), "nothing is pinned in %s", t.spand.pin_dir)
        t.spand.signal(signal.SIGKILL)
        equal(t.spand.wait(), -signal.SIGKILL, "exit status")
    t.spand.start()
    t.spand.settle()
    t.mark = len(t.spand.spans())
    t.before = t.spand.assert_ledger()
    t.pairs(3, some_traffic(t))
    t.nothing_lost()


@case()
def test_bpftool(t):
    """Pinned maps show their fields by name."""
    bpftool = tool("bpftool")
    port = t.port()
    peer = Peer(answer([(REQ, RES)]), ("127.0.0.1", port))
    t.defer(peer.stop)
    c = Conn(("127.0.0.1", port))
    t.defer(c.close)
    c.send(REQ)
    c.exact(len(RES))
    found = {}
    for name in pins(t):
        res = subprocess.run([bpftool, "-j", "map", "dump", "pinned",
                              os.path.join(t.spand.pin_dir, name)], capture_output=True,
                             text=True, timeout=patience(60), check=False)
        try:
            rows = json.loads(res.stdout)
        except ValueError:
            continue
        for row in rows if isinstance(rows, list) else []:
            value = row.get("formatted", row).get("value") if isinstance(row, dict) else None
            if isinstance(value, dict):
                found[name] = value
                break
    conn = [v for v in found.values() if {"flow", "head", "tail", "role", "proto"} <= set(v)]
    check(conn, "no pinned map shows connections by field: %s", {
        k: sorted(v)[:5] for k, v in found.items()} or pins(t))


@case()
def test_health_and_status(t):
    s = t.spand.status()
    equal(s["agent"]["status"], "running", "agent.status")
    equal(s["agent"]["name"], "e2e", "agent.name")
    check(s["ebpf"]["programs_loaded"] > 0, "programs_loaded %s", s["ebpf"])
    check(s["ebpf"]["hooks"] in ("socket", "syscall"), "hooks %s", s["ebpf"]["hooks"])
    equal(s["ebpf"]["kernel"], os.uname().release, "kernel")
    equal(t.spand.ask("/no/such/path")["status"], 404, "an unknown path")
    equal(t.spand.ask("/status", "DELETE")["status"], 405, "a method that is not served")
    t.pairs(3, some_traffic(t))
    after = t.spand.status()
    check(after["collection"]["spans_collected"] >= s["collection"]["spans_collected"] + 6,
          "spans_collected %s then %s", s["collection"], after["collection"])
    equal(after["collection"].get("bad_records", 0), 0, "bad records")


@case()
def test_api_spans(t):
    """The API shows what the file holds, newest first, filtered as asked."""
    port = some_traffic(t, 5)
    t.pairs(5, port)
    got = t.spand.get("/api/spans?limit=1000")["spans"]
    mine = [s for s in got if s["dst_port"] == port]
    in_file = [dict(s) for s in t.spans(port)]

    def ids(spans):
        return [s["span_id"] for s in spans]
    equal(ids(mine), ids(in_file)[::-1], "ids, newest first")
    for a, b in zip(mine, in_file[::-1]):
        equal({k: a[k] for k in b if k != "attributes"},
              {k: v for k, v in b.items() if k != "attributes"}, "a span by API and file")
    equal(len(t.spand.get("/api/spans?limit=3")["spans"]), 3, "limit")
    label = mine[0]["protocol"]
    for s in t.spand.get("/api/spans?limit=50&protocol=" + label)["spans"]:
        equal(s["protocol"], label, "protocol")
    since = max(s["start_time"] for s in mine)
    for s in t.spand.get("/api/spans?limit=50&since=%d" % since)["spans"]:
        check(s["start_time"] >= since, "since")
    for s in t.spand.get("/api/spans?limit=50&process=%d" % mine[0]["tgid"])["spans"]:
        equal(s["tgid"], mine[0]["tgid"], "process")
    equal(t.spand.ask("/api/spans?limit=lots")["status"], 400, "a limit that is no number")


@case()
def test_processes(t):
    t.pairs(3, some_traffic(t))
    procs = t.spand.get("/processes")["processes"]
    mine = [p for p in procs if p["pid"] == os.getpid()]
    equal(len(mine), 1, "entries of this process")
    check(mine[0]["spans_collected"] >= 6, "spans_collected of this process: %s", mine[0])
    equal(mine[0]["status"], "monitored", "status")


@case()
def test_metrics(t):
    t.pairs(3, some_traffic(t))
    res = t.spand.ask("/metrics")
    equal(res["status"], 200, "status")
    check(res["type"].startswith("text/plain"), "type %s", res["type"])
    for line in res["body"].split("\n"):
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            float(value)
            check(name.startswith("spand"), "metric %s", name)


@case(unfiltered=True, own=True, heavy=True, config={"trace": {"exclude_processes": None}})
def test_no_filters(t):
    """Nothing configured: the tests' own questions to the API are traced too, and it balances."""
    t.pairs(4, some_traffic(t, 4))
    mine = [s for s in t.spans() if s["dst_port"] == t.spand.port]
    check(mine and {s["kind"] for s in mine} == {"client"},
          "spans of the client of the API: %s", {s["kind"] for s in mine})


@case(unfiltered=True)
def test_ctl(t):
    """spanctl shows the same daemon."""
    ctl = os.path.join(BUILD, "spanctl")
    if not os.access(ctl, os.X_OK):
        raise Skip("%s is not built" % ctl)
    res = subprocess.run([ctl, "version"], capture_output=True, text=True, timeout=patience(20),
                         check=False)
    equal(res.returncode, 0, "spanctl version: " + res.stderr)

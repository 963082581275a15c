# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Finds the cases, runs them, keeps the daemons and servers that they share."""

import faulthandler
import importlib.util
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback

from . import ledger, servers
from .case import AUTO, SHARED, SLOW, Fail, NotStarted, Skip, check, kernel_release, patience
from .daemon import Agent, Spand, sweep
from .spans import Spans

PORTS = 48


def port_block(n=PORTS):
    """First of n free loopback ports below the range that connect() picks from."""
    for _ in range(200):
        first = random.randrange(10000, 32000 - n)
        try:
            for port in range(first, first + n):
                with socket.socket(socket.AF_INET6) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("::", port))
            return first
        except OSError:
            continue
    raise Fail("no free ports")


class Hang(Exception):
    pass


class Session:
    """What outlives a case: servers, the API agent, the daemon while its configuration fits."""

    def __init__(self):
        sweep()
        self.dir = tempfile.mkdtemp(prefix="spand-e2e-")
        self.first = port_block()
        self.api_port = self.first
        self.next_port = 0
        self.agent = Agent()
        self.servers = {}
        self.spand = None
        self.key = None
        self.made = 0

    def port(self):
        """A port of ours; none comes again before all others have been used."""
        reserved = {s.port for s in self.servers.values()}
        while True:
            self.next_port = self.next_port % (PORTS - 1) + 1
            port = self.first + self.next_port
            if port not in reserved:
                return port

    def folder(self, name):
        self.made += 1
        path = os.path.join(self.dir, "%s-%d" % (name, self.made))
        os.mkdir(path)
        return path

    def server(self, kind):
        if kind in self.servers and self.servers[kind].proc.poll() is not None:
            del self.servers[kind]
        if kind not in self.servers:
            self.servers[kind] = getattr(servers, kind)(self.folder(kind), self.port())
        return self.servers[kind]

    def new_spand(self, hooks, spec):
        config = {k: dict(v) for k, v in spec["config"].items()}
        if SHARED and not spec["unfiltered"]:
            config.setdefault("trace", {}).setdefault(
                "ports", list(range(self.first + 1, self.first + PORTS)))
        return Spand(self.agent, self.folder("spand"), self.api_port, hooks, config)

    def drop_spand(self):
        spand, self.spand, self.key = self.spand, None, None
        if spand and spand.alive():
            code = spand.stop()
            check(code == 0, "spand's exit status after SIGTERM is %s: %s", code,
                  spand.log_tail())

    def close(self, keep):
        try:
            self.drop_spand()
        finally:
            for s in self.servers.values():
                s.stop()
            self.agent.close()
            if not keep:
                shutil.rmtree(self.dir, ignore_errors=True)


class Test(Spans):
    """What a case gets: its daemon, servers, and the spans since it began."""

    def __init__(self, session, hooks, spec):
        self.session = session
        self.hooks = hooks
        self.spec = spec
        self.spand = None
        self.mark = 0
        self.cleanups = []
        self.began = time.time_ns()

    def port(self):
        return self.session.port()

    def folder(self, name="dir"):
        return self.session.folder(name)

    @property
    def nginx(self):
        return self.session.server("nginx")

    @property
    def redis(self):
        return self.session.server("redis")

    @property
    def http_server(self):
        return self.session.server("http_server")

    def defer(self, fn, *args):
        """fn(*args) at the end of the case, last one first."""
        self.cleanups.append((fn, args))

    def start(self):
        """The daemon for this case: the session's if its configuration is the same."""
        key = None if self.spec["own"] or self.spec["manual"] else (
            self.hooks, repr(self.spec["config"]), self.spec["unfiltered"])
        ses = self.session
        if ses.spand and (key is None or ses.key != key or not ses.spand.alive()):
            ses.drop_spand()
        if not ses.spand:
            ses.spand = ses.new_spand(self.hooks, self.spec)
            ses.key = key
            if not self.spec["manual"]:
                ses.spand.start()
        self.spand = ses.spand
        if not self.spec["manual"]:
            self.spand.settle()
            self.mark = len(self.spand.spans())
            self.before = self.spand.assert_ledger()

    def delta(self):
        """The ledger's movement since the case began (or since rebase())."""
        return ledger.delta(self.spand.ledger(), self.before)

    def finish(self):
        if self.spand.alive():
            self.spand.settle()
            self.spand.assert_ledger()
            self.spand.assert_sink()
            self.sane()
        elif not self.spec["manual"]:
            raise Fail("spand died: " + self.spand.log_tail())
        if not self.spec["errors_ok"] and self.spand.errors():
            raise Fail("spand logged: " + " | ".join(self.spand.errors()[:5]))


def load(folder):
    """Every case of every test_*.py: (name, function), in the order of the files."""
    out = []
    for name in sorted(os.listdir(folder)):
        if not (name.startswith("test_") and name.endswith(".py")):
            continue
        spec = importlib.util.spec_from_file_location(name[:-3], os.path.join(folder, name))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for attr, fn in vars(module).items():
            if attr.startswith("test_") and callable(fn):
                if not hasattr(fn, "e2e"):
                    raise Fail("%s: %s lacks @case()" % (name, attr))
                out.append(("%s.%s" % (name[5:-3], attr[5:]), fn))
    return out


def plan(cases, quick, only, default_hooks=False):
    """(name, function, hooks) so that cases which share a daemon follow each other."""
    jobs = []
    for name, fn in cases:
        if quick and fn.e2e["heavy"]:
            continue
        best = "socket" if kernel_release() >= (6, 3) else "syscall"
        for hooks in fn.e2e["hooks"]:
            if default_hooks and fn.e2e["hooks"] != AUTO and hooks != best:
                continue
            full = name if fn.e2e["hooks"] == AUTO else "%s[%s]" % (name, hooks)
            if not only or any(o in full for o in only):
                jobs.append((full, fn, hooks))
    def group(job):
        spec = job[1].e2e
        return (spec["own"] or spec["manual"], repr(spec["config"]), spec["unfiltered"], job[2])
    first = {}
    for i, job in enumerate(jobs):
        first.setdefault(group(job), i)
    return sorted(jobs, key=lambda j: (group(j)[0], first[group(j)]))


def run_one(session, fn, hooks, seconds):
    t = Test(session, hooks, fn.e2e)

    def alarm(_sig, _frame):
        raise Hang("the case takes longer than %d s" % seconds)
    signal.signal(signal.SIGALRM, alarm)
    signal.alarm(int(seconds))
    try:
        if hooks == "socket" and kernel_release() < (6, 3):
            raise Skip("no socket tracepoints before kernel 6.3")
        t.start()
        try:
            fn(t)
        finally:
            while t.cleanups:
                clean, args = t.cleanups.pop()
                clean(*args)
        t.finish()
        if fn.e2e["own"]:
            session.drop_spand()
    finally:
        signal.alarm(0)
        if fn.e2e["manual"] and session.spand:
            session.spand.stop()
            session.spand = None
    return t


def first_line(e):
    text = str(e) if isinstance(e, (Fail, Hang, Skip)) else "%s: %s" % (type(e).__name__, e)
    return " ".join(text.split())[:600]


def show_daemon(session):
    """The log and the ledger of a daemon that failed a case; what follows gets a fresh one."""
    spand = session.spand
    if not spand:
        return
    for line in spand.log().strip().split("\n")[-20:]:
        print("    | " + line[:400])
    if spand.status_seen:
        print("    ledger: %s" % ledger.nonzero(spand.status_seen.get("ledger") or {}))
    try:
        session.drop_spand()
    except Fail as e:
        print("    " + first_line(e))
    sys.stdout.flush()


def disturbed(session):
    """
    What kernels do that preempt tracing programs (6.19 and later): one that finds itself running
    already on its CPU is skipped, and a lock whose holder waits for this CPU is not waited for.
    Both are counted, and what a case expects of every byte does not hold then.
    """
    if kernel_release() < (6, 19) or not session.spand or not session.spand.status_seen:
        return ""
    seen = session.spand.status_seen
    skipped = (seen.get("ebpf") or {}).get("recursion_misses", 0)
    contended = (seen.get("ledger") or {}).get("bytes_contended", 0)
    if not skipped and not contended:
        return ""
    return "%d programs skipped, %d bytes contended" % (skipped, contended)


def main(args):
    faulthandler.enable()
    threading.excepthook = lambda a: traceback.print_exception(
        a.exc_type, a.exc_value, a.exc_traceback)
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    jobs = plan(load(folder), args.quick, args.only, args.default_hooks)
    if args.list:
        for name, _, _ in jobs:
            print(name)
        return 0
    # Interrupted from outside: servers, daemon and namespaces go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    session = Session()
    count = {"ok": 0, "FAIL": 0, "SKIP": 0}
    in_a_row = 0
    try:
        again = {}
        queue = list(enumerate(jobs))
        while queue:
            i, (name, fn, hooks) = queue.pop(0)
            try:
                run_one(session, fn, hooks, patience(args.timeout))
            except Skip as e:
                count["SKIP"] += 1
                print("SKIP %s: %s" % (name, first_line(e)), flush=True)
            except Exception as e:
                why = disturbed(session)
                tries = 2 if why else 0
                if SLOW and not why:
                    # A machine that is emulated beside others stalls for seconds at times.
                    why, tries = "emulated", 1
                if again.setdefault(name, 0) < tries:
                    again[name] += 1
                    print("AGAIN %s: %s: %s" % (name, why, first_line(e)), flush=True)
                    show_daemon(session)
                    queue.insert(0, (i, (name, fn, hooks)))
                    continue
                if why and why != "emulated":
                    count["SKIP"] += 1
                    print("SKIP %s: the kernel disturbs it every time: %s" % (name, why),
                          flush=True)
                    show_daemon(session)
                    continue
                count["FAIL"] += 1
                print("FAIL %s: %s" % (name, first_line(e)), flush=True)
                if args.verbose:
                    traceback.print_exc()
                in_a_row = in_a_row + 1 if isinstance(e, NotStarted) else 0
                show_daemon(session)
                if in_a_row == 4 and len(jobs) - i > 1:
                    count["FAIL"] += len(jobs) - i - 1
                    print("FAIL spand does not start; %d cases were not run" % (len(jobs) - i - 1))
                    break
            else:
                in_a_row = 0
                count["ok"] += 1
                print("ok %s" % name, flush=True)
    finally:
        try:
            session.close(keep=count["FAIL"] and args.keep)
        except Fail as e:
            count["FAIL"] += 1
            print("FAIL shutdown: %s" % first_line(e))
        if count["FAIL"] and args.keep:
            print("kept %s" % session.dir)
    print("e2e: %d passed, %d failed, %d skipped" % (count["ok"], count["FAIL"], count["SKIP"]))
    return 1 if count["FAIL"] or not count["ok"] else 0

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs spand on a private configuration and reads what it says."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

from . import ledger
from .agent import AGENT_COMM
from .case import BUILD, Fail, NotStarted, patience

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = sys.executable or "/usr/bin/python3"

PINS = "/sys/fs/bpf"

EXIT_USAGE, EXIT_CONFIG, EXIT_NO_ROOT, EXIT_NO_BTF, EXIT_BPF = 1, 2, 3, 4, 5
EXIT_PORT, EXIT_SECOND, EXIT_SINK, EXIT_INTERNAL = 6, 7, 8, 9


class Agent:
    """lib/agent.py as a child; see there."""

    def __init__(self):
        self.proc = subprocess.Popen([PYTHON, os.path.join(HERE, "agent.py")], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **req):
        self.proc.stdin.write(json.dumps(req) + "\n")
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        if not line:
            raise Fail("the API agent died")
        return json.loads(line)

    def close(self):
        self.proc.stdin.close()
        self.proc.wait()


def toml(tables):
    """{"trace": {"ports": [80]}} as TOML; the values are JSON's, which TOML shares."""
    out = []
    for table, keys in tables.items():
        out.append("[%s]" % table)
        out += ["%s = %s" % (k, json.dumps(v)) for k, v in keys.items()]
    return "\n".join(out) + "\n"


def merge(base, over):
    out = {table: dict(keys) for table, keys in base.items()}
    for table, keys in over.items():
        out.setdefault(table, {}).update(keys)
        for k in [k for k, v in out[table].items() if v is None]:
            del out[table][k]
    return out


def sweep():
    """Removes the pins and pid files of runs that were killed."""
    for name in sorted(set(os.listdir("/run")) | set(
            os.listdir(PINS) if os.path.isdir(PINS) else ())):
        m = re.fullmatch(r"spand-e2e-([0-9]+)(\.second)?(\.pid)?", name)
        if not m or os.path.exists("/proc/" + m[1]):
            continue
        folder = os.path.join(PINS, name)
        try:
            if m[3]:
                os.unlink(os.path.join("/run", name))
            else:
                lock = os.open(folder, os.O_RDONLY)
                try:
                    # A daemon may have outlived its tests: then this fails.
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    for pin in os.listdir(folder):
                        os.unlink(os.path.join(folder, pin))
                    os.rmdir(folder)
                finally:
                    os.close(lock)
        except OSError:
            pass  # gone meanwhile, or in use


class Spand:
    def __init__(self, agent, folder, port, hooks="auto", config=None):
        self.agent = agent
        self.folder = folder
        self.port = port
        self.sink = os.path.join(folder, "spans.jsonl")
        self.log_path = os.path.join(folder, "spand.log")
        self.conf = os.path.join(folder, "spand.toml")
        self.pin_dir = "%s/spand-e2e-%d" % (PINS, os.getpid())
        self.tables = merge({
            "agent": {"name": "e2e"},
            "ebpf.trace": {"hooks": hooks},
            "trace": {"sender": ["file.e2e"], "exclude_processes": [AGENT_COMM]},
            "trace.span": {"cleanup_interval": 1, "memory_spans": 50000},
            "sender.file.e2e": {"path": self.sink, "data_format": "json"},
            "api": {"address": "127.0.0.1", "port": port},
        }, config or {})
        self.pid_file = "/run/spand-e2e-%d.pid" % os.getpid()
        self.proc = None
        self.status_seen = None
        self._pos = 0
        self._spans = []
        self._part = b""

    # ---- life -----------------------------------------------------------------------------
    def command(self, *args):
        return [os.path.join(BUILD, "spand"), "-c", self.conf, "--pin-dir", self.pin_dir,
                "--pid-file", self.pid_file, *args]

    def write_config(self, tables=None):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(toml(tables or self.tables))

    def spawn(self, *args, **kw):
        """Starts the process without waiting for health."""
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log, **kw)
        return self.proc

    def start(self):
        self.spawn()
        end = time.monotonic() + patience(30)
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                raise NotStarted("spand exited with %d: %s" % (self.proc.returncode,
                                                               self.log_tail(2)))
            if self.ask("/health")["status"] == 200:
                return self
            time.sleep(0.05)
        raise NotStarted("no 200 from /health: " + self.log_tail(2))

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, sig):
        os.kill(self.proc.pid, sig)

    def wait(self, seconds=30):
        try:
            return self.proc.wait(patience(seconds))
        except subprocess.TimeoutExpired:
            raise Fail("spand does not exit: " + self.log_tail()) from None

    def stop(self):
        """SIGTERM; returns the exit status. A daemon that hangs is killed and reported."""
        if not self.alive():
            return self.proc.returncode if self.proc else None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        finally:
            if self.alive():
                self.proc.kill()
                self.proc.wait()

    # ---- what it says ---------------------------------------------------------------------
    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=15):
        return " | ".join(l[:300] for l in self.log().strip().split("\n")[-lines:])

    def errors(self):
        return [l for l in self.log().split("\n")
                if "error:" in l or "Sanitizer" in l or "runtime error" in l]

    def ask(self, path, method="GET", body=None, token=None):
        return self.agent.ask(port=self.port, path=path, method=method, body=body, token=token,
                              timeout=patience(10))

    def get(self, path):
        res = self.ask(path)
        if res["status"] != 200:
            raise Fail("GET %s: %d %s" % (path, res["status"], res["body"][:300]))
        try:
            return json.loads(res["body"])
        except ValueError as e:
            raise Fail("GET %s: bad JSON: %s" % (path, e)) from None

    def status(self):
        self.status_seen = self.get("/status")
        return self.status_seen

    def ledger(self):
        return ledger.read(self.status())

    def update(self, patch):
        """A live update that must succeed; returns the effective configuration."""
        res = self.ask("/api/config/update", "POST", patch)
        if res["status"] != 200:
            raise Fail("update %s: %d %s" % (json.dumps(patch), res["status"], res["body"][:300]))
        return json.loads(res["body"])

    def spans(self):
        """Every span of the file sink so far, in the order of the file."""
        try:
            with open(self.sink, "rb") as f:
                f.seek(self._pos)
                data = f.read()
        except FileNotFoundError:
            return self._spans
        self._pos += len(data)
        lines = (self._part + data).split(b"\n")
        self._part = lines.pop()
        for line in lines:
            try:
                self._spans.append(json.loads(line))
            except ValueError:
                raise Fail("the sink's line is not JSON: %r" % line[:200]) from None
        return self._spans

    def settle(self, seconds=10):
        """
        Waits until the ledger has stopped moving and every record that it counts is in the
        file. Background traffic can keep it moving: then it returns after a while, and what is
        asserted afterwards decides.
        """
        end = time.monotonic() + patience(seconds)
        before, same = None, 0
        while time.monotonic() < end:
            now = self.ledger()
            quiet = {k: v for k, v in now.items() if k not in ledger.RESTLESS}
            same = same + 1 if quiet == before else 0
            before = quiet
            if same >= 2 and len(self.spans()) == ledger.records(now):
                return now
            time.sleep(patience(0.04))
        return self.ledger()

    def assert_ledger(self, seconds=5):
        """The equations of include/abi.h, exactly. Traffic in flight is given time to end."""
        end = time.monotonic() + patience(seconds)
        while True:
            status = self.status()
            gaps = ledger.gaps(status)
            if not gaps:
                return ledger.read(status)
            if time.monotonic() > end:
                raise Fail("the ledger does not balance: %s; ledger %s" %
                           ("; ".join(gaps), ledger.nonzero(ledger.read(status))))
            time.sleep(0.1)

    def assert_sink(self, seconds=5):
        """As many spans in the file as the ledger says went into the ring."""
        end = time.monotonic() + patience(seconds)
        while True:
            want = ledger.records(self.ledger())
            have = len(self.spans())
            if have == want:
                return
            if time.monotonic() > end:
                raise Fail("%d spans in the file, %d records in the ledger; senders: %s" % (
                    have, want, json.dumps(self.status_seen["sender"])))
            time.sleep(0.1)

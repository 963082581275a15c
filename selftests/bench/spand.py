# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One run of the daemon: its life, its API, its ring, its memory."""

import ctypes
import http.client
import json
import mmap
import os
import platform
import re
import signal
import socket
import struct
import subprocess
import time

BPF_OBJ_GET = 7
BPF_ENABLE_STATS = 32
BPF_MAP_TYPE_RINGBUF = 27
SYS_BPF = {"x86_64": 321, "aarch64": 280}


class SpandError(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fdinfo(path):
    with open(path) as f:
        return dict(line.split(None, 1) for line in f.read().replace(":", " ").splitlines()
                    if len(line.split(None, 1)) == 2)


def bpf(cmd, attr):
    """bpf(2) with the bytes of an attr; a descriptor, or below 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(SYS_BPF[platform.machine()], cmd, ctypes.create_string_buffer(attr, 128),
                        len(attr))


def enable_stats():
    """The kernel times BPF programs as long as the descriptor returned is open."""
    fd = bpf(BPF_ENABLE_STATS, struct.pack("I", 0))
    if fd < 0:
        raise SpandError("the kernel does not time BPF programs")
    return fd


class Ring:
    """Positions of the pinned ring: bytes ever written by the kernel, ever read by the daemon."""

    def __init__(self, pin_dir):
        self.views = []
        for name in os.listdir(pin_dir):
            path = ctypes.create_string_buffer(os.path.join(pin_dir, name).encode())
            fd = bpf(BPF_OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))
            if fd < 0:
                continue
            try:
                info = fdinfo(f"/proc/self/fdinfo/{fd}")
                if int(info.get("map_type", 0)) == BPF_MAP_TYPE_RINGBUF:
                    self.size = int(info["max_entries"])
                    self.views = [mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ,
                                            offset=i * mmap.PAGESIZE) for i in (0, 1)]
                    return
            finally:
                os.close(fd)
        raise SpandError(f"no ring buffer is pinned in {pin_dir}")

    def consumed(self):
        return struct.unpack_from("L", self.views[0])[0]

    def produced(self):
        return struct.unpack_from("L", self.views[1])[0]

    def pending(self):
        return self.produced() - self.consumed()

    def close(self):
        for view in self.views:
            view.close()


class Spand:
    """Starts the daemon and returns once it traces. sender: TOML of a sender, named bench.

    It has a pin folder and a pid file of its own: what else runs here is none of its business.
    """

    def __init__(self, binary, tmp, hooks="auto", sender="", preexec_fn=None):
        self.port = free_port()
        self.log = os.path.join(tmp, "spand.log")
        config = os.path.join(tmp, "spand.toml")
        pin_dir = f"/sys/fs/bpf/spand-bench-{os.getpid()}"
        with open(config, "w") as f:
            f.write(f'[ebpf.trace]\nhooks = "{hooks}"\n'
                    f'[trace]\nsender = [{chr(34) + "file.bench" + chr(34) if sender else ""}]\n'
                    f'[api]\naddress = "127.0.0.1"\nport = {self.port}\n{sender}')
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [binary, "-c", config, "--pin-dir", pin_dir, "--pid-file",
                 os.path.join(tmp, "spand.pid")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=preexec_fn)
        self.pid = self.process.pid
        self.ring = None
        try:
            self._wait_healthy()
            self.ring = Ring(pin_dir)
        except BaseException:
            self.stop()
            raise

    def _wait_healthy(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                with open(self.log) as f:
                    raise SpandError(f"spand ended with status {self.process.returncode}: "
                                     + f.read().strip())
            try:
                if self._request("/health")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise SpandError("spand does not become healthy")

    def _request(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            c.request("GET", path)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def get(self, path):
        status, body = self._request(path)
        if status != 200:
            raise SpandError(f"GET {path}: {status} {body[:200]!r}")
        return json.loads(body)

    def status(self):
        return self.get("/status")

    def spans(self):
        return self.status()["collection"]["spans_collected"]

    def spans_by_pid(self):
        return {p["pid"]: p["spans_collected"] for p in self.get("/processes")["processes"]}

    def hooks(self):
        """([floor hook names], {other kinds of links}), from the daemon's descriptors."""
        points, others = set(), set()
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.pid}/fd/{fd}")
                info = fdinfo(f"/proc/{self.pid}/fdinfo/{fd}")
            except OSError:
                continue
            if info.get("link_type", "").strip() == "raw_tracepoint":
                points.add("tp_btf/" + info["tp_name"].strip())
            elif "link_type" in info:
                others.add(info["link_type"].strip())
            elif "bpf_link" in target:
                others.add(target)
        return sorted(points), others

    def programs(self):
        """{program id: (runs, ns)} as far as the kernel timed them."""
        out = {}
        for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
            try:
                info = fdinfo(f"/proc/{self.pid}/fdinfo/{fd}")
            except OSError:
                continue
            if "run_cnt" in info and "prog_id" in info:
                out[int(info["prog_id"])] = (int(info["run_cnt"]), int(info["run_time_ns"]))
        return out

    def memory(self):
        """Bytes: resident (and its parts), its peak, and what the kernel accounts for maps."""
        out = {}
        with open(f"/proc/{self.pid}/status") as f:
            for key, kib in re.findall(r"^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem):\s+(\d+) kB",
                                       f.read(), re.M):
                out[key] = int(kib) * 1024
        maps = {}
        for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
            try:
                info = fdinfo(f"/proc/{self.pid}/fdinfo/{fd}")
            except OSError:
                continue
            if "map_id" in info:
                maps[info["map_id"]] = int(info["memlock"])
        out["maps"] = sum(maps.values())
        return out

    def thread_cpu(self):
        """{thread id: (name, CPU seconds used)}."""
        out = {}
        tick = os.sysconf("SC_CLK_TCK")
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{tid}/stat") as f:
                text = f.read()
            fields = text[text.rindex(")") + 2:].split()
            used = (int(fields[11]) + int(fields[12])) / tick
            try:  # exact where the kernel has it; ticks miss a thread that sleeps between them
                with open(f"/proc/{self.pid}/task/{tid}/schedstat") as f:
                    used = int(f.read().split()[0]) / 1e9
            except OSError:
                pass
            out[tid] = (text[text.index("(") + 1:text.rindex(")")], used)
        return out

    def drain(self, below=0, timeout=3.0):
        """Waits until no more than that many bytes are unread; seconds it took, None if late."""
        start = time.monotonic()
        while self.ring.pending() > below:
            if time.monotonic() - start > timeout:
                return None
            time.sleep(0.001)
        return time.monotonic() - start

    def stop(self):
        if self.ring:
            self.ring.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ledger_delta(before, after):
    """What the ledger counted between two answers of /status."""
    a, b = before["ledger"], after["ledger"]
    return {k: b[k] - a.get(k, 0) for k in b if type(b[k]) is int}


def dropped(status):
    """Spans that senders lost."""
    return sum(q["dropped"] + q["failed"] for q in status["sender"]["queues"])


def lost(delta):
    """Requests that were seen and did not become spans, by reason."""
    return {k: v for k, v in delta.items() if "lost" in k and v}

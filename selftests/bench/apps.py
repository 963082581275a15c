# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What applications feel: redis-benchmark on redis-server, wrk on nginx, both ends traced.

Server and client have a CPU each. The daemon has neither: it takes its share from both, as it
would anywhere else.
"""

import os
import re
import socket
import subprocess
import time

from modes import BenchError, pinned, rounds
from spand import free_port, ledger_delta, lost
from stats import compare, summary

CLIENTS = 16

NGINX = """
daemon off;
user root;
worker_processes 1;
pid {tmp}/nginx.pid;
error_log {tmp}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	client_body_temp_path {tmp}/body;
	proxy_temp_path {tmp}/proxy;
	fastcgi_temp_path {tmp}/fastcgi;
	uwsgi_temp_path {tmp}/uwsgi;
	scgi_temp_path {tmp}/scgi;
	server {{
		listen 127.0.0.1:{port};
		root {tmp}/www;
	}}
}}
"""


def output(args, cpu):
    r = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, preexec_fn=pinned(cpu))
    if r.returncode:
        raise BenchError(f"{args[0]}: {r.stdout[-500:]}")
    return r.stdout


class Server:
    def __init__(self, args, port, cpu):
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        preexec_fn=pinned(cpu))
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise BenchError(f"{args[0]} does not listen on port {port}") from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class RedisGet:
    """redis-benchmark takes a number of requests: as many as fit the time, untraced."""

    def __init__(self, tmp, seconds, cpus, pipeline):
        self.name = "redis GET" + (f" -P {pipeline}" if pipeline > 1 else "")
        self.cpu = cpus[1]
        port = free_port()
        self.server = Server(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save",
                              "", "--appendonly", "no", "--dir", tmp], port, cpus[0])
        self.args = ["redis-benchmark", "-p", str(port), "-c", str(CLIENTS), "-P", str(pipeline),
                     "--csv"]
        output(self.args[:3] + ["-c", "1", "-n", "1", "-t", "set"], self.cpu)
        self.requests = 20000 * pipeline
        self.run()
        self.requests = max(CLIENTS * pipeline, int(self.run()["rps"] * seconds))

    def run(self):
        text = output(self.args + ["-t", "get", "-n", str(self.requests)], self.cpu)
        lines = [line.replace('"', "").split(",") for line in text.splitlines() if '","' in line]
        row = dict(zip(lines[0], lines[-1]))
        return {"rps": float(row["rps"]), "p99_us": float(row["p99_latency_ms"]) * 1000,
                "requests": self.requests}


class NginxGet:
    """The size of nginx's own index.html, over kept-alive connections."""

    UNITS = {"us": 1, "ms": 1e3, "s": 1e6}

    def __init__(self, tmp, seconds, cpus):
        self.name = "nginx GET"
        self.cpu = cpus[1]
        self.seconds = max(1, round(seconds))
        self.port = free_port()
        os.mkdir(os.path.join(tmp, "www"))
        with open(os.path.join(tmp, "www", "index.html"), "w") as f:
            f.write("x" * 612)
        conf = os.path.join(tmp, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX.format(tmp=tmp, port=self.port))
        self.server = Server(["nginx", "-c", conf, "-p", tmp, "-e", f"{tmp}/nginx.log"],
                             self.port, cpus[0])

    def run(self):
        text = output(["wrk", "-t1", f"-c{CLIENTS}", f"-d{self.seconds}s", "--latency",
                       f"http://127.0.0.1:{self.port}/index.html"], self.cpu)
        if "Non-2xx" in text or "Socket errors" in text:
            raise BenchError(f"wrk: {text}")
        rps = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
        return {"rps": rps, "p99_us": float(value) * self.UNITS[unit],
                "requests": int(re.search(r"(\d+) requests in", text)[1])}


def traced_run(daemon, load):
    """A run with the daemon's own account of it; two spans are due for each request."""
    before, produced = daemon.status(), daemon.ring.produced()
    cpu = sum(t for _, t in daemon.thread_cpu().values())
    out = load.run()
    out["daemon_cpu"] = sum(t for _, t in daemon.thread_cpu().values()) - cpu
    daemon.drain(timeout=10)
    for _ in range(40):  # the last record is out of the ring a moment before it is counted
        after = daemon.status()
        if after["collection"]["spans_collected"] - before["collection"]["spans_collected"] >= \
                2 * out["requests"]:
            break
        time.sleep(0.05)
    spans = after["collection"]["spans_collected"] - before["collection"]["spans_collected"]
    delta = ledger_delta(before, after)
    out.update(spans=spans, lost=lost(delta), ledger=delta,
               span_bytes=(daemon.ring.produced() - produced) / max(spans, 1),
               memory=daemon.memory())
    return out


def run(modes, n, seconds, tmp, cpus, say):
    loads = []
    try:
        loads.append(RedisGet(tmp, seconds, cpus, 1))
        loads.append(RedisGet(tmp, seconds, cpus, 16))
        loads.append(NginxGet(tmp, seconds, cpus))
        samples = {load.name: {m.name: [] for m in modes} for load in loads}
        for r, mode in rounds(modes, n):
            if mode is modes[r % len(modes)]:
                say(f"applications: round {r + 1} of {n}")
            for load in loads:
                samples[load.name][mode.name].append(
                    traced_run(mode.daemon, load) if mode.daemon else load.run())
    finally:
        for load in loads:
            load.server.stop()
    return evaluate(samples, modes)


def evaluate(samples, modes):
    rows = {}
    for name, by_mode in samples.items():
        out = {"rps": {}, "p99_us": {}, "ratio": {}, "span_bytes": {}, "daemon_cpu": {},
               "memory": {}, "invalid": []}
        for mode in modes:
            runs = by_mode[mode.name]
            out["rps"][mode.name] = summary([r["rps"] for r in runs])
            out["p99_us"][mode.name] = summary([r["p99_us"] for r in runs])
            out["ratio"][mode.name] = compare([r["rps"] for r in runs],
                                              [r["rps"] for r in by_mode["none"]],
                                              lambda a, b: a / b)
            if mode.kind != "spand":
                continue
            out["span_bytes"][mode.name] = summary([r["span_bytes"] for r in runs])
            out["daemon_cpu"][mode.name] = summary([r["daemon_cpu"] for r in runs])
            out["memory"][mode.name] = {k: max(r["memory"][k] for r in runs)
                                        for k in runs[0]["memory"]}
            for r in runs:
                # Other traffic on the machine can only add; 16 requests are cut off at wrk's end.
                missing = 2 * (r["requests"] - CLIENTS) - r["spans"]
                if missing > 0:
                    out["invalid"].append(
                        f"{mode.name}: {missing} spans missing for {r['requests']} requests; "
                        f"lost: {r['lost'] or 'nothing counted'}")
        out["lost"] = {m.name: [r["lost"] for r in by_mode[m.name]] for m in modes
                       if m.kind == "spand"}
        rows[name] = out
    return {"modes": [m.name for m in modes], "rows": rows}


def table(result):
    head = (f"{'application':<16}{'mode':<16}{'requests/s':>11}{'quartiles':>18}{'p99 us':>9}"
            f"{'ratio':>8}{'95 %':>14}{'B/span':>8}{'daemon CPU s':>14}")
    lines = [head, "-" * len(head)]
    for name, row in result["rows"].items():
        for mode in result["modes"]:
            rps, ratio = row["rps"][mode], row["ratio"][mode]
            spread = f"{rps['q1']:.0f}..{rps['q3']:.0f}"
            interval = f"{ratio['low']:.2f}..{ratio['high']:.2f}"
            line = (f"{name:<16}{mode:<16}{rps['median']:>11.0f}{spread:>18}"
                    f"{row['p99_us'][mode]['median']:>9.0f}{ratio['median']:>8.2f}"
                    f"{interval:>14}")
            if mode in row["span_bytes"]:
                line += (f"{row['span_bytes'][mode]['median']:>8.0f}"
                         f"{row['daemon_cpu'][mode]['median']:>14.2f}")
            lines.append(line)
        lines += [f"    INVALID {why}" for why in row["invalid"]]
    return lines

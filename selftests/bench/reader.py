# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Spans per second that the daemon takes without losing one.

spangen makes spans at a fixed rate on one CPU; the whole daemon has the other. A rate is sustained
if every span made arrived (and was written), the ledger and the senders lost none, and what was
still waiting when the generator stopped was gone in a moment: a ring that fills slowly would lose
spans later.
"""

import glob
import json
import os
import subprocess
import time

from modes import BenchError, pinned
from spand import Spand, dropped, ledger_delta, lost

RATES = (10e3, 50e3, 100e3, 150e3, 200e3, 300e3, 400e3, 600e3, 800e3, 1.2e6, 0)
BATCH = 16  # as redis-benchmark -P 16
REFINE = 3  # bisections between the last rate that was sustained and the first that was not


def file_sender(path):
    return (f'[sender.file.bench]\npath = "{path}"\nrotate = true\nmax_size = 256\n'
            'data_format = "json"\n')


def count_lines(pattern, pid):
    """Whole lines, and those of them that are spans of a process."""
    mark = b'"tgid":%d,' % pid
    lines = own = 0
    for path in glob.glob(pattern):
        with open(path, "rb") as f:
            for line in f:
                lines += line.endswith(b"\n")
                own += mark in line and line.endswith(b"\n")
    return lines, own


def generate(build, rate, seconds, cpu):
    p = subprocess.Popen([f"{build}/bench/spangen", str(rate), str(seconds), str(BATCH)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         preexec_fn=pinned(cpu))
    line = p.stdout.readline()
    if not line:
        p.wait()
        raise BenchError("spangen failed")
    return p, json.loads(line)


def settle(daemon, pid, expected, seconds):
    """Waits for the last span to be read and written: (spans of pid, status)."""
    deadline = time.monotonic() + seconds
    while True:
        got, status = daemon.spans_by_pid().get(pid, 0), daemon.status()
        if (got >= expected and not status["sender"]["retry_queue_size"]) or \
                time.monotonic() > deadline:
            return got, status
        time.sleep(0.05)


def step(build, daemon, rate, seconds, cpu, path):
    """One rate: what was made, what arrived, what it cost."""
    before, produced = daemon.status(), daemon.ring.produced()
    cpu_before = daemon.thread_cpu()
    p, made = generate(build, rate, seconds, cpu)
    try:
        drained = daemon.drain(below=daemon.ring.size // 256, timeout=10)
        cpu_after = daemon.thread_cpu()
        daemon.drain(timeout=2)
        got, after = settle(daemon, p.pid, made["spans"], 5)
    finally:
        p.stdin.close()
        p.wait()
    delta = ledger_delta(before, after)
    out = {"asked": rate, "rate": made["spans"] / made["seconds"], "spans": made["spans"],
           "arrived": got, "lost": lost(delta), "dropped": dropped(after) - dropped(before),
           "drain_seconds": drained,
           "span_bytes": (daemon.ring.produced() - produced) / max(delta.get("spans", 0), 1),
           "threads": {}}
    total = 0
    for tid, (name, used) in cpu_after.items():
        used -= cpu_before.get(tid, ("", 0))[1]
        total += used
        if used > 0:
            out["threads"][f"{name}/{tid}"] = used / (made["seconds"] + (drained or 0))
    out["cpu_ns_per_span"] = total / made["spans"] * 1e9
    why = []
    if got < made["spans"]:
        why.append(f"{made['spans'] - got} never arrived")
    if out["lost"] or out["dropped"]:
        why.append("losses")
    if drained is None or drained > 0.15 + 0.05 * seconds:
        why.append("the ring was filling")
    if path:
        lines, own = count_lines(path + "*", p.pid)
        if own != made["spans"]:
            why.append(f"{own} lines written")
        out["file_bytes_per_span"] = sum(map(os.path.getsize, glob.glob(path + "*"))) / \
            max(lines, 1)
        # Room for the next step; the file that is open stays, empty.
        for name in glob.glob(path + "*"):
            os.truncate(name, 0) if name == path else os.remove(name)
    out["not_sustained"] = why
    out["sustained"] = not why
    return out


def run_sink(build, hooks, sink, seconds, tmp, cpus, say):
    path = os.path.join(tmp, "spans.jsonl") if sink == "json" else None
    daemon = Spand(f"{build}/spand", tmp, hooks=hooks, sender=file_sender(path) if path else "",
                   preexec_fn=pinned(cpus[0]))
    steps, slow, best, failed, limited = [], [], None, None, False

    def attempt(rate):
        say(f"reader: {sink}, {f'{rate:.0f} spans/s' if rate else 'as fast as it goes'}")
        steps.append(step(build, daemon, rate, seconds, cpus[1], path))
        return steps[-1]

    try:
        idle = daemon.memory()
        for rate in RATES:
            if rate and len(slow) > 1:
                continue  # twice behind is no accident; only its utmost is left
            s = attempt(rate)
            if not s["sustained"]:
                failed = s
                break
            best = max(best or s, s, key=lambda x: x["rate"])
            if rate and s["rate"] < 0.97 * rate:
                slow.append(rate)  # the generator, with its spans made in the kernel, is behind
            limited = not rate
        for _ in range(REFINE if best and failed else 0):
            s = attempt((best["rate"] * failed["rate"]) ** 0.5)
            if s["sustained"]:
                best = s
            else:
                failed = s
        return {"sustained": best["rate"] if best else 0, "generator_limited": limited,
                "best": best, "steps": steps, "memory_idle": idle, "memory": daemon.memory()}
    finally:
        daemon.stop()


def run(build, hooks, seconds, tmp, cpus, say):
    return {sink: run_sink(build, hooks, sink, seconds, tmp, cpus, say)
            for sink in ("null", "json")}


def table(result):
    head = (f"{'reader':<8}{'spans/s made':>13}{'arrived':>10}{'lost':>9}{'dropped':>9}"
            f"{'drain ms':>10}{'CPU':>7}{'ns/span':>9}  threads")
    lines = [head, "-" * len(head)]
    for sink, r in result.items():
        for s in r["steps"]:
            drain = "-" if s["drain_seconds"] is None else f"{s['drain_seconds'] * 1000:.0f}"
            threads = " ".join(f"{name.split('/')[0]} {used:.0%}" for name, used in
                               sorted(s["threads"].items(), key=lambda t: -t[1])[:3])
            lines.append(f"{sink:<8}{s['rate']:>13.0f}{s['arrived'] / s['spans']:>10.2%}"
                         f"{sum(s['lost'].values()):>9}{s['dropped']:>9}{drain:>10}"
                         f"{sum(s['threads'].values()):>7.0%}{s['cpu_ns_per_span']:>9.0f}"
                         f"  {threads}"
                         + ("" if s["sustained"] else
                            "  NOT SUSTAINED: " + ", ".join(s["not_sustained"])))
        more = " or more: the generator is at its end" if r["generator_limited"] else ""
        lines.append(f"    {sink}: {r['sustained']:.0f} spans/s without a loss{more}")
    return lines

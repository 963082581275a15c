# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The cost of one system call: see syscost.c for how one is timed."""

import json
import subprocess
import time

from modes import DATA_CALLS, BenchError, pinned, rounds
from stats import compare, summary

EXCHANGES = 4000  # 8000 spans: a fraction of the ring
OTHER_CALLS = 50000

# (call, traffic)
ROWS = ([(call, "redis") for call in DATA_CALLS]
        + [(call, traffic) for traffic in ("http", "unknown", "unix") for call in ("read", "write")]
        + [("exchange", traffic) for traffic in ("redis", "http", "unknown")]
        + [("write", "other"), ("read", "other"), ("getppid", "other")])
LABELS = {("write", "other"): "write /dev/null", ("read", "other"): "read /dev/zero",
          ("getppid", "other"): "getppid"}
NOT_A_SOCKET = tuple(LABELS.values())


def label(row):
    return LABELS.get(row, f"{row[0]} {row[1]}")


def expected_spans(row, exchanges):
    """Each exchange is a client's span and a server's, if the protocol is one that is known."""
    return 0 if row[1] in ("unknown", "other") else 2 * exchanges


def start_row(build, row, cpu):
    """Runs syscost for one row: its process, still alive, and what it printed."""
    count = OTHER_CALLS if row[1] == "other" else EXCHANGES
    p = subprocess.Popen([f"{build}/bench/syscost", row[0], row[1], str(count)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         preexec_fn=pinned(cpu))
    line = p.stdout.readline()
    if not line:
        raise BenchError(f"syscost {label(row)} failed")
    return p, json.loads(line)


def count_spans(daemon, expected):
    """Spans by pid, once they are all there or 3 s have passed."""
    deadline = time.monotonic() + 3
    while True:
        got = daemon.spans_by_pid()
        if all(got.get(pid, 0) >= n for pid, n in expected.items()) or time.monotonic() > deadline:
            return {pid: got.get(pid, 0) for pid in expected}
        time.sleep(0.05)


def run_mode(build, mode, cpu):
    """One round of one mode: {label: {"ns": ..., "spans": ..., "expected": ...}}."""
    out, alive = {}, []
    try:
        for row in ROWS:
            p, result = start_row(build, row, cpu)
            alive.append(p)
            result["pid"] = p.pid
            result["expected"] = expected_spans(row, result["exchanges"])
            out[label(row)] = result
            if mode.daemon:
                mode.daemon.drain(below=mode.daemon.ring.size // 8)
        if mode.daemon:
            got = count_spans(mode.daemon, {r["pid"]: r["expected"] for r in out.values()})
            for result in out.values():
                result["spans"] = got[result["pid"]]
    finally:
        for p in alive:
            p.stdin.close()
            p.wait()
    return out


def run(build, modes, n, cpu, say):
    samples = {mode.name: {label(row): [] for row in ROWS} for mode in modes}
    for r, mode in rounds(modes, n):
        if mode is modes[r % len(modes)]:
            say(f"syscalls: round {r + 1} of {n}")
        for name, result in run_mode(build, mode, cpu).items():
            samples[mode.name][name].append(result)
    return evaluate(samples, modes)


def evaluate(samples, modes):
    """Medians per row and mode, differences within rounds, validity."""
    rows = {}
    for row in ROWS:
        name = label(row)
        ns = {m.name: [s["ns"] for s in samples[m.name][name]] for m in modes}
        out = {"ns": {m: summary(v) for m, v in ns.items()}, "above_floor": {}, "invalid": []}
        for part in ("median", "mean", "request", "response"):
            if part in samples["none"][name][0]:
                out[part] = {m.name: summary([s[part] for s in samples[m.name][name]])["median"]
                             for m in modes}
        out["above_none"] = {m: compare(v, ns["none"], lambda a, b: a - b)
                             for m, v in ns.items() if m != "none"}
        for mode in modes:
            if mode.kind != "spand":
                continue
            floor = mode.name.replace("spand-", "floor-")
            out["above_floor"][mode.name] = compare(ns[mode.name], ns[floor], lambda a, b: a - b)
            wrong = [s for s in samples[mode.name][name] if s["spans"] != s["expected"]]
            if wrong:
                out["invalid"].append(
                    f"{mode.name}: {len(wrong)} of {len(ns[mode.name])} rounds, first "
                    f"{wrong[0]['spans']} spans for {wrong[0]['expected']} expected")
        rows[name] = out
    return {"modes": [m.name for m in modes], "rows": rows,
            "unit": "ns per call, mean without the slowest 1 %"}


def table(result):
    """Lines of text. Spread: the quartiles of the rounds. +-: 95 % interval of the difference."""
    spand = [m for m in result["modes"] if m.startswith("spand")]
    floors = [m for m in result["modes"] if m.startswith("floor")]
    head = f"{'ns per call':<18}{'none':>7}{'quartiles':>14}{'+tracepoints':>14}"
    head += "".join(f"{'+' + f:>15}" for f in floors)
    for m in spand:
        head += f"{'+' + m:>15}{'above floor':>13}{'95 %':>15}"
    lines = [head, "-" * len(head)]
    for name, row in result["rows"].items():
        none = row["ns"]["none"]
        spread = f"{none['q1']:.0f}..{none['q3']:.0f}"
        line = f"{name:<18}{none['median']:>7.0f}{spread:>14}"
        line += f"{row['above_none']['tracepoints']['median']:>+14.0f}"
        line += "".join(f"{row['above_none'][f]['median']:>+15.0f}" for f in floors)
        for m in spand:
            d = row["above_floor"][m]
            line += f"{row['above_none'][m]['median']:>+15.0f}{d['median']:>+13.0f}"
            line += f"{d['low']:>+8.0f}..{d['high']:<+5.0f}"
        lines.append(line)
        lines += [f"    INVALID {why}" for why in row["invalid"]]
    return lines

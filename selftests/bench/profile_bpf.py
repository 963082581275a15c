# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where the time goes inside spand's programs: the kernel's own clock around each of them.

Taken apart from the comparison, because the clock costs some 30 ns a run itself.
"""

import json
import os
import subprocess

from spand import enable_stats
from syscalls import label, start_row

ROWS = [("exchange", "redis"), ("exchange", "http"), ("exchange", "unknown"), ("exchange", "unix"),
        ("write", "other")]


def names():
    """{program id: name}"""
    r = subprocess.run(["bpftool", "-j", "prog", "show"], stdout=subprocess.PIPE)
    return {p["id"]: p.get("name", str(p["id"])) for p in json.loads(r.stdout)}


def run_mode(build, mode, cpu):
    out = {}
    mode.start()
    fd = enable_stats()
    try:
        name = names()
        for row in ROWS:
            before = mode.daemon.programs()
            p, _ = start_row(build, row, cpu)
            after = mode.daemon.programs()
            p.stdin.close()
            p.wait()
            mode.daemon.drain()
            out[label(row)] = rows = {}
            for prog, (runs, ns) in after.items():
                runs, ns = runs - before[prog][0], ns - before[prog][1]
                if runs:
                    rows[name.get(prog, str(prog))] = {"runs": runs, "ns_per_run": ns / runs}
    finally:
        os.close(fd)
        mode.stop()
    return out


def run(build, modes, cpu, say):
    out = {}
    for mode in modes:
        if mode.kind == "spand":
            say(f"profile: {mode.name}")
            out[mode.name] = run_mode(build, mode, cpu)
    return out


def table(result):
    head = f"{'inside':<18}{'mode':<15}{'program':<20}{'runs':>9}{'ns a run':>10}"
    lines = [head, "-" * len(head)]
    for mode, rows in result.items():
        for row, programs in rows.items():
            busiest = sorted(programs.items(), key=lambda p: -p[1]["runs"] * p[1]["ns_per_run"])
            for name, p in busiest[:4]:
                lines.append(f"{row:<18}{mode:<15}{name:<20}{p['runs']:>9}{p['ns_per_run']:>10.0f}")
    return lines

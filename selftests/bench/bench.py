#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""make bench: what tracing costs on this machine, in one run; see selftests/bench.mk.

Modes (nothing, empty programs on the per-syscall tracepoints, empty programs on spand's own
hooks, spand) take turns in short rounds, so that what the machine does meanwhile hits all of them
alike; figures are medians over the rounds, differences are taken within a round.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import apps
import goals
import profile_bpf
import reader
import syscalls
from modes import BenchError, make_modes
from spand import SpandError

TRACING = {"tracing", "tracepoint", "raw_tracepoint", "raw_tracepoint_writable", "kprobe",
           "perf_event"}
SECTIONS = ("syscalls", "apps", "reader")


def say(text):
    print(text, file=sys.stderr, flush=True)


def stolen():
    """Seconds of CPU that the hypervisor gave to others."""
    with open("/proc/stat") as f:
        fields = f.readline().split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def other_programs():
    """Tracing programs that are loaded by others: they would be measured too."""
    try:
        r = subprocess.run(["bpftool", "-j", "prog", "show"], stdout=subprocess.PIPE)
        return [f"{p.get('type')} {p.get('name', '')}" for p in json.loads(r.stdout)
                if p.get("type") in TRACING]
    except (OSError, ValueError):
        return []


def machine(cpus):
    model = ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"kernel": platform.release(), "arch": platform.machine(), "cpu": model,
            "cpus": os.cpu_count(), "used_cpus": cpus, "load": os.getloadavg()[0],
            "other_programs": other_programs(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--build", default="build", help="output folder of make")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--hooks", default="auto", help='auto, socket, syscall or "socket syscall"')
    p.add_argument("--only", default=",".join(SECTIONS), help="of " + ",".join(SECTIONS))
    p.add_argument("--no-spand", action="store_true", help="nothing and empty programs only")
    p.add_argument("--json", help="write all figures to this file")
    a = p.parse_args()
    a.only = a.only.split(",")
    a.hooks = a.hooks.split()
    if a.rounds < 1 or a.seconds <= 0:
        p.error("rounds and seconds must be positive")
    if set(a.only) - set(SECTIONS):
        p.error("--only: " + ", ".join(SECTIONS))
    if not a.hooks or set(a.hooks) - {"auto", "socket", "syscall"}:
        p.error("--hooks: auto, socket, syscall")
    if a.no_spand:
        a.only = [s for s in a.only if s != "reader"]
    return a


def measure(a, cpus, tmp, parts):
    modes = make_modes(a.build, a.hooks, tmp, not a.no_spand, say)
    try:
        if "syscalls" in a.only:
            # The driver, and with it the daemon, keep to the first CPU: the timed thread has the
            # other for itself, and only what happens inside its calls counts.
            for mode in modes:
                mode.cpus = {cpus[0]}
            os.sched_setaffinity(0, {cpus[0]})
            parts["syscalls"] = syscalls.run(a.build, modes, a.rounds, cpus[1], say)
            parts["profile"] = profile_bpf.run(a.build, modes, cpus[1], say)
            os.sched_setaffinity(0, set(cpus))
        if "apps" in a.only:
            for mode in modes:
                mode.cpus = set(cpus)
            parts["apps"] = apps.run(modes, (a.rounds + 1) // 2, a.seconds, tmp, cpus, say)
        if "reader" in a.only:
            os.sched_setaffinity(0, {cpus[0]})
            parts["reader"] = {}
            for mode in modes:
                if mode.kind == "spand":
                    parts["reader"][mode.name] = reader.run(a.build, mode.hooks, a.seconds, tmp,
                                                            cpus, say)
    finally:
        for mode in modes:
            mode.close()


def show(report):
    m = report["machine"]
    print(f"\n{m['cpu']}, {m['cpus']} CPUs, Linux {m['kernel']}, load at start {m['load']:.2f}, "
          f"{report['stolen_seconds']:.1f} s stolen by the hypervisor")
    parts = report["parts"]
    for section, module in (("syscalls", syscalls), ("apps", apps)):
        if section in parts:
            print("\n" + "\n".join(module.table(parts[section])))
        if section == "syscalls" and parts.get("profile"):
            print("\n" + "\n".join(profile_bpf.table(parts["profile"])))
    for name, result in parts.get("reader", {}).items():
        print(f"\n{name}\n" + "\n".join(reader.table(result)))
        for sink, r in result.items():
            mem = r["memory"]
            print(f"    {sink}: resident {mem['VmRSS'] / goals.MIB:.1f} MiB (own "
                  f"{mem['RssAnon'] / goals.MIB:.1f}, mapped {mem['RssFile'] / goals.MIB:.1f}), "
                  f"peak {mem['VmHWM'] / goals.MIB:.1f}, at start "
                  f"{r['memory_idle']['VmRSS'] / goals.MIB:.1f}; maps "
                  f"{mem['maps'] / goals.MIB:.1f} MiB, at start "
                  f"{r['memory_idle']['maps'] / goals.MIB:.1f}")
    if report["goals"]:
        print("\n" + "\n".join(goals.table(report["goals"])))


def main():
    a = arguments()
    if os.geteuid():
        sys.exit("bench: run as root")
    os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    cpus = sorted(os.sched_getaffinity(0))[-2:]
    cpus = cpus if len(cpus) == 2 else cpus * 2
    parts = {}
    report = {"machine": machine(cpus), "options": vars(a), "parts": parts}
    if report["machine"]["load"] > 0.5 or report["machine"]["other_programs"]:
        say(f"note: this machine is not quiet: load {report['machine']['load']:.2f}, other tracing "
            f"programs: {', '.join(report['machine']['other_programs']) or 'none'}")
    steal = stolen()
    try:
        with tempfile.TemporaryDirectory(prefix="spand-bench-") as tmp:
            measure(a, cpus, tmp, parts)
    except (BenchError, SpandError, OSError) as e:
        sys.exit(f"bench: {e}")
    report["stolen_seconds"] = stolen() - steal
    report["goals"] = goals.evaluate(parts)
    show(report)
    if a.json:
        with open(a.json, "w") as f:
            json.dump(report, f, indent=1)
        print(f"\nall figures: {a.json}")


if __name__ == "__main__":
    main()

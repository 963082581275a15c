# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What can be attached to the system while it is measured: nothing, empty programs, spand."""

import os
import subprocess
import time

from spand import Spand

DATA_CALLS = ("read", "readv", "recvfrom", "recvmsg", "recvmmsg",
              "write", "writev", "sendto", "sendmsg", "sendmmsg")

# What spand attaches to, as far as it matters for messages; asked of the daemon when it runs.
HOOKS = {
    "socket": ["tp_btf/sock_send_length", "tp_btf/sock_recv_length", "tp_btf/inet_sock_set_state"],
    "syscall": ["tp_btf/sys_enter", "tp_btf/sys_exit", "tp_btf/inet_sock_set_state"],
}
TRACEPOINTS = [f"tracepoint/syscalls/sys_{edge}_{call}"
               for call in DATA_CALLS for edge in ("enter", "exit")]


class BenchError(Exception):
    pass


def pinned(cpu):
    """For preexec_fn: the child runs on this CPU, or set of CPUs, only."""
    cpus = {cpu} if isinstance(cpu, int) else set(cpu)
    return lambda: os.sched_setaffinity(0, cpus)


class Nothing:
    kind = "none"
    name = "none"
    daemon = None

    def start(self):
        pass

    def stop(self):
        pass

    def close(self):
        pass


class Floor:
    """Empty programs, loaded once, attached and detached by command."""

    kind = "floor"
    daemon = None

    def __init__(self, name, build, hooks):
        self.name = name
        self.hooks = hooks
        self.process = subprocess.Popen(
            [f"{build}/bench/floor", f"{build}/bench/floor.bpf.o", *hooks],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _command(self, word):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer.strip() != word:
            raise BenchError(f"{self.name}: empty programs can't be attached to {self.hooks}")

    def start(self):
        self._command("on")

    def stop(self):
        self._command("off")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Traced:
    """The daemon, started anew each time, so that every round begins with an empty state."""

    kind = "spand"

    def __init__(self, name, build, hooks, tmp):
        self.name = name
        self.hooks = hooks
        self.build = build
        self.tmp = tmp
        self.cpus = os.sched_getaffinity(0)
        self.daemon = None

    def start(self):
        self.daemon = Spand(f"{self.build}/spand", self.tmp, hooks=self.hooks,
                            preexec_fn=pinned(self.cpus))

    def stop(self):
        if self.daemon:
            daemon, self.daemon = self.daemon, None
            daemon.stop()

    def close(self):
        self.stop()


def make_modes(build, hooks, tmp, with_spand, say):
    """The modes in the order of the tables. hooks: list of auto, socket, syscall."""
    modes = [Nothing(), Floor("tracepoints", build, TRACEPOINTS)]
    for want in hooks:
        if not with_spand:
            kind = "socket" if want == "auto" else want
            modes.append(Floor(f"floor-{kind}", build, HOOKS[kind]))
            continue
        probe = Traced("spand", build, want, tmp)
        probe.start()
        try:
            kind = probe.daemon.status()["ebpf"].get("hooks", want)
            points, others = probe.daemon.hooks()
        finally:
            probe.stop()
        if others:
            say(f"note: the floor has no twin for: {', '.join(sorted(others))}")
        if not points:
            say("note: the daemon's hooks could not be read; the floor takes the usual ones")
        modes.append(Floor(f"floor-{kind}", build, points or HOOKS[kind]))
        modes.append(Traced(f"spand-{kind}", build, kind, tmp))
    return modes


def rounds(modes, n):
    """Yields (round, mode), the mode started; the order turns from round to round."""
    for r in range(n):
        k = r % len(modes)
        for mode in modes[k:] + modes[:k]:
            mode.start()
            time.sleep(0.05)  # detaching ends with a grace period; let it pass
            try:
                yield r, mode
            finally:
                mode.stop()

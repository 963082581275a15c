# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a test file needs to declare its cases and to fail or skip."""

import os
import platform
import shutil

SLOW = os.environ.get("SPAND_SLOW") == "1"
# Other people's traffic is on this host: trace only the ports that the tests use.
SHARED = os.environ.get("SPAND_SHARED") == "1"
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))

AUTO = ("auto",)
BOTH = ("socket", "syscall")


class Skip(Exception):
    """The case can't run here; its text says why."""


class Fail(AssertionError):
    """Something spand did is not what the protocols and our own counting say."""


class NotStarted(Fail):
    """The daemon does not come up."""


def scale(n, slow=None):
    """A count of things to do: fewer under software emulation."""
    if not SLOW:
        return n
    return slow if slow is not None else max(1, n // 20)


def patience(seconds):
    """An upper bound on waiting; never a measure of success."""
    return seconds * (6 if SLOW else 1)


def check(cond, fmt, *args):
    if not cond:
        raise Fail(fmt % args if args else fmt)


def equal(got, want, what):
    if got != want:
        raise Fail("%s: got %r, expected %r" % (what, got, want))


def tool(name):
    """Full path of a program that the case can't do without."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip("no %s here" % name)
    return path


def helper(name):
    """A C program built by e2e.mk."""
    path = os.path.join(BUILD, "e2e", name)
    if not os.access(path, os.X_OK):
        raise Skip("%s is not built" % path)
    return path


def kernel_release():
    parts = platform.release().split(".")
    digits = "".join(c for c in parts[1].split("-")[0] if c.isdigit())
    return int(parts[0]), int(digits or 0)


def case(hooks=AUTO, config=None, heavy=False, own=False, unfiltered=False, manual=False,
         errors_ok=False):
    """
    Marks a function as a case.
    hooks: the hook modes it runs in. config: text added to spand's TOML, by table; cases
    with the same one share a daemon, unless own is set. heavy: left out by --quick.
    unfiltered: no filter on ports even on a shared host. manual: the case starts spand itself.
    errors_ok: the daemon may log errors.
    """
    def mark(fn):
        fn.e2e = {
            "hooks": hooks, "config": config or {}, "heavy": heavy, "own": own,
            "unfiltered": unfiltered, "manual": manual, "errors_ok": errors_ok,
        }
        return fn
    return mark

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The equations of include/abi.h over the ledger that GET /status shows."""

from .case import Fail

# Moves when others on the host do anything at all; says nothing of our traffic.
RESTLESS = ("filtered", "conns", "conns_closed", "conn_full")


def read(status):
    """The counters by name, and `open`."""
    led = status.get("ledger")
    if not isinstance(led, dict):
        raise Fail("/status has no ledger: %r" % (led,))
    return {k: v for k, v in led.items() if isinstance(v, int) and not isinstance(v, bool)}


def total(ledger, prefix):
    return sum(v for k, v in ledger.items() if k.startswith(prefix))


def records(ledger):
    """Spans that went into the ring."""
    return ledger["spans"] + ledger["no_response"] + ledger["oneway"] + ledger["pushed"]


def gaps(status):
    """What does not balance, as text; empty if all is well."""
    led = read(status)
    out = []

    def side(name, left, right):
        if left != right:
            out.append("%s: %d are not %d (difference %d)" % (name, left, right, left - right))

    side("requests", led["requests"],
         led["spans"] + led["no_response"] + led["oneway"] + led["open"] +
         total(led, "req_lost_") + led["req_sampled"])
    side("responses", led["responses"], led["spans"] + led["pushed"] + total(led, "resp_"))
    side("bytes", led["bytes"], total(led, "bytes_"))
    for name, value in status["ledger"].get("balance", {}).items():
        if value:
            out.append("balance.%s is %s" % (name, value))
    return out


def nonzero(ledger):
    return {k: v for k, v in ledger.items() if v and k not in ("balance", "settled")}


def delta(after, before):
    return {k: v - before.get(k, 0) for k, v in after.items()}


def lost(ledger):
    """Messages that did not become a span though nobody asked for that."""
    return {k: v for k, v in ledger.items() if v and (
        k.startswith("req_lost_") or
        k.startswith("resp_") and k not in ("resp_sampled", "resp_late_attach"))}

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Questions that a case asks about the spans since it began."""

import collections
import time

from .case import Fail, check, equal, patience
from . import ledger

FIELDS = {
    "span_id": str, "parent_span_id": (str, type(None)), "parent_rule": (str, type(None)),
    "trace_id": (str, type(None)), "kind": str, "protocol": str, "name": str, "status": str,
    "status_code": int, "start_time": int, "end_time": int, "duration": int,
    "ttfb": (int, type(None)),
    "tgid": int, "tid": int, "component": str, "src_ip": (str, type(None)), "src_port": int,
    "dst_ip": (str, type(None)), "dst_port": int, "l4": str, "req_size": int, "resp_size": int,
    "req_tcp_seq": (int, type(None)), "resp_tcp_seq": (int, type(None)),
    "req_syscall": (str, type(None)), "resp_syscall": (str, type(None)),
    "attributes": dict,
}
SAME = ("protocol", "name", "status", "status_code", "req_size", "resp_size",
        "req_tcp_seq", "resp_tcp_seq", "src_port", "dst_port", "l4")
HOUR = 3600 * 10**9


def no_parent(span):
    return not (span.get("parent_span_id") or "").strip("0")


def brief(span):
    return "%s %s %r %s/%s %s->%s req %s resp %s tid %s" % (
        span["kind"], span["protocol"], span["name"], span["status"], span["status_code"],
        span["src_port"], span["dst_port"], span["req_size"], span["resp_size"], span["tid"])


def names(spans):
    return collections.Counter(s["name"] for s in spans)


class Spans:
    def spans(self, port=None, **want):
        """Spans since the case began; port: the server's; the rest are equal fields."""
        out = []
        for s in self.spand.spans()[self.mark:]:
            if port is not None and s["dst_port"] != port:
                continue
            if all(s.get(k) == v for k, v in want.items()):
                out.append(s)
        return out

    def exactly(self, n, port=None, seconds=15, **want):
        """Waits for n such spans, then until nothing more can come; the spans."""
        end = time.monotonic() + patience(seconds)
        while len(self.spans(port, **want)) < n and time.monotonic() < end:
            now = self.spand.ledger()
            time.sleep(patience(0.03))
            # Everything has arrived and it is not enough: no need to wait for the end.
            if end - time.monotonic() < patience(seconds) * 0.7 and \
                    now == self.spand.ledger():
                break
        self.spand.settle()
        got = self.spans(port, **want)
        if len(got) != n:
            raise Fail("%d spans%s, expected %d; ledger moved %s; they are %s" % (
                len(got), " with %s" % want if want else "", n,
                ledger.nonzero(self.delta()), "; ".join(map(brief, got[:6]))))
        return got

    def pairs(self, n, port=None, **want):
        """
        n client spans and n server spans, each server span the child of its client span; what
        both ends must agree on is the same. In the order of the client spans.
        """
        clients = self.exactly(n, port, kind="client", **want)
        servers = self.exactly(n, port, kind="server", **want)
        by_parent = {}
        for s in servers:
            check(not no_parent(s), "server span without a parent: %s", brief(s))
            check(s["parent_span_id"] not in by_parent, "two server spans have one parent: %s",
                  brief(s))
            by_parent[s["parent_span_id"]] = s
        out = []
        for c in clients:
            s = by_parent.get(c["span_id"])
            if s is None:
                raise Fail("no server span has the parent %s; parents are %s" % (
                    c["span_id"], sorted(by_parent)[:4]))
            for field in SAME:
                if s[field] != c[field]:
                    raise Fail("%s differs: client %r, server %r" % (field, c[field], s[field]))
            check(no_parent(c), "a client span at the top has the parent %s",
                  c["parent_span_id"])
            if s["trace_id"] and c["trace_id"]:
                equal(s["trace_id"], c["trace_id"], "trace_id of the server span")
            # A write that blocks has sent its first bytes long before the hook at its end.
            check(c["start_time"] <= s["start_time"] or c["req_size"] > 1 << 18,
                  "the server's span starts %d ns before the client's",
                  c["start_time"] - s["start_time"])
            # A client that gives up may be gone before the server reads.
            check(c["status"] == "no_response" or c["end_time"] >= s["start_time"], "the client's span ends before the server's "
                  "starts")
            out.append((c, s))
        return out

    def one(self, port=None, **want):
        return self.pairs(1, port, **want)[0]

    def nothing_lost(self):
        """The ledger has counted no loss since the case began."""
        lost = ledger.lost(self.delta())
        check(not lost, "the ledger counts losses: %s", lost)

    def sane(self):
        """What holds for every span whatever it is of."""
        seen = set()
        for s in self.spans():
            for field, kind in FIELDS.items():
                check(field in s, "span without %s: %s", field, s)
                check(isinstance(s[field], kind), "%s is a %s: %s", field,
                      type(s[field]).__name__, s)
            where = brief(s)
            check(s["kind"] in ("client", "server"), "kind: %s", where)
            check(s["status"] in ("ok", "error", "no_response"), "status: %s", where)
            check(s["l4"] in ("tcp", "udp", "unix"), "l4: %s %s", s["l4"], where)
            check(s["name"], "no name: %s", where)
            check(s["name"].isprintable(), "unprintable name: %s", where)
            equal(s["duration"], s["end_time"] - s["start_time"], "duration of " + where)
            check(0 <= (s["ttfb"] or 0) <= s["duration"], "ttfb %s of %d: %s", s["ttfb"],
                  s["duration"], where)
            check(s["span_id"].strip("0"), "no id: %s", where)
            check(s["span_id"] not in seen, "span id twice: %s", where)
            seen.add(s["span_id"])
            check(s["tgid"] > 0 and s["tid"] > 0, "nobody's: %s", where)
            check(self.began - HOUR < s["start_time"] <= s["end_time"] < time.time_ns() + HOUR,
                  "not the time of day: start %d end %d, now %d", s["start_time"],
                  s["end_time"], time.time_ns())
            oneway = s["attributes"].get("oneway")
            if s["status"] == "no_response":
                equal(s["resp_size"], 0, "resp_size of " + where)
            else:
                check(oneway or s["resp_size"], "an answer without a byte: %s", where)
                check(oneway or s["req_size"], "a request without a byte: %s", where)
            if s["l4"] == "tcp" and not oneway:
                check(s["req_tcp_seq"] is not None, "no req_tcp_seq: %s", where)

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The figures that were promised, next to those that were found."""

from syscalls import NOT_A_SOCKET

MIB = 1024 * 1024


def goal(name, limit, value, unit, at_most=True, low=None, high=None, invalid=False):
    """low..high: interval of the value; a goal inside it is neither surely met nor missed."""
    met = value <= limit if at_most else value >= limit
    return {"name": name, "goal": limit, "at_most": at_most, "value": value, "unit": unit,
            "met": bool(met and not invalid), "invalid": invalid,
            "certain": low is None or not low <= limit <= high}


def syscall_goals(result, mode):
    groups = [(f"data syscall, {t}", 400,
               lambda n, t=t: n.endswith(" " + t) and not n.startswith("exchange"))
              for t in ("redis", "http", "unix")]
    groups.append(("no socket", 100, lambda n: n in NOT_A_SOCKET))
    for title, limit, belongs in groups:
        rows = {n: r for n, r in result["rows"].items() if belongs(n)}
        worst = max(rows, key=lambda n: rows[n]["above_floor"][mode]["median"])
        d = rows[worst]["above_floor"][mode]
        yield goal(f"{title}: worst ({worst})", limit, d["median"], "ns above floor", low=d["low"],
                   high=d["high"],
                   invalid=any(mode in why for r in rows.values() for why in r["invalid"]))


def app_goals(result, mode):
    for name, row in result["rows"].items():
        limit = 0.90 if name.startswith("nginx") else 0.85
        r = row["ratio"][mode]
        bad = any(mode in why for why in row["invalid"])
        yield goal(f"{name}, requests/s", limit, r["median"], "of untraced", at_most=False,
                   low=r["low"], high=r["high"], invalid=bad)
    for name, row in result["rows"].items():
        yield goal(f"{name}, ring", 256, row["span_bytes"][mode]["median"], "bytes a span")


def reader_goals(result):
    for sink, limit in (("null", 200e3), ("json", 100e3)):
        found = result[sink]["sustained"]
        # Short of the goal because no more could be made says nothing of the reader.
        yield goal(f"reader, {sink} sink", limit, found, "spans/s", at_most=False,
                   invalid=result[sink]["generator_limited"] and found < limit)
    for key, limit, title in (("VmHWM", 40, "daemon, peak resident"), ("maps", 64, "maps")):
        yield goal(title, limit, max(r["memory"][key] for r in result.values()) / MIB, "MiB")


def evaluate(parts):
    """parts: results by section; only what was measured with spand has goals."""
    out = []
    for section, make in (("syscalls", syscall_goals), ("apps", app_goals)):
        result = parts.get(section)
        for mode in result["modes"] if result else ():
            if mode.startswith("spand"):
                out += [dict(g, mode=mode) for g in make(result, mode)]
    for mode, result in parts.get("reader", {}).items():
        out += [dict(g, mode=mode) for g in reader_goals(result)]
    return out


def table(goals):
    head = f"{'goal':<50}{'mode':<15}{'wanted':>12}{'found':>12}  {'unit':<15}"
    lines = [head, "-" * len(head)]
    for g in goals:
        digits = 2 if g["goal"] < 1 else 0
        wanted = f"{'<=' if g['at_most'] else '>='} {g['goal']:.{digits}f}"
        verdict = "INVALID" if g["invalid"] else "met" if g["met"] else "MISSED"
        if not g["certain"] and not g["invalid"]:
            verdict += " (within the error)"
        lines.append(f"{g['name']:<50}{g['mode']:<15}{wanted:>12}{g['value']:>12.{digits}f}"
                     f"  {g['unit']:<15}{verdict}")
    return lines

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Medians and what is known about them. No distribution is assumed: the machines are noisy."""

from math import comb
from statistics import median, quantiles


def quartiles(xs):
    """First and third quartile."""
    if len(xs) < 2:
        return xs[0], xs[0]
    q = quantiles(xs, n=4, method="inclusive")
    return q[0], q[2]


def median_interval(xs):
    """The median with an interval that holds it in at least 95 of 100 cases.

    The bounds are two of the values themselves: those whose ranks a coin-toss distribution puts
    outside in under 2.5 % of cases on either side. Below six values that is all of them.
    """
    s = sorted(xs)
    n = len(s)
    rank, tail = 0, 1 / 2**n
    while rank + 1 < n / 2 and tail + comb(n, rank + 1) / 2**n <= 0.025:
        rank += 1
        tail += comb(n, rank) / 2**n
    return median(s), s[rank], s[n - 1 - rank]


def summary(xs):
    """What goes into the JSON for one series of rounds."""
    q1, q3 = quartiles(xs)
    return {"median": median(xs), "q1": q1, "q3": q3, "rounds": list(xs)}


def compare(xs, base, op):
    """Median of op(x, base) over rounds, with its interval: rounds are pairs, drift cancels."""
    m, lo, hi = median_interval([op(x, b) for x, b in zip(xs, base)])
    return {"median": m, "low": lo, "high": hi}

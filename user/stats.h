/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats.h - counters of what went by: spans by protocol, kind and status, and their durations.
 * Bounded by the number of protocols; written by the reader, read by anyone.
 */
#ifndef SPAND_STATS_H
#define SPAND_STATS_H

#include "daemon.h"
#include "span.h"

#define STATS_STATUSES 3  /* ok (one-way too), error, no_response */
#define STATS_BUCKETS  14 /* the last one has no upper bound */

/* Upper bounds of all buckets but the last, ns. */
extern const uint64_t stats_bucket_ns[STATS_BUCKETS - 1];

/* One series of spans. */
struct stats_series {
	uint64_t by_status[STATS_STATUSES]; /* by enum span_status; SPAN_ONEWAY counts as ok */
	uint64_t bucket[STATS_BUCKETS];	    /* spans by duration, those with a response only */
	uint64_t duration_ns;		    /* their sum */
};

/* Counts a span that came from the ring. The reader calls it, once for each. */
void stats_count(const struct span *s);

/* Counters of one protocol (1..PROTO_MAX - 1) and enum span_kind: 0, -EINVAL out of range. */
int stats_get(unsigned proto, unsigned kind, struct stats_series *out);

/* Label of a protocol ("http"), NULL out of range. */
const char *stats_proto_label(unsigned proto);

/* What the kernel's side looks like now. */
struct stats_tracer {
	bool running;	/* info is valid and programs are attached */
	bool ledger_ok; /* ledger is valid */
	bool settled;	/* nothing moved while info and ledger were read: the gaps have meaning */
	struct tracer_info info;
	uint64_t ledger[LG_MAX];
};

/*
 * stats_tracer - reads the tracer of d (none: everything false, kernel from uname). It reads
 * again, a few times, until the ledger did not move meanwhile. Takes d->lock.
 */
void stats_tracer(struct daemon *d, struct stats_tracer *out);

#endif

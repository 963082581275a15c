/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon_reader.c - from a record of the ring to a span in the store and in every sink.
 */
#include "daemon.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "stats.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t daemon_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void daemon_tick_clock(struct daemon *d)
{
	uint64_t best = UINT64_MAX, diff = 0, a, b, real;

	/* The two clocks can't be read at once; the tightest of a few tries is near enough. */
	for (int i = 0; i < 5; i++) {
		a = clock_ns(CLOCK_MONOTONIC);
		real = clock_ns(CLOCK_REALTIME);
		b = clock_ns(CLOCK_MONOTONIC);
		if (b - a < best) {
			best = b - a;
			diff = real - (a + (b - a) / 2);
		}
	}
	atomic_store(&d->mono_to_unix, diff);
}

void daemon_record(void *arg, const void *data, size_t len)
{
	struct daemon *d = arg;
	struct process *proc = NULL;
	struct span_rec rec;
	struct span *s;
	uint64_t seq;

	/* span_new() judges the record; until then only a whole fixed part is looked at. */
	if (len >= sizeof(rec)) {
		memcpy(&rec, data, sizeof(rec));
		if (rec.type == REC_SPAN && d->enrich)
			proc = enrich_lookup(d->enrich, rec.tgid, (const char *)rec.comm,
					     rec.cgroup_id);
	}
	seq = atomic_load_explicit(&d->spans, memory_order_relaxed) + 1;
	s = span_new(data, len, seq, atomic_load_explicit(&d->mono_to_unix, memory_order_relaxed),
		     proc);
	if (!s) {
		/* errno tells them apart for the log; both are spans that nobody will see. */
		if (!atomic_fetch_add(&d->bad_records, 1))
			log_warn("a record of %zu bytes was dropped: %s", len, strerror(errno));
		return;
	}
	atomic_store_explicit(&d->spans, seq, memory_order_relaxed);
	stats_count(s);
	store_add(d->store, s);
	pthread_mutex_lock(&d->reader_lock);
	for (size_t i = 0; i < d->n_sinks; i++)
		sink_push(d->sinks[i], s);
	pthread_mutex_unlock(&d->reader_lock);
	span_put(s);
}

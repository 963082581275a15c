/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "stats.h"

#define MS	     1000000ULL
#define SETTLE_TRIES 3

const uint64_t stats_bucket_ns[STATS_BUCKETS - 1] = {
	MS / 20, MS / 10,  MS / 4,   MS / 2,	MS,	   5 * MS,     10 * MS,
	25 * MS, 100 * MS, 250 * MS, 1000 * MS, 2500 * MS, 10000 * MS,
};

struct series {
	atomic_ullong by_status[STATS_STATUSES];
	atomic_ullong bucket[STATS_BUCKETS];
	atomic_ullong duration_ns;
};

static struct series all[PROTO_MAX][2];

static void bump(atomic_ullong *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t peek(atomic_ullong *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void stats_count(const struct span *s)
{
	unsigned status = s->rec.status == SPAN_ONEWAY ? SPAN_OK : s->rec.status;
	struct series *e;
	unsigned i = 0;

	if (s->rec.proto >= PROTO_MAX || s->rec.kind > SPAN_CLIENT || status >= STATS_STATUSES)
		return;
	e = &all[s->rec.proto][s->rec.kind];
	bump(&e->by_status[status], 1);
	if (s->rec.status == SPAN_NO_RESPONSE || s->rec.status == SPAN_ONEWAY)
		return; /* its duration is how long nobody answered */
	while (i < STATS_BUCKETS - 1 && s->rec.dur_ns > stats_bucket_ns[i])
		i++;
	bump(&e->bucket[i], 1);
	bump(&e->duration_ns, s->rec.dur_ns);
}

int stats_get(unsigned proto, unsigned kind, struct stats_series *out)
{
	struct series *e;

	if (!proto || proto >= PROTO_MAX || kind > SPAN_CLIENT)
		return -EINVAL;
	e = &all[proto][kind];
	for (unsigned i = 0; i < STATS_STATUSES; i++)
		out->by_status[i] = peek(&e->by_status[i]);
	for (unsigned i = 0; i < STATS_BUCKETS; i++)
		out->bucket[i] = peek(&e->bucket[i]);
	out->duration_ns = peek(&e->duration_ns);
	return 0;
}

const char *stats_proto_label(unsigned proto)
{
#define LABEL(upper, lower, label) [PROTO_##upper] = label,
	static const char *const labels[PROTO_MAX] = { PROTO_LIST(LABEL) };
#undef LABEL

	return proto < PROTO_MAX ? labels[proto] : NULL;
}

void stats_tracer(struct daemon *d, struct stats_tracer *out)
{
	uint64_t before[LG_MAX];
	struct utsname u;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&d->lock); /* the tracer is not reconfigured meanwhile */
	for (int i = 0; d->tracer && i < SETTLE_TRIES && !out->settled; i++) {
		out->ledger_ok = !tracer_ledger(d->tracer, before);
		out->running = !tracer_info(d->tracer, &out->info) && out->info.programs;
		if (out->ledger_ok)
			out->ledger_ok = !tracer_ledger(d->tracer, out->ledger);
		out->settled = out->ledger_ok && out->running &&
			       !memcmp(before, out->ledger, sizeof(before));
		if (!out->ledger_ok || !out->running)
			break;
	}
	pthread_mutex_unlock(&d->lock);
	if (!out->info.kernel[0] && !uname(&u))
		memcpy(out->info.kernel, u.release, sizeof(out->info.kernel) - 1);
}

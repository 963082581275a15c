/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * store.c - a ring of references. Positions count up for ever; the span at position p is in slot
 * p % capacity. A reader looks at a bounded number of spans per turn of the lock, so that the
 * writer waits for microseconds at most; what is overwritten between two turns is simply older
 * than what the query still wants.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define SCAN_CHUNK 256

struct store {
	pthread_mutex_t lock;
	struct span **slots;
	size_t capacity;
	uint64_t next;	/* position of the next span */
	uint64_t first; /* oldest position kept */
};

struct store *store_new(size_t capacity)
{
	struct store *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	if (capacity) {
		st->slots = calloc(capacity, sizeof(*st->slots));
		if (!st->slots) {
			free(st);
			return NULL;
		}
	}
	st->capacity = capacity;
	pthread_mutex_init(&st->lock, NULL);
	return st;
}

void store_free(struct store *st)
{
	if (!st)
		return;
	for (; st->first < st->next; st->first++)
		span_put(st->slots[st->first % st->capacity]);
	pthread_mutex_destroy(&st->lock);
	free(st->slots);
	free(st);
}

void store_add(struct store *st, struct span *s)
{
	struct span *old = NULL;

	span_get(s);
	pthread_mutex_lock(&st->lock);
	if (st->capacity) {
		struct span **slot = &st->slots[st->next % st->capacity];

		if (st->next - st->first == st->capacity) {
			old = *slot;
			st->first++;
		}
		*slot = s;
		st->next++;
	} else {
		old = s;
	}
	pthread_mutex_unlock(&st->lock);
	span_put(old);
}

/* What a query asks for, looked up once. */
struct filter {
	const struct store_query *q;
	uint32_t tgid;
	bool any_tgid;
	size_t comm_len;
};

static void filter_init(struct filter *f, const struct store_query *q)
{
	char *end = NULL;
	unsigned long v;

	f->q = q;
	f->tgid = 0;
	f->any_tgid = true;
	f->comm_len = 0;
	if (!q->process)
		return;
	f->comm_len = strlen(q->process);
	if (f->comm_len > SPAND_COMM_LEN - 1)
		f->comm_len = SPAND_COMM_LEN - 1; /* the kernel cut it there too */
	if (q->process[0] < '0' || q->process[0] > '9')
		return;
	errno = 0;
	v = strtoul(q->process, &end, 10);
	if (!errno && !*end && v <= UINT32_MAX) {
		f->tgid = v;
		f->any_tgid = false;
	}
}

static bool is_process(const struct filter *f, const struct span *s)
{
	const char *comm = (const char *)s->rec.comm;

	if (!f->any_tgid && f->tgid == s->rec.tgid)
		return true;
	return strlen(comm) == f->comm_len && !memcmp(comm, f->q->process, f->comm_len);
}

static bool matches(const struct filter *f, const struct span *s)
{
	const struct store_query *q = f->q;

	if (s->start_unix < q->since || s->rec.dur_ns < q->min_duration)
		return false;
	if (q->protocol && strcmp(q->protocol, span_protocol(s)))
		return false;
	if (q->status && strcmp(q->status, span_status_name(s)))
		return false;
	if (q->process && !is_process(f, s))
		return false;
	return !q->name || strstr(s->name, q->name);
}

size_t store_find(struct store *st, const struct store_query *q, struct span **out)
{
	uint64_t pos = UINT64_MAX;
	struct filter f;
	bool more = true;
	size_t n = 0;

	filter_init(&f, q);
	while (more && n < q->limit) {
		unsigned chunk = SCAN_CHUNK;

		pthread_mutex_lock(&st->lock);
		if (pos > st->next)
			pos = st->next;
		for (; pos > st->first && n < q->limit && chunk; chunk--) {
			struct span *s = st->slots[--pos % st->capacity];

			/* Numbers only grow: nothing that is older can be newer than after_seq. */
			if (s->seq <= q->after_seq) {
				pos = 0;
				break;
			}
			if (matches(&f, s))
				out[n++] = span_get(s);
		}
		more = pos > st->first;
		pthread_mutex_unlock(&st->lock);
	}
	return n;
}

int store_resize(struct store *st, size_t capacity)
{
	struct span **slots = NULL, **old;
	uint64_t first, keep, p;
	size_t old_capacity;

	if (capacity) {
		slots = calloc(capacity, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
	}
	pthread_mutex_lock(&st->lock);
	old = st->slots;
	old_capacity = st->capacity;
	first = st->first;
	keep = st->next - first < capacity ? first : st->next - capacity;
	for (p = keep; p < st->next; p++)
		slots[p % capacity] = old[p % old_capacity];
	st->slots = slots;
	st->capacity = capacity;
	st->first = keep;
	pthread_mutex_unlock(&st->lock);

	for (p = first; p < keep; p++)
		span_put(old[p % old_capacity]);
	free(old);
	return 0;
}

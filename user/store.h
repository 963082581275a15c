/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * store.h - the last N spans in memory, for the API and `spanctl`. One writer, many readers.
 */
#ifndef SPAND_STORE_H
#define SPAND_STORE_H

#include "span.h"

struct store;

struct store_query {
	size_t limit;	       /* at most this many, newest first */
	const char *protocol;  /* label, NULL: any */
	const char *process;   /* comm or tgid in decimal, NULL: any */
	const char *status;    /* ok, error, no_response, NULL: any */
	const char *name;      /* substring, NULL: any */
	uint64_t since;	       /* start_time >= this, Unix ns; 0: any */
	uint64_t after_seq;    /* only spans with seq > this: what `spans -f` polls with */
	uint64_t min_duration; /* ns */
};

struct store *store_new(size_t capacity);
void store_free(struct store *st);
void store_add(struct store *st, struct span *s); /* takes its own reference */

/* Fills out[0..limit) with references for the caller; returns how many. */
size_t store_find(struct store *st, const struct store_query *q, struct span **out);

/* Changes the capacity, keeping the newest. 0 or -ENOMEM (unchanged). */
int store_resize(struct store *st, size_t capacity);

#endif

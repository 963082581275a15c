/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vec_cuts.h - one vector, cut into calls in every way that could make a difference: whole,
 * merged, one byte at a time, in two at every byte, at random. The answers must be the same.
 */
#ifndef SPAND_VEC_CUTS_H
#define SPAND_VEC_CUTS_H

#include "vec_drive.h"

/* Above this size not every byte is a place to cut: only those near the ends. */
#define CUTS_ALL    8192
#define CUTS_EDGE   160
#define CUTS_RANDOM 16

struct cuts {
	const struct vec_case *c;
	drive_parse_fn parse;
	void *ctx;
	int quick; /* fewer places to cut */
	char error[1200];
};

static int cuts_verdict(struct cuts *x, struct drive *d, const char *how, __u64 where)
{
	int r = drive_check(d);

	if (r)
		snprintf(x->error, sizeof(x->error), "%s %llu: %s", how, (unsigned long long)where,
			 d->error);
	drive_free(d);
	return r;
}

/* How much of a segment goes into the next call. */
typedef __u64 (*cuts_fn)(__u64 arg, __u64 at, __u64 len);

static int cuts_run(struct cuts *x, const char *how, cuts_fn fn, __u64 arg)
{
	struct drive *d = malloc(sizeof(*d));
	__u64 at, n;
	size_t i;
	int r;

	drive_init(d, x->c, x->parse, x->ctx);
	for (i = 0; i < x->c->segs.n; i++) {
		const struct vec_seg *seg = vec_at(&x->c->segs, struct vec_seg, i);

		for (at = 0; at < seg->len; at += n) {
			n = fn(arg, at, seg->len);
			if (n > seg->len - at)
				n = seg->len - at;
			drive_feed(d, seg->dir, seg->off + at, n);
		}
	}
	r = cuts_verdict(x, d, how, arg);
	free(d);
	return r;
}

static __u64 cuts_whole(__u64 arg, __u64 at, __u64 len)
{
	(void)arg;
	(void)at;
	return len;
}

/* One byte a call; the middle of what is big goes in one piece. */
static __u64 cuts_bytes(__u64 arg, __u64 at, __u64 len)
{
	(void)arg;
	if (len > CUTS_ALL && at == CUTS_ALL / 2)
		return len - CUTS_ALL;
	return 1;
}

static __u64 cuts_two(__u64 arg, __u64 at, __u64 len)
{
	return at ? len : arg;
}

static __u64 cuts_random(__u64 arg, __u64 at, __u64 len)
{
	__u64 r = spand_mix64(arg << 32 ^ at);

	return 1 + (len > CUTS_ALL ? r % (len / 64) : r % (r >> 60 & 1 ? 16 : 400));
}

/* Every request first, then every response. */
static int cuts_merged(struct cuts *x)
{
	struct drive *d = malloc(sizeof(*d));
	int r;

	drive_init(d, x->c, x->parse, x->ctx);
	drive_feed(d, 0, 0, x->c->dir[0].len);
	drive_feed(d, 1, 0, x->c->dir[1].len);
	r = cuts_verdict(x, d, "merged", 0);
	free(d);
	return r;
}

/* 0, or -1 and why in x->error. */
static int cuts_all(struct cuts *x)
{
	__u64 longest = 0, i;
	size_t k;

	if (cuts_run(x, "whole", cuts_whole, 0))
		return -1;
	if (!(x->c->options & VEC_ORDERED) && cuts_merged(x))
		return -1;
	if (cuts_run(x, "single bytes", cuts_bytes, 0))
		return -1;
	for (k = 0; k < x->c->segs.n; k++) {
		const struct vec_seg *seg = vec_at(&x->c->segs, struct vec_seg, k);

		if (seg->len > longest)
			longest = seg->len;
	}
	for (i = 1; i < longest; i++) {
		if (longest > CUTS_ALL && i == CUTS_EDGE)
			i = longest - CUTS_EDGE;
		if (x->quick && i % 16)
			continue;
		if (cuts_run(x, "cut at", cuts_two, i))
			return -1;
	}
	for (i = 0; i < (x->quick ? 2 : CUTS_RANDOM); i++) {
		if (cuts_run(x, "random cuts", cuts_random, i))
			return -1;
	}
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"

struct span_mask {
	size_t n;
	regex_t re[];
};

void span_mask_free(struct span_mask *m)
{
	size_t i;

	if (!m)
		return;
	for (i = 0; i < m->n; i++)
		regfree(&m->re[i]);
	free(m);
}

int span_mask_new(char *const *patterns, size_t n, struct span_mask **out, size_t *bad)
{
	struct span_mask *m = calloc(1, sizeof(*m) + n * sizeof(m->re[0]));
	int err;

	if (!m)
		return -ENOMEM;
	for (; m->n < n; m->n++) {
		err = regcomp(&m->re[m->n], patterns[m->n], REG_EXTENDED);
		if (err) {
			if (err != REG_ESPACE)
				*bad = m->n;
			span_mask_free(m);
			return err == REG_ESPACE ? -ENOMEM : -EINVAL;
		}
	}
	*out = m;
	return 0;
}

/* Matches are found in buf as it was and written to out, so that patterns don't see each other. */
static void mask_one(const regex_t *re, const char *buf, char *out, size_t len)
{
	regmatch_t match;
	size_t from = 0;
	int err;

	while (from < len) {
		match.rm_so = from;
		match.rm_eo = len;
		err = regexec(re, buf, 1, &match, REG_STARTEND | (from ? REG_NOTBOL : 0));
		if (err == REG_NOMATCH)
			return;
		if (err) { /* out of memory: what could not be searched is not shown */
			memset(out + from, '*', len - from);
			return;
		}
		memset(out + match.rm_so, '*', match.rm_eo - match.rm_so);
		from = match.rm_eo > match.rm_so ? (size_t)match.rm_eo : (size_t)match.rm_eo + 1;
	}
}

void span_mask_apply(const struct span_mask *m, char *buf, size_t len)
{
	char copy[SPAND_CAPTURE_MAX];
	size_t i;

	if (!m || !m->n || !len)
		return;
	if (len > sizeof(copy)) { /* nothing that long is captured */
		memset(buf, '*', len);
		return;
	}
	memcpy(copy, buf, len);
	for (i = 0; i < m->n; i++)
		mask_one(&m->re[i], copy, buf, len);
}

/* The masks in use. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct span_mask *mask;
static atomic_bool have_mask;
static atomic_uint changes;

void span_mask_use(struct span_mask *m)
{
	struct span_mask *old;

	pthread_mutex_lock(&lock);
	old = mask;
	mask = m;
	atomic_store(&have_mask, m && m->n);
	atomic_fetch_add(&changes, 1);
	pthread_mutex_unlock(&lock);
	span_mask_free(old);
}

void span_mask_text(char *buf, size_t len)
{
	if (!atomic_load(&have_mask))
		return;
	pthread_mutex_lock(&lock);
	span_mask_apply(mask, buf, len);
	pthread_mutex_unlock(&lock);
}

unsigned span_mask_changes(void)
{
	return atomic_load(&changes);
}

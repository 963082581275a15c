/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_top.c - spans of the last seconds, added up by process, protocol, kind and name.
 * Percentiles are exact: every duration of the window is kept, in bounded memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spanctl.h"

#define ROWS_MAX    4096
#define SAMPLES_MAX (1U << 18)
#define HASH_SIZE   (2 * ROWS_MAX)
#define NO_DURATION UINT64_MAX

struct sample {
	uint64_t at;	   /* when it was fetched */
	uint64_t duration; /* ns, NO_DURATION: unanswered */
	uint32_t row;
	float weight; /* spans that it stands for: 1 when none were missed */
	bool error;
};

struct ctl_top {
	uint64_t window_ns, dropped;
	struct ctl_top_row *rows; /* by index; ROWS_MAX of them */
	size_t n_rows;
	uint16_t hash[HASH_SIZE]; /* index + 1, 0: free */
	struct sample *samples;	  /* a ring, oldest at head */
	size_t head, n_samples, room;
	struct ctl_top_row *sorted;
	uint64_t *durations;
};

struct ctl_top *ctl_top_new(uint64_t window_ns)
{
	struct ctl_top *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->window_ns = window_ns;
	t->rows = calloc(ROWS_MAX, sizeof(*t->rows));
	if (!t->rows) {
		free(t);
		return NULL;
	}
	return t;
}

static void free_row(struct ctl_top_row *r)
{
	free(r->process);
	free(r->protocol);
	free(r->kind);
	free(r->name);
	memset(r, 0, sizeof(*r));
}

void ctl_top_free(struct ctl_top *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_rows; i++)
		free_row(&t->rows[i]);
	free(t->rows);
	free(t->samples);
	free(t->sorted);
	free(t->durations);
	free(t);
}

static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619U; /* FNV-1a */
	return h * 16777619U;
}

/* The slot of a row in the hash table: its own, or the free one where it belongs. */
static uint16_t *slot_of(struct ctl_top *t, const char *process, const char *protocol,
			 const char *kind, const char *name)
{
	uint32_t h = 2166136261U;

	h = hash_text(hash_text(hash_text(hash_text(h, process), protocol), kind), name);
	for (;; h++) {
		uint16_t *slot = &t->hash[h % HASH_SIZE];
		const struct ctl_top_row *r;

		if (!*slot)
			return slot;
		r = &t->rows[*slot - 1];
		if (!strcmp(r->name, name) && !strcmp(r->process, process) &&
		    !strcmp(r->protocol, protocol) && !strcmp(r->kind, kind))
			return slot;
	}
}

/* The row of a span, made if need be: 0, -ENOSPC when there are too many, -ENOMEM. */
static int find_row(struct ctl_top *t, json_t *span, uint32_t *index)
{
	const char *process = ctl_str(span, "component"), *protocol = ctl_str(span, "protocol");
	const char *kind = ctl_str(span, "kind"), *name = ctl_str(span, "name");
	uint16_t *slot = slot_of(t, process, protocol, kind, name);
	struct ctl_top_row r = { 0 };

	if (*slot) {
		*index = *slot - 1;
		return 0;
	}
	if (t->n_rows == ROWS_MAX)
		return -ENOSPC;
	r.process = strdup(process);
	r.protocol = strdup(protocol);
	r.kind = strdup(kind);
	r.name = strdup(name);
	if (!r.process || !r.protocol || !r.kind || !r.name) {
		free_row(&r);
		return -ENOMEM;
	}
	t->rows[t->n_rows++] = r;
	*slot = t->n_rows;
	*index = t->n_rows - 1;
	return 0;
}

static int add_sample(struct ctl_top *t, const struct sample *s)
{
	struct sample *bigger;
	size_t room;

	if (t->n_samples == t->room && t->room < SAMPLES_MAX) {
		room = t->room ? t->room * 2 : 1024;
		bigger = malloc(room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		for (size_t i = 0; i < t->n_samples; i++)
			bigger[i] = t->samples[(t->head + i) % t->room];
		free(t->samples);
		t->samples = bigger;
		t->room = room;
		t->head = 0;
	}
	if (t->n_samples == t->room) { /* at its bound: the oldest makes room */
		t->head = (t->head + 1) % t->room;
		t->n_samples--;
		t->dropped++;
	}
	t->samples[(t->head + t->n_samples++) % t->room] = *s;
	return 0;
}

/* Forgets samples that are too old. */
static void expire(struct ctl_top *t, uint64_t now)
{
	while (t->n_samples && now - t->samples[t->head].at > t->window_ns) {
		t->head = (t->head + 1) % t->room;
		t->n_samples--;
	}
}

int ctl_top_add(struct ctl_top *t, json_t *spans, uint64_t missed, uint64_t now)
{
	struct sample s = { .at = now };
	const char *status;
	json_t *span;
	size_t i;
	int ret;

	if (json_array_size(spans))
		s.weight = 1 + (float)missed / json_array_size(spans);
	expire(t, now);
	json_array_foreach (spans, i, span) {
		ret = find_row(t, span, &s.row);
		if (ret == -ENOSPC) {
			t->dropped++;
			continue;
		}
		if (ret)
			return ret;
		status = ctl_str(span, "status");
		s.error = strcmp(status, "ok");
		s.duration =
			strcmp(status, "no_response") && json_is_number(ctl_get(span, "duration"))
				? ctl_u64(span, "duration")
				: NO_DURATION;
		ret = add_sample(t, &s);
		if (ret)
			return ret;
	}
	return 0;
}

static int busier(const void *a, const void *b)
{
	const struct ctl_top_row *x = a, *y = b;
	int c;

	if (x->estimate != y->estimate)
		return x->estimate < y->estimate ? 1 : -1;
	c = strcmp(x->process, y->process);
	if (!c)
		c = strcmp(x->name, y->name);
	return c ? c : strcmp(x->kind, y->kind);
}

/* Drops rows that no sample speaks of, and gives the others new numbers. */
static void pack_rows(struct ctl_top *t)
{
	uint32_t *to = calloc(t->n_rows + 1, sizeof(*to));
	size_t n = 0;

	if (!to)
		return; /* nothing is lost: they only stay until the next time */
	for (size_t i = 0; i < t->n_rows; i++) {
		if (!t->rows[i].spans) {
			free_row(&t->rows[i]);
			continue;
		}
		to[i] = n;
		if (n != i) {
			t->rows[n] = t->rows[i];
			memset(&t->rows[i], 0, sizeof(t->rows[i]));
		}
		n++;
	}
	t->n_rows = n;
	for (size_t i = 0; i < t->n_samples; i++) {
		struct sample *s = &t->samples[(t->head + i) % t->room];

		s->row = to[s->row];
	}
	free(to);
	memset(t->hash, 0, sizeof(t->hash));
	for (size_t i = 0; i < n; i++) {
		const struct ctl_top_row *r = &t->rows[i];

		*slot_of(t, r->process, r->protocol, r->kind, r->name) = i + 1;
	}
}

static void count_rows(struct ctl_top *t)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		t->rows[i].spans = t->rows[i].errors = t->rows[i].answered = 0;
		t->rows[i].estimate = 0;
	}
	for (size_t i = 0; i < t->n_samples; i++) {
		const struct sample *s = &t->samples[(t->head + i) % t->room];
		struct ctl_top_row *r = &t->rows[s->row];

		r->spans++;
		r->estimate += s->weight;
		r->errors += s->error;
		r->answered += s->duration != NO_DURATION;
	}
}

/* Durations of each row side by side in t->durations, then their percentiles. */
static void latencies(struct ctl_top *t, size_t *next)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n_rows; i++) {
		next[i] = at;
		at += t->rows[i].answered;
	}
	for (size_t i = 0; i < t->n_samples; i++) {
		const struct sample *s = &t->samples[(t->head + i) % t->room];

		if (s->duration != NO_DURATION)
			t->durations[next[s->row]++] = s->duration;
	}
	for (size_t i = 0; i < t->n_rows; i++) {
		struct ctl_top_row *r = &t->rows[i];
		uint64_t *v = t->durations + next[i] - r->answered;

		r->p50 = r->p95 = r->p99 = 0;
		if (!r->answered)
			continue;
		ctl_sort(v, r->answered);
		r->p50 = ctl_percentile(v, r->answered, 50);
		r->p95 = ctl_percentile(v, r->answered, 95);
		r->p99 = ctl_percentile(v, r->answered, 99);
	}
}

int ctl_top_compute(struct ctl_top *t, uint64_t now, struct ctl_top_row **rows, size_t *n)
{
	size_t *next;

	expire(t, now);
	count_rows(t);
	pack_rows(t);
	free(t->sorted);
	free(t->durations);
	t->sorted = malloc((t->n_rows + 1) * sizeof(*t->sorted));
	t->durations = malloc((t->n_samples + 1) * sizeof(*t->durations));
	next = malloc((t->n_rows + 1) * sizeof(*next));
	if (!t->sorted || !t->durations || !next) {
		free(next);
		return -ENOMEM;
	}
	latencies(t, next);
	free(next);
	memcpy(t->sorted, t->rows, t->n_rows * sizeof(*t->sorted));
	qsort(t->sorted, t->n_rows, sizeof(*t->sorted), busier);
	*rows = t->sorted;
	*n = t->n_rows;
	return 0;
}

uint64_t ctl_top_dropped(const struct ctl_top *t)
{
	return t->dropped;
}

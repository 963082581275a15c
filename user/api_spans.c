/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /api/spans: the body is written while it is sent, span by span, so that ten thousand of
 * them need no more memory than a few.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_internal.h"
#include "log.h"
#include "stats.h"

/* A span with both prefixes captured and every byte escaped is below 16 KiB. */
#define PIECE_FIRST 4096
#define PIECE_MAX   65536
#define PREFIX_MAX  64

/* Spans that answers under way may hold beyond the store's own: slow readers cost memory. */
#define PINNED_MAX (4 * API_SPANS_MAX)

static atomic_size_t pinned;

struct api_stream {
	struct span **v;
	size_t n, i; /* v[i]: the next to write */
	enum { HEAD, SPANS, TAIL, END } phase;
	bool first;
	char *piece;
	size_t size, len, off; /* of piece: allocated, filled, sent */
};

static void unpin(size_t n)
{
	atomic_fetch_sub(&pinned, n);
}

static bool pin(size_t n)
{
	if (atomic_fetch_add(&pinned, n) + n <= PINNED_MAX)
		return true;
	unpin(n);
	return false;
}

/* The span's object with its seq in front, after a comma if it is not the first, into s->piece. */
static int write_span(struct api_stream *s, const struct span *span)
{
	char *bigger;
	int lead, n;

	for (;;) {
		lead = snprintf(s->piece, s->size, "%s{\"seq\":%" PRIu64, s->first ? "" : ",",
				span->seq);
		/* Its opening brace lands where our comma belongs. */
		n = span_write_json(span, s->piece + lead, s->size - lead);
		if (n != -ENOSPC || s->size >= PIECE_MAX)
			break;
		bigger = realloc(s->piece, s->size * 2);
		if (!bigger)
			return -ENOMEM;
		s->piece = bigger;
		s->size *= 2;
	}
	if (n < 0) {
		log_warn("api: span %" PRIu64 " can't be shown: %s", span->seq, strerror(-n));
		s->len = 0;
		return 0;
	}
	s->piece[lead] = ',';
	s->first = false;
	s->len = lead + n;
	return 0;
}

/* Makes the next piece; at the end it stays empty. */
static int next_piece(struct api_stream *s)
{
	int r = 0;

	s->off = s->len = 0;
	switch (s->phase) {
	case HEAD:
		s->len = snprintf(s->piece, s->size, "{\"spans\":[");
		s->phase = SPANS;
		break;
	case SPANS:
		while (s->i < s->n && !s->len && !r) {
			r = write_span(s, s->v[s->i]);
			span_put(s->v[s->i++]);
			unpin(1);
		}
		if (s->len || r)
			break;
		s->phase = TAIL;
		/* fall through */
	case TAIL:
		s->len = snprintf(s->piece, s->size, "]}\n");
		s->phase = END;
		break;
	case END:
		break;
	}
	return r;
}

ssize_t api_stream_read(struct api_stream *s, char *buf, size_t max)
{
	size_t done = 0, n;
	int r;

	while (done < max) {
		if (s->off == s->len) {
			r = next_piece(s);
			if (r)
				return r;
			if (!s->len)
				break;
		}
		n = s->len - s->off < max - done ? s->len - s->off : max - done;
		memcpy(buf + done, s->piece + s->off, n);
		s->off += n;
		done += n;
	}
	return done;
}

void api_stream_free(struct api_stream *s)
{
	if (!s)
		return;
	for (; s->i < s->n; s->i++) {
		span_put(s->v[s->i]);
		unpin(1);
	}
	free(s->v);
	free(s->piece);
	free(s);
}

/* A decimal number of at most max; *out stays when the parameter is not given. */
static int number(const struct api_request *req, struct api_response *res, const char *key,
		  uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s = req->arg ? req->arg(req->ctx, key) : NULL;
	unsigned long long v;

	if (!s)
		return 0;
	errno = 0;
	v = *s && !s[strspn(s, "0123456789")] ? strtoull(s, NULL, 10) : (errno = EINVAL, 0);
	if (errno || v < min || v > max) {
		api_error(res, 400, key, "%s: expected a whole number from %" PRIu64 " to %" PRIu64,
			  key, min, max);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

/* A text; an empty one is refused, for it is more often a mistake than a wish. */
static int text(const struct api_request *req, struct api_response *res, const char *key,
		const char **out)
{
	const char *s = req->arg ? req->arg(req->ctx, key) : NULL;

	if (s && !*s) {
		api_error(res, 400, key, "%s: expected a value", key);
		return -EINVAL;
	}
	*out = s;
	return 0;
}

/* Replaces a protocol's name in any case by its label. */
static int known_protocol(struct api_response *res, const char **label)
{
	char list[384] = "";
	const char *l;
	size_t n = 0;

	for (unsigned p = 1; p < PROTO_MAX; p++) {
		l = stats_proto_label(p);
		if (!strcasecmp(l, *label)) {
			*label = l;
			return 0;
		}
		if (n + strlen(l) + 2 < sizeof(list))
			n += sprintf(list + n, " %s", l);
	}
	api_error(res, 400, "protocol", "protocol: expected one of%s", list);
	return -EINVAL;
}

static int known_status(struct api_response *res, const char *s)
{
	if (!strcmp(s, "ok") || !strcmp(s, "error") || !strcmp(s, "no_response"))
		return 0;
	api_error(res, 400, "status", "status: expected ok, error or no_response");
	return -EINVAL;
}

static int parse_query(const struct api_request *req, struct api_response *res,
		       struct store_query *q)
{
	uint64_t limit = API_SPANS_DEFAULT;

	if (number(req, res, "limit", 1, API_SPANS_MAX, &limit) ||
	    number(req, res, "since", 0, UINT64_MAX, &q->since) ||
	    number(req, res, "after_seq", 0, UINT64_MAX, &q->after_seq) ||
	    number(req, res, "min_duration", 0, UINT64_MAX, &q->min_duration) ||
	    text(req, res, "protocol", &q->protocol) || text(req, res, "process", &q->process) ||
	    text(req, res, "status", &q->status) || text(req, res, "name", &q->name))
		return -EINVAL;
	if ((q->protocol && known_protocol(res, &q->protocol)) ||
	    (q->status && known_status(res, q->status)))
		return -EINVAL;
	q->limit = limit;
	return 0;
}

void api_get_spans(struct daemon *d, const struct api_request *req, struct api_response *res,
		   struct api_stream **stream)
{
	struct store_query q = {};
	struct api_stream *s;

	if (parse_query(req, res, &q))
		return;
	if (!pin(q.limit)) {
		api_error(res, 503, "limit", "too many spans are being sent, try again");
		return;
	}
	s = calloc(1, sizeof(*s));
	if (s) {
		s->v = calloc(q.limit, sizeof(s->v[0]));
		s->piece = malloc(PIECE_FIRST);
	}
	if (!s || !s->v || !s->piece) {
		unpin(q.limit);
		api_stream_free(s);
		api_json(res, 500, NULL);
		return;
	}
	s->size = PIECE_FIRST;
	s->first = true;
	s->n = store_find(d->store, &q, s->v);
	unpin(q.limit - s->n);
	res->status = 200;
	res->type = "application/json";
	*stream = s;
}

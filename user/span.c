/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enrich.h"
#include "proto_ops.h"
#include "span.h"
#include "text.h"

/* One byte of a name becomes at most \xNN. */
#define NAME_TEXT_MAX (4 * SPAND_NAME_MAX)

/* ns, 73 years: a start, a duration and the distance to the Unix epoch fit in 63 bits. */
#define TIME_MAX (1ULL << 61)

/* Weak: a protocol needs no user/proto file. */
#define DECLARE_OPS(NAME, name, label) extern PROTO_OPS(name) __attribute__((weak));
PROTO_LIST(DECLARE_OPS)

#define OPS_ENTRY(NAME, name, label) [PROTO_##NAME] = &proto_ops_##name,
static const struct proto_ops *const proto_ops[PROTO_MAX] = { PROTO_LIST(OPS_ENTRY) };

#define LABEL_ENTRY(NAME, name, label) [PROTO_##NAME] = label,
static const char *const proto_labels[PROTO_MAX] = { PROTO_LIST(LABEL_ENTRY) };

const char *span_protocol(const struct span *s)
{
	return proto_labels[s->rec.proto];
}

const char *span_status_name(const struct span *s)
{
	switch (s->rec.status) {
	case SPAN_ERROR:
		return "error";
	case SPAN_NO_RESPONSE:
		return "no_response";
	default:
		return "ok";
	}
}

void span_proto_attributes(const struct span *s, struct text_out *o)
{
	const struct proto_ops *ops = proto_ops[s->rec.proto];

	if (ops && ops->attributes)
		ops->attributes(s, o);
}

/* The record comes from our own programs, but a mistake there must not become one here. */
static int check_record(const struct span_rec *r, size_t len)
{
	if (r->type != REC_SPAN || r->proto == PROTO_UNKNOWN || r->proto >= PROTO_MAX)
		return -EBADMSG;
	if (r->name_len > SPAND_NAME_MAX || r->req_cap > SPAND_CAPTURE_MAX ||
	    r->resp_cap > SPAND_CAPTURE_MAX)
		return -EBADMSG;
	/* The ring may hold more than the record where the program reserved by size class. */
	if (r->len != sizeof(*r) + r->name_len + r->req_cap + r->resp_cap || r->len > len)
		return -EBADMSG;
	if (r->kind > SPAN_CLIENT || r->status > SPAN_ONEWAY || r->l4 > L4_UNIX ||
	    r->parent_rule > PARENT_LINK)
		return -EBADMSG;
	/* A difference that went below zero; and JSON's readers keep integers in 63 bits. */
	if (r->start_ns > TIME_MAX || r->dur_ns > TIME_MAX || r->req_size > INT64_MAX ||
	    r->resp_size > INT64_MAX)
		return -EBADMSG;
	if (r->family != SPAND_AF_UNIX && r->family != SPAND_AF_INET && r->family != SPAND_AF_INET6)
		return -EBADMSG;
	if ((r->family == SPAND_AF_UNIX) != (r->l4 == L4_UNIX))
		return -EBADMSG;
	return 0;
}

/* The name's n raw bytes as text in out (NAME_TEXT_MAX bytes); returns its length. */
static size_t make_name(const struct span_rec *r, const char *raw, char *out)
{
	const struct proto_ops *ops = proto_ops[r->proto];
	char name[SPAND_NAME_MAX];
	size_t n = r->name_len;
	struct text_out o;

	/* A message that nobody asked for, of a kind without a name. */
	if (!n && r->status == SPAN_ONEWAY && r->resp_size) {
		memcpy(out, "push", 4);
		return 4;
	}
	memcpy(name, raw, n);
	if (ops && ops->name)
		n = ops->name(name, n);
	/* As it will be shown, but before bytes are escaped; attributes are made of the result. */
	span_mask_text(name, n);
	text_init(&o, out, NAME_TEXT_MAX);
	text_printable(&o, name, n);
	return o.p - out;
}

struct span *span_new(const void *data, size_t len, uint64_t seq, uint64_t mono_to_unix,
		      struct process *proc)
{
	char name[NAME_TEXT_MAX];
	struct span_rec rec;
	const char *raw = (const char *)data + sizeof(rec);
	size_t name_len, caps;
	struct span *s;
	char *p;

	if (len < sizeof(rec))
		goto bad;
	/* The ring gives 8-byte alignment, tests and others may not. */
	memcpy(&rec, data, sizeof(rec));
	if (check_record(&rec, len))
		goto bad;

	name_len = make_name(&rec, raw, name);
	caps = (size_t)rec.req_cap + rec.resp_cap;
	s = malloc(sizeof(*s) + name_len + 1 + caps);
	if (!s) {
		process_put(proc);
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->seq = seq;
	s->start_unix = rec.start_ns + mono_to_unix;
	s->proc = proc;
	s->rec = rec;
	s->rec.name_len = name_len;
	s->rec.comm[SPAND_COMM_LEN - 1] = 0;
	/* Both ends of an answer may be timed by different threads. */
	if (s->rec.ttfb_ns > s->rec.dur_ns)
		s->rec.ttfb_ns = s->rec.dur_ns;

	p = (char *)(s + 1);
	s->name = p;
	memcpy(p, name, name_len);
	p += name_len;
	*p++ = '\0';
	s->req_content = rec.req_cap ? p : NULL;
	s->req_content_len = rec.req_cap;
	s->resp_content = rec.resp_cap ? p + rec.req_cap : NULL;
	s->resp_content_len = rec.resp_cap;
	if (caps) {
		memcpy(p, raw + rec.name_len, caps);
		span_mask_text(p, rec.req_cap);
		span_mask_text(p + rec.req_cap, rec.resp_cap);
	}
	return s;
bad:
	process_put(proc);
	errno = EBADMSG;
	return NULL;
}

struct span *span_get(struct span *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void span_put(struct span *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	process_put(s->proc);
	free(s);
}

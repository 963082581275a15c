/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * emit.bpf.h - from a request's slot and what is known of its answer to a record in the ring.
 */
#ifndef SPAND_EMIT_BPF_H
#define SPAND_EMIT_BPF_H

#include "slots.bpf.h"

/* Wake the reader when this much waits for it; below, it comes by itself. */
#define RING_WAKE_BYTES (64 << 10)

static __always_inline int conn_is_client(const struct conn *c)
{
	return c->role == ROLE_CLIENT;
}

/* The direction in which this socket's requests travel. */
static __always_inline u32 conn_request_dir(const struct conn *c)
{
	return conn_is_client(c) ? DIR_TX : DIR_RX;
}

/* The link of the request that begins at stream offset off; 0 if the ends can't agree on one. */
static __always_inline u64 conn_link(const struct conn *c, u64 off)
{
	u32 client = conn_request_dir(c);

	if (!(c->flags & CONN_LINKED))
		return 0;
	if (c->l4 == L4_UNIX) {
		u64 a = c->inode, b = c->peer_inode;

		return conn_is_client(c) ? spand_link(a, b, off) : spand_link(b, a, off);
	}
	return spand_link(c->flow[client & 1].base, c->flow[(client & 1) ^ 1].base, off);
}

/*
 * True if sampling leaves out the message at stream offset off: by its link, so that both ends
 * choose the same ones, as far as they can agree on anything.
 */
static __always_inline int sampled_out(const struct conn *c, const struct walk *k, u64 off)
{
	u64 id;

	if (k->sampling <= 1)
		return 0;
	id = conn_link(c, off);
	if (!id)
		id = k->sk ^ off;
	return spand_mix64(id) % k->sampling != 0;
}

static __always_inline long ring_put(const void *rec, u64 len)
{
	u64 waits = bpf_ringbuf_query(&spans, BPF_RB_AVAIL_DATA);
	/* Once, when the mark is passed: waking costs an interrupt. */
	u64 flags = waits < RING_WAKE_BYTES && waits + len >= RING_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP
									      : BPF_RB_NO_WAKEUP;

	return bpf_ringbuf_output(&spans, (void *)rec, len, flags);
}

/* Appends a captured prefix to the record; returns its length. */
static __always_inline u32 emit_capture(struct walk *k, u32 at, u32 no, u32 dir, u32 len)
{
	struct capture_key key = { .sk = k->sk, .no = no, .dir = dir };
	struct capture *p;

	if (!len || len > SPAND_CAPTURE_MAX ||
	    at > sizeof(struct span_rec) + SPAND_NAME_MAX + SPAND_CAPTURE_MAX)
		return 0;
	p = bpf_map_lookup_elem(&captures, &key);
	if (!p)
		return 0;
	if (bpf_probe_read_kernel(k->out + at, len, p->data))
		len = 0;
	bpf_map_delete_elem(&captures, &key);
	return len;
}

/* What a record tells of. */
enum emit {
	EMIT_PAIR,	  /* a request and its answer, which ends now */
	EMIT_NO_RESPONSE, /* a request that nothing will answer */
	EMIT_ONEWAY,	  /* a request that nobody answers */
	EMIT_PUSH,	  /* an answer that nobody asked for; s holds its name and begin */
};

/* Pushes have offsets in the other direction's stream: keep their links apart. */
#define LINK_PUSH (1ULL << 63)

/* Who and where: the same for every kind of record. */
static __always_inline void emit_common(struct span_rec *r, const struct conn *c,
					const struct req_slot *s)
{
	r->type = REC_SPAN;
	r->proto = c->proto;
	r->kind = conn_is_client(c) ? SPAN_CLIENT : SPAN_SERVER;
	r->flags = (s->flags & SLOT_NAME_CUT ? SPANF_NAME_CUT : 0) |
		   (c->flags & CONN_LATE ? SPANF_LATE_ATTACH : 0);
	r->l4 = c->l4;
	r->start_ns = s->start_ns;
	r->cgroup_id = c->cgroup_id;
	r->tgid = s->tgid;
	r->tid = s->tid;
	__builtin_memcpy(r->saddr, c->saddr, sizeof(r->saddr));
	__builtin_memcpy(r->daddr, c->daddr, sizeof(r->daddr));
	__builtin_memcpy(r->comm, c->comm, sizeof(r->comm));
	r->sport = c->sport;
	r->dport = c->dport;
	r->family = c->family;
	r->pad = 0;
	r->req_cap = 0;
	r->resp_cap = 0;
}

/* Ids of both halves, and the parent: of a pair the client's half, of a push the server's. */
static __always_inline void emit_ids(struct span_rec *r, const struct conn *c, u64 sk, u64 off)
{
	u64 link = conn_link(c, off);
	u32 parent = off & LINK_PUSH ? SPAN_SERVER : SPAN_CLIENT;

	r->link = link;
	r->parent_span_id = 0;
	r->parent_rule = PARENT_NONE;
	if (!link) {
		r->span_id = spand_span_id(spand_mix64(sk ^ r->start_ns) ^ off, r->kind);
		return;
	}
	r->flags |= SPANF_LINK;
	r->span_id = spand_span_id(link, r->kind);
	if (r->kind != parent) {
		r->parent_span_id = spand_span_id(link, parent);
		r->parent_rule = PARENT_LINK;
	}
}

/*
 * Puts one span into the ring. s: the request, or a push's name; no: the request's number;
 * how: enum emit. The answer is in k->ans. Returns 0, or not 0 if the ring is full.
 */
__noinline int emit_span(struct conn *c, struct walk *k, struct req_slot *s, u32 no, u32 how)
{
	struct flow_state *req;
	struct resp_info *a;
	struct span_rec *r;
	u32 name_len, at;
	u64 end;

	if (!c || !k || !s)
		return -1;
	req = &c->flow[conn_is_client(c) ? DIR_TX : DIR_RX];
	a = &k->ans;
	r = (struct span_rec *)k->out;

	emit_common(r, c, s);
	emit_ids(r, c, k->sk, how == EMIT_PUSH ? s->off | LINK_PUSH : s->off);
	r->status = SPAN_OK;
	r->status_code = 0;
	r->ttfb_ns = 0;
	r->req_size = 0;
	r->resp_size = 0;
	r->req_seq = 0;
	r->resp_seq = 0;
	r->req_syscall = SPAND_SYSCALL_NONE;
	r->resp_syscall = SPAND_SYSCALL_NONE;
	end = k->now;
	if (how != EMIT_PUSH) {
		r->req_syscall = s->syscall;
		r->req_seq = c->l4 == L4_TCP ? req->base + (u32)s->off : 0;
		r->req_size = s->size;
		if (!s->size) {
			/* Not ended: what has been seen of it. */
			r->flags |= SPANF_REQ_OPEN;
			r->req_size = req->pos - s->off;
		}
	}
	if (how == EMIT_PAIR || how == EMIT_PUSH) {
		end = a->end_ns;
		r->resp_syscall = a->syscall;
		r->resp_seq = a->seq;
		r->resp_size = a->size;
		r->status_code = a->status_code;
		r->status = a->error ? SPAN_ERROR : SPAN_OK;
		if (a->begin_ns > s->start_ns)
			r->ttfb_ns = a->begin_ns - s->start_ns;
	}
	if (how == EMIT_NO_RESPONSE)
		r->status = SPAN_NO_RESPONSE;
	else if (how != EMIT_PAIR)
		r->status = SPAN_ONEWAY;
	r->dur_ns = end > s->start_ns ? end - s->start_ns : 0;

	name_len = s->name_len;
	if (name_len > SPAND_NAME_MAX)
		name_len = SPAND_NAME_MAX;
	copy_text((struct text *)(k->out + sizeof(*r)), (struct text *)s->name, name_len);
	r->name_len = name_len;
	at = sizeof(*r) + name_len;
	if (s->cap_len && how != EMIT_PUSH) {
		r->req_cap = emit_capture(k, at, no, 0, s->cap_len);
		at += r->req_cap;
	}
	if (a->cap_len && (how == EMIT_PAIR || how == EMIT_PUSH)) {
		r->resp_cap = emit_capture(k, at, 0, 1, a->cap_len);
		at += r->resp_cap;
	}
	r->len = at;
	if (at > SPAND_REC_MAX)
		return -1;
	return ring_put(k->out, at);
}

#endif

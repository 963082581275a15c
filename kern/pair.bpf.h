/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.bpf.h - requests are remembered as they begin, and paired with responses as they end:
 * first in, first out on one connection.
 */
#ifndef SPAND_PAIR_BPF_H
#define SPAND_PAIR_BPF_H

#include "capture.bpf.h"
#include "emit.bpf.h"
#include "flow.h"

/* How long an early answer may wait for its request on a socket without sequence numbers. */
#define EARLY_NS 100000000ULL

/* Copies the name's pieces from the window. */
static __always_inline void slot_name(struct req_slot *s, struct walk *k)
{
	u32 n = k->m.name_len[0], n2 = k->m.name_len[1];
	u32 off = k->m.name_off[0] & (PWIN_SIZE - 1);

	s->name_len = 0;
	/* Pieces that lie side by side are one. */
	if (k->m.name_off[0] + n == k->m.name_off[1]) {
		n += n2;
		n2 = 0;
	}
	if (n > SPAND_NAME_MAX) {
		n = SPAND_NAME_MAX;
		s->flags |= SLOT_NAME_CUT;
	}
	if (!n2) {
		copy_text((struct text *)s->name, (struct text *)(k->w.data + off), n);
		s->name_len = n;
		return;
	}
	/* Put together where the verifier sees room enough for both at their longest. */
	if (n2 > SPAND_NAME_MAX)
		n2 = SPAND_NAME_MAX;
	if (bpf_probe_read_kernel(k->out, n, k->w.data + off))
		return;
	off = k->m.name_off[1] & (PWIN_SIZE - 1);
	if (bpf_probe_read_kernel(k->out + n, n2, k->w.data + off))
		return;
	n += n2;
	if (n > SPAND_NAME_MAX) {
		n = SPAND_NAME_MAX;
		s->flags |= SLOT_NAME_CUT;
	}
	copy_text((struct text *)s->name, (struct text *)k->out, n);
	s->name_len = n;
}

static __always_inline void slot_fill(struct req_slot *s, const struct flow_state *f,
				      struct walk *k)
{
	u64 id = bpf_get_current_pid_tgid();

	s->start_ns = f->msg_ns;
	s->off = f->msg_off;
	s->size = 0;
	s->tid = id;
	s->tgid = id >> 32;
	s->syscall = f->syscall;
	s->hint = k->m.hint;
	s->flags = (s->flags & SLOT_ANSWERED) | SLOT_USED;
	s->cap_len = 0;
	slot_name(s, k);
	if (k->m.flags & PMSG_LEAVE)
		s->flags |= SLOT_LEAVE;
}

static __always_inline struct req_page_key oneway_key(const struct conn *c, u64 sk, u32 dir)
{
	struct req_page_key key = {
		.sk = sk,
		.page = REQ_PAGE_ONEWAY | dir,
		.incarnation = c->incarnation,
	};

	return key;
}

/* A one-way message goes on in a later call: keeps what k->push says of it. */
__noinline int oneway_keep(struct conn *c, struct walk *k, u32 dir)
{
	struct req_page_key key;
	struct req_page *page;

	if (!c || !k)
		return 0;
	key = oneway_key(c, k->sk, dir);
	bpf_map_update_elem(&req_pages, &key, &empty_page, BPF_ANY);
	page = bpf_map_lookup_elem(&req_pages, &key);
	if (page)
		page->slot[0] = k->push;
	return 0;
}

/*
 * Emits the one-way message that ends now; begun: in this very step. how: EMIT_ONEWAY or
 * EMIT_PUSH. Enters in the ledger what became of it.
 */
__noinline int oneway_end(struct conn *c, struct walk *k, u32 dir, u32 begun, u32 how)
{
	struct req_page_key key;
	struct flow_state *f;
	struct req_page *page;

	if (!c || !k)
		return 0;
	f = &c->flow[dir & 1];
	if (!begun) {
		key = oneway_key(c, k->sk, dir);
		page = bpf_map_lookup_elem(&req_pages, &key);
		if (!page) {
			lg_inc(how == EMIT_ONEWAY ? LG_REQ_LOST_INFLIGHT_FULL
						  : LG_RESP_INFLIGHT_FULL);
			return 0;
		}
		k->push = page->slot[0];
		bpf_map_delete_elem(&req_pages, &key);
	}
	if (how == EMIT_ONEWAY)
		k->push.size = f->pos - f->msg_off;
	if (sampled_out(c, k, how == EMIT_PUSH ? k->push.off | LINK_PUSH : k->push.off))
		lg_inc(how == EMIT_ONEWAY ? LG_REQ_SAMPLED : LG_RESP_SAMPLED);
	else if (emit_span(c, k, &k->push, 0, how))
		lg_inc(how == EMIT_ONEWAY ? LG_REQ_LOST_RING_FULL : LG_RESP_RING_FULL);
	else
		lg_inc(how == EMIT_ONEWAY ? LG_ONEWAY : LG_PUSHED);
	return 0;
}

/* A one-way message in direction dir will not be seen to its end. */
__noinline int oneway_drop(struct conn *c, struct walk *k, u32 dir)
{
	struct req_page_key key;
	u32 flags;

	if (!c || !k)
		return 0;
	flags = c->flow[dir & 1].flags;
	if (!(flags & FLOW_IN_MSG) || !(flags & FLOW_ONEWAY))
		return 0;
	key = oneway_key(c, k->sk, dir);
	bpf_map_delete_elem(&req_pages, &key);
	if (dir == conn_request_dir(c))
		lg_inc(LG_REQ_LOST_DESYNC);
	return 0;
}

/*
 * On a connection that is older than the tracer, requests may be open that nobody saw; then
 * every pair would be one off. So nothing is paired until, twice, a request began when as many
 * answers had come, compared with requests, as ever: all that was open is answered then.
 */
static __always_inline void conn_unsure(struct conn *c)
{
	c->unsure = 1;
	c->settled = 0;
	c->balance = 0;
	c->balance_max = 0;
}

/* True if a request that begins now may be paired. */
static __always_inline int unsure_request(struct conn *c, const struct walk *k)
{
	if (c->balance >= c->balance_max && ++c->settled >= 2) {
		c->unsure = 0;
		return 1;
	}
	c->balance--;
	c->unsure_hint = k->m.hint;
	return 0;
}

static __always_inline void unsure_response(struct conn *c)
{
	c->balance++;
	if (c->balance > c->balance_max) {
		c->balance_max = c->balance;
		c->settled = 0;
	}
}

/* at: offset in the window of the message's first byte. */
static __always_inline void request_begin(struct conn *c, struct walk *k, struct flow_state *f,
					  u32 at, u32 ended)
{
	struct req_slot *s;
	u32 no;

	lg_inc(LG_REQUESTS);
	if (c->unsure && !(k->m.flags & PMSG_ONEWAY) && !unsure_request(c, k)) {
		lg_inc(LG_REQ_LOST_LATE);
		return;
	}
	/* What came so long ago without sequence numbers to prove it was not for this one. */
	if (c->early && c->l4 != L4_TCP && k->now - c->early_ns > EARLY_NS)
		slots_drop_all(c, k->sk, LG_REQ_LOST_DESYNC);
	no = c->tail;
	if (k->m.flags & PMSG_ONEWAY) {
		slot_fill(&k->push, f, k);
		if (!ended)
			oneway_keep(c, k, conn_request_dir(c));
		return;
	}
	s = slots_make(c, k->sk, no);
	if (s) {
		slot_fill(s, f, k);
		if (sampled_out(c, k, s->off))
			s->flags |= SLOT_SAMPLED_OUT;
		else if (k->capture)
			s->cap_len = capture_prefix(c, k, no, 0, at);
	}
	c->tail = no + 1;
}

static __always_inline void conn_leave(struct conn *c, struct walk *k)
{
	slots_drop_all(c, k->sk, LG_REQ_LOST_DESYNC);
	c->flags = (c->flags & ~CONN_LATCHED) | CONN_LEFT;
	k->stop = 1;
}

/* What response_end() and an early answer's request lead to: k->ans answers request no in s. */
static __always_inline void pair(struct conn *c, struct walk *k, struct req_slot *s, u32 no)
{
	u32 leave = k->ans.leave;

	lg_inc(LG_RESPONSES);
	if (!s) {
		lg_inc(LG_REQ_LOST_INFLIGHT_FULL);
		lg_inc(LG_RESP_INFLIGHT_FULL);
	} else {
		leave |= s->flags & SLOT_LEAVE;
		if (s->flags & SLOT_SAMPLED_OUT) {
			lg_inc(LG_REQ_SAMPLED);
			lg_inc(LG_RESP_SAMPLED);
		} else if (emit_span(c, k, s, no, EMIT_PAIR)) {
			lg_inc(LG_REQ_LOST_RING_FULL);
			lg_inc(LG_RESP_RING_FULL);
		} else {
			lg_inc(LG_SPANS);
		}
		s->flags = 0;
	}
	slots_pop(c, k->sk);
	c->strikes = 0;
	if (leave)
		conn_leave(c, k);
}

static __always_inline void request_end(struct conn *c, struct walk *k, struct flow_state *f,
					u32 begun)
{
	u32 no = c->tail - 1;
	struct req_slot *s;

	if (f->flags & FLOW_ONEWAY) {
		oneway_end(c, k, conn_request_dir(c), begun, EMIT_ONEWAY);
		/* From here on some answers do not come, and nobody can tell which. */
		if (f->flags & FLOW_LEAVE) {
			c->flags |= CONN_MUTE;
			conn_leave(c, k);
		}
		return;
	}
	/* Already answered and popped: then there is nothing to complete. */
	if (c->head == c->tail)
		return;
	s = slots_find(c, k->sk, no);
	if (!s || s->off != f->msg_off)
		return;
	s->size = f->pos - f->msg_off;
	if (s->flags & SLOT_ANSWERED) {
		k->ans = s->early;
		c->early--;
		pair(c, k, s, no);
	}
}

/*
 * The call with a request's first bytes is over, but not the request, and it was answered
 * before: it is told of as it is, so that the next answer finds the next request.
 */
static __always_inline void request_settle(struct conn *c, struct walk *k)
{
	u32 no = c->tail - 1;
	struct req_slot *s;

	if (!c->early || c->head == c->tail)
		return;
	s = slots_find(c, k->sk, no);
	if (!s || !(s->flags & SLOT_ANSWERED))
		return;
	k->ans = s->early;
	c->early--;
	pair(c, k, s, no);
}

/* An answer whose request has not been processed, though it was sent: it waits in its slot. */
static __always_inline int response_hold(struct conn *c, struct walk *k)
{
	struct req_slot *s = slots_make(c, k->sk, c->tail + c->early);

	if (!s)
		return -1;
	s->flags = SLOT_ANSWERED;
	s->early = k->ans;
	c->early++;
	c->early_ns = k->now;
	lg_inc(LG_EARLY);
	return 0;
}

static __always_inline void response_end(struct conn *c, struct walk *k, struct flow_state *f,
					 u32 begun)
{
	struct resp_info *a = &k->ans;
	u32 no = c->head;

	a->begin_ns = f->msg_ns;
	a->end_ns = k->now;
	a->size = f->pos - f->msg_off;
	a->seq = c->l4 == L4_TCP ? f->base + (u32)f->msg_off : 0;
	a->status_code = f->status_code;
	a->syscall = f->syscall;
	a->cap_len = f->cap_len;
	a->error = f->flags & FLOW_STATUS_ERROR ? 1 : 0;
	a->leave = f->flags & FLOW_LEAVE ? 1 : 0;
	if (f->flags & FLOW_ONEWAY) {
		lg_inc(LG_RESPONSES);
		oneway_end(c, k, !conn_request_dir(c), begun, EMIT_PUSH);
		return;
	}
	if (c->unsure) {
		unsure_response(c);
		lg_inc(LG_RESPONSES);
		lg_inc(LG_RESP_LATE_ATTACH);
		if (a->leave)
			conn_leave(c, k);
		return;
	}
	if (no != c->tail && !c->expired) {
		pair(c, k, slots_find(c, k->sk, no), no);
		return;
	}
	if (no == c->tail && conn_is_client(c) && k->partner && !response_hold(c, k))
		return;
	lg_inc(LG_RESPONSES);
	if (no != c->tail) {
		lg_inc(LG_RESP_EXPIRED);
		c->expired--;
		slots_pop(c, k->sk);
	} else {
		lg_inc(c->flags & CONN_LATE ? LG_RESP_LATE_ATTACH : LG_RESP_ORPHAN);
	}
	if (a->leave)
		conn_leave(c, k);
}

/*
 * What one step of the walk found, in direction dir (enum io_dir); events: enum flow_event;
 * at: offset in the window of the step's first byte.
 */
__noinline int pair_events(struct conn *c, struct walk *k, u32 dir, u32 events, u32 at)
{
	struct flow_state *f;
	u32 begun;

	if (!c || !k)
		return 0;
	f = &c->flow[dir & 1];
	begun = events & FLOW_BEGIN;
	if (dir == conn_request_dir(c)) {
		if (begun)
			request_begin(c, k, f, at, events & FLOW_END);
		if (events & FLOW_END)
			request_end(c, k, f, begun);
		return 0;
	}
	if (begun) {
		c->flags |= CONN_LATCHED;
		f->cap_len = 0;
		if (f->flags & FLOW_ONEWAY) {
			slot_fill(&k->push, f, k);
			if (!(events & FLOW_END))
				oneway_keep(c, k, dir);
		} else if (k->capture && c->head != c->tail) {
			f->cap_len = capture_prefix(c, k, 0, 1, at);
		}
	}
	if (events & FLOW_END)
		response_end(c, k, f, begun);
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * walk.bpf.h - from the bytes of one call to messages: detection, then step by step through
 * headers and over bodies.
 */
#ifndef SPAND_WALK_BPF_H
#define SPAND_WALK_BPF_H

#include "pair.bpf.h"
#include "source.bpf.h"
#include "dispatch_gen.h"

/*
 * Steps in one call. A step takes at least a byte, usually a message: more than this many tokens
 * in one call are counted as lost (LG_BYTES_BUDGET), so that no call is held up for long.
 */
#define WALK_STEPS (1 << 15)

/* Detections that find nothing before the connection is looked at more rarely. */
#define DETECT_EAGER 6
/* Places lost in a row, without a pair in between, before the verdict falls. */
#define STRIKES_MAX  3

struct walk_ctx {
	struct conn *c;
	struct walk *k;
	u32 dir;
};

static __always_inline struct carry_key carry_key(const struct conn *c, const struct walk *k,
						  u32 dir)
{
	struct carry_key key = { .sk = k->sk, .dir = dir, .incarnation = c->incarnation };

	return key;
}

static const struct carry empty_carry;

/* Puts the header that the last call cut at the window's front. */
__noinline int carry_load(struct conn *c, struct walk *k, u32 dir)
{
	struct carry_key key;
	struct flow_state *f;
	struct carry *carry;
	u32 n;

	if (!c || !k)
		return 0;
	f = &c->flow[dir & 1];
	n = f->carry_len;
	f->carry_len = 0;
	key = carry_key(c, k, dir);
	carry = bpf_map_lookup_elem(&carries, &key);
	if (!carry || n > SPAND_CARRY_MAX)
		return 0;
	if (!bpf_probe_read_kernel(k->w.data, n, carry->data))
		k->w.len = n;
	bpf_map_delete_elem(&carries, &key);
	return 0;
}

/* Keeps the window's rest for the next call. 0, or -1 if it is too much or there is no room. */
__noinline int carry_save(struct conn *c, struct walk *k, u32 dir)
{
	struct carry_key key;
	struct carry *carry;
	u32 off, n;

	if (!c || !k)
		return -1;
	off = k->w.off & (PWIN_SIZE - 1);
	n = k->w.len - k->w.off;
	if (!n)
		return 0;
	if (n > SPAND_CARRY_MAX)
		return -1;
	key = carry_key(c, k, dir);
	/* Kernel 6.1 takes no argument's memory as a map value: make it, then fill it. */
	if (bpf_map_update_elem(&carries, &key, &empty_carry, BPF_ANY))
		return -1;
	carry = bpf_map_lookup_elem(&carries, &key);
	if (!carry || bpf_probe_read_kernel(carry->data, n, k->w.data + off))
		return -1;
	c->flow[dir & 1].carry_len = n;
	return 0;
}

/* Gives up a cut header: its bytes are passed. */
__noinline int carry_drop(struct conn *c, struct walk *k, u32 dir)
{
	struct carry_key key;
	struct flow_state *f;

	if (!c || !k)
		return 0;
	f = &c->flow[dir & 1];
	if (!f->carry_len)
		return 0;
	key = carry_key(c, k, dir);
	bpf_map_delete_elem(&carries, &key);
	f->pos += f->carry_len;
	f->carry_len = 0;
	return 0;
}

static __always_inline void window_new(struct conn *c, struct walk *k, const struct flow_state *f,
				       u32 dir)
{
	k->w.off = 0;
	k->w.len = 0;
	if (f->carry_len)
		carry_load(c, k, dir);
}

/* The bytes of the call that nothing has taken yet. */
static __always_inline u64 walk_rest(const struct walk *k)
{
	u64 rest = k->left + (k->w.len - k->w.off);

	return rest < k->n ? rest : k->n;
}

static __always_inline void walk_fail(struct walk *k, u32 why)
{
	k->stop = 1;
	k->failed = 1;
	k->why = why;
}

/* Passes over body bytes: those in the window first, then a piece of the call's. */
static __always_inline u32 walk_pass(struct walk *k, struct flow_state *f)
{
	u32 in_window = k->w.len - k->w.off, events;
	u64 n, taken = 0;

	if (in_window) {
		events = flow_pass(f, in_window, &taken);
		k->w.off += taken;
		return events;
	}
	if (!k->left) {
		k->stop = 1;
		return 0;
	}
	if (!k->cur_left && source_piece(k)) {
		walk_fail(k, LG_BYTES_PAGE_ABSENT);
		return 0;
	}
	n = k->cur_left < k->left ? k->cur_left : k->left;
	events = flow_pass(f, n, &taken);
	source_skip(k, taken);
	return events;
}

/* A message begins with the next byte: when it moved, by which call, what it answers. */
static __always_inline void walk_message(struct conn *c, struct walk *k, struct flow_state *f,
					 u32 dir)
{
	struct pstate *s = flow_pstate(f);

	if (f->pos >= k->op_off) {
		f->msg_ns = k->start_ns;
		f->syscall = k->syscall;
	}
	f->msg_off = f->pos;
	if (dir != conn_request_dir(c) && c->unsure) {
		s->hint = c->unsure_hint;
	} else if (dir != conn_request_dir(c) && c->head != c->tail) {
		struct req_slot *slot = slots_find(c, k->sk, c->head);

		s->hint = slot ? slot->hint : 0;
	}
}

static long walk_step(u32 i, struct walk_ctx *x)
{
	u32 dir = x->dir & 1, in_window, events, at;
	struct conn *c = x->c;
	struct walk *k = x->k;
	struct flow_state *f = &c->flow[dir];
	int r;

	if (k->stop)
		return 1;
	if (f->skip || f->flags & FLOW_UNTIL_CLOSE) {
		events = walk_pass(k, f);
		if (events)
			pair_events(c, k, dir, events, 0);
		return k->stop ? 1 : 0;
	}
	in_window = k->w.len - k->w.off;
	if (!in_window) {
		if (!k->left) {
			k->stop = 1;
			return 1;
		}
		if (source_fill(k)) {
			walk_fail(k, LG_BYTES_PAGE_ABSENT);
			return 1;
		}
		in_window = k->w.len - k->w.off;
		if (!in_window)
			return 0;
	}
	if (!(f->flags & FLOW_IN_MSG))
		walk_message(c, k, f, dir);

	__builtin_memset(&k->m, 0, sizeof(k->m));
	if (dir == conn_request_dir(c))
		r = proto_request(c->proto, &k->w, flow_pstate(f), &k->m);
	else
		r = proto_response(c->proto, &k->w, flow_pstate(f), &k->m);
	if (r == PARSE_MORE && in_window < PWIN_ENOUGH) {
		if (!k->left) {
			/* The place is kept; the rest is carried over. */
			k->stop = 2;
			return 1;
		}
		if (source_fill(k)) {
			walk_fail(k, LG_BYTES_PAGE_ABSENT);
			return 1;
		}
		return 0;
	}
	if (r != PARSE_OK || k->m.consumed > in_window) {
		walk_fail(k, LG_BYTES_DESYNC);
		return 1;
	}
	at = k->w.off;
	k->w.off += k->m.consumed;
	events = flow_step(f, &k->m);
	if (events && !(k->m.flags & PMSG_INTERIM))
		pair_events(c, k, dir, events, at);
	return 0;
}

static __always_inline void flow_lose(struct conn *c, struct walk *k, u32 dir)
{
	struct flow_state *f = &c->flow[dir & 1];

	oneway_drop(c, k, dir);
	flow_end_message(f);
	carry_drop(c, k, dir);
	f->flags = FLOW_LOST;
}

/* Back to knowing nothing of what the connection speaks. */
__noinline int conn_forget(struct conn *c, struct walk *k)
{
	u32 i;

	if (!c || !k)
		return 0;
	for (i = 0; i < 2; i++) {
		oneway_drop(c, k, i);
		flow_end_message(&c->flow[i]);
		carry_drop(c, k, i);
		c->flow[i].flags = 0;
	}
	c->proto = PROTO_UNKNOWN;
	c->flags &= ~(CONN_LATCHED | CONN_LEFT);
	c->strikes = 0;
	c->attempts++;
	return 0;
}

/*
 * The walk lost its place in direction dir. A verdict that nothing has confirmed falls; one that
 * was confirmed falls when this happens again and again. Which answer belongs to which request is
 * not known any more: those that are open are given up, and new ones are not paired until it is.
 */
__noinline int conn_lose(struct conn *c, struct walk *k, u32 dir)
{
	if (!c || !k)
		return 0;
	lg_inc(LG_DESYNC);
	conn_unsure(c);
	if (!(c->flags & CONN_LATCHED)) {
		slots_drop_all(c, k->sk, LG_REQ_LOST_MISDETECTED);
		return conn_forget(c, k);
	}
	slots_drop_all(c, k->sk, LG_REQ_LOST_DESYNC);
	if (++c->strikes >= STRIKES_MAX) {
		lg_inc(LG_HEALED);
		return conn_forget(c, k);
	}
	flow_lose(c, k, dir);
	return 0;
}

/* Which messages a window of this direction can hold: enum detect_result. */
static __always_inline u32 detect_dirs(const struct conn *c, u32 dir)
{
	if (c->role == ROLE_UNKNOWN)
		return DETECT_REQUEST | DETECT_RESPONSE;
	return dir == conn_request_dir(c) ? DETECT_REQUEST : DETECT_RESPONSE;
}

static long detect_piece(u32 i, struct walk **k)
{
	return !(*k)->left || (*k)->w.len >= PWIN_ENOUGH || source_fill(*k) ? 1 : 0;
}

/* Gathers enough to tell: servers like to send a header in pieces. 1024 is UIO_MAXIOV. */
static __always_inline void detect_fill(struct walk *k)
{
	bpf_loop(1024, detect_piece, &k, 0);
}

/* Addresses were local -> peer; this is the server, so they become client -> server. */
static __always_inline void conn_swap(struct conn *c)
{
	u64 *s = (u64 *)c->saddr, *d = (u64 *)c->daddr, t0 = d[0], t1 = d[1];
	u16 port = c->sport;

	if (c->l4 == L4_UNIX) {
		d[0] = t1;
		d[1] = t0;
		return;
	}
	d[0] = s[0];
	d[1] = s[1];
	s[0] = t0;
	s[1] = t1;
	c->sport = c->dport;
	c->dport = port;
}

/*
 * Looks at the call's first bytes for a protocol. Returns 1 if there is one (the window is kept
 * for the walk), 2 if there are too few bytes to tell (they are carried over), else 0.
 */
__noinline int detect(struct conn *c, struct walk *k, u32 dir)
{
	int result = 0;
	u32 proto;

	if (!c || !k)
		return 0;
	detect_fill(k);
	proto = proto_detect(&k->w, detect_dirs(c, dir), &result);
	if (proto) {
		if (c->proto && proto != c->proto)
			return 0;
		if (c->role == ROLE_UNKNOWN) {
			u32 client = result & DETECT_REQUEST ? DIR_TX : DIR_RX;

			c->role = dir == client ? ROLE_CLIENT : ROLE_SERVER;
			if (c->role == ROLE_SERVER)
				conn_swap(c);
		}
		c->proto = proto;
		return 1;
	}
	if (result & DETECT_MORE && !k->left && k->w.len < PWIN_ENOUGH && !carry_save(c, k, dir))
		return 2;
	return 0;
}

/*
 * Is this call worth looking at? Messages begin where the direction changes, or where a cut
 * header goes on. Connections that have shown nothing are looked at ever more rarely.
 */
static __always_inline int detect_due(struct conn *c, struct flow_state *f, u32 dir)
{
	if (c->flags & CONN_MUTE)
		return 0;
	if (f->carry_len)
		return 1;
	if (c->last_dir == dir + 1)
		return 0;
	if (c->attempts < DETECT_EAGER)
		return 1;
	if (c->until) {
		c->until--;
		return 0;
	}
	c->until = c->attempts < 64 ? c->attempts * 4 : 256;
	return 1;
}

/* One call's bytes on a connection: k is set up, the lock is held. */
static __always_inline int walk_call(struct conn *c, struct walk *k, u32 dir)
{
	struct walk_ctx x;
	struct flow_state *f;
	u64 rest;
	int r;

	if (!c || !k)
		return 0;
	dir &= 1;
	f = &c->flow[dir];
	k->stop = 0;
	k->failed = 0;
	if (!c->proto || f->flags & FLOW_LOST) {
		u32 why = c->proto ? LG_BYTES_DESYNC : LG_BYTES_UNCLASSIFIED;

		/* With answers outstanding a new request would be paired with one of them. */
		if (!detect_due(c, f, dir) ||
		    (c->proto && dir == conn_request_dir(c) && c->head != c->tail)) {
			lg_add(why, k->n);
			f->pos += k->n;
			return 0;
		}
		window_new(c, k, f, dir);
		r = detect(c, k, dir);
		if (r != 1) {
			lg_add(why, k->n);
			/* A carried beginning has not been passed. */
			f->pos = k->op_off + k->n - f->carry_len;
			if (r == 0 && !c->proto)
				c->attempts++;
			return 0;
		}
		f->flags &= ~FLOW_LOST;
	} else {
		window_new(c, k, f, dir);
	}

	x.c = c;
	x.k = k;
	x.dir = dir;
	bpf_loop(WALK_STEPS, walk_step, &x, 0);
	if (c->early && dir == conn_request_dir(c))
		request_settle(c, k);

	rest = walk_rest(k);
	if (k->stop == 2 && carry_save(c, k, dir))
		walk_fail(k, LG_BYTES_DESYNC);
	else if (k->stop == 2)
		rest = 0;
	else if (!k->stop)
		walk_fail(k, LG_BYTES_BUDGET);
	lg_add(LG_BYTES_MESSAGE, k->n - rest);
	if (c->flags & CONN_LEFT) {
		lg_add(LG_BYTES_UNCLASSIFIED, rest);
		conn_forget(c, k);
		c->attempts = 0;
	} else if (k->failed) {
		lg_add(k->why, rest);
		conn_lose(c, k, dir);
	}
	if (k->failed || rest)
		f->pos = k->op_off + k->n;
	return 0;
}

/*
 * n bytes of direction dir that can't be read: they move the stream; in a body that is all there
 * is to know. why: enum ledger for those that are not body, 0: they are not counted as bytes.
 */
__noinline int walk_unread(struct conn *c, struct walk *k, u32 dir, u64 n, u32 why)
{
	struct flow_state *f;
	u64 taken = 0;
	u32 events;

	if (!c || !k)
		return 0;
	dir &= 1;
	f = &c->flow[dir];
	if (c->proto && !f->carry_len && (f->skip || f->flags & FLOW_UNTIL_CLOSE)) {
		events = flow_pass(f, n, &taken);
		if (events)
			pair_events(c, k, dir, events, 0);
		if (why)
			lg_add(LG_BYTES_MESSAGE, taken);
		n -= taken;
	}
	if (!n)
		return 0;
	if (why)
		lg_add(why, n);
	if (c->proto && !(f->flags & FLOW_LOST))
		conn_lose(c, k, dir);
	else
		carry_drop(c, k, dir);
	f->pos += n;
	return 0;
}

#endif

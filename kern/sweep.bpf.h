/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep.bpf.h - what no hook tells: requests that are never answered, AF_UNIX sockets that are
 * gone. User space runs these programs now and then.
 */
#ifndef SPAND_SWEEP_BPF_H
#define SPAND_SWEEP_BPF_H

#include "conn.bpf.h"

/* The mark that living AF_UNIX sockets get; user space moves it before each sweep. */
volatile __u8 sweep_mark;

/* States found dead in one sweep; the next one takes what did not fit. */
static u64 dead_keys[SWEEP_DEAD_MAX];
static u32 dead_count;

struct sweep_ctx {
	struct walk *k;
	u64 timeout;
	u64 since; /* states younger than this were not there when sockets were marked */
};

static u32 sweep_expired;

static long expire_one(u32 i, struct walk_ctx *x)
{
	struct conn *c = x->c;
	struct walk *k = x->k;
	u32 no = c->head + c->expired;
	struct req_slot *s;

	if (no == c->tail)
		return 1;
	s = slots_find(c, k->sk, no);
	if (s && s->start_ns + k->n > k->now)
		return 1;
	if (!s)
		lg_inc(LG_REQ_LOST_INFLIGHT_FULL);
	else if (s->flags & SLOT_SAMPLED_OUT)
		lg_inc(LG_REQ_SAMPLED);
	else if (emit_span(c, k, s, no, EMIT_NO_RESPONSE))
		lg_inc(LG_REQ_LOST_RING_FULL);
	else
		lg_inc(LG_NO_RESPONSE);
	/* It keeps its place: its answer may still come, and answers nothing else. */
	c->expired++;
	sweep_expired++;
	return 0;
}

static __always_inline void sweep_bury(u64 key)
{
	u32 n = dead_count;

	if (n >= SWEEP_DEAD_MAX)
		return;
	dead_keys[n & (SWEEP_DEAD_MAX - 1)] = key;
	dead_count = n + 1;
}

static long sweep_one(struct bpf_map *map, u64 *key, struct conn *c, struct sweep_ctx *s)
{
	struct walk *k = s->k;
	struct walk_ctx x = { .c = c, .k = k };

	if (c->l4 == L4_UNIX && s->since && c->mark != sweep_mark && c->born_ns < s->since) {
		sweep_bury(*key);
		return 0;
	}
	if (!s->timeout || c->head + c->expired == c->tail)
		return 0;
	if (__sync_val_compare_and_swap(&c->lock, 0, 1))
		return 0;
	k->sk = *key;
	k->n = s->timeout;
	bpf_loop(1 << 20, expire_one, &x, 0);
	conn_unlock(c);
	if (c->dead && !__sync_val_compare_and_swap(&c->lock, 0, 1))
		sweep_bury(*key);
	return 0;
}

static long bury_one(u32 i, struct sweep_ctx *s)
{
	struct walk *k = s->k;
	struct conn *c;
	u64 key;

	if (i >= dead_count || i >= SWEEP_DEAD_MAX)
		return 1;
	key = dead_keys[i & (SWEEP_DEAD_MAX - 1)];
	c = bpf_map_lookup_elem(&conns, &key);
	if (c) {
		k->sk = key;
		conn_close(c, k);
	}
	return 0;
}

SEC("syscall")
int sweep(struct sweep_args *args)
{
	struct spand_cfg *cfg = cfg_get();
	struct sweep_ctx s = {};
	u32 space = WORK_SWEEP;

	s.k = bpf_map_lookup_elem(&work, &space);
	if (!cfg || !s.k)
		return -1;
	s.timeout = cfg->request_timeout_ns;
	s.since = args->marked_ns;
	s.k->now = bpf_ktime_get_ns();
	s.k->cfg = cfg_active & 1;
	dead_count = 0;
	sweep_expired = 0;
	bpf_for_each_map_elem(&conns, sweep_one, &s, 0);
	bpf_loop(SWEEP_DEAD_MAX, bury_one, &s, 0);
	args->closed = dead_count;
	args->expired = sweep_expired;
	return 0;
}

/*
 * Every AF_UNIX stream socket of one network namespace: those that are known live on, those
 * that are not are older than the tracer if this is the first sweep (mark 1).
 */
SEC("iter/unix")
int mark_unix(struct bpf_iter__unix *ctx)
{
	struct unix_sock *u = ctx->unix_sk;
	struct sock *sk = (struct sock *)u;
	u64 key = (u64)u;
	u32 space = WORK_SWEEP;
	struct conn *c;
	struct walk *k;

	if (!u || sk->sk_type != SOCK_STREAM_TYPE)
		return 0;
	c = bpf_map_lookup_elem(&conns, &key);
	if (c) {
		/* Else another socket had the address, and is gone. */
		if (c->inode == sock_inode(sk))
			c->mark = sweep_mark;
		return 0;
	}
	/* 1 is TCP_ESTABLISHED: connected. */
	if (sweep_mark != 1 || sk->__sk_common.skc_state != 1)
		return 0;
	k = bpf_map_lookup_elem(&work, &space);
	if (!k)
		return 0;
	k->sk = key;
	k->cfg = cfg_active & 1;
	k->family = AF_UNIX;
	k->l4 = L4_UNIX;
	k->n = 0;
	if (conn_make(k))
		return 0;
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c)
		return 0;
	c->flags = (c->flags | CONN_LATE) & ~(CONN_LINKED | CONN_IGNORE);
	conn_unsure(c);
	c->filter_gen = 0;
	c->mark = sweep_mark;
	conn_unlock(c);
	return 0;
}

#endif

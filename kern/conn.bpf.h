/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * conn.bpf.h - a connection's life: made at the first call that is seen on it, used under its
 * lock, closed with the socket.
 */
#ifndef SPAND_CONN_BPF_H
#define SPAND_CONN_BPF_H

#include "filter.bpf.h"
#include "sock.bpf.h"
#include "walk.bpf.h"

/* A new state is made locked, so that nobody sees it half made. */
static const struct conn new_conn = { .lock = 1 };

/*
 * Turns of waiting for the lock: some milliseconds. It is held for one call's walk; a write of
 * thousands of requests takes that long. Where its holder can be preempted, and then waits for
 * this very CPU, waiting is no use for longer than a moment.
 */
#define LOCK_TURNS (preemptible ? 1 << 13 : 1 << 20)

/* Turns of waiting for another thread's write to be processed before its answer is looked at. */
#define EARLY_TURNS 1024

static long conn_lock_turn(u32 i, struct conn **c)
{
	/* Look first: a failed exchange disturbs the holder. */
	return !*(volatile u32 *)&(*c)->lock && !__sync_val_compare_and_swap(&(*c)->lock, 0, 1);
}

/* 1: locked. 0: given up; the place is lost, which the next call will find out. */
static __always_inline int conn_lock(struct conn *c)
{
	long turns;

	if (__sync_val_compare_and_swap(&c->lock, 0, 1) == 0)
		return 1;
	turns = bpf_loop(LOCK_TURNS, conn_lock_turn, &c, 0);
	if (turns < LOCK_TURNS)
		return 1;
	c->contended = 1;
	return 0;
}

static __always_inline void conn_unlock(struct conn *c)
{
#if defined(__TARGET_ARCH_x86)
	/* Stores are seen in order: no need to lock the bus. */
	barrier();
	*(volatile u32 *)&c->lock = 0;
#else
	__sync_lock_test_and_set(&c->lock, 0);
#endif
}

/*
 * A connection is seen for the first time in its middle: true if what its peer sent last, answers
 * to all that was asked as far as one can tell, came a while ago. HZ may be 100 to 1000: four
 * jiffies are 4 to 40 ms.
 */
static __always_inline int tcp_was_idle(const struct conn *c, const struct walk *k)
{
	struct tcp_sock *tp = (struct tcp_sock *)k->sk;
	u32 request = c->role == ROLE_CLIENT ? DIR_TX : DIR_RX;
	u32 now = bpf_jiffies64(), last;

	if (c->role == ROLE_UNKNOWN || k->dir != request || !c->flow[request ^ 1].pos)
		return 0;
	last = request == DIR_TX ? BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime)
				 : BPF_CORE_READ(tp, lsndtime);
	return now - last > 4;
}

__noinline int conn_fill_tcp(struct conn *c, struct walk *k)
{
	struct tcp_sock *tp;
	u64 sent, read, own;
	u32 copied;

	if (!c || !k)
		return 0;
	tp = (struct tcp_sock *)k->sk;
	if (!tcp_ids_read(k) && !tcp_ids_read(k))
		tcp_ids_read(k);
	c->role = k->role;
	c->flow[DIR_TX].base = k->own;
	c->flow[DIR_RX].base = k->peer;
	if (k->role != ROLE_UNKNOWN)
		c->flags |= CONN_LINKED;
	/* 64-bit totals, so that offsets are right on connections that moved more than 4 GiB. */
	sent = BPF_CORE_READ(tp, bytes_acked) - (k->role == ROLE_CLIENT);
	sent += (u32)(BPF_CORE_READ(tp, write_seq) - k->own - (u32)sent);
	copied = BPF_CORE_READ(tp, copied_seq);
	read = BPF_CORE_READ(tp, bytes_received);
	read -= (u32)(k->peer + (u32)read - copied);
	/* A FIN has a number, but is no byte. */
	if (k->fins & FIN_WENT)
		sent--;
	if (k->fins & FIN_CAME && copied == BPF_CORE_READ(tp, rcv_nxt))
		read--;
	own = k->n + k->behind;
	c->flow[DIR_TX].pos = k->dir == DIR_TX && sent >= own ? sent - own : sent;
	c->flow[DIR_RX].pos = k->dir == DIR_RX && read >= own ? read - own : read;
	if (!c->flow[DIR_TX].pos && !c->flow[DIR_RX].pos)
		return 0;
	c->flags |= CONN_LATE;
	if (!tcp_was_idle(c, k))
		conn_unsure(c);
	return 0;
}

/*
 * The process that uses the socket, and whether it is traced. Requests of a connection that
 * begins to be filtered out are given up.
 */
__noinline int conn_owner(struct conn *c, struct walk *k)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct spand_cfg *cfg = cfg_get();

	if (!c || !k || !cfg)
		return 0;
	c->tgid = bpf_get_current_pid_tgid() >> 32;
	c->cgroup_id = bpf_get_current_cgroup_id();
	bpf_probe_read_kernel(c->comm, sizeof(c->comm), task->group_leader->comm);
	c->filter_gen = cfg->gen;
	if (!filter_passes(c, cfg)) {
		if (!(c->flags & CONN_IGNORE)) {
			slots_drop_all(c, k->sk, LG_REQ_LOST_EVICTED);
			conn_forget(c, k);
		}
		c->flags |= CONN_IGNORE;
		return 0;
	}
	if (!(c->flags & CONN_IGNORE))
		return 0;
	/* It has moved on since: as if it were seen for the first time. */
	c->flags = CONN_LATE;
	c->attempts = 0;
	c->last_dir = 0;
	c->unsure = 0;
	if (c->l4 == L4_TCP)
		conn_fill_tcp(c, k);
	else
		conn_unsure(c);
	return 0;
}

/*
 * Makes the state of a socket at its first call: k says which. Returns 0 with the state locked,
 * -1 if there is no room or someone else was faster.
 */
__noinline int conn_make(struct walk *k)
{
	struct sock *sk;
	struct conn *c;
	u64 key;

	if (!k)
		return -1;
	key = k->sk;
	sk = (struct sock *)key;
	if (bpf_map_update_elem(&conns, &key, &new_conn, BPF_NOEXIST))
		return -1;
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c)
		return -1;
	lg_inc(LG_CONNS);
	c->incarnation = bpf_get_prandom_u32();
	c->born_ns = bpf_ktime_get_ns();
	c->l4 = k->l4;
	c->inode = sock_inode(sk);
	if (k->l4 == L4_UNIX) {
		conn_unix(c, key);
	} else {
		conn_fill_tcp(c, k);
		conn_addresses(c, sk, k->family);
	}
	/* The kernel's own sockets are used by whoever is at hand: its bytes are elsewhere. */
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		c->flags |= CONN_MUTE;
	conn_owner(c, k);
	return 0;
}

static long close_one(u32 i, struct walk_ctx *x)
{
	struct conn *c = x->c;
	struct walk *k = x->k;
	struct req_slot *s;

	if (c->head == c->tail)
		return 1;
	if (c->expired) {
		c->expired--;
		slots_pop(c, k->sk);
		return 0;
	}
	s = slots_find(c, k->sk, c->head);
	if (!s)
		lg_inc(LG_REQ_LOST_INFLIGHT_FULL);
	else if (s->flags & SLOT_SAMPLED_OUT)
		lg_inc(LG_REQ_SAMPLED);
	else if (emit_span(c, k, s, c->head, EMIT_NO_RESPONSE))
		lg_inc(LG_REQ_LOST_RING_FULL);
	else
		lg_inc(LG_NO_RESPONSE);
	slots_pop(c, k->sk);
	return 0;
}

/*
 * The socket is gone: ends what lasts until then, reports what nothing will answer, frees the
 * state. Nobody else can be using it.
 */
__noinline int conn_close(struct conn *c, struct walk *k)
{
	struct walk_ctx x;
	u64 key, now;
	u32 i;

	if (!c || !k)
		return 0;
	now = bpf_ktime_get_ns();
	for (i = 0; i < 2; i++) {
		struct flow_state *f = &c->flow[i];

		if (f->flags & FLOW_UNTIL_CLOSE) {
			k->now = f->last_ns;
			flow_end_message(f);
			pair_events(c, k, i, FLOW_END, 0);
		}
		oneway_drop(c, k, i);
		carry_drop(c, k, i);
	}
	k->now = now;
	x.c = c;
	x.k = k;
	x.dir = 0;
	bpf_loop(1 << 20, close_one, &x, 0);
	slots_drop_all(c, k->sk, LG_REQ_LOST_DESYNC);
	if (c->pages)
		slots_drop_page(c, k->sk, c->tail);
	key = k->sk;
	bpf_map_delete_elem(&conns, &key);
	lg_inc(LG_CONNS_CLOSED);
	return 0;
}

/*
 * The socket is gone: closes its state, or leaves that to who holds the lock. Nobody can be in a
 * system call on it, but a sweep may be at it.
 */
static __always_inline void conn_gone(struct conn *c, struct walk *k)
{
	if (__sync_val_compare_and_swap(&c->lock, 0, 1)) {
		c->dead = 1;
		if (__sync_val_compare_and_swap(&c->lock, 0, 1))
			return;
	}
	conn_close(c, k);
}

#endif

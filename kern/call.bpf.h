/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * call.bpf.h - one system call that moved bytes on a socket: from what a hook knows to the walk.
 */
#ifndef SPAND_CALL_BPF_H
#define SPAND_CALL_BPF_H

#include "arch.bpf.h"
#include "conn.bpf.h"

#define MSG_PEEK_FLAG  0x02
#define MSG_TRUNC_FLAG 0x20

static __always_inline enum probe_id probe_of(u32 nr)
{
	switch (nr) {
	case NR_READ:
		return PROBE_READ;
	case NR_WRITE:
		return PROBE_WRITE;
	case NR_RECVFROM:
		return PROBE_RECVFROM;
	case NR_SENDTO:
		return PROBE_SENDTO;
	case NR_RECVMSG:
		return PROBE_RECVMSG;
	case NR_SENDMSG:
		return PROBE_SENDMSG;
	case NR_READV:
		return PROBE_READV;
	case NR_WRITEV:
		return PROBE_WRITEV;
	case NR_RECVMMSG:
		return PROBE_RECVMMSG;
	case NR_SENDMMSG:
		return PROBE_SENDMMSG;
	case NR_SENDFILE:
		return PROBE_SENDFILE;
	case NR_SPLICE:
		return PROBE_SPLICE;
	}
	return PROBE_OTHER;
}

/* Which element of its vector a recvmmsg or sendmmsg is at, when the hook fires once for each. */
static __always_inline u32 mmsg_index(u64 vec, u32 vlen, int ret)
{
	struct mmsg *m, next = { .vec = vec, .next = 1, .last = ret };
	u64 id = bpf_get_current_pid_tgid();
	u32 i = 0, len = 0;

	m = bpf_map_lookup_elem(&mmsgs, &id);
	if (m && m->vec == vec && m->next < vlen) {
		u64 prev = vec + (u64)(m->next - 1) * USER_MMSGHDR_SIZE + USER_MMSGHDR_LEN;

		/* The kernel stored the length of the one before: else this is a new call. */
		if (!bpf_probe_read_user(&len, sizeof(len), (void *)prev) && len == (u32)m->last)
			i = m->next;
	}
	next.next = i + 1;
	if (next.next >= vlen)
		bpf_map_delete_elem(&mmsgs, &id);
	else
		bpf_map_update_elem(&mmsgs, &id, &next, BPF_ANY);
	return i;
}

/* The vector ended with an error, or for want of data. */
static __always_inline void mmsg_done(void)
{
	u64 id = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&mmsgs, &id);
}

/* The iovec of a struct user_msghdr at user address hdr. 0, or -1 if it can't be read. */
static __always_inline int source_msghdr(struct walk *k, u64 hdr)
{
	struct user_hdr h;

	if (bpf_probe_read_user(&h, sizeof(h), (void *)hdr))
		return -1;
	k->iov = h.iov;
	k->iov_left = h.iovlen;
	return 0;
}

/* Where the call's bytes are in user memory. 0, or enum ledger: why they can't be read. */
static __always_inline u32 source_setup(struct walk *k)
{
	u64 arg2 = k->arg2, arg3 = k->arg3;

	k->iov_left = 0;
	k->cur_left = 0;
	k->left = k->n;
	switch (k->probe) {
	case PROBE_READ:
	case PROBE_WRITE:
	case PROBE_RECVFROM:
	case PROBE_SENDTO:
		k->cur = arg2;
		k->cur_left = k->n;
		return 0;
	case PROBE_READV:
	case PROBE_WRITEV:
		k->iov = arg2;
		k->iov_left = arg3;
		return 0;
	case PROBE_RECVMSG:
	case PROBE_SENDMSG:
		return source_msghdr(k, arg2) ? LG_BYTES_PAGE_ABSENT : 0;
	case PROBE_RECVMMSG:
	case PROBE_SENDMMSG:
		arg2 += (u64)k->index * USER_MMSGHDR_SIZE;
		return source_msghdr(k, arg2) ? LG_BYTES_PAGE_ABSENT : 0;
	default:
		return LG_BYTES_NO_BUFFER;
	}
}

struct early_ctx {
	volatile struct conn *c;
	u32 seq;
};

static long early_turn(u32 i, struct early_ctx *e)
{
	volatile struct conn *c = e->c;

	return c->head != c->tail ||
	       (s32)(e->seq - c->flow[DIR_TX].base - (u32)c->flow[DIR_TX].pos) <= 0;
}

/* Bytes written to the socket that have not been processed. A FIN has a number, but no byte. */
static __always_inline s32 tx_behind(const struct conn *c, const struct walk *k)
{
	const struct flow_state *f = &c->flow[DIR_TX];
	u32 fin = k->fins & FIN_WENT ? 1 : 0;

	return k->tcp_written - fin - f->base - (u32)f->pos - f->carry_len;
}

/*
 * On loopback an answer can be read before the write of its request has returned, and the hook
 * runs when it returns: wait a little for it.
 */
static __always_inline void early_wait(struct conn *c, u32 seq)
{
	struct early_ctx e = { .c = c, .seq = seq };

	bpf_loop(EARLY_TURNS, early_turn, &e, 0);
}

/*
 * When the call's first byte left. TCP keeps the departure time of the first segment in flight, or
 * of the last one acknowledged: of a request that found the pipe empty it is the one. And it keeps
 * the time of the last segment it sent, mostly this call's. A time is believed if it lies after
 * what the connection sent before (after), and if the segment has left at all.
 */
static __always_inline u64 tcp_departure(const struct walk *k, u64 after)
{
	u64 t = k->tcp_first_us * 1000;

	if ((s32)(k->tcp_snd_nxt - k->tcp_start) <= 0)
		return k->now;
	if (t > after && t < k->now)
		return t;
	t = k->tcp_last_ns;
	return t > after && t < k->now ? t : k->now;
}

/* AF_UNIX has no departure times: not later than when the other end read it. */
static __always_inline u64 unix_departure(const struct conn *c, const struct walk *k)
{
	u64 key = c->peer_sk;
	struct conn *peer = bpf_map_lookup_elem(&conns, &key);

	if (peer && peer->inode == c->peer_inode && peer->flow[DIR_RX].pos > c->flow[DIR_TX].pos &&
	    peer->flow[DIR_RX].msg_ns > c->flow[DIR_TX].last_ns &&
	    peer->flow[DIR_RX].msg_ns < k->now)
		return peer->flow[DIR_RX].msg_ns;
	return k->now;
}

/*
 * The call's place in the stream against the connection's. TCP tells by sequence numbers: bytes
 * that no hook saw are skipped; bytes that were taken for such before are not taken again.
 * Returns 0, or -1 if the call's bytes have been passed already.
 */
static __always_inline int call_place(struct conn *c, struct walk *k, u32 dir)
{
	struct flow_state *f = &c->flow[dir];
	s32 gap = k->tcp_start - f->base - (u32)f->pos - f->carry_len;

	/* A read that reached the end counts the FIN too. */
	if (gap == 1 && dir == DIR_RX && k->fins & FIN_CAME)
		gap = 0;
	if (gap > 0 && !(dir == DIR_TX && k->all_tx)) {
		lg_inc(LG_GAPS);
		walk_unread(c, k, dir, gap, 0);
	}
	return gap < 0 ? -1 : 0;
}

/* A state for the socket, locked; NULL if there is none, or the call is not to be traced. */
static __always_inline struct conn *call_conn(struct walk *k, u32 gen, u32 tgid)
{
	u64 key = k->sk;
	struct conn *c = bpf_map_lookup_elem(&conns, &key);

	if (c && k->l4 == L4_UNIX && c->inode != sock_inode((struct sock *)key)) {
		/* Another socket had this address, and its end was not seen. */
		k->now = c->flow[DIR_RX].last_ns;
		conn_close(c, k);
		c = NULL;
	}
	if (!c) {
		int made;

		k->now = bpf_ktime_get_ns();
		made = !conn_make(k);
		c = bpf_map_lookup_elem(&conns, &key);
		if (!c) {
			lg_inc(LG_CONN_FULL);
			lg_add(LG_BYTES, k->n);
			lg_add(LG_BYTES_CONN_FULL, k->n);
			return NULL;
		}
		/* Made locked; or another thread was faster, then it is as for any other call. */
		if (made && !(c->flags & CONN_IGNORE))
			return c;
		if (made) {
			lg_inc(LG_FILTERED);
			conn_unlock(c);
			return NULL;
		}
	}
	if (c->flags & CONN_IGNORE && c->filter_gen == gen && c->tgid == tgid) {
		lg_inc(LG_FILTERED);
		return NULL;
	}
	if (k->tcp && k->dir == DIR_RX && c->role == ROLE_CLIENT && c->proto &&
	    c->head == c->tail && tx_behind(c, k) > 0)
		early_wait(c, k->tcp_written);
	if (!conn_lock(c)) {
		lg_add(LG_BYTES, k->n);
		lg_add(LG_BYTES_CONTENDED, k->n);
		return NULL;
	}
	if (c->filter_gen != gen || c->tgid != tgid) {
		conn_owner(c, k);
		if (c->flags & CONN_IGNORE) {
			lg_inc(LG_FILTERED);
			conn_unlock(c);
			return NULL;
		}
	}
	return c;
}

/* A call was passed over. TCP's sequence numbers tell where it was; else the place is lost. */
static __always_inline void call_contended(struct conn *c, struct walk *k)
{
	c->contended = 0;
	if (k->tcp) {
		k->all_tx = 0;
		return;
	}
	c->flags &= ~CONN_LINKED;
	if (!c->proto)
		return;
	conn_lose(c, k, DIR_RX);
	if (c->proto)
		conn_lose(c, k, DIR_TX);
}

/*
 * True if a request may be on its way that has not been processed: TCP's sequence numbers tell, or
 * that the other end of an AF_UNIX socket has read more than was seen to be written.
 */
static __always_inline int call_partner(const struct conn *c, const struct walk *k)
{
	const struct flow_state *f = &c->flow[DIR_TX];
	struct conn *peer;
	u64 key;

	if (k->tcp)
		return tx_behind(c, k) > 0;
	if (c->head != c->tail || c->role != ROLE_CLIENT || c->flags & CONN_LATE)
		return 0;
	key = c->peer_sk;
	peer = bpf_map_lookup_elem(&conns, &key);
	return peer && peer->inode == c->peer_inode && !(peer->flags & CONN_LATE) &&
	       peer->flow[DIR_RX].pos > f->pos + f->carry_len;
}

/* k says all that the hook knows of the call. */
__noinline int call_bytes(struct walk *k)
{
	struct spand_cfg *cfg = cfg_get();
	struct flow_state *f;
	struct conn *c;
	u32 tgid, dir, why;

	if (!k || !cfg)
		return 0;
	tgid = bpf_get_current_pid_tgid() >> 32;
	if (tgid == cfg->self_tgid)
		return 0;
	k->cfg = cfg_active & 1;
	k->capture = cfg->capture_len;
	k->sampling = cfg->sampling;
	c = call_conn(k, cfg->gen, tgid);
	if (!c)
		return 0;
	dir = k->dir & 1;
	f = &c->flow[dir];
	k->now = bpf_ktime_get_ns();
	k->start_ns = k->now;
	lg_add(LG_BYTES, k->n);
	if (c->contended)
		call_contended(c, k);
	if (!k->tcp && !(c->flags & (CONN_LINKED | CONN_LATE)) && !c->flow[DIR_RX].pos)
		conn_unix(c, k->sk);
	if (k->tcp && call_place(c, k, dir)) {
		lg_add(LG_BYTES_CONTENDED, k->n);
		goto out;
	}
	if (dir == DIR_TX)
		/* The messages of one sendmmsg may have left together. */
		k->start_ns = k->entered_ns ? k->entered_ns
			      : !k->tcp	    ? unix_departure(c, k)
			      : k->index    ? tcp_departure(k, f->msg_ns - 1)
					    : tcp_departure(k, f->last_ns);
	k->partner = dir == DIR_RX && call_partner(c, k);
	k->op_off = f->pos + f->carry_len;
	if (flow_at_boundary(f)) {
		f->msg_ns = k->start_ns;
		f->syscall = k->syscall;
	}
	why = k->why;
	if (!why)
		why = source_setup(k);
	if (why)
		walk_unread(c, k, dir, k->n, why);
	else
		walk_call(c, k, dir);
	c->last_dir = dir + 1;
	f->last_ns = k->now;
out:
	conn_unlock(c);
	return 0;
}

/* The peer of k->sk will send no more: what lasts until then ends. */
__noinline int call_eof(struct walk *k)
{
	struct flow_state *f;
	struct conn *c;
	u64 key;

	if (!k)
		return 0;
	key = k->sk;
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c)
		return 0;
	f = &c->flow[DIR_RX];
	if (!(f->flags & FLOW_UNTIL_CLOSE) || !conn_lock(c))
		return 0;
	if (f->flags & FLOW_UNTIL_CLOSE) {
		k->cfg = cfg_active & 1;
		k->now = bpf_ktime_get_ns();
		flow_end_message(f);
		pair_events(c, k, DIR_RX, FLOW_END, 0);
	}
	conn_unlock(c);
	return 0;
}

#endif

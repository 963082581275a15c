/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * call.bpf.h - one system call that moved bytes on a socket: from what a hook knows to the walk.
 */
#ifndef SPAND_CALL_BPF_H
#define SPAND_CALL_BPF_H

#include "arch.bpf.h"
#include "conn.bpf.h"

#define MSG_PEEK_FLAG 0x02
#define MSG_TRUNC_FLAG 0x20

/* A field of a struct that the verifier knows (typed), or of any kernel address. */
#define READ_FIELD(typed, p, field) ((typed) ? (p)->field : BPF_CORE_READ(p, field))

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

/*
 * Where the call's bytes are in user memory. 0, or enum ledger: why they can't be read.
 * arg2, arg3: of the system call. index: in the vector of a recvmmsg or sendmmsg.
 */
static __always_inline u32 source_setup(struct walk *k, enum probe_id probe, u64 arg2, u64 arg3,
					u32 index)
{
	k->iov_left = 0;
	k->cur_left = 0;
	k->left = k->n;
	switch (probe) {
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
		arg2 += (u64)index * USER_MMSGHDR_SIZE;
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

/* Bytes written to the socket (up to seq) that have not been processed. */
static __always_inline s32 tx_behind(const struct conn *c, u32 seq)
{
	const struct flow_state *f = &c->flow[DIR_TX];

	return seq - f->base - (u32)f->pos - f->carry_len;
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
 * When the byte with sequence number start left. TCP keeps the departure time of the first
 * segment in flight, or of the last one acknowledged: of a request that found the pipe empty
 * it is the one. Believed if the segment has left, after what the connection sent before.
 */
static __always_inline u64 tcp_departure(struct tcp_sock *tp, const int typed, u32 start, u64 after,
					 u64 now)
{
	u64 t;

	if ((s32)(READ_FIELD(typed, tp, snd_nxt) - start) <= 0)
		return now;
	t = READ_FIELD(typed, tp, first_tx_mstamp) * 1000;
	return t > after && t < now ? t : now;
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
static __always_inline int call_place(struct conn *c, struct walk *k, u32 dir, u32 start, int all_tx)
{
	struct flow_state *f = &c->flow[dir];
	s32 gap = start - f->base - (u32)f->pos - f->carry_len;

	if (gap > 0 && !(dir == DIR_TX && all_tx)) {
		lg_inc(LG_GAPS);
		walk_unread(c, k, dir, gap, 0);
	}
	return gap < 0 ? -1 : 0;
}

/*
 * sk, tp: the socket (tp NULL unless it is TCP); typed: the verifier knows what they are.
 * dir: enum io_dir; n: bytes, > 0; why: enum ledger if the bytes can't be read, else 0, and then
 * probe, arg2, arg3, index tell where they are. all_tx: no byte is sent without this hook.
 */
static __always_inline int call_bytes(struct sock *sk, struct tcp_sock *tp, const int typed,
				      u32 family, u32 l4, u32 dir, u32 n, u32 why, enum probe_id probe,
				      u64 arg2, u64 arg3, u32 index, const int all_tx)
{
	u64 key = (u64)sk, id = bpf_get_current_pid_tgid();
	struct spand_cfg *cfg = cfg_get();
	u32 zero = 0, start = 0, written = 0;
	struct walk *k = bpf_map_lookup_elem(&work, &zero);
	struct flow_state *f;
	struct conn *c;

	if (!cfg || !k || id >> 32 == cfg->self_tgid)
		return 0;
	k->sk = key;
	k->n = n;
	k->dir = dir;
	k->cfg = cfg_active & 1;
	c = bpf_map_lookup_elem(&conns, &key);
	if (c && l4 == L4_UNIX && c->inode != sock_inode(sk)) {
		/* Another socket had this address, and its end was not seen. */
		k->now = c->flow[DIR_RX].last_ns;
		conn_close(c, k);
		c = NULL;
	}
	if (c) {
		if ((c->filter_gen != cfg->gen || c->tgid != id >> 32) && conn_lock(c)) {
			conn_owner(c, k);
			conn_unlock(c);
		}
		if (c->flags & CONN_IGNORE) {
			lg_inc(LG_FILTERED);
			return 0;
		}
	}
	if (tp) {
		start = dir == DIR_RX ? READ_FIELD(typed, tp, copied_seq) :
					READ_FIELD(typed, tp, write_seq);
		start -= n;
		if (dir == DIR_RX && c && c->role == ROLE_CLIENT) {
			written = READ_FIELD(typed, tp, write_seq);
			if (c->proto && c->head == c->tail && tx_behind(c, written) > 0)
				early_wait(c, written);
		}
	}
	if (c) {
		if (!conn_lock(c)) {
			lg_add(LG_BYTES, n);
			lg_add(LG_BYTES_CONTENDED, n);
			return 0;
		}
	} else {
		k->now = bpf_ktime_get_ns();
		if (conn_make(k, family, l4)) {
			lg_inc(LG_CONN_FULL);
			lg_add(LG_BYTES, n);
			lg_add(LG_BYTES_CONN_FULL, n);
			return 0;
		}
		c = bpf_map_lookup_elem(&conns, &key);
		if (!c)
			return 0;
		if (c->flags & CONN_IGNORE) {
			lg_inc(LG_FILTERED);
			goto out;
		}
	}

	lg_add(LG_BYTES, n);
	f = &c->flow[dir];
	k->now = bpf_ktime_get_ns();
	k->start_ns = k->now;
	k->syscall = why == LG_BYTES_IO_URING ? SPAND_SYSCALL_NONE : k->syscall;
	if (c->contended) {
		c->contended = 0;
		if (!tp && c->proto) {
			conn_lose(c, k, DIR_RX);
			if (c->proto)
				conn_lose(c, k, DIR_TX);
		}
	}
	if (tp && call_place(c, k, dir, start, all_tx)) {
		lg_add(LG_BYTES_CONTENDED, n);
		goto out;
	}
	if (dir == DIR_TX && tp)
		k->start_ns = tcp_departure(tp, typed, start, f->last_ns, k->now);
	else if (dir == DIR_TX)
		k->start_ns = unix_departure(c, k);
	k->partner = dir == DIR_RX && tp ? tx_behind(c, written) > 0 : dir == DIR_RX;
	k->op_off = f->pos + f->carry_len;
	if (!why)
		why = source_setup(k, probe, arg2, arg3, index);
	if (why)
		walk_unread(c, k, dir, n, why);
	else
		walk_call(c, k, dir);
	c->last_dir = dir + 1;
	f->last_ns = k->now;
out:
	conn_unlock(c);
	return 0;
}

/* The peer will send no more: what lasts until then ends. */
static __always_inline void call_eof(struct sock *sk)
{
	u64 key = (u64)sk;
	u32 zero = 0;
	struct walk *k = bpf_map_lookup_elem(&work, &zero);
	struct conn *c = bpf_map_lookup_elem(&conns, &key);
	struct flow_state *f;

	if (!k || !c)
		return;
	f = &c->flow[DIR_RX];
	if (!(f->flags & FLOW_UNTIL_CLOSE) || !conn_lock(c))
		return;
	if (f->flags & FLOW_UNTIL_CLOSE) {
		k->sk = key;
		k->cfg = cfg_active & 1;
		k->now = bpf_ktime_get_ns();
		flow_end_message(f);
		pair_events(c, k, DIR_RX, FLOW_END, 0);
	}
	conn_unlock(c);
}

#endif

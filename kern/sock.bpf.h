/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sock.bpf.h - what is read off a struct sock: identity, addresses, sequence numbers, role.
 */
#ifndef SPAND_SOCK_BPF_H
#define SPAND_SOCK_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "maps.bpf.h"

#ifndef AF_UNIX
#define AF_UNIX	 1
#define AF_INET	 2
#define AF_INET6 10
#endif
#define SOCK_STREAM_TYPE   1
#define SOCK_DGRAM_TYPE	   2
#define PROTO_TCP	   6
#define PROTO_UDP	   17
#define SOCK_DONE_FLAG	   (1UL << 1) /* in skc_flags: a FIN has come */
#define SEND_SHUTDOWN_FLAG 2
#define STATE_SYN_SENT	   2
#define STATE_CLOSE	   7

/* walk.fins: a FIN has a sequence number, but is no byte. */
enum fin {
	FIN_CAME = 1,
	FIN_WENT = 2,
};

/* A reset sets both halves of sk_shutdown, too, but with it the state is CLOSE. */
static __always_inline u8 sock_fins(unsigned long flags, u8 shutdown, u8 state)
{
	return (flags & SOCK_DONE_FLAG ? FIN_CAME : 0) |
	       (shutdown & SEND_SHUTDOWN_FLAG && state != STATE_CLOSE ? FIN_WENT : 0);
}

/* struct sock::sk_ino, since 6.17; before, the inode lies behind struct socket. */
struct sock___ino {
	unsigned long sk_ino;
} __attribute__((preserve_access_index));

/* The socket's inode number: unique while it lives, and after it for a long time. */
static __always_inline u64 sock_inode(struct sock *sk)
{
	struct sock___ino *new = (void *)sk;
	struct socket_alloc *a;

	if (bpf_core_field_exists(new->sk_ino))
		return BPF_CORE_READ(new, sk_ino);
	a = (struct socket_alloc *)BPF_CORE_READ(sk, sk_socket);
	return a ? BPF_CORE_READ(a, vfs_inode.i_ino) : 0;
}

/*
 * Both ISNs and who connected, from the counters that every TCP socket keeps (design, part 3),
 * into k->own, peer and role. bytes_acked counts the SYN only on the side that connected,
 * bytes_sent counts it on neither: what is left when the two accounts are compared is 1 on that
 * side and 0 on the other. A FIN that was sent has a number too, but bytes_sent does not count it.
 * The fields move in softirq: returns 1 if they stood still and fit, else 0: try again.
 */
__noinline int tcp_ids_read(struct walk *k)
{
	u64 acked, sent, retrans, received;
	u32 una, nxt, rcv, again, extra;
	struct tcp_sock *tp;

	if (!k)
		return 1;
	tp = (struct tcp_sock *)k->sk;
	una = BPF_CORE_READ(tp, snd_una);
	rcv = BPF_CORE_READ(tp, rcv_nxt);
	received = BPF_CORE_READ(tp, bytes_received);
	acked = BPF_CORE_READ(tp, bytes_acked);
	nxt = BPF_CORE_READ(tp, snd_nxt);
	sent = BPF_CORE_READ(tp, bytes_sent);
	retrans = BPF_CORE_READ(tp, bytes_retrans);
	again = BPF_CORE_READ(tp, snd_una);
	extra = nxt - una + (u32)acked - (u32)(sent - retrans);
	if (k->fins & FIN_WENT && nxt == BPF_CORE_READ(tp, write_seq))
		extra--;
	k->role = extra == 1 ? ROLE_CLIENT : extra == 0 ? ROLE_SERVER : ROLE_UNKNOWN;
	k->own = una - (u32)acked + (k->role == ROLE_CLIENT);
	k->peer = rcv - (u32)received;
	return again == una && rcv == BPF_CORE_READ(tp, rcv_nxt) && extra <= 1;
}

static __always_inline void conn_address(u8 *dst, const struct in6_addr *v6, u8 *family)
{
	const u32 *w = v6->in6_u.u6_addr32;

	if (!w[0] && !w[1] && w[2] == bpf_htonl(0xffff)) {
		*family = AF_INET;
		*(u32 *)dst = w[3];
	} else {
		__builtin_memcpy(dst, v6, 16);
	}
}

/* Addresses in the order client -> server; local -> peer while the role is unknown. */
static __always_inline void conn_addresses(struct conn *c, struct sock *sk, u16 family)
{
	u8 *local = c->role == ROLE_SERVER ? c->daddr : c->saddr;
	u8 *peer = c->role == ROLE_SERVER ? c->saddr : c->daddr;
	/* Not skc_num: a reset has put that back. */
	u16 lport = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	u16 pport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

	c->family = family;
	c->sport = c->role == ROLE_SERVER ? pport : lport;
	c->dport = c->role == ROLE_SERVER ? lport : pport;
	if (family == AF_INET) {
		*(u32 *)local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(u32 *)peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		struct in6_addr a = BPF_CORE_READ(sk, __sk_common.skc_v6_rcv_saddr);
		struct in6_addr b = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr);

		conn_address(local, &a, &c->family);
		conn_address(peer, &b, &c->family);
	}
}

/*
 * AF_UNIX: the side whose socket has a name accepted it (it shares the listener's); if both have
 * one, messages will tell. Before 6.17 the peer has no inode until it is accepted: asked again.
 */
__noinline int conn_unix(struct conn *c, u64 addr)
{
	struct unix_sock *u = (struct unix_sock *)addr, *p;
	u64 own, peer;
	u32 named;

	if (!c)
		return 0;
	own = c->inode;
	p = (struct unix_sock *)BPF_CORE_READ(u, peer);
	peer = p ? sock_inode((struct sock *)p) : 0;
	c->peer_sk = (u64)p;
	c->peer_inode = peer;
	named = BPF_CORE_READ(u, addr) ? 1 : 0;
	if (c->role == ROLE_UNKNOWN && p && named != (BPF_CORE_READ(p, addr) ? 1 : 0))
		c->role = named ? ROLE_SERVER : ROLE_CLIENT;
	c->family = AF_UNIX;
	*(u64 *)c->daddr = c->role == ROLE_SERVER ? peer : own;
	*(u64 *)(c->daddr + 8) = c->role == ROLE_SERVER ? own : peer;
	if (peer)
		c->flags |= CONN_LINKED;
	return 0;
}

#endif

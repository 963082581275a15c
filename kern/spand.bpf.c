// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * spand.bpf.c - the programs. Two sets of hooks lead to the same path:
 *
 * socket	sock_send_length and sock_recv_length (kernel 6.3 and later) fire in the kernel's
 *		own send and receive path: only for sockets, with the socket at hand, also for
 *		io_uring. Other system calls pay nothing.
 *		There is no hook at entry: registers still hold the arguments, and TCP keeps the
 *		time at which a segment left.
 * syscall	sys_enter and sys_exit, for kernels without those: every system call passes by.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "call.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a socket's bytes are to us: enum span_l4, or -1: nothing. */
static __always_inline int sock_kind(u32 family, u32 type, u32 protocol)
{
	if (family == AF_INET || family == AF_INET6) {
		if (type == SOCK_STREAM_TYPE && protocol == PROTO_TCP)
			return L4_TCP;
		if (type == SOCK_DGRAM_TYPE && protocol == PROTO_UDP)
			return L4_UDP;
		return -1;
	}
	return family == AF_UNIX && type == SOCK_STREAM_TYPE ? L4_UNIX : -1;
}

/*
 * A free work space for a call of n bytes; -1 if there is none. Where programs can be preempted,
 * another task on the same CPU needs another one; elsewhere the first is always free.
 */
__noinline int work_claim(u64 n)
{
	struct walk *k;
	u32 i;

	for (i = WORK_CALL; i <= WORK_CALL_LAST; i++) {
		u32 key = i;

		k = bpf_map_lookup_elem(&work, &key);
		if (k && !__sync_val_compare_and_swap(&k->in_use, 0, 1))
			return i;
	}
	lg_add(LG_BYTES, n);
	lg_add(LG_BYTES_CONTENDED, n);
	return -1;
}

/* A work space with what every kind of call has, to be given back; NULL if there is none. */
static __always_inline struct walk *call_new(u64 sk, u32 l4, u32 dir, u32 n)
{
	int space = preemptible ? work_claim(n) : WORK_CALL;
	u32 key = space;
	struct walk *k;

	if (space < 0)
		return NULL;
	k = bpf_map_lookup_elem(&work, &key);
	if (!k)
		return NULL;
	k->sk = sk;
	k->l4 = l4;
	k->dir = dir;
	k->n = n;
	k->index = 0;
	k->behind = 0;
	k->entered_ns = 0;
	k->partner = 0;
	k->tcp = l4 == L4_TCP;
	k->all_tx = 1;
	return k;
}

static __always_inline void call_done(struct walk *k)
{
	if (!preemptible)
		return;
	barrier();
	*(volatile u64 *)&k->in_use = 0;
}

/* What TCP knows: tp is typed. */
static __always_inline void call_tcp(struct walk *k, struct sock *sk, struct tcp_sock *tp)
{
	k->tcp_written = tp->write_seq;
	k->tcp_start = (k->dir == DIR_RX ? tp->copied_seq : tp->write_seq) - (u32)k->n;
	k->tcp_snd_nxt = tp->snd_nxt;
	k->tcp_first_us = tp->first_tx_mstamp;
	k->tcp_last_ns = tp->tcp_wstamp_ns;
	k->fins = sock_fins(sk->__sk_common.skc_flags, sk->sk_shutdown, sk->__sk_common.skc_state);
}

static __always_inline int probe_is_on(enum probe_id probe)
{
	struct spand_cfg *cfg = cfg_get();

	return cfg && cfg->syscalls >> probe & 1;
}

#define INODE_TYPE   0170000
#define INODE_SOCKET 0140000

/* The address of the socket behind descriptor fd of the current process; 0 if it is not one. */
__noinline u64 fd_sock(u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = NULL;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return 0;
	files = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & INODE_TYPE) != INODE_SOCKET)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return (u64)BPF_CORE_READ(socket, sk);
}

static __always_inline void sock_eof(u64 sk)
{
	struct walk *k = call_new(sk, 0, DIR_RX, 0);

	if (!k)
		return;
	call_eof(k);
	call_done(k);
}

static __always_inline int sock_length(struct sock *sk, int ret, int flags, u32 dir)
{
	u32 family = sk->__sk_common.skc_family, nr, why = 0;
	struct task_struct *task = bpf_get_current_task_btf();
	enum probe_id probe;
	struct tcp_sock *tp;
	struct pt_regs *regs;
	struct walk *k;
	int l4;

	l4 = sock_kind(family, sk->sk_type, sk->sk_protocol);
	if (l4 < 0)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	nr = REGS_NR(regs);
	probe = probe_of(nr);
	if (ret <= 0) {
		if (probe == PROBE_RECVMMSG || probe == PROBE_SENDMMSG)
			mmsg_done();
		if (!ret && dir == DIR_RX &&
		    (l4 != L4_TCP || sk->__sk_common.skc_flags & SOCK_DONE_FLAG))
			sock_eof((u64)sk);
		return 0;
	}
	if (flags & MSG_PEEK_FLAG && dir == DIR_RX)
		return 0;
	if (l4 == L4_UDP) {
		lg_add(LG_BYTES, ret);
		lg_add(LG_BYTES_UDP, ret);
		return 0;
	}
	k = call_new((u64)sk, l4, dir, ret);
	if (!k)
		return 0;
	if (l4 == L4_TCP) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (!tp) {
			call_done(k);
			return 0;
		}
		call_tcp(k, sk, tp);
	}
	k->family = family;
	k->arg2 = REGS_ARG2(regs);
	k->arg3 = REGS_ARG3(regs);
	k->probe = probe;
	k->syscall = nr;
	if (task->flags & TASK_IO_WORKER || nr == NR_IO_URING_ENTER) {
		lg_inc(LG_IO_URING);
		why = LG_BYTES_IO_URING;
		k->syscall = SPAND_SYSCALL_NONE;
	} else if (task->flags & TASK_KTHREAD || TASK_IS_COMPAT(task) ||
		   (flags & MSG_TRUNC_FLAG && dir == DIR_RX)) {
		why = LG_BYTES_NO_BUFFER;
	} else if (task->io_uring && fd_sock(REGS_ARG1(regs)) != k->sk) {
		/* Its work also runs at the end of other system calls, which are not about sk. */
		lg_inc(LG_IO_URING);
		why = LG_BYTES_IO_URING;
		k->syscall = SPAND_SYSCALL_NONE;
	} else if (!probe_is_on(probe)) {
		why = LG_BYTES_PROBE_OFF;
	} else if (probe == PROBE_RECVMMSG || probe == PROBE_SENDMMSG) {
		/* With a timeout a vector may end without a sign of it. */
		if (probe == PROBE_RECVMMSG && k->arg3 > 1 && REGS_ARG5(regs))
			why = LG_BYTES_NO_BUFFER;
		else
			k->index = mmsg_index(k->arg2, k->arg3, ret);
	}
	k->why = why;
	call_bytes(k);
	call_done(k);
	return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	return sock_length(sk, ret, flags, DIR_TX);
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(on_recv, struct sock *sk, int ret, int flags)
{
	return sock_length(sk, ret, flags, DIR_RX);
}

/*
 * splice() takes bytes from a socket without a receive call; this fires at its end too. What it
 * took is what copied_seq has moved beyond the connection's place.
 */
SEC("?tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_splice, struct sock *sk)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	u64 key = (u64)sk;
	struct tcp_sock *tp;
	struct conn *c;
	struct walk *k;
	s32 n;

	if (REGS_NR(regs) != NR_SPLICE)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	c = bpf_map_lookup_elem(&conns, &key);
	if (!tp || !c)
		return 0;
	n = tp->copied_seq - c->flow[DIR_RX].base - (u32)c->flow[DIR_RX].pos -
	    c->flow[DIR_RX].carry_len;
	if (n <= 0)
		return 0;
	k = call_new(key, L4_TCP, DIR_RX, n);
	if (!k)
		return 0;
	call_tcp(k, sk, tp);
	k->family = sk->__sk_common.skc_family;
	k->probe = PROBE_SPLICE;
	k->syscall = NR_SPLICE;
	k->why = probe_is_on(PROBE_SPLICE) ? LG_BYTES_NO_BUFFER : LG_BYTES_PROBE_OFF;
	call_bytes(k);
	call_done(k);
	return 0;
}

/* Closes the state of a socket that is no more what it was. space: enum work_space. */
static __always_inline int sock_gone(struct sock *sk, u32 space)
{
	u64 key = (u64)sk;
	struct conn *c = bpf_map_lookup_elem(&conns, &key);
	struct walk *k;

	if (!c)
		return 0;
	k = bpf_map_lookup_elem(&work, &space);
	if (!k)
		return 0;
	k->sk = key;
	k->cfg = cfg_active & 1;
	conn_gone(c, k);
	return 0;
}

/* The last thing that happens to a TCP socket, after its last byte was read or given up. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy, struct sock *sk)
{
	return sock_gone(sk, WORK_DESTROY);
}

/* A socket that was disconnected, by connect(AF_UNSPEC), connects anew. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int oldstate, int newstate)
{
	return newstate == STATE_SYN_SENT ? sock_gone(sk, WORK_STATE) : 0;
}

/* What kind of socket is at an address: enum span_l4, or -1. */
__noinline int addr_kind(u64 addr)
{
	struct sock *sk = (struct sock *)addr;

	return sock_kind(BPF_CORE_READ(sk, __sk_common.skc_family), BPF_CORE_READ(sk, sk_type),
			 BPF_CORE_READ(sk, sk_protocol));
}

/* As call_tcp(), for a socket of which only the address is known. k->dir and n are set. */
__noinline int addr_facts(struct walk *k, u64 addr)
{
	struct sock *sk = (struct sock *)addr;
	struct tcp_sock *tp = (struct tcp_sock *)addr;

	if (!k)
		return 0;
	k->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (!k->tcp)
		return 0;
	k->tcp_written = BPF_CORE_READ(tp, write_seq);
	k->tcp_start = k->dir == DIR_RX ? BPF_CORE_READ(tp, copied_seq) : k->tcp_written;
	k->tcp_start -= (u32)k->n;
	k->tcp_snd_nxt = BPF_CORE_READ(tp, snd_nxt);
	k->tcp_first_us = BPF_CORE_READ(tp, first_tx_mstamp);
	k->tcp_last_ns = BPF_CORE_READ(tp, tcp_wstamp_ns);
	k->fins =
		sock_fins(BPF_CORE_READ(sk, __sk_common.skc_flags), BPF_CORE_READ(sk, sk_shutdown),
			  BPF_CORE_READ(sk, __sk_common.skc_state));
	return 0;
}

/* Messages of one recvmmsg or sendmmsg that are looked at; further ones show as a gap. */
#define EXIT_MMSG_MAX 8

struct exit_ctx {
	u64 sk;
	u64 arg2;
	u64 arg3;
	u16 nr;
	u8 dir;
	u8 l4;
	u8 probe;
	u8 why;	    /* enum ledger */
	u32 behind; /* bytes of the messages behind this one */
	u64 entered_ns;
};

static __always_inline u32 mmsg_len(u64 vec, u32 i)
{
	u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len),
			    (void *)(vec + (u64)i * USER_MMSGHDR_SIZE + USER_MMSGHDR_LEN));
	return len;
}

/* As sock_length(): element i of a recvmmsg or sendmmsg, or the one there is. ret: bytes. */
static __always_inline int exit_bytes(u32 i, const struct exit_ctx *x, int ret)
{
	struct walk *k;

	if (ret <= 0) {
		if (!ret && x->dir == DIR_RX)
			sock_eof(x->sk);
		return 0;
	}
	if (x->l4 == L4_UDP) {
		lg_add(LG_BYTES, ret);
		lg_add(LG_BYTES_UDP, ret);
		return 0;
	}
	k = call_new(x->sk, x->l4, x->dir & 1, ret);
	if (!k)
		return 1;
	addr_facts(k, x->sk);
	k->tcp_start -= x->behind;
	k->behind = x->behind;
	k->entered_ns = x->entered_ns;
	k->all_tx = 0;
	k->arg2 = x->arg2;
	k->arg3 = x->arg3;
	k->probe = x->probe;
	k->syscall = x->nr;
	k->index = i;
	k->why = x->why;
	call_bytes(k);
	call_done(k);
	return 0;
}

/* Direction of a probe's bytes on the descriptor in its first argument. */
static __always_inline u32 probe_dir(enum probe_id probe)
{
	switch (probe) {
	case PROBE_WRITE:
	case PROBE_WRITEV:
	case PROBE_SENDTO:
	case PROBE_SENDMSG:
	case PROBE_SENDMMSG:
	case PROBE_SENDFILE:
		return DIR_TX;
	default:
		return DIR_RX;
	}
}

/*
 * A write may block, and its answer may be read, before it returns. Here every system call
 * passes by anyway, so the time at which sending ones began is worth a look at the clock.
 */
SEC("?tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long nr)
{
	u64 *v;

	if (probe_dir(probe_of(nr)) != DIR_TX)
		return 0;
	v = bpf_task_storage_get(&entered, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (v)
		*v = bpf_ktime_get_ns();
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long ret)
{
	u32 nr = REGS_NR(regs), flags = 0, i, len;
	enum probe_id probe = probe_of(nr);
	struct exit_ctx x = {};
	int l4;

	if (nr == NR_IO_URING_ENTER) {
		/* What it moves shows as gaps in the streams; here only that it is used. */
		lg_inc(LG_IO_URING);
		return 0;
	}
	if (probe == PROBE_OTHER || ret < 0)
		return 0;
	x.nr = nr;
	x.probe = probe;
	x.dir = probe_dir(probe);
	x.arg2 = REGS_ARG2(regs);
	x.arg3 = REGS_ARG3(regs);
	if (probe == PROBE_RECVFROM || probe == PROBE_RECVMMSG)
		flags = REGS_ARG4(regs);
	else if (probe == PROBE_RECVMSG)
		flags = x.arg3;
	if (flags & MSG_PEEK_FLAG)
		return 0;
	x.sk = fd_sock(REGS_ARG1(regs));
	if (!x.sk && probe == PROBE_SPLICE) {
		x.sk = fd_sock(x.arg3);
		x.dir = DIR_TX;
	}
	if (!x.sk)
		return 0;
	l4 = addr_kind(x.sk);
	if (l4 < 0)
		return 0;
	x.l4 = l4;
	if (x.dir == DIR_TX) {
		u64 *v = bpf_task_storage_get(&entered, bpf_get_current_task_btf(), NULL, 0);

		/* Programs are attached one by one: this call may have begun before. */
		if (v) {
			x.entered_ns = *v;
			*v = 0;
		}
	}
	if (probe == PROBE_SPLICE || probe == PROBE_SENDFILE || flags & MSG_TRUNC_FLAG ||
	    TASK_IS_COMPAT(bpf_get_current_task_btf()))
		x.why = LG_BYTES_NO_BUFFER;
	else if (!probe_is_on(probe))
		x.why = LG_BYTES_PROBE_OFF;
	if (probe != PROBE_RECVMMSG && probe != PROBE_SENDMMSG)
		return exit_bytes(0, &x, ret);
	/*
	 * ret counts messages, not bytes. Not bpf_loop(): the frame of a callback would be one
	 * too many.
	 */
	for (i = 0; i < EXIT_MMSG_MAX && i < ret; i++)
		x.behind += mmsg_len(x.arg2, i);
	for (i = 0; i < EXIT_MMSG_MAX && i < ret; i++) {
		len = mmsg_len(x.arg2, i);
		x.behind -= len;
		if (exit_bytes(i, &x, len))
			break;
	}
	return 0;
}

#include "sweep.bpf.h"

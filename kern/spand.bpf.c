// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * spand.bpf.c - the programs. Two sets of hooks lead to the same path:
 *
 * socket	sock_send_length and sock_recv_length (kernel 6.3 and later) fire in the kernel's own
 *		send and receive path: only for sockets, with the socket at hand, also for io_uring.
 *		Other system calls pay nothing.
 * syscall	sys_exit, for kernels without those: every system call passes by.
 *
 * Neither needs a hook at entry: registers still hold the arguments at exit, and TCP keeps the
 * time at which a segment left.
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

static __always_inline void set_syscall(u32 nr)
{
	u32 zero = 0;
	struct walk *k = bpf_map_lookup_elem(&work, &zero);

	if (k)
		k->syscall = nr;
}

static __always_inline int probe_is_on(enum probe_id probe)
{
	struct spand_cfg *cfg = cfg_get();

	return cfg && cfg->syscalls >> probe & 1;
}

static __always_inline int sock_length(struct sock *sk, int ret, int flags, u32 dir)
{
	u32 family = sk->__sk_common.skc_family, nr, index = 0, why = 0;
	struct task_struct *task = bpf_get_current_task_btf();
	struct tcp_sock *tp = NULL;
	enum probe_id probe;
	struct pt_regs *regs;
	u64 arg2, arg3;
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
		if (!ret && dir == DIR_RX)
			call_eof(sk);
		return 0;
	}
	if (flags & MSG_PEEK_FLAG && dir == DIR_RX)
		return 0;
	if (l4 == L4_UDP) {
		lg_add(LG_BYTES, ret);
		lg_add(LG_BYTES_UDP, ret);
		return 0;
	}
	if (l4 == L4_TCP) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (!tp)
			return 0;
	}
	arg2 = REGS_ARG2(regs);
	arg3 = REGS_ARG3(regs);
	if (task->flags & TASK_IO_WORKER || nr == NR_IO_URING_ENTER) {
		lg_inc(LG_IO_URING);
		why = LG_BYTES_IO_URING;
	} else if (task->flags & TASK_KTHREAD || TASK_IS_COMPAT(task) ||
		   (flags & MSG_TRUNC_FLAG && dir == DIR_RX)) {
		why = LG_BYTES_NO_BUFFER;
	} else if (!probe_is_on(probe)) {
		why = LG_BYTES_PROBE_OFF;
	} else if (probe == PROBE_RECVMMSG || probe == PROBE_SENDMMSG) {
		/* With a timeout a vector may end without a sign of it. */
		if (probe == PROBE_RECVMMSG && arg3 > 1 && REGS_ARG5(regs))
			why = LG_BYTES_NO_BUFFER;
		else
			index = mmsg_index(arg2, arg3, ret);
	}
	set_syscall(nr);
	return call_bytes(sk, tp, 1, family, l4, dir, ret, why, probe, arg2, arg3, index, 1);
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

/* The last thing that happens to a TCP socket, after its last byte was read or given up. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy, struct sock *sk)
{
	u64 key = (u64)sk;
	u32 one = 1;
	struct conn *c = bpf_map_lookup_elem(&conns, &key);
	struct walk *k;

	if (!c)
		return 0;
	k = bpf_map_lookup_elem(&work, &one);
	if (!k)
		return 0;
	k->sk = key;
	k->cfg = cfg_active & 1;
	return conn_close(c, k);
}

/* The open file of descriptor fd of the current process, as an address; NULL if there is none. */
static __always_inline struct file *task_file(struct task_struct *task, u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	files = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

#define INODE_TYPE 0170000
#define INODE_SOCKET 0140000

/* The socket behind descriptor fd, as an address; NULL if it is not one. */
static __always_inline struct sock *task_sock(struct task_struct *task, u32 fd)
{
	struct file *file = task_file(task, fd);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & INODE_TYPE) != INODE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* As sock_length(), but nothing is known of sk but its address. */
static __always_inline int exit_bytes(struct sock *sk, int ret, u32 dir, u32 why, u32 nr,
				      enum probe_id probe, u64 arg2, u64 arg3, u32 index)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct tcp_sock *tp = NULL;
	int l4;

	l4 = sock_kind(family, BPF_CORE_READ(sk, sk_type), BPF_CORE_READ(sk, sk_protocol));
	if (l4 < 0)
		return 0;
	if (ret <= 0) {
		if (!ret && dir == DIR_RX)
			call_eof(sk);
		return 0;
	}
	if (l4 == L4_UDP) {
		lg_add(LG_BYTES, ret);
		lg_add(LG_BYTES_UDP, ret);
		return 0;
	}
	if (l4 == L4_TCP)
		tp = (struct tcp_sock *)sk;
	if (!why && !probe_is_on(probe))
		why = LG_BYTES_PROBE_OFF;
	set_syscall(nr);
	return call_bytes(sk, tp, 0, family, l4, dir, ret, why, probe, arg2, arg3, index, 0);
}

struct exit_ctx {
	struct sock *sk;
	u64 vec;
	u32 count;
	u32 dir;
	u32 nr;
	u32 probe;
	u32 why;
};

/* One element of a recvmmsg's or sendmmsg's vector. */
static long exit_mmsg(u32 i, struct exit_ctx *x)
{
	u32 len = 0;
	u64 at = x->vec + (u64)i * USER_MMSGHDR_SIZE;

	if (i >= x->count ||
	    bpf_probe_read_user(&len, sizeof(len), (void *)(at + USER_MMSGHDR_LEN)))
		return 1;
	exit_bytes(x->sk, len, x->dir, x->why, x->nr, x->probe, x->vec, 0, i);
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

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 nr = REGS_NR(regs), fd, why = 0, flags = 0, dir;
	enum probe_id probe = probe_of(nr);
	struct exit_ctx x = {};
	struct sock *sk;

	if (nr == NR_IO_URING_ENTER) {
		/* What it moves shows as gaps in the streams; here only that it is used. */
		lg_inc(LG_IO_URING);
		return 0;
	}
	if (probe == PROBE_OTHER || ret < 0)
		return 0;
	dir = probe_dir(probe);
	fd = REGS_ARG1(regs);
	if (probe == PROBE_SPLICE || probe == PROBE_SENDFILE || TASK_IS_COMPAT(task))
		why = LG_BYTES_NO_BUFFER;
	sk = task_sock(task, fd);
	if (!sk && probe == PROBE_SPLICE) {
		sk = task_sock(task, REGS_ARG3(regs));
		dir = DIR_TX;
	}
	if (!sk)
		return 0;
	if (probe == PROBE_RECVFROM || probe == PROBE_RECVMMSG)
		flags = REGS_ARG4(regs);
	else if (probe == PROBE_RECVMSG)
		flags = REGS_ARG3(regs);
	if (flags & MSG_PEEK_FLAG)
		return 0;
	if (flags & MSG_TRUNC_FLAG)
		why = LG_BYTES_NO_BUFFER;
	if (probe == PROBE_RECVMMSG || probe == PROBE_SENDMMSG) {
		/* ret counts messages, not bytes. */
		x.sk = sk;
		x.vec = REGS_ARG2(regs);
		x.count = ret;
		x.dir = dir;
		x.nr = nr;
		x.probe = probe;
		x.why = why;
		bpf_loop(1024, exit_mmsg, &x, 0);
		return 0;
	}
	return exit_bytes(sk, ret, dir, why, nr, probe, REGS_ARG2(regs), REGS_ARG3(regs), 0);
}

#include "sweep.bpf.h"

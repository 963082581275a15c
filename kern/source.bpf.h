/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * source.bpf.h - a system call's bytes, read from user memory piece by piece into the window.
 */
#ifndef SPAND_SOURCE_BPF_H
#define SPAND_SOURCE_BPF_H

#include "maps.bpf.h"

struct user_iovec {
	u64 base;
	u64 len;
};

/* struct user_msghdr as 64-bit callers lay it out; a struct mmsghdr is one and a u32. */
struct user_hdr {
	u64 name;
	u64 namelen;
	u64 iov;
	u64 iovlen;
};

#define USER_MMSGHDR_SIZE 64
#define USER_MMSGHDR_LEN  56 /* offset of msg_len */

/* Goes on to the next iovec once the current piece is used up. 0, or -1 if there is none. */
static __always_inline int source_piece(struct walk *k)
{
	struct user_iovec v;

	if (!k->iov_left || bpf_probe_read_user(&v, sizeof(v), (void *)k->iov))
		return -1;
	k->iov += sizeof(v);
	k->iov_left--;
	k->cur = v.base;
	k->cur_left = v.len;
	return 0;
}

/* Passes over up to n bytes of the current piece; returns how many. */
static __always_inline u64 source_skip(struct walk *k, u64 n)
{
	if (n > k->cur_left)
		n = k->cur_left;
	if (n > k->left)
		n = k->left;
	k->cur += n;
	k->cur_left -= n;
	k->left -= n;
	return n;
}

/*
 * Moves what is left in the window to its front and adds bytes of the current piece.
 * 0, or -1 if memory could not be read.
 */
static __always_inline int source_fill(struct walk *k)
{
	u32 rest = k->w.len - k->w.off, n;

	/* The parser never leaves more than it may refuse to take; the mask tells the verifier. */
	if (rest > PWIN_ENOUGH)
		return -1;
	if (rest && k->w.off) {
		u32 off = k->w.off & (PWIN_SIZE - 1);

		/* Copies upwards, so the overlap does no harm. */
		if (bpf_probe_read_kernel(k->w.data, rest, k->w.data + off))
			return -1;
	}
	k->w.off = 0;
	k->w.len = rest;
	if (!k->cur_left && source_piece(k))
		return -1;
	n = FILL_MAX;
	if (n > k->cur_left)
		n = k->cur_left;
	if (n > k->left)
		n = k->left;
	/* Kernel 6.1 learns bounds from constants only: keep the compiler from dropping this. */
	barrier_var(n);
	if (n > FILL_MAX)
		return -1;
	if (n && bpf_probe_read_user(k->w.data + rest, n, (void *)k->cur))
		return -1;
	k->w.len = rest + n;
	k->cur += n;
	k->cur_left -= n;
	k->left -= n;
	return 0;
}

#endif

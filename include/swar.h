/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * swar.h - eight bytes of a window at a time. BPF has no vector instructions and no count of
 * trailing zeros; arithmetic on one 64-bit register does the same work.
 *
 * A word's byte 0 (least significant) is the first in the stream, on any host. A mask has bit 7
 * of a byte set where the byte matches; only the *first* match is exact (a borrow can mark
 * bytes behind it). See H. Warren, Hacker's Delight, 2nd ed., 6-1.
 */
#ifndef SPAND_SWAR_H
#define SPAND_SWAR_H

#include "proto.h"

#define SWAR_ONES 0x0101010101010101ULL
#define SWAR_HIGH 0x8080808080808080ULL
#define SWAR_CASE 0x2020202020202020ULL

/* The eight characters of a literal as a word. */
#define SWAR_WORD(s)                                                                      \
	((__u64)(s)[0] | (__u64)(s)[1] << 8 | (__u64)(s)[2] << 16 | (__u64)(s)[3] << 24 | \
	 (__u64)(s)[4] << 32 | (__u64)(s)[5] << 40 | (__u64)(s)[6] << 48 | (__u64)(s)[7] << 56)
/* The first n (1..8) bytes of a word. */
#define SWAR_BYTES(n) (~0ULL >> (64 - 8 * (n)))

/* The word at absolute offset off. */
PROTO_INLINE __u64 swar_load(const struct pwin *w, __u32 off)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(pwin_u64(w, off));
#else
	return pwin_u64(w, off);
#endif
}

/* Bytes equal to c. */
PROTO_INLINE __u64 swar_eq(__u64 x, __u8 c)
{
	x ^= SWAR_ONES * c;
	return (x - SWAR_ONES) & ~x & SWAR_HIGH;
}

/* Bytes below n (1..128). */
PROTO_INLINE __u64 swar_below(__u64 x, __u8 n)
{
	return (x - SWAR_ONES * n) & ~x & SWAR_HIGH;
}

/* Index of the first marked byte, 0..7. mask must not be 0. */
PROTO_INLINE __u32 swar_first(__u64 mask)
{
	return ((((mask - 1) & ~mask & SWAR_ONES) * SWAR_ONES) >> 56) - 1;
}

/*
 * An offset as it is, of which the verifier forgets all but that it is below 2 * PWIN_SIZE. A loop
 * that moves an offset on is walked once a step if it comes round with nothing else known, and
 * many times if each way through leaves other bounds.
 */
PROTO_INLINE __u32 swar_bound(__u32 off)
{
	/* The compiler must not see that two of these are one, or that a mask does nothing. */
	__asm__ volatile("" : "+r"(off));
	return off & (2 * PWIN_SIZE - 1);
}

/* Offset of the first byte c in [off, end), or end. */
PROTO_FN __u32 swar_find(const struct pwin *w, __u32 off, __u32 end, __u32 c)
{
	__u64 t;
	__u32 i;

	if (!w)
		return end;
	for (i = 0; i <= PWIN_SIZE / 8; i++) {
		if (off >= end)
			return end;
		t = swar_eq(swar_load(w, off), c);
		if (t) {
			off += swar_first(t);
			return off < end ? off : end;
		}
		off += 8;
	}
	return end;
}

#endif

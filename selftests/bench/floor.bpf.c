/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * floor.bpf.c - empty programs: what it costs to be called at all. A tp_btf program belongs to
 * one tracepoint from the moment it is loaded, so there are several of them and floor.c gives
 * each its target; one tracepoint program can be attached any number of times.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EMPTY_TP_BTF(n)              \
	SEC("tp_btf")                \
	int floor_btf_##n(void *ctx) \
	{                            \
		(void)ctx;           \
		return 0;            \
	}

EMPTY_TP_BTF(0)
EMPTY_TP_BTF(1)
EMPTY_TP_BTF(2)
EMPTY_TP_BTF(3)
EMPTY_TP_BTF(4)
EMPTY_TP_BTF(5)
EMPTY_TP_BTF(6)
EMPTY_TP_BTF(7)
EMPTY_TP_BTF(8)
EMPTY_TP_BTF(9)
EMPTY_TP_BTF(10)
EMPTY_TP_BTF(11)

SEC("tracepoint")
int floor_tp(void *ctx)
{
	(void)ctx;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * arch.bpf.h - syscall numbers and user registers of the machines that are supported.
 */
#ifndef SPAND_ARCH_BPF_H
#define SPAND_ARCH_BPF_H

#include "abi.h"

#if defined(__TARGET_ARCH_x86)

#define NR_READ		  0
#define NR_WRITE	  1
#define NR_READV	  19
#define NR_WRITEV	  20
#define NR_SENDFILE	  40
#define NR_SENDTO	  44
#define NR_RECVFROM	  45
#define NR_SENDMSG	  46
#define NR_RECVMSG	  47
#define NR_SPLICE	  275
#define NR_RECVMMSG	  299
#define NR_SENDMMSG	  307
#define NR_IO_URING_ENTER 426

#define REGS_NR(r)   ((u32)(r)->orig_ax)
#define REGS_ARG1(r) ((r)->di)
#define REGS_ARG2(r) ((r)->si)
#define REGS_ARG3(r) ((r)->dx)
#define REGS_ARG4(r) ((r)->r10)
#define REGS_ARG5(r) ((r)->r8)

/* A 32-bit caller has other numbers, other registers and other iovecs. */
#define TASK_IS_COMPAT(t) ((t)->thread_info.status & 0x0002 /* TS_COMPAT */)

#elif defined(__TARGET_ARCH_arm64)

#define NR_READ		  63
#define NR_WRITE	  64
#define NR_READV	  65
#define NR_WRITEV	  66
#define NR_SENDFILE	  71
#define NR_SPLICE	  76
#define NR_SENDTO	  206
#define NR_RECVFROM	  207
#define NR_SENDMSG	  211
#define NR_RECVMSG	  212
#define NR_RECVMMSG	  243
#define NR_SENDMMSG	  269
#define NR_IO_URING_ENTER 426

/* The fields by name, in any vmlinux.h. */
struct pt_regs___arm64 {
	u64 regs[31];
	s32 syscallno;
	u64 orig_x0;
} __attribute__((preserve_access_index));

#define REGS_NR(r)   ((u32)((struct pt_regs___arm64 *)(r))->syscallno)
#define REGS_ARG1(r) (((struct pt_regs___arm64 *)(r))->orig_x0)
#define REGS_ARG2(r) (((struct pt_regs___arm64 *)(r))->regs[1])
#define REGS_ARG3(r) (((struct pt_regs___arm64 *)(r))->regs[2])
#define REGS_ARG4(r) (((struct pt_regs___arm64 *)(r))->regs[3])
#define REGS_ARG5(r) (((struct pt_regs___arm64 *)(r))->regs[4])

#define TASK_IS_COMPAT(t) ((t)->thread_info.flags & (1 << 22) /* TIF_32BIT */)

#else
#error "no syscall table for this machine"
#endif

#define TASK_IO_WORKER 0x00000010 /* PF_IO_WORKER */
#define TASK_KTHREAD   0x00200000 /* PF_KTHREAD */

#endif

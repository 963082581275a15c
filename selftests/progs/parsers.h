/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parsers.h - what the test of the parsers in the kernel puts in and gets out. */
#ifndef SPAND_TEST_PARSERS_H
#define SPAND_TEST_PARSERS_H

#include "proto.h"

enum parsers_op {
	PARSERS_REQUEST,
	PARSERS_RESPONSE,
	PARSERS_DETECT, /* proto and result come out */
};

struct parsers_io {
	__u32 op;
	__u32 proto; /* enum spand_proto */
	__u32 dirs;  /* of a detection */
	__s32 result;
	struct pwin w;
	struct pstate s;
	struct pmsg m;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * proto_ops.h - what user space adds to a protocol. Optional: a protocol without a file
 * user/proto/<name>.c keeps the name that the kernel sent and has no attributes of its own.
 *
 * user/proto/<name>.c defines `PROTO_OPS(<name>) = { ... };`, where <name> is that of
 * include/proto/<name>.h. span.c finds it through a weak reference made from the generated list.
 */
#ifndef SPAND_PROTO_OPS_H
#define SPAND_PROTO_OPS_H

#include "span.h"
#include "text.h"

struct proto_ops {
	/*
	 * Rewrites in place the n bytes (any bytes, at most SPAND_NAME_MAX) of the name that
	 * the kernel sent; returns the new length, at most n. NULL: keep it.
	 */
	size_t (*name)(char *name, size_t n);
	/* Writes attributes as "key":value, each with its comma: text_member(). NULL: none. */
	void (*attributes)(const struct span *s, struct text_out *o);
};

#define PROTO_OPS(name) const struct proto_ops proto_ops_##name

/* What the span's protocol has to say about it: the members of its attributes, each with a comma.
 */
void span_proto_attributes(const struct span *s, struct text_out *o);

#endif

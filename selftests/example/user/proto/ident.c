/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Identification Protocol: the name is the port that is asked about, on the asking side
 * (RFC 1413, <port-on-client>). The worked example of README, "Add a protocol".
 */
#include <stdlib.h>

#include "proto_ops.h"

/* "0023" and "23" are the same port. */
static size_t ident_name(char *name, size_t n)
{
	size_t zeros = 0;

	while (zeros + 1 < n && name[zeros] == '0')
		zeros++;
	memmove(name, name + zeros, n - zeros);
	return n - zeros;
}

static void ident_attributes(const struct span *s, struct text_out *o)
{
	unsigned long port = strtoul(s->name, NULL, 10);

	/* The syntax has room for five digits; the server refuses what is no port. */
	if (!port || port > UINT16_MAX)
		return;
	text_lit(o, "\"ident.port_on_client\":");
	text_u64(o, port);
	text_lit(o, ",");
}

extern PROTO_OPS(ident);
PROTO_OPS(ident) = {
	.name = ident_name,
	.attributes = ident_attributes,
};

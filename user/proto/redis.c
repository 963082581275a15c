/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Redis: the name is the command, which the protocol reads without regard to case. Attribute
 * names: OpenTelemetry semantic conventions, Redis client.
 */
#include "proto_ops.h"

static size_t redis_name(char *name, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (name[i] >= 'a' && name[i] <= 'z')
			name[i] -= 'a' - 'A';
	}
	return n;
}

static void redis_attributes(const struct span *s, struct text_out *o)
{
	text_member(o, "db.system.name", "redis", 5);
	if (s->rec.name_len)
		text_member(o, "db.operation.name", s->name, s->rec.name_len);
}

extern PROTO_OPS(redis);
PROTO_OPS(redis) = {
	.name = redis_name,
	.attributes = redis_attributes,
};

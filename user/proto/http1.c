/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/1.x: the name is "METHOD target". Attribute names: OpenTelemetry semantic conventions,
 * HTTP spans.
 */
#include <string.h>

#include "proto_ops.h"

/*
 * The path in a request target (RFC 9112 section 3.2): origin-form is one, absolute-form holds
 * one after the authority; authority-form (CONNECT) and "*" have none.
 */
static const char *target_path(const char *target)
{
	const char *scheme = strstr(target, "://");

	if (target[0] == '/')
		return target;
	return scheme ? strchr(scheme + 3, '/') : NULL;
}

static void http1_attributes(const struct span *s, struct text_out *o)
{
	const char *space = strchr(s->name, ' ');
	const char *path = space ? target_path(space + 1) : NULL;
	size_t method_len = space ? (size_t)(space - s->name) : s->rec.name_len;

	if (method_len)
		text_member(o, "http.request.method", s->name, method_len);
	if (path)
		text_member(o, "url.path", path, strlen(path));
	if (s->rec.status_code) {
		text_lit(o, "\"http.response.status_code\":");
		text_u64(o, s->rec.status_code);
		text_lit(o, ",");
	}
}

extern PROTO_OPS(http1);
PROTO_OPS(http1) = {
	.attributes = http1_attributes,
};

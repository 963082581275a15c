/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span_json.h - for tests: spans of made records, read back from their JSON.
 */
#ifndef SPAND_SPAN_JSON_H
#define SPAND_SPAN_JSON_H

#include <jansson.h>

#include "proto_ops.h"
#include "span_make.h"

/* Weak references alone would not pull these out of the archive that tests link with. */
extern PROTO_OPS(http1);
extern PROTO_OPS(redis);
static const struct proto_ops *const volatile wanted[] = { &proto_ops_http1, &proto_ops_redis };

static inline struct span *good(const struct made *m)
{
	struct span *s = make_span(m, 7);

	assert_non_null(s);
	return s;
}

/* The span's JSON, read by jansson; releases the span. */
static inline json_t *json_of(struct span *s)
{
	char buf[SPAN_JSON_MAX];
	json_error_t err;
	json_t *v;
	int n;

	n = span_write_json(s, buf, sizeof(buf));
	assert_true(n > 0);
	v = json_loadb(buf, n, JSON_REJECT_DUPLICATES, &err);
	if (!v)
		fail_msg("%s: %.*s", err.text, n, buf);
	span_put(s);
	return v;
}

static inline json_t *member(const json_t *v, const char *key)
{
	json_t *m = json_object_get(v, key);

	if (!m)
		fail_msg("no member %s", key);
	return m;
}

#define assert_str(v, key, want) assert_string_equal(json_string_value(member(v, key)), want)
#define assert_num(v, key, want)                                                       \
	do {                                                                           \
		assert_true(json_is_integer(member(v, key)));                          \
		assert_true(json_integer_value(member(v, key)) == (json_int_t)(want)); \
	} while (0)
#define assert_null_member(v, key) assert_true(json_is_null(member(v, key)))

#endif

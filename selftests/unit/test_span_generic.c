/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A protocol without a file in user/proto: this program does not ask the archive for those of
 * http1 and redis, so that the weak references in span.c stay empty.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>

#include "proto_ops.h"
#include "span_make.h"

extern PROTO_OPS(redis) __attribute__((weak));

static void name_stays_as_it_is(void **state)
{
	struct made m = make_record();
	char buf[SPAN_JSON_MAX];
	struct span *s;
	json_t *v;
	int n;

	(void)state;
	if (&proto_ops_redis)
		skip(); /* linked whole: there is no such protocol here */
	m.rec.proto = PROTO_REDIS;
	make_name(&m, "get");
	s = make_span(&m, 1);
	assert_non_null(s);
	assert_string_equal(s->name, "get");
	assert_string_equal(span_protocol(s), "redis");
	n = span_write_json(s, buf, sizeof(buf));
	v = json_loadb(buf, n, 0, NULL);
	assert_non_null(v);
	assert_int_equal(json_object_size(json_object_get(v, "attributes")), 0);
	json_decref(v);
	span_put(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_stays_as_it_is),
	};

	return cmocka_run_group_tests_name("span, protocol without ops", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "spanctl.h"

/* An answer with spans numbered from newest down to oldest. */
static json_t *answer(uint64_t newest, uint64_t oldest)
{
	json_t *spans = json_array();

	for (uint64_t i = newest; newest && i >= oldest; i--)
		json_array_append_new(spans, json_pack("{s:I}", "seq", (json_int_t)i));
	return json_pack("{s:o}", "spans", spans);
}

static size_t take(struct ctl_feed *f, uint64_t newest, uint64_t oldest)
{
	json_t *a = answer(newest, oldest);
	size_t n = json_array_size(ctl_feed_take(f, a));

	json_decref(a);
	return n;
}

static void path(void **state)
{
	struct ctl_options o = { 0 };
	struct ctl_feed f;
	char buf[256], small[40];

	(void)state;
	ctl_feed_init(&f, &o, 20);
	assert_int_equal(ctl_feed_path(&f, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/api/spans?limit=20");
	f.last = 41;
	o.protocol = "http";
	o.process = "my app";
	o.status = "error";
	o.name = "GET /a?b&c=\xc3\xa4";
	o.min_duration = 1000;
	assert_int_equal(ctl_feed_path(&f, buf, sizeof(buf)), 0);
	assert_string_equal(buf,
			    "/api/spans?limit=20&protocol=http&process=my%20app&status=error"
			    "&name=GET%20%2Fa%3Fb%26c%3D%C3%A4&min_duration=1000&after_seq=41");
	assert_int_equal(ctl_feed_path(&f, small, sizeof(small)), -ENOSPC);
}

static void since(void **state)
{
	struct ctl_options o = { .since = 300000000000ULL };
	struct ctl_feed f;
	char buf[128];

	(void)state;
	ctl_feed_init(&f, &o, 5);
	assert_true(f.filtered);
	/* A moment in Unix ns that lies in the past, not a length of time. */
	assert_true(f.since > 1500000000ULL * 1000000000);
	assert_int_equal(ctl_feed_path(&f, buf, sizeof(buf)), 0);
	assert_non_null(strstr(buf, "&since=1"));
}

static void follows(void **state)
{
	struct ctl_options o = { 0 };
	struct ctl_feed f;

	(void)state;
	ctl_feed_init(&f, &o, 3);
	assert_int_equal(take(&f, 0, 0), 0);
	assert_int_equal(f.last, 0);
	/* What came before the first answer was not missed: nobody asked for it. */
	assert_int_equal(take(&f, 100, 98), 3);
	assert_int_equal(f.last, 100);
	assert_int_equal(f.missed, 0);
	assert_int_equal(take(&f, 102, 101), 2);
	assert_int_equal(f.missed, 0);
	/* 103 and 104 were gone before they could be fetched. */
	assert_int_equal(take(&f, 107, 105), 3);
	assert_int_equal(f.missed, 2);
	assert_int_equal(f.last, 107);
	assert_int_equal(take(&f, 0, 0), 0);
	assert_int_equal(f.last, 107);
	assert_int_equal(f.missed, 2);
	assert_int_equal(take(&f, 109, 109), 1);
	assert_int_equal(f.missed, 3);
}

/* With filters holes are normal; only a full answer makes one wonder. */
static void filtered(void **state)
{
	struct ctl_options o = { .protocol = "http" };
	struct ctl_feed f;

	(void)state;
	ctl_feed_init(&f, &o, 3);
	take(&f, 10, 10);
	take(&f, 25, 24);
	assert_int_equal(f.missed, 0);
	assert_false(f.maybe_missed);
	take(&f, 33, 31);
	assert_int_equal(f.missed, 0);
	assert_true(f.maybe_missed);
}

static void nonsense(void **state)
{
	struct ctl_options o = { 0 };
	struct ctl_feed f;
	json_t *a = json_loads("{\"spans\": \"none\"}", 0, NULL);

	(void)state;
	ctl_feed_init(&f, &o, 3);
	assert_false(json_is_array(ctl_feed_take(&f, a)));
	assert_int_equal(f.last, 0);
	json_decref(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path),	    cmocka_unit_test(since),	cmocka_unit_test(follows),
		cmocka_unit_test(filtered), cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

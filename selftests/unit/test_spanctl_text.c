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

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "10us", 10000 },
		{ "10\302\265s", 10000 },
		{ "10ms", 10000000 },
		{ "1s", 1000000000 },
		{ "5m", 300000000000 },
		{ "2h", 7200000000000 },
		{ "1d", 86400000000000 },
		{ "1h30m", 5400000000000 },
		{ "1.5s", 1500000000 },
		{ "0.25ms", 250000 },
		{ "1.000000001s", 1000000001 },
		{ "1.0000000019s", 1000000001 }, /* below a nanosecond: cut */
		{ "1.5h30m", 7200000000000 },
		{ "18446744073709551615ns", UINT64_MAX },
	};
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "", -EINVAL },
		{ "5", -EINVAL },
		{ "m", -EINVAL },
		{ "5 m", -EINVAL },
		{ "-5m", -EINVAL },
		{ "5x", -EINVAL },
		{ "5mm", -EINVAL },
		{ "1.s", -EINVAL },
		{ ".5s", -EINVAL },
		{ "1.5", -EINVAL },
		{ "5m ", -EINVAL },
		{ "5min", -EINVAL },
		{ "1e3s", -EINVAL },
		{ "18446744073709551616ns", -ERANGE },
		{ "213504d", -ERANGE },
		{ "18446744073709551615ns1ns", -ERANGE },
		{ "99999999999999999999s", -ERANGE },
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ns = 42;
		if (ctl_parse_duration(good[i].text, &ns) || ns != good[i].ns)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ns = 42;
		if (ctl_parse_duration(bad[i].text, &ns) != bad[i].err || ns != 42)
			fail_msg("%s: not refused as it should be", bad[i].text);
	}
}

/* Nearest rank, by its definition: the smallest value that p percent of all don't exceed. */
static uint64_t by_definition(const uint64_t *v, size_t n, unsigned p)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < n; i++) {
		size_t below = 0;

		for (size_t k = 0; k < n; k++)
			below += v[k] <= v[i];
		if (below * 100 >= n * p && v[i] < best)
			best = v[i];
	}
	return best;
}

static void percentiles(void **state)
{
	static const unsigned p[] = { 50, 95, 99, 100 };
	uint64_t v[150], five[] = { 15, 20, 35, 40, 50 };

	(void)state;
	/* The textbook's example. */
	assert_int_equal(ctl_percentile(five, 5, 30), 20);
	assert_int_equal(ctl_percentile(five, 5, 40), 20);
	assert_int_equal(ctl_percentile(five, 5, 50), 35);
	assert_int_equal(ctl_percentile(five, 5, 100), 50);
	srand(7);
	for (size_t n = 1; n <= 150; n++) {
		for (size_t i = 0; i < n; i++)
			v[i] = (uint64_t)rand() % 97;
		ctl_sort(v, n);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(ctl_percentile(v, n, p[i]), by_definition(v, n, p[i]));
	}
}

static void sorting(void **state)
{
	uint64_t v[] = { UINT64_MAX, 0, 1ULL << 40, 3, 1ULL << 33 };

	(void)state;
	ctl_sort(v, 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(v[i - 1] < v[i]);
	ctl_sort(NULL, 0);
}

static void addresses(void **state)
{
	static const char *const good[][2] = {
		{ "127.0.0.1:7899", "http://127.0.0.1:7899" },
		{ "127.0.0.1", "http://127.0.0.1:7899" },
		{ ":80", "http://127.0.0.1:80" },
		{ "host", "http://host:7899" },
		{ "host.example:1", "http://host.example:1" },
		{ "[::1]:80", "http://[::1]:80" },
		{ "[::1]", "http://[::1]:7899" },
		{ "::1", "http://[::1]:7899" },
		{ "http://host:80", "http://host:80" },
		{ "http://host:80/", "http://host:80" },
		{ "https://host", "https://host:7899" },
	};
	static const char *const bad[] = { "",	      "host:",	"host:0", "host:65536",
					   "host:x",  "a b",	"host/x", "ftp://host",
					   "a@b:80",  "[::1",	"[::1]x", "host:80a",
					   "host:\n", "http://" };
	char url[64], small[16];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ctl_base_url(good[i][0], url, sizeof(url)), 0);
		assert_string_equal(url, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!ctl_base_url(bad[i], url, sizeof(url)))
			fail_msg("accepted: \"%s\" as %s", bad[i], url);
	assert_int_equal(ctl_base_url("a.long.host.name", small, sizeof(small)), -EINVAL);
}

static void printable(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(ctl_printable("GET /", buf, sizeof(buf)), "GET /");
	assert_string_equal(ctl_printable("a\033[2J", buf, sizeof(buf)), "a\\x1b[2J");
	assert_string_equal(ctl_printable("\xff", buf, sizeof(buf)), "\\xff");
	assert_string_equal(ctl_printable("\xc3\xa4", buf, sizeof(buf)), "\xc3\xa4");
	/* Cut where a character ends. */
	assert_string_equal(ctl_printable("12345678901234\xc3\xa4", buf, sizeof(buf)),
			    "12345678901234");
	assert_string_equal(ctl_printable("1234567890123456789", buf, sizeof(buf)),
			    "123456789012345");
}

static void json_paths(void **state)
{
	json_t *v = json_pack("{s:{s:s, s:I, s:f, s:{s:b}}}", "a", "s", "text", "n", (json_int_t)7,
			      "f", 2.5, "b", "c", 1);

	(void)state;
	assert_string_equal(ctl_str(v, "a.s"), "text");
	assert_string_equal(ctl_str(v, "a.n"), "");
	assert_string_equal(ctl_str(v, "a.none"), "");
	assert_int_equal(ctl_u64(v, "a.n"), 7);
	assert_int_equal(ctl_u64(v, "a.f"), 2);
	assert_int_equal(ctl_u64(v, "x.y.z"), 0);
	assert_true(json_is_true(ctl_get(v, "a.b.c")));
	assert_ptr_equal(ctl_get(v, ""), v);
	assert_null(ctl_get(NULL, "a"));
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(percentiles),
		cmocka_unit_test(sorting),   cmocka_unit_test(addresses),
		cmocka_unit_test(printable), cmocka_unit_test(json_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

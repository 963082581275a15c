/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

static char buf[65536];

/* The text that a call leaves in a cursor. */
#define TEXT(call)                               \
	({                                       \
		struct text_out o;               \
		text_init(&o, buf, sizeof(buf)); \
		call;                            \
		assert_false(o.full);            \
		text_end(&o);                    \
		buf;                             \
	})

static void numbers(void **state)
{
	static const uint64_t v[] = { 0,
				      1,
				      9,
				      10,
				      99,
				      100,
				      101,
				      999,
				      1000,
				      12345,
				      4294967295,
				      10000000000,
				      1732108800123456789,
				      INT64_MAX,
				      UINT64_MAX };
	char want[32];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		snprintf(want, sizeof(want), "%" PRIu64, v[i]);
		assert_string_equal(TEXT(text_u64(&o, v[i])), want);
		snprintf(want, sizeof(want), "%016" PRIx64, v[i]);
		assert_string_equal(TEXT(text_hex(&o, v[i], 16)), want);
	}
	assert_string_equal(TEXT(text_hex(&o, 0x1fe, 2)), "fe");
}

static void utf8(void **state)
{
	/* RFC 3629: section 4, and the edges of each range */
	static const struct {
		const char *s;
		unsigned len;
	} v[] = {
		{ "", 0 },
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xc3", 0 },
		{ "\xc3(", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 0 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xe2\x82", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(text_utf8(v[i].s, strlen(v[i].s)), v[i].len);
	/* what follows n is not looked at */
	assert_int_equal(text_utf8("\xc3\xa4", 1), 0);
	assert_int_equal(text_utf8("\xf0\x9f\x98\x80", 3), 0);
}

/* What jansson reads out of a JSON string that text_json() wrote. */
static json_t *reread(const char *s, size_t n)
{
	json_error_t err;
	json_t *v;

	TEXT((text_lit(&o, "\""), text_json(&o, s, n), text_lit(&o, "\"")));
	v = json_loads(buf, JSON_DECODE_ANY, &err);
	assert_non_null(v);
	return v;
}

static void json_keeps_text(void **state)
{
	char all[256];
	json_t *v;
	unsigned i;

	(void)state;
	for (i = 0; i < 128; i++)
		all[i] = i;
	v = reread(all + 1, 127);
	assert_int_equal(json_string_length(v), 127);
	assert_memory_equal(json_string_value(v), all + 1, 127);
	json_decref(v);
	v = reread("a\0b", 3);
	assert_string_equal(json_string_value(v), "a\\x00b");
	json_decref(v);

	v = reread("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \"q\" \\ /", 19);
	assert_string_equal(json_string_value(v), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \"q\" \\ /");
	json_decref(v);

	v = reread("a\x80\xff\xed\xa0\x80z\xc3", 8);
	assert_string_equal(json_string_value(v), "a\\x80\\xff\\xed\\xa0\\x80z\\xc3");
	json_decref(v);
}

static void json_of_any_bytes_is_valid(void **state)
{
	unsigned seed = 1, round, i, n;
	char s[64];

	(void)state;
	for (round = 0; round < 5000; round++) {
		n = rand_r(&seed) % sizeof(s);
		for (i = 0; i < n; i++)
			s[i] = rand_r(&seed) >> 7;
		json_decref(reread(s, n));
	}
}

static void overflow_is_seen(void **state)
{
	char exact[7];
	struct text_out o;

	(void)state;
	text_init(&o, exact, 6);
	exact[6] = '!';
	text_lit(&o, "abc");
	text_u64(&o, 123);
	assert_false(o.full);
	text_lit(&o, "x");
	assert_true(o.full);
	assert_memory_equal(exact, "abc123!", 7);
	text_end(&o);
	assert_string_equal(exact, "abc12");

	text_init(&o, exact, 5);
	text_json(&o, "\x01", 1);
	assert_true(o.full);
	text_init(&o, exact, 3);
	text_lit(&o, "a");
	text_pad_left(&o, exact, 4);
	assert_true(o.full);
}

static void close_replaces_comma(void **state)
{
	(void)state;
	assert_string_equal(TEXT((text_lit(&o, "{"), text_close(&o, '}'))), "{}");
	assert_string_equal(TEXT(text_lit(&o, "{"); text_member(&o, "k", "v", 1);
				 text_close(&o, '}')),
			    "{\"k\":\"v\"}");
}

static void printable(void **state)
{
	(void)state;
	assert_string_equal(TEXT(text_printable(&o, "GET /\xc3\xa4?", 8)), "GET /\xc3\xa4?");
	assert_string_equal(TEXT(text_printable(&o, "a\0b\n\x1b[31m\x7f", 10)),
			    "a\\x00b\\x0a\\x1b[31m\\x7f");
	/* C1 control, right-to-left override, line separator, byte order mark, lone byte */
	assert_string_equal(TEXT(text_printable(&o, "\xc2\x9b", 2)), "\\xc2\\x9b");
	assert_string_equal(TEXT(text_printable(&o, "\xe2\x80\xae", 3)), "\\xe2\\x80\\xae");
	assert_string_equal(TEXT(text_printable(&o, "\xe2\x80\xa8", 3)), "\\xe2\\x80\\xa8");
	assert_string_equal(TEXT(text_printable(&o, "\xef\xbb\xbf", 3)), "\\xef\\xbb\\xbf");
	assert_string_equal(TEXT(text_printable(&o, "\xe2\x82\xac", 3)), "\xe2\x82\xac");
	assert_string_equal(TEXT(text_printable(&o, "x\xe2\x82", 3)), "x\\xe2\\x82");
}

static void addresses(void **state)
{
	/* RFC 5952 sections 4 and 5, RFC 4291 section 2.2 */
	static const char *const v6[] = {
		"::",
		"::1",
		"2001:db8::1",
		"2001:db8::1:0:0:1",
		"2001:0:0:1::1",
		"1::",
		"2001:db8:1:1:1:1:0:1",
		"fe80::abcd:ef01:2345:6789",
		"1:2:3:4:5:6:7:8",
		"ff02::fb",
		"1:0:2:0:3:0:4:0",
		"0:1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:0",
	};
	uint8_t a[16];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		assert_int_equal(inet_pton(AF_INET6, v6[i], a), 1);
		assert_string_equal(TEXT(text_ipv6(&o, a)), v6[i]);
	}
	assert_int_equal(inet_pton(AF_INET, "10.0.255.19", a), 1);
	assert_string_equal(TEXT(text_ipv4(&o, a)), "10.0.255.19");
}

static void quantities(void **state)
{
	(void)state;
	assert_string_equal(TEXT(text_duration(&o, 0)), "0ns");
	assert_string_equal(TEXT(text_duration(&o, 999)), "999ns");
	assert_string_equal(TEXT(text_duration(&o, 1000)), "1.00\302\265s");
	assert_string_equal(TEXT(text_duration(&o, 12345)), "12.3\302\265s");
	assert_string_equal(TEXT(text_duration(&o, 999999)), "999\302\265s");
	assert_string_equal(TEXT(text_duration(&o, 1230000)), "1.23ms");
	assert_string_equal(TEXT(text_duration(&o, 59999999999)), "59.9s");
	assert_string_equal(TEXT(text_duration(&o, 725000000000)), "12m05s");
	assert_string_equal(TEXT(text_duration(&o, 12000000000000)), "3h20m");
	assert_string_equal(TEXT(text_size(&o, 0)), "0B");
	assert_string_equal(TEXT(text_size(&o, 999)), "999B");
	assert_string_equal(TEXT(text_size(&o, 1240)), "1.24kB");
	assert_string_equal(TEXT(text_size(&o, 53020000)), "53.0MB");
	assert_string_equal(TEXT(text_size(&o, UINT64_MAX)), "18.4EB");
}

static void padding(void **state)
{
	(void)state;
	assert_string_equal(TEXT((text_lit(&o, "\302\265s"), text_pad(&o, buf, 4))), "\302\265s  ");
	assert_string_equal(TEXT((text_lit(&o, "\302\265s"), text_pad_left(&o, buf, 4))),
			    "  \302\265s");
	assert_string_equal(TEXT((text_lit(&o, "long"), text_pad(&o, buf, 2))), "long");
	assert_string_equal(TEXT((text_lit(&o, "long"), text_pad_left(&o, buf, 2))), "long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),	    cmocka_unit_test(utf8),
		cmocka_unit_test(json_keeps_text),  cmocka_unit_test(json_of_any_bytes_is_valid),
		cmocka_unit_test(overflow_is_seen), cmocka_unit_test(close_replaces_comma),
		cmocka_unit_test(printable),	    cmocka_unit_test(addresses),
		cmocka_unit_test(quantities),	    cmocka_unit_test(padding),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

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

static char err[256];

/* ctl_value(text) for a key that holds `current` (JSON), as compact JSON. */
static void value_is(const char *text, const char *current, const char *expected)
{
	json_t *now = current ? json_loads(current, JSON_DECODE_ANY, NULL) : NULL;
	json_t *v = ctl_value(text, now, err, sizeof(err));
	char *got = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (!got || strcmp(got, expected))
		fail_msg("%s for %s: %s, expected %s", text, current ? current : "nothing",
			 got ? got : err, expected);
	free(got);
	json_decref(v);
	json_decref(now);
}

static void typing(void **state)
{
	(void)state;
	value_is("5", "1", "5");
	value_is("-5", "1", "-5");
	value_is("5", NULL, "5");
	value_is("true", "false", "true");
	value_is("false", NULL, "false");
	value_is("debug", "\"info\"", "\"debug\"");
	value_is("debug", NULL, "\"debug\"");
	value_is("", "\"info\"", "\"\"");
	/* A name stays a name. */
	value_is("5", "\"info\"", "\"5\"");
	value_is("true", "\"x\"", "\"true\"");
	value_is("[x", "\"x\"", "\"[x\"");
	value_is("\"true\"", "\"x\"", "\"true\"");
	/* The default comes back, whatever the key is. */
	value_is("null", "\"x\"", "null");
	value_is("null", "[1]", "null");
	value_is("null", "7", "null");
	/* Lists. */
	value_is("80,443", "[]", "[80,443]");
	value_is("80", "[1]", "[80]");
	value_is("[80, 443]", "[]", "[80,443]");
	value_is("[]", "[80]", "[]");
	value_is("", "[80]", "[]");
	value_is("nginx, redis", "[]", "[\"nginx\",\"redis\"]");
	value_is("123,456", "[\"a\"]", "[\"123\",\"456\"]");
	value_is("true", "[\"a\"]", "[\"true\"]");
	value_is("[\"a,b\"]", "[]", "[\"a,b\"]");
	value_is("{\"a\": 1}", "{}", "{\"a\":1}");
	/* These are not whole numbers as JSON writes them: the daemon may judge. */
	value_is("007", "1", "\"007\"");
	value_is("0x10", "1", "\"0x10\"");
	value_is("99999999999999999999", "1", "\"99999999999999999999\"");
}

static void not_values(void **state)
{
	static const char *const bad[] = { "[1,", "{\"a\"}", "\"open" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		*err = '\0';
		assert_null(ctl_value(bad[i], NULL, err, sizeof(err)));
		assert_non_null(strstr(err, "is not JSON"));
	}
	assert_null(ctl_value("\xff", NULL, err, sizeof(err)));
	assert_non_null(strstr(err, "UTF-8"));
}

static void patches(void **state)
{
	json_t *config =
		json_loads("{\"trace\": {\"ports\": [80], \"span\": {\"memory_spans\": 5}},"
			   " \"agent\": {\"name\": \"x\"}}",
			   0, NULL);
	json_t *patch = json_object();
	char *got;

	(void)state;
	assert_int_equal(ctl_set(patch, "trace.ports=1,2", config, err, sizeof(err)), 0);
	assert_int_equal(ctl_set(patch, "trace.span.memory_spans=9", config, err, sizeof(err)), 0);
	assert_int_equal(ctl_set(patch, "agent.name=a=b", config, err, sizeof(err)), 0);
	got = json_dumps(patch, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, "{\"agent\":{\"name\":\"a=b\"},"
				 "\"trace\":{\"ports\":[1,2],\"span\":{\"memory_spans\":9}}}");
	free(got);
	json_decref(patch);
	json_decref(config);
}

static void bad_assignments(void **state)
{
	static const char *const bad[][2] = {
		{ "name", "KEY=VALUE" },      { "=5", "KEY=VALUE" },
		{ "a..b=5", "not a key" },    { ".a=5", "not a key" },
		{ "a.=5", "not a key" },      { "x.y=1", "x.y is given twice" },
		{ "x.y.z=1", "given twice" }, { "x=1", "given twice" },
	};
	json_t *patch = json_object();

	(void)state;
	assert_int_equal(ctl_set(patch, "x.y=5", NULL, err, sizeof(err)), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*err = '\0';
		assert_int_equal(ctl_set(patch, bad[i][0], NULL, err, sizeof(err)), -EINVAL);
		if (!strstr(err, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], err);
	}
	json_decref(patch);
}

static void error_is(const char *body, const char *expected)
{
	json_t *v = body ? json_loads(body, 0, NULL) : NULL;
	char buf[128];

	ctl_api_error(404, v, buf, sizeof(buf));
	assert_string_equal(buf, expected);
	json_decref(v);
}

static void api_errors(void **state)
{
	(void)state;
	error_is(NULL, "the API answered with status 404");
	error_is("{\"error\": \"too big\", \"field\": \"a.b\"}", "a.b: too big");
	error_is("{\"error\": \"no such path\", \"field\": \"\"}", "no such path");
	error_is("{\"error\": \"limit: too big\", \"field\": \"limit\"}", "limit: too big");
	error_is("{\"error\": \"x\", \"field\": \"a\", \"errors\": [{\"error\": \"x\", \"field\": "
		 "\"a\"}, {\"error\": \"y\", \"field\": \"b\"}]}",
		 "a: x; b: y");
	error_is("{\"error\": \"\\u001b[2J\", \"field\": \"\"}", "\\x1b[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(typing),     cmocka_unit_test(not_values),
		cmocka_unit_test(patches),    cmocka_unit_test(bad_assignments),
		cmocka_unit_test(api_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

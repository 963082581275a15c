// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tree, positions, several errors in one document, and bounds. What is valid and what is not
 * is the public suite's part (selftests/toml.mk).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "toml.h"

static struct toml_errors errors;

static struct toml *parse_ok(const char *text)
{
	struct toml *t = toml_parse(text, strlen(text), &errors);

	assert_non_null(t);
	if (errors.n)
		fail_msg("%u:%u: %s", errors.v[0].line, errors.v[0].col, errors.v[0].text);
	return t;
}

static void expect_error(size_t i, unsigned line, unsigned col, const char *text)
{
	assert_true(i < errors.n);
	if (!strstr(errors.v[i].text, text))
		fail_msg("found: %s", errors.v[i].text);
	assert_int_equal(errors.v[i].line, line);
	assert_int_equal(errors.v[i].col, col);
}

/* A document with exactly one error. */
static void one_error(const char *text, unsigned line, unsigned col, const char *expect)
{
	struct toml *t = toml_parse(text, strlen(text), &errors);

	assert_non_null(t);
	assert_int_equal(errors.n, 1);
	expect_error(0, line, col, expect);
	toml_free(t);
}

static void test_values(void **state)
{
	struct toml *t = parse_ok("\xef\xbb\xbf# comment\r\n"
				  "s = \"a\\tb\\u00e9\\U0001F600\"\r\n"
				  "lit = 'C:\\dir'\n"
				  "multi = \"\"\"\nx\\\n   y\"\"\"\"\n"
				  "i = 1_000\nhex = 0xdead_beef\noct = 0o755\nbin = 0b101\n"
				  "min = -9223372036854775808\n"
				  "f = -1.5e+3\ninf = -inf\nb = true\n"
				  "arr = [1, [2, 3], # c\n 'x', ]\n"
				  "tab = { a.b = 1, c = {} }\n");
	struct toml *v;

	(void)state;
	v = toml_get(t, "s");
	assert_string_equal(v->str.s, "a\tb\xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(v->line, 2);
	assert_int_equal(v->col, 5);
	assert_string_equal(toml_get(t, "lit")->str.s, "C:\\dir");
	assert_string_equal(toml_get(t, "multi")->str.s, "xy\"");
	assert_int_equal(toml_get(t, "i")->i, 1000);
	assert_int_equal(toml_get(t, "hex")->i, 0xdeadbeef);
	assert_int_equal(toml_get(t, "oct")->i, 0755);
	assert_int_equal(toml_get(t, "bin")->i, 5);
	assert_true(toml_get(t, "min")->i == INT64_MIN);
	assert_true(toml_get(t, "f")->f == -1500.0);
	assert_true(toml_get(t, "inf")->f < -1e308);
	assert_true(toml_get(t, "b")->b);
	v = toml_get(t, "arr");
	assert_int_equal(v->array.n, 3);
	assert_int_equal(v->array.v[1]->array.v[1]->i, 3);
	assert_int_equal(v->array.v[2]->line, v->line + 1);
	assert_int_equal(v->array.v[2]->col, 2);
	v = toml_get(t, "tab");
	assert_int_equal(toml_get(toml_get(v, "a"), "b")->i, 1);
	assert_int_equal(toml_get(v, "c")->table.n, 0);
	assert_null(toml_get(t, "none"));
	toml_free(t);
}

static void test_times(void **state)
{
	static const char *const forms[][3] = {
		{ "odt", "1979-05-27 00:32:00.999999999-07:00",
		  "1979-05-27T00:32:00.999999999-07:00" },
		{ "utc", "1979-05-27t07:32:00z", "1979-05-27T07:32:00Z" },
		{ "ldt", "2024-02-29T07:32:00.5", "2024-02-29T07:32:00.500000000" },
		{ "ld", "2000-02-29", "2000-02-29" },
		{ "lt", "23:59:59.1234567899", "23:59:59.123456789" },
	};
	static const enum toml_type types[] = { TOML_DATETIME, TOML_DATETIME, TOML_LOCAL_DATETIME,
						TOML_LOCAL_DATE, TOML_LOCAL_TIME };
	char text[128], out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct toml *t;

		snprintf(text, sizeof(text), "%s = %s # c\n", forms[i][0], forms[i][1]);
		t = parse_ok(text);
		assert_int_equal(toml_get(t, forms[i][0])->type, types[i]);
		toml_time_format(toml_get(t, forms[i][0]), out, sizeof(out));
		assert_string_equal(out, forms[i][2]);
		toml_free(t);
	}
	one_error("d = 2023-02-29\n", 1, 5, "expected a date");
	one_error("d = 1900-02-29\n", 1, 5, "expected a date");
	one_error("d = 2023-01-01T24:00:00\n", 1, 5, "expected a date");
	one_error("d = 07:32\n", 1, 5, "expected a date");
}

static void test_tables(void **state)
{
	struct toml *t = parse_ok("[a.b]\nx = 1\n[a]\ny = 2\nd.e = 3\n[a.d.f]\n"
				  "[[p]]\nn = 1\n[[p.q]]\nm = 1\n[[p]]\nn = 2\n[p.r]\n"
				  "\"quoted key\".'lit' = 1\n");
	struct toml *a = toml_get(t, "a"), *p = toml_get(t, "p");

	(void)state;
	assert_int_equal(toml_get(toml_get(a, "b"), "x")->i, 1);
	assert_int_equal(toml_get(a, "y")->i, 2);
	assert_int_equal(toml_get(toml_get(a, "d"), "e")->i, 3);
	assert_non_null(toml_get(toml_get(a, "d"), "f"));
	assert_int_equal(p->array.n, 2);
	assert_non_null(toml_get(p->array.v[0], "q"));
	assert_int_equal(toml_get(p->array.v[1], "n")->i, 2);
	assert_int_equal(toml_get(toml_get(toml_get(p->array.v[1], "r"), "quoted key"), "lit")->i,
			 1);
	assert_int_equal(toml_find(a, "y", 1)->line, 4);
	assert_int_equal(toml_find(a, "y", 1)->col, 1);
	toml_free(t);

	one_error("[a]\n[b]\n[a]\n", 3, 1, "'a' is defined already (line 1)");
	one_error("a = 1\n[a.b]\n", 2, 1, "'a' is not a table");
	one_error("a = {}\n[a.b]\n", 2, 1, "'a' is not a table");
	one_error("a.b = 1\n[a]\n", 2, 1, "'a' is defined already");
	one_error("[a.b]\n[a]\nb.c = 1\n", 3, 1, "dotted keys can't add");
	one_error("a = [{}]\n[[a]]\n", 2, 1, "not by [[a]]");
	one_error("a = { b = 1, b = 2 }\n", 1, 14, "'b' is defined already");
}

static void test_messages(void **state)
{
	(void)state;
	one_error("ok = 1\nname = nginx\n", 2, 8, "a string needs quotes");
	one_error("a = \n", 1, 5, "found the end of the line");
	one_error("a", 1, 2, "expected '=' after the key, found the end of the file");
	one_error("= 1", 1, 1, "expected a key, found '='");
	one_error("a = 1 2\n", 1, 7, "expected the end of the line, found '2'");
	one_error("a = 'x\n", 1, 5, "does not end on its line");
	one_error("\n\na = \"\"\"x\ny\n", 3, 5, "has no end");
	one_error("a = [1,\n2\n", 1, 5, "expected ']'");
	one_error("a = [1 2]\n", 1, 8, "expected ',' or ']'");
	one_error("a = { b = 1\n}\n", 1, 12, "expected ',' or '}'");
	one_error("[a\n", 1, 3, "expected ']'");
	one_error("a = 012\n", 1, 5, "may not begin with 0");
	one_error("a = 9223372036854775808\n", 1, 5, "64 bits");
	one_error("a = 0xffffffffffffffff\n", 1, 5, "64 bits");
	one_error("a = 1e999\n", 1, 5, "64 bits");
	one_error("a = \"\\x41\"\n", 1, 6, "expected an escape");
	one_error("a = \"\\ud800\"\n", 1, 6, "scalar value");
	one_error("a = '\x01'\n", 1, 6, "control character 0x01");
	one_error("# \x7f\n", 1, 3, "control character 0x7f in a comment");
	one_error("a = 1\rb = 2\n", 1, 6, "expected the end of the line");
	/* Columns count characters. */
	one_error("'\xc3\xa9\xe2\x82\xac' = x\n", 1, 8, "found 'x'");
	/* What is quoted ends with the text, or before a character that would be cut. */
	one_error("str 3456789012345678901", 1, 5, "found '3456789012345678901'");
	one_error("str 4567890123456789\xc3\xa9\xc3\xa9", 1, 5,
		  "'4567890123456789\xc3\xa9\xc3\xa9'");
	one_error("str 45678901234567890\xc3\xa9\xc3\xa9", 1, 5, "'45678901234567890\xc3\xa9'");
	/* Messages can be printed as they are. */
	one_error("a = 1\n\"a\\u001b[31m\" = 1\n\"a\\u001b[31m\" = 1\n", 3, 1, "'a?[31m' is");
	one_error("a = '\xff'\n", 1, 6, "byte 0xff is not valid UTF-8");
	one_error("a = '\xed\xa0\x80'\n", 1, 6, "not valid UTF-8");
}

/* After a bad statement reading goes on with the next one. */
static void test_several(void **state)
{
	const char *text = "a = nope\n"
			   "b = 2\n"
			   "list = [ 1,\n"
			   "  oops,\n"
			   "  \"more\",\n"
			   "]\n"
			   "c = 3\n"
			   "[bad table]\n"
			   "d = 4\n"
			   "[good]\n"
			   "e = \n"
			   "f = 6\n";
	struct toml *t = toml_parse(text, strlen(text), &errors);

	(void)state;
	assert_int_equal(errors.n, 4);
	expect_error(0, 1, 5, "'nope'");
	expect_error(1, 4, 3, "'oops'");
	expect_error(2, 8, 6, "expected ']'");
	expect_error(3, 11, 5, "expected a value");
	assert_int_equal(toml_get(t, "b")->i, 2);
	assert_int_equal(toml_get(t, "c")->i, 3);
	/* Keys after a bad header belong to no table that is known. */
	assert_null(toml_get(t, "d"));
	assert_int_equal(toml_get(toml_get(t, "good"), "f")->i, 6);
	toml_free(t);
}

static char *repeat(const char *s, size_t n)
{
	size_t len = strlen(s);
	char *out = malloc(n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(out + i * len, s, len);
	out[n * len] = 0;
	return out;
}

static void test_bounds(void **state)
{
	char *many = repeat("x\n", 1000), *deep = repeat("[", 100000), *dots = repeat("a.", 65);
	char *big = repeat("# 3456789 123456\n", 65536), *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct toml *t;

	(void)state;
	toml_free(toml_parse(many, strlen(many), &errors));
	assert_int_equal(errors.n, TOML_MAX_ERRORS);
	memcpy(deep, "a=", 2);
	one_error(deep, 1, 2 + TOML_MAX_DEPTH + 1, "nested deeper than 64");
	one_error(dots, 1, 129, "more than 64 parts");
	one_error(big, 1, 1, "larger than");
	for (int i = 0; i <= TOML_MAX_VALUES; i++)
		fprintf(f, "k%d=1\n", i);
	fclose(f);
	t = toml_parse(text, len, &errors);
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.v[0].line, TOML_MAX_VALUES + 1);
	assert_non_null(toml_get(t, "k16383"));
	toml_free(t);
	free(text);
	free(many);
	free(deep);
	free(dots);
	free(big);
}

static void test_build(void **state)
{
	struct toml *t = toml_new(TOML_TABLE, 0, 0), *v;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%d", i % 10);
		v = toml_new(TOML_INTEGER, 0, 0);
		v->i = i;
		assert_int_equal(toml_set(t, key, strlen(key), v), 0);
	}
	assert_int_equal(t->table.n, 10);
	assert_int_equal(toml_get(t, "k3")->i, 13);
	v = toml_take(t, "k3");
	assert_int_equal(v->i, 13);
	toml_free(v);
	assert_null(toml_take(t, "k3"));
	assert_int_equal(t->table.n, 9);
	assert_int_equal(toml_get(t, "k9")->i, 19);
	toml_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	cmocka_unit_test(test_times),
		cmocka_unit_test(test_tables),	cmocka_unit_test(test_messages),
		cmocka_unit_test(test_several), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_build),
	};

	return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}

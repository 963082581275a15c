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

static const struct ctl_column columns[] = { { "NAME", false }, { "N", true }, { "TEXT", false } };

static char *render(const char *const (*rows)[3], size_t n, unsigned width)
{
	struct ctl_table *t = ctl_table_new(columns, 3);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(ctl_table_row(t, rows[i]), 0);
	ctl_table_print(t, f, width);
	fclose(f);
	ctl_table_free(t);
	return text;
}

static void expect(const char *const (*rows)[3], size_t n, unsigned width, const char *text)
{
	char *got = render(rows, n, width);

	assert_string_equal(got, text);
	free(got);
}

static void alignment(void **state)
{
	static const char *const rows[][3] = { { "a", "1", "x" }, { "longer", "12345", "" } };

	(void)state;
	expect(rows, 2, 0,
	       "NAME        N  TEXT\n"
	       "a           1  x\n"
	       "longer  12345  \n");
	expect(NULL, 0, 0, "NAME  N  TEXT\n");
}

/* A letter of two bytes is one column. */
static void utf8(void **state)
{
	static const char *const rows[][3] = {
		{ "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9", "1", "x" }, { "abcde", "2", "y" }
	};

	(void)state;
	expect(rows, 2, 0,
	       "NAME   N  TEXT\n"
	       "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9  1  x\n"
	       "abcde  2  y\n");
	/* A cut falls between letters. */
	expect(rows, 1, 3,
	       "NAM\n"
	       "\xc3\xa4\xc3\xb6\xc3\xbc\n");
}

static void cut(void **state)
{
	static const char *const rows[][3] = { { "name", "7", "a long text" } };

	(void)state;
	expect(rows, 1, 12,
	       "NAME  N  TEX\n"
	       "name  7  a l\n");
	for (unsigned width = 1; width < 30; width++) {
		char *got = render(rows, 1, width), *line, *p = got;

		while ((line = strsep(&p, "\n")))
			assert_true(strlen(line) <= width);
		free(got);
	}
}

/* What traffic says must not reach the terminal as it is. */
static void hostile(void **state)
{
	static const char *const rows[][3] = { { "\033]0;x\007", "1\n2",
						 "\x9b"
						 "2J" } };
	char *got = render(rows, 1, 0);

	(void)state;
	assert_null(strchr(got, '\033'));
	assert_null(strchr(got, '\007'));
	assert_null(strchr(got, '\x9b'));
	assert_non_null(strstr(got, "\\x1b]0;x\\x07"));
	assert_non_null(strstr(got, "1\\x0a2"));
	free(got);
}

static void many_rows(void **state)
{
	struct ctl_table *t = ctl_table_new(columns, 3);
	const char *row[3] = { "n", NULL, "t" };
	char number[16], *text = NULL, *p, *line;
	size_t len, n = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(number, sizeof(number), "%d", i);
		row[1] = number;
		assert_int_equal(ctl_table_row(t, row), 0);
	}
	ctl_table_print(t, f, 0);
	fclose(f);
	ctl_table_free(t);
	for (p = text; (line = strsep(&p, "\n")) && *line; n++)
		assert_int_equal(strlen(line), strlen("NAME    N  TEXT") - (n ? 3 : 0));
	assert_int_equal(n, 1001);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alignment), cmocka_unit_test(utf8),	  cmocka_unit_test(cut),
		cmocka_unit_test(hostile),   cmocka_unit_test(many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

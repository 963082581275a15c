/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static char got[8192];
static int saved, ends[2];

static void capture(void)
{
	assert_int_equal(pipe(ends), 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

static const char *captured(void)
{
	size_t n = 0;
	ssize_t r;

	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((r = read(ends[0], got + n, sizeof(got) - 1 - n)) > 0)
		n += r;
	close(ends[0]);
	got[n] = '\0';
	return got;
}

static void levels(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_ERROR);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_int_equal(log_level_parse("Debug"), -1);
	assert_int_equal(log_level_parse(""), -1);
	capture();
	log_level = LOG_WARN;
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
	assert_string_equal(captured(), "spand: error: e 1\nspand: warn: w\n");
}

static void one_line_whatever_is_in_it(void **state)
{
	char big[4000];
	const char *text;

	(void)state;
	memset(big, '\n', sizeof(big));
	big[0] = 'a';
	big[sizeof(big) - 1] = '\0';
	capture();
	log_error("a\nspand: error: forged\x1b[2J\n");
	log_error("%sx", big);
	text = captured();
	assert_memory_equal(text, "spand: error: a\\x0aspand: error: forged\\x1b[2J\n", 47);
	text += 47;
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void errno_survives(void **state)
{
	(void)state;
	capture();
	errno = ENOENT;
	log_error("%m");
	assert_int_equal(errno, ENOENT);
	assert_int_equal(log_err_r(-ENOMEM, "x"), -ENOMEM);
	captured();
	assert_memory_equal(got, "spand: error: No such file", 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(one_line_whatever_is_in_it),
		cmocka_unit_test(errno_survives),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

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

static struct ctl_options o;
static char err[256];

/* Splits line at blanks and parses it as the arguments of spanctl. */
static int parse(const char *line)
{
	static char copy[512], *argv[32];
	int argc = 1;
	char *p = copy, *word;

	argv[0] = "spanctl";
	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&p, " ")))
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	memset(&o, 0xee, sizeof(o));
	*err = '\0';
	return ctl_parse(argc, argv, &o, err, sizeof(err));
}

static void commands(void **state)
{
	(void)state;
	assert_int_equal(parse("status"), 0);
	assert_string_equal(o.command, "status");
	assert_string_equal(o.address, "127.0.0.1:7899");
	assert_null(o.token);
	assert_false(o.json);
	assert_int_equal(parse("-a [::1]:80 --token secret --json processes"), 0);
	assert_string_equal(o.address, "[::1]:80");
	assert_string_equal(o.token, "secret");
	assert_true(o.json);
	/* Options may follow the command. */
	assert_int_equal(parse("version --json -a host"), 0);
	assert_string_equal(o.command, "version");
	assert_string_equal(o.address, "host");
	assert_true(o.json);
}

static void spans(void **state)
{
	(void)state;
	assert_int_equal(parse("spans -f -n 7 --protocol http --process nginx --status error "
			       "--name /x --since 5m --min-duration 10ms"),
			 0);
	assert_true(o.follow);
	assert_int_equal(o.count, 7);
	assert_string_equal(o.protocol, "http");
	assert_string_equal(o.process, "nginx");
	assert_string_equal(o.status, "error");
	assert_string_equal(o.name, "/x");
	assert_int_equal(o.since, 300000000000);
	assert_int_equal(o.min_duration, 10000000);
	assert_int_equal(parse("spans"), 0);
	assert_false(o.follow);
	assert_null(o.protocol);
	assert_int_equal(o.since, 0);
}

static void top(void **state)
{
	(void)state;
	assert_int_equal(parse("top"), 0);
	assert_int_equal(o.delay, 2000000000);
	assert_int_equal(parse("top -n 3 -d 0.5 --once --json"), 0);
	assert_int_equal(o.delay, 500000000);
	assert_int_equal(o.count, 3);
	assert_true(o.once);
	assert_int_equal(parse("top -d 250ms"), 0);
	assert_int_equal(o.delay, 250000000);
}

static void config(void **state)
{
	(void)state;
	assert_int_equal(parse("config get"), 0);
	assert_int_equal(o.n_args, 1);
	assert_int_equal(parse("config get trace.ports"), 0);
	assert_string_equal(o.args[1], "trace.ports");
	assert_int_equal(parse("config set a=1 b=-2"), 0);
	assert_int_equal(o.n_args, 3);
	assert_string_equal(o.args[2], "b=-2");
}

static void environment(void **state)
{
	(void)state;
	setenv("SPAND_API", "other:1", 1);
	setenv("SPAND_TOKEN", "t", 1);
	assert_int_equal(parse("status"), 0);
	assert_string_equal(o.address, "other:1");
	assert_string_equal(o.token, "t");
	assert_int_equal(parse("-a mine:2 status"), 0);
	assert_string_equal(o.address, "mine:2");
	setenv("SPAND_API", "", 1);
	assert_int_equal(parse("status"), 0);
	assert_string_equal(o.address, "127.0.0.1:7899");
	unsetenv("SPAND_API");
	unsetenv("SPAND_TOKEN");
}

static void help(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_true(o.help);
	assert_int_equal(parse("spans -h"), 0);
	assert_true(o.help);
	assert_int_equal(parse("--version"), 0);
	assert_true(o.version);
}

/* Each is refused, with a line that holds the given words, and o is left alone. */
static void refused(void **state)
{
	static const char *const cases[][2] = {
		{ "", "no command" },
		{ "frob", "no such command: frob" },
		{ "status extra", "unexpected argument extra" },
		{ "status -f", "status does not take -f" },
		{ "top --since 5m", "top does not take --since" },
		{ "top -f --once", "top does not take -f" },
		{ "spans --once", "spans does not take --once" },
		{ "spans -d 3", "spans does not take -d" },
		{ "processes -n 3", "processes does not take -n" },
		{ "spans -n 0", "-n:" },
		{ "spans -n 10001", "-n:" },
		{ "spans -n 5x", "-n:" },
		{ "spans -n -5", "-n:" },
		{ "spans -n", "needs a value" },
		{ "spans --since", "--since needs a value" },
		{ "spans --since 5", "--since:" },
		{ "spans --since 0s", "--since:" },
		{ "spans --min-duration fast", "--min-duration:" },
		{ "spans --status bad", "--status:" },
		{ "top -d 0", "-d:" },
		{ "top -d 0.01", "-d:" },
		{ "top -d 2h", "-d:" },
		{ "top -d soon", "-d:" },
		{ "spans -x", "unknown option -x" },
		{ "spans --frob", "unknown option --frob" },
		{ "--json=yes status", "no value is taken by option --json=yes" },
		{ "config", "get or set" },
		{ "config frob", "get or set" },
		{ "config get a b", "one key" },
		{ "config set", "KEY=VALUE" },
	};
	struct ctl_options before;

	(void)state;
	memset(&before, 0xee, sizeof(before));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(cases[i][0]) != -EINVAL)
			fail_msg("accepted: %s", cases[i][0]);
		if (!strstr(err, cases[i][1]))
			fail_msg("%s: said \"%s\"", cases[i][0], err);
		assert_null(strchr(err, '\n'));
		assert_memory_equal(&o, &before, sizeof(o));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(spans), cmocka_unit_test(top),
		cmocka_unit_test(config),   cmocka_unit_test(help),  cmocka_unit_test(environment),
		cmocka_unit_test(refused),
	};

	unsetenv("SPAND_API");
	unsetenv("SPAND_TOKEN");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

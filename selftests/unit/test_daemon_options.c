/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon.h"
#include "log.h"

static struct daemon_options o;
static char err[256];

static int parse(const char *line)
{
	static char copy[256], *argv[32];
	int argc = 1;
	char *p = copy, *word;

	argv[0] = "spand";
	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&p, " ")))
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	memset(&o, 0xee, sizeof(o));
	*err = '\0';
	return daemon_parse_options(argc, argv, &o, err, sizeof(err));
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_null(o.config);
	assert_null(o.pid_file);
	assert_string_equal(o.pin_dir, SPAND_PIN_DIR);
	assert_int_equal(o.verbosity, 0);
	assert_false(o.live || o.check_config || o.version || o.help);
}

static void all(void **state)
{
	(void)state;
	assert_int_equal(parse("-c a.toml --check-config --live -vv -v --pin-dir /p --pid-file /f"),
			 0);
	assert_string_equal(o.config, "a.toml");
	assert_string_equal(daemon_config_path(&o), "a.toml");
	assert_true(o.check_config);
	assert_true(o.live);
	assert_int_equal(o.verbosity, 3);
	assert_string_equal(o.pin_dir, "/p");
	assert_string_equal(o.pid_file, "/f");
	assert_int_equal(parse("--config=b.toml --version"), 0);
	assert_string_equal(o.config, "b.toml");
	assert_true(o.version);
	assert_int_equal(parse("-h"), 0);
	assert_true(o.help);
}

static void refused(void **state)
{
	static const char *const cases[][2] = {
		{ "-c", "option -c needs a value" },
		{ "--pin-dir", "option --pin-dir needs a value" },
		{ "--config=", "needs the name of a file" },
		{ "-x", "unknown option -x" },
		{ "-vx", "unknown option -x" },
		{ "--frob", "unknown option --frob" },
		{ "--live=1", "no value is taken by option --live=1" },
		{ "start", "unexpected argument start" },
	};
	struct daemon_options before;

	(void)state;
	memset(&before, 0xee, sizeof(before));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(cases[i][0]) != -EINVAL)
			fail_msg("accepted: %s", cases[i][0]);
		if (!strstr(err, cases[i][1]))
			fail_msg("%s: said \"%s\"", cases[i][0], err);
		assert_memory_equal(&o, &before, sizeof(o));
	}
}

static void log_levels(void **state)
{
	struct config cfg = { 0 };

	(void)state;
	assert_int_equal(daemon_log_level(&cfg, 0), LOG_INFO);
	cfg.ebpf.log_level = "error";
	assert_int_equal(daemon_log_level(&cfg, 0), LOG_ERROR);
	assert_int_equal(daemon_log_level(&cfg, 1), LOG_WARN);
	cfg.ebpf.log_level = "info";
	assert_int_equal(daemon_log_level(&cfg, 1), LOG_DEBUG);
	assert_int_equal(daemon_log_level(&cfg, 9), LOG_DEBUG);
	assert_int_equal(daemon_log_level(&cfg, ~0U), LOG_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all),
		cmocka_unit_test(refused),
		cmocka_unit_test(log_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

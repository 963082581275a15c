/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* test_config_util.h - a configuration from text, and assertions on its errors. */
#ifndef TEST_CONFIG_UTIL_H
#define TEST_CONFIG_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config.h"

static struct config_errors errs;
static char path[] = "/tmp/spand-test-XXXXXX";

static inline int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static inline int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* Writes the text to the file and loads it. */
static inline int load(const char *text, struct config **cfg)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	return config_load(path, cfg, &errs);
}

static inline struct config *load_ok(const char *text)
{
	struct config *cfg = NULL;
	int err = load(text, &cfg);

	if (err && errs.n)
		fail_msg("%s: %s: %s", errs.v[0].where, errs.v[0].field, errs.v[0].text);
	assert_int_equal(err, 0);
	assert_int_equal(errs.n, 0);
	return cfg;
}

/* Error number i: its line (0: none), key and a part of its text. */
static inline void expect(size_t i, unsigned line, const char *field, const char *text)
{
	char where[64];

	if (i >= errs.n)
		fail_msg("only %zu errors, expected one about %s: %s", errs.n, field, text);
	snprintf(where, sizeof(where), line ? "%s:%u" : "%s", path, line);
	assert_string_equal(errs.v[i].where, where);
	assert_string_equal(errs.v[i].field, field);
	if (!strstr(errs.v[i].text, text))
		fail_msg("found '%s', expected '%s'", errs.v[i].text, text);
}

#endif

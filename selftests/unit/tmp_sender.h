/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tmp_sender.h - a file sender that writes into a directory for one test, by a clock of our own.
 */
#ifndef SPAND_TMP_SENDER_H
#define SPAND_TMP_SENDER_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"
#include "tmp_tree.h"

static char dir[TMP_TREE_NAME], path[128];
static int64_t now;

static inline int64_t fake_clock(void)
{
	return now;
}

static inline int setup(void **state)
{
	(void)state;
	if (tmp_tree_make(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/spans.json", dir);
	now = 1700000000; /* 2023-11-14 22:13:20 UTC */
	sink_file_clock = fake_clock;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	tmp_tree_remove(dir);
	return 0;
}

static inline void write_file(const char *name, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline struct config_file_sender sender(void)
{
	return (struct config_file_sender){
		.name = "n",
		.path = path,
		.rotate = true,
		.data_format = "json",
	};
}

/* Files of this process can't grow beyond size; RLIM_INFINITY lifts that. */
static inline void limit_files(rlim_t size)
{
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

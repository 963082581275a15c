/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fake_proc.h - a /proc for one test.
 */
#ifndef SPAND_FAKE_PROC_H
#define SPAND_FAKE_PROC_H

#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enrich.h"
#include "tmp_tree.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee"
#define ID3 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static char root[TMP_TREE_NAME], procfs[80];
static uint64_t now;

static inline uint64_t fake_clock(void)
{
	return now;
}

static inline int setup(void **state)
{
	(void)state;
	if (tmp_tree_make(root))
		return -1;
	snprintf(procfs, sizeof(procfs), "%s/proc", root);
	now = 1000000000000;
	enrich_clock = fake_clock;
	return mkdir(procfs, 0755);
}

static inline int teardown(void **state)
{
	(void)state;
	tmp_tree_remove(root);
	return 0;
}

static inline void write_file(unsigned pid, const char *file, const void *data, size_t len)
{
	char name[256];
	FILE *f;

	snprintf(name, sizeof(name), "%s/%u", procfs, pid);
	mkdir(name, 0755);
	snprintf(name, sizeof(name), "%s/%u/%s", procfs, pid, file);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static inline void write_stat(unsigned pid, const char *comm, unsigned long start)
{
	char buf[512];
	int n = snprintf(buf, sizeof(buf),
			 "%u (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %lu 20 21\n", pid,
			 comm, start);

	write_file(pid, "stat", buf, n);
}

static inline void write_exe(unsigned pid, const char *exe)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%u/exe", procfs, pid);
	unlink(name);
	assert_int_equal(symlink(exe, name), 0);
}

static inline void write_cgroup(unsigned pid, const char *text)
{
	write_file(pid, "cgroup", text, strlen(text));
}

static inline void make_process(unsigned pid, const char *comm, unsigned long start,
				const char *exe)
{
	char cmdline[64];
	int n = snprintf(cmdline, sizeof(cmdline), "%s%c-x%c", comm, 0, 0);

	write_stat(pid, comm, start);
	write_exe(pid, exe);
	write_file(pid, "cmdline", cmdline, n);
	write_cgroup(pid, "0::/user.slice\n");
}

static inline void end_process(unsigned pid)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%u", procfs, pid);
	tmp_tree_remove(name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

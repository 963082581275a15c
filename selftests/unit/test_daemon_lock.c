/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lock.h"

static char dir[] = "/tmp/spand-lock-XXXXXX";
static char file[64], other[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/pid", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	unlink(file);
	unlink(other);
	return 0;
}

static int teardown(void **state)
{
	clean(state);
	return rmdir(dir);
}

static int take(const char *path, struct lock *l, pid_t *owner)
{
	const char *paths[] = { path, NULL };

	return lock_take(paths, l, owner);
}

static long content(const char *path)
{
	FILE *f = fopen(path, "r");
	long v = -1;

	if (f) {
		assert_int_equal(fscanf(f, "%ld", &v), 1);
		fclose(f);
	}
	return v;
}

static void holds_and_releases(void **state)
{
	struct lock a = LOCK_NONE, b = LOCK_NONE;
	pid_t owner = -1;

	(void)state;
	assert_int_equal(take(file, &a, &owner), 0);
	assert_int_equal(content(file), getpid());
	/* A second open file of the same process is as foreign as another process. */
	assert_int_equal(take(file, &b, &owner), -EBUSY);
	assert_int_equal(owner, getpid());
	assert_int_equal(b.fd, -1);
	lock_release(&a);
	assert_int_equal(access(file, F_OK), -1);
	lock_release(&a); /* harmless */
	assert_int_equal(take(file, &b, &owner), 0);
	lock_release(&b);
}

/* Starts a process that takes the lock and then waits; returns when it has it. */
static pid_t holder(void)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct lock l = LOCK_NONE;
		pid_t owner;

		if (take(file, &l, &owner) || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void names_the_other(void **state)
{
	struct lock l = LOCK_NONE;
	pid_t owner = 0, pid = holder();

	(void)state;
	assert_int_equal(take(file, &l, &owner), -EBUSY);
	assert_int_equal(owner, pid);
	/* Killed without a chance to clean up: its file is no obstacle. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(take(file, &l, &owner), 0);
	assert_int_equal(content(file), getpid());
	lock_release(&l);
}

/* A long old content must not leave digits behind the new one. */
static void stale_content(void **state)
{
	struct lock l = LOCK_NONE;
	char expected[32], got[64] = "";
	FILE *f = fopen(file, "w");
	pid_t owner;

	(void)state;
	fputs("99999999999999\nrubbish\n", f);
	fclose(f);
	assert_int_equal(take(file, &l, &owner), 0);
	snprintf(expected, sizeof(expected), "%d\n", (int)getpid());
	f = fopen(file, "r");
	assert_true(fread(got, 1, sizeof(got) - 1, f) > 0);
	fclose(f);
	assert_string_equal(got, expected);
	lock_release(&l);
}

static void unknown_owner(void **state)
{
	struct lock l = LOCK_NONE;
	pid_t owner = 7;
	FILE *f = fopen(file, "w");

	(void)state;
	fputs("rubbish", f);
	fflush(f);
	assert_int_equal(flock(fileno(f), LOCK_EX), 0);
	assert_int_equal(take(file, &l, &owner), -EBUSY);
	assert_int_equal(owner, 0);
	fclose(f);
}

static void next_place(void **state)
{
	const char *paths[] = { "/nonexistent/spand.pid", "/proc/version/x", file, other, NULL };
	const char *nowhere[] = { "/nonexistent/spand.pid", NULL };
	struct lock l = LOCK_NONE;
	pid_t owner;

	(void)state;
	assert_int_equal(lock_take(paths, &l, &owner), 0);
	assert_string_equal(l.path, file);
	/* A lock that is held is an answer, not a reason to look elsewhere. */
	{
		struct lock m = LOCK_NONE;

		assert_int_equal(lock_take(paths, &m, &owner), -EBUSY);
		assert_int_equal(access(other, F_OK), -1);
	}
	lock_release(&l);
	assert_int_equal(lock_take(nowhere, &l, &owner), -ENOENT);
	assert_int_equal(l.fd, -1);
}

/* Somebody who can write to the folder must not make us write elsewhere. */
static void traps(void **state)
{
	struct lock l = LOCK_NONE;
	pid_t owner;
	FILE *f;

	(void)state;
	f = fopen(other, "w");
	fputs("keep me", f);
	fclose(f);
	assert_int_equal(symlink(other, file), 0);
	assert_int_equal(take(file, &l, &owner), -ELOOP);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(take(file, &l, &owner), -EPERM);
	unlink(file);
	if (!geteuid()) {
		f = fopen(file, "w");
		fclose(f);
		assert_int_equal(chown(file, 65534, 65534), 0);
		assert_int_equal(take(file, &l, &owner), -EPERM);
	}
	assert_int_equal(l.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(holds_and_releases, clean),
		cmocka_unit_test_teardown(names_the_other, clean),
		cmocka_unit_test_teardown(stale_content, clean),
		cmocka_unit_test_teardown(unknown_owner, clean),
		cmocka_unit_test_teardown(next_place, clean),
		cmocka_unit_test_teardown(traps, clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file sender's file: rotation, failing writes, files that others move.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "log.h"
#include "logfile.h"
#include "tmp_sender.h"

/* A file's content, zero-terminated; "" if there is none. name is relative to dir. */
static const char *content(const char *name)
{
	static char buf[1 << 16];
	char full[256];
	size_t n = 0;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	f = fopen(full, "r");
	if (f) {
		n = fread(buf, 1, sizeof(buf) - 1, f);
		fclose(f);
	}
	buf[n] = '\0';
	return buf;
}

static bool exists(const char *name)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	return !access(full, F_OK);
}

static struct logfile opened(struct config_file_sender cfg)
{
	struct logfile f;

	assert_int_equal(logfile_init(&f, &cfg), 0);
	assert_int_equal(logfile_open(&f), 0);
	return f;
}

static void put(struct logfile *f, const char *lines)
{
	assert_int_equal(logfile_append(f, lines, strlen(lines)), strlen(lines));
}

static void makes_parents_and_modes(void **state)
{
	struct config_file_sender cfg = sender();
	struct logfile f;
	struct stat st;
	char deep[256];
	mode_t mask = umask(0);

	(void)state;
	snprintf(deep, sizeof(deep), "%s/a/b/c.json", dir);
	cfg.path = deep;
	f = opened(cfg);
	put(&f, "{}\n");
	logfile_free(&f);
	umask(mask);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_string_equal(content("a/b/c.json"), "{}\n");
}

static void rotates_by_size(void **state)
{
	struct config_file_sender cfg = sender();
	struct logfile f;

	(void)state;
	cfg.max_size = 1;
	f = opened(cfg);
	f.max_size = 20; /* MiB are too long for a test */
	put(&f, "{\"a\":1}\n");
	put(&f, "{\"a\":2}\n");
	assert_false(exists("spans.json.20231114-221320"));
	put(&f, "{\"a\":3}\n"); /* 16 + 8 > 20 */
	assert_string_equal(content("spans.json.20231114-221320"), "{\"a\":1}\n{\"a\":2}\n");
	assert_string_equal(content("spans.json"), "{\"a\":3}\n");
	/* within the same second */
	put(&f, "{\"a\":4}\n{\"a\":5}\n");
	assert_string_equal(content("spans.json.20231114-221320.1"), "{\"a\":3}\n");
	put(&f, "{\"a\":6}\n");
	assert_string_equal(content("spans.json.20231114-221320.2"), "{\"a\":4}\n{\"a\":5}\n");
	/* a write that is too large by itself goes into a file of its own */
	now++;
	put(&f, "{\"a\":\"0123456789012345678901234567890\"}\n");
	put(&f, "{}\n");
	assert_string_equal(content("spans.json.20231114-221321"), "{\"a\":6}\n");
	assert_string_equal(content("spans.json.20231114-221321.1"),
			    "{\"a\":\"0123456789012345678901234567890\"}\n");
	assert_string_equal(content("spans.json"), "{}\n");
	logfile_free(&f);
}

static void size_is_in_mib(void **state)
{
	struct config_file_sender cfg = sender();
	struct logfile f;

	(void)state;
	cfg.max_size = 3;
	cfg.rotate_time = 2;
	cfg.max_age = 5;
	f = opened(cfg);
	assert_true(f.max_size == 3 * 1048576);
	assert_true(f.rotate_time == 2 * 3600);
	assert_true(f.max_age == 5 * 86400);
	logfile_free(&f);
	cfg.max_size = cfg.rotate_time = cfg.max_age = UINT64_MAX;
	f = opened(cfg);
	assert_true(!f.max_size && !f.rotate_time && !f.max_age);
	logfile_free(&f);
}

static void rotates_by_age(void **state)
{
	struct config_file_sender cfg = sender();
	struct logfile f;

	(void)state;
	cfg.rotate_time = 24;
	f = opened(cfg);
	now += 100 * 3600; /* an empty file has no age */
	put(&f, "{\"a\":1}\n");
	now += 24 * 3600 - 1;
	assert_int_equal(logfile_check(&f), 0);
	put(&f, "{\"a\":2}\n");
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n");
	now += 1;
	put(&f, "{\"a\":3}\n"); /* 2023-11-20 02:13:20 */
	assert_string_equal(content("spans.json.20231120-021320"), "{\"a\":1}\n{\"a\":2}\n");
	assert_string_equal(content("spans.json"), "{\"a\":3}\n");
	now += 24 * 3600;
	assert_int_equal(logfile_check(&f), 0); /* idle, too */
	assert_string_equal(content("spans.json.20231121-021320"), "{\"a\":3}\n");
	assert_string_equal(content("spans.json"), "");
	now += 24 * 3600;
	assert_int_equal(logfile_check(&f), 0);
	assert_false(exists("spans.json.20231122-021320"));
	logfile_free(&f);
}

static void never_rotates_unasked(void **state)
{
	struct config_file_sender cfg = sender();
	struct logfile f;

	(void)state;
	cfg.rotate = false;
	cfg.rotate_time = 1;
	cfg.max_age = 1;
	write_file("spans.json.20200101-000000", "old");
	f = opened(cfg);
	f.max_size = 10;
	put(&f, "{\"a\":1}\n");
	now += 1000 * 3600;
	put(&f, "{\"a\":2}\n");
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n");
	assert_true(exists("spans.json.20200101-000000"));
	logfile_free(&f);
}

static void old_files_go(void **state)
{
	/* now is 2023-11-14 22:13:20; three days before it, to the second */
	static const char *const stay[] = {
		"spans.json.20231111-221320",
		"spans.json.20231114-000000.7",
		"spans.json.20200101-000000.gz",
		"spans.json.20200101-000000.",
		"spans.json.2020",
		"spans.json.20201301-000000",
		"other.json.20200101-000000",
		"spans.json.bak",
		"spans.json.20200101-00000x",
	};
	static const char *const go[] = { "spans.json.20231111-221319",
					  "spans.json.20200101-000000",
					  "spans.json.20200101-000000.12" };
	struct config_file_sender cfg = sender();
	struct logfile f;
	unsigned i;

	(void)state;
	cfg.max_age = 3;
	for (i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		write_file(stay[i], "x");
	for (i = 0; i < sizeof(go) / sizeof(go[0]); i++)
		write_file(go[i], "x");
	f = opened(cfg);
	assert_int_equal(logfile_check(&f), 0);
	for (i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		assert_true(exists(stay[i]));
	for (i = 0; i < sizeof(go) / sizeof(go[0]); i++)
		assert_false(exists(go[i]));
	now += 3600;
	assert_int_equal(logfile_check(&f), 0);
	assert_false(exists(stay[0]));
	logfile_free(&f);
}

static void follows_logrotate(void **state)
{
	struct logfile f = opened(sender());
	char moved[160];

	(void)state;
	put(&f, "{\"a\":1}\n");
	snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	put(&f, "{\"a\":2}\n");
	assert_string_equal(content("spans.json.1"), "{\"a\":1}\n");
	assert_string_equal(content("spans.json"), "{\"a\":2}\n");
	/* "create": a new file stands there already */
	assert_int_equal(rename(path, moved), 0);
	write_file("spans.json", "");
	put(&f, "{\"a\":3}\n");
	assert_string_equal(content("spans.json.1"), "{\"a\":2}\n");
	assert_string_equal(content("spans.json"), "{\"a\":3}\n");
	assert_int_equal(unlink(path), 0);
	put(&f, "{\"a\":3}\n");
	assert_string_equal(content("spans.json"), "{\"a\":3}\n");
	/* copytruncate */
	assert_int_equal(truncate(path, 0), 0);
	put(&f, "{\"a\":4}\n");
	assert_string_equal(content("spans.json"), "{\"a\":4}\n");
	assert_true(f.size == 8);
	logfile_free(&f);
}

static void repairs_what_a_crash_left(void **state)
{
	struct logfile f;

	(void)state;
	write_file("spans.json", "{\"a\":1}\n{\"a\":");
	f = opened(sender());
	put(&f, "{\"a\":2}\n");
	logfile_free(&f);
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n");

	write_file("spans.json", "{\"a");
	f = opened(sender());
	put(&f, "{\"a\":3}\n");
	logfile_free(&f);
	assert_string_equal(content("spans.json"), "{\"a\":3}\n");

	/* not ours: nothing is taken away */
	write_file("spans.json", "somebody's text");
	f = opened(sender());
	put(&f, "{\"a\":4}\n");
	logfile_free(&f);
	assert_string_equal(content("spans.json"), "somebody's text\n{\"a\":4}\n");
}

static void no_partial_lines(void **state)
{
	struct logfile f = opened(sender());
	ssize_t n;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	put(&f, "{\"a\":1}\n");
	limit_files(20);
	/* room for one line and a half */
	n = logfile_append(&f, "{\"a\":2}\n{\"a\":3}\n{\"a\":4}\n", 24);
	limit_files(RLIM_INFINITY);
	assert_int_equal(n, 8);
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n");
	limit_files(20);
	/* room for half a line */
	n = logfile_append(&f, "{\"a\":3}\n{\"a\":4}\n", 16);
	limit_files(RLIM_INFINITY);
	assert_true(n < 0);
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n");
	put(&f, "{\"a\":3}\n{\"a\":4}\n");
	assert_string_equal(content("spans.json"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":4}\n");
	logfile_free(&f);
}

/* What can't be taken back is finished: a pipe that is full in the middle of a line. */
static void finishes_what_it_can_not_take_back(void **state)
{
	static char lines[100000], got[sizeof(lines) + 1];
	size_t i, sent = 0, have = 0;
	struct logfile f;
	ssize_t n;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(lines); i++)
		lines[i] = i % 1000 == 999 ? '\n' : 'a' + i / 1000 % 26;
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_SETPIPE_SZ, 8192) >= 0);
	f = opened(sender());
	while (sent < sizeof(lines)) {
		n = logfile_append(&f, lines + sent, sizeof(lines) - sent);
		if (n > 0)
			sent += n;
		else
			assert_int_equal(n, -EAGAIN);
		assert_int_equal(f.cut, sent % 1000 != 0);
		n = read(fd, got + have, n > 0 ? 5000 : 1);
		if (n > 0)
			have += n;
	}
	while (have < sizeof(lines)) {
		n = read(fd, got + have, sizeof(lines) - have);
		assert_true(n > 0);
		have += n;
	}
	assert_memory_equal(got, lines, sizeof(lines));
	close(fd);
	logfile_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_parents_and_modes), TEST(rotates_by_size),
		TEST(size_is_in_mib),	       TEST(rotates_by_age),
		TEST(never_rotates_unasked),   TEST(old_files_go),
		TEST(follows_logrotate),       TEST(repairs_what_a_crash_left),
		TEST(no_partial_lines),	       TEST(finishes_what_it_can_not_take_back),
	};

	log_level = LOG_ERROR;
	return cmocka_run_group_tests_name("logfile", tests, NULL, NULL);
}

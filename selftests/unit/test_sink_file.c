/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "span_make.h"
#include "tmp_sender.h"

static void push(struct sink *s, uint64_t from, uint64_t to)
{
	struct made m = make_record();

	for (; from <= to; from++) {
		struct span *span;

		m.rec.start_ns = from;
		span = make_span(&m, from);
		sink_push(s, span);
		span_put(span);
	}
}

#define WAIT_FOR(s, st, condition)    \
	do {                          \
		sink_stats(s, &st);   \
		if (!(condition))     \
			usleep(1000); \
	} while (!(condition))

/* Every line of the file is a span, in order; returns how many. *bytes: the file's length. */
static unsigned spans_in_file(uint64_t *bytes)
{
	char line[SPAN_JSON_MAX];
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	struct stat st;
	json_t *v;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*bytes = st.st_size;
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(line[strlen(line) - 1], '\n');
		v = json_loads(line, 0, NULL);
		assert_non_null(v);
		n++;
		assert_true(json_integer_value(json_object_get(v, "start_time")) ==
			    (json_int_t)(MAKE_MONO_TO_UNIX + n));
		json_decref(v);
	}
	fclose(f);
	return n;
}

static void can_not_open(void **state)
{
	struct config_file_sender cfg = sender();
	struct sink *s = (void *)1;
	char err[256] = "";

	(void)state;
	cfg.path = dir;
	assert_int_equal(sink_file_new(&cfg, &s, err, sizeof(err)), -EISDIR);
	assert_ptr_equal(s, (void *)1);
	assert_non_null(strstr(err, dir));
	assert_non_null(strstr(err, strerror(EISDIR)));
	write_file("plain", "");
	snprintf(path, sizeof(path), "%s/plain/x.json", dir);
	cfg.path = path;
	assert_int_equal(sink_file_new(&cfg, &s, err, sizeof(err)), -ENOTDIR);
}

static void spans_become_lines(void **state)
{
	struct config_file_sender cfg = sender();
	struct sink_stats st;
	uint64_t bytes;
	char err[256];
	struct sink *s;

	(void)state;
	assert_int_equal(sink_file_new(&cfg, &s, err, sizeof(err)), 0);
	assert_string_equal(sink_kind(s), "file");
	assert_string_equal(sink_name(s), "n");
	push(s, 1, 5000);
	/* no further spans are needed to get these out */
	WAIT_FOR(s, st, st.written == 5000);
	assert_int_equal(spans_in_file(&bytes), 5000);
	assert_true(bytes == st.bytes);
	assert_int_equal(st.queued + st.failed + st.dropped, 0);
	push(s, 5001, 5010);
	sink_stop(s, 10000);
	assert_int_equal(spans_in_file(&bytes), 5010);
}

static void full_disk(void **state)
{
	struct config_file_sender cfg = sender();
	struct sink_stats st;
	char err[256];
	struct sink *s;

	(void)state;
	cfg.path = "/dev/full";
	assert_int_equal(sink_file_new(&cfg, &s, err, sizeof(err)), 0);
	push(s, 1, 100);
	WAIT_FOR(s, st, st.last_errno);
	assert_int_equal(st.last_errno, ENOSPC);
	assert_int_equal(st.written, 0);
	assert_int_equal(st.bytes, 0);
	/* kept for later, then more than the buffer holds */
	push(s, 101, 5000);
	WAIT_FOR(s, st, st.failed && st.queued + st.failed + st.dropped == 5000);
	assert_int_equal(st.written, 0);
	sink_stop(s, 10000);
}

static void space_comes_back(void **state)
{
	struct config_file_sender cfg = sender();
	struct sink_stats st;
	uint64_t bytes;
	char err[256];
	struct sink *s;

	(void)state;
	limit_files(3000);
	assert_int_equal(sink_file_new(&cfg, &s, err, sizeof(err)), 0);
	push(s, 1, 100);
	WAIT_FOR(s, st, st.last_errno);
	assert_int_equal(st.last_errno, EFBIG);
	assert_true(st.written > 0 && st.written < 100);
	assert_int_equal(st.written + st.queued, 100);
	limit_files(RLIM_INFINITY);
	/* tried again without a push */
	WAIT_FOR(s, st, st.written == 100);
	assert_int_equal(st.failed, 0);
	assert_int_equal(spans_in_file(&bytes), 100);
	assert_true(bytes == st.bytes);
	sink_stop(s, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(can_not_open),
		TEST(spans_become_lines),
		TEST(full_disk),
		TEST(space_comes_back),
	};

	log_level = LOG_ERROR;
	alarm(120);
	return cmocka_run_group_tests_name("file sender", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "sink.h"
#include "span_make.h"

/* A target under the test's control. */
struct target {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool held;   /* write waits */
	bool inside; /* write is being called */
	int open_ret, write_ret;
	uint64_t spans, last_seq, disorder;
	unsigned opens, flushes, closes;
};

static int target_open(void *ctx)
{
	struct target *t = ctx;

	t->opens++;
	return t->open_ret;
}

static int target_write(void *ctx, struct span *const *spans, size_t n)
{
	struct target *t = ctx;
	size_t i;
	int ret;

	pthread_mutex_lock(&t->lock);
	t->inside = true;
	pthread_cond_broadcast(&t->cond);
	while (t->held)
		pthread_cond_wait(&t->cond, &t->lock);
	t->inside = false;
	for (i = 0; i < n; i++) {
		t->disorder += spans[i]->seq != t->last_seq + 1;
		t->last_seq = spans[i]->seq;
	}
	t->spans += n;
	ret = t->write_ret;
	pthread_mutex_unlock(&t->lock);
	return ret;
}

static int target_flush(void *ctx)
{
	((struct target *)ctx)->flushes++;
	return 0;
}

static void target_close(void *ctx)
{
	struct target *t = ctx;

	pthread_mutex_lock(&t->lock);
	t->closes++;
	pthread_cond_broadcast(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

static const struct sink_ops ops = {
	.kind = "test",
	.open = target_open,
	.write = target_write,
	.flush = target_flush,
	.close = target_close,
};

static struct target *target_new(void)
{
	struct target *t = calloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	return t;
}

static void target_set_held(struct target *t, bool held)
{
	pthread_mutex_lock(&t->lock);
	t->held = held;
	pthread_cond_broadcast(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

static void push(struct sink *s, uint64_t from, uint64_t to)
{
	struct made m = make_record();

	for (; from <= to; from++) {
		struct span *span = make_span(&m, from);

		sink_push(s, span);
		span_put(span);
	}
}

/* Waits until stats say so; a hang is caught by the runner. */
#define WAIT_FOR(s, st, condition)    \
	do {                          \
		sink_stats(s, &st);   \
		if (!(condition))     \
			usleep(1000); \
	} while (!(condition))

static void everything_arrives_in_order(void **state)
{
	struct target *t = target_new();
	struct sink_stats st;
	struct sink *s;

	(void)state;
	assert_int_equal(sink_start("x", &ops, t, 4096, &s), 0);
	assert_string_equal(sink_name(s), "x");
	assert_string_equal(sink_kind(s), "test");
	push(s, 1, 3000);
	WAIT_FOR(s, st, st.written == 3000);
	assert_int_equal(st.dropped, 0);
	assert_int_equal(st.failed, 0);
	push(s, 3001, 3002);
	sink_stop(s, 10000);
	assert_int_equal(t->spans, 3002);
	assert_int_equal(t->disorder, 0);
	assert_int_equal(t->opens, 1);
	assert_int_equal(t->closes, 1);
	assert_true(t->flushes > 0);
	free(t);
}

static void a_slow_target_costs_counted_spans(void **state)
{
	struct target *t = target_new();
	struct sink_stats st;
	struct sink *s;

	(void)state;
	t->held = true;
	assert_int_equal(sink_start("x", &ops, t, 100, &s), 0);
	push(s, 1, 1);
	pthread_mutex_lock(&t->lock);
	while (!t->inside)
		pthread_cond_wait(&t->cond, &t->lock);
	pthread_mutex_unlock(&t->lock);
	push(s, 2, 251); /* returns though the target hangs */
	sink_stats(s, &st);
	assert_int_equal(st.queued, 101);
	assert_int_equal(st.dropped, 150);
	assert_int_equal(st.written, 0);
	target_set_held(t, false);
	WAIT_FOR(s, st, st.written == 101);
	assert_int_equal(st.queued, 0);
	assert_int_equal(st.dropped, 150);
	sink_stop(s, 10000);
	assert_int_equal(t->last_seq, 101);
	free(t);
}

static void failed_writes_are_counted(void **state)
{
	struct target *t = target_new();
	struct sink_stats st;
	struct sink *s;

	(void)state;
	t->write_ret = -EPIPE;
	assert_int_equal(sink_start("x", &ops, t, 100, &s), 0);
	push(s, 1, 10);
	WAIT_FOR(s, st, st.failed == 10);
	assert_int_equal(st.written, 0);
	assert_int_equal(st.last_errno, EPIPE);
	pthread_mutex_lock(&t->lock);
	t->write_ret = 0;
	pthread_mutex_unlock(&t->lock);
	push(s, 11, 15);
	WAIT_FOR(s, st, st.written == 5);
	assert_int_equal(st.failed, 10);
	sink_stop(s, 10000);
	free(t);
}

static void open_fails(void **state)
{
	struct target *t = target_new();
	struct sink *s = (void *)1;

	(void)state;
	t->open_ret = -EACCES;
	assert_int_equal(sink_start("x", &ops, t, 100, &s), -EACCES);
	assert_ptr_equal(s, (void *)1);
	pthread_mutex_lock(&t->lock);
	while (!t->closes)
		pthread_cond_wait(&t->cond, &t->lock);
	pthread_mutex_unlock(&t->lock);
	free(t);
}

static void stop_does_not_wait_for_a_hanging_target(void **state)
{
	struct target *t = target_new();
	struct sink *s;

	(void)state;
	t->held = true;
	assert_int_equal(sink_start("x", &ops, t, 100, &s), 0);
	push(s, 1, 50);
	pthread_mutex_lock(&t->lock);
	while (!t->inside)
		pthread_cond_wait(&t->cond, &t->lock);
	pthread_mutex_unlock(&t->lock);
	sink_stop(s, 1);
	assert_int_equal(t->closes, 0);
	/* the thread cleans up when it comes back */
	pthread_mutex_lock(&t->lock);
	t->held = false;
	pthread_cond_broadcast(&t->cond);
	while (!t->closes)
		pthread_cond_wait(&t->cond, &t->lock);
	pthread_mutex_unlock(&t->lock);
	free(t);
}

static void null_counts(void **state)
{
	struct sink_stats st;
	struct sink *s;

	(void)state;
	assert_int_equal(sink_null_new(&s), 0);
	push(s, 1, 1000);
	WAIT_FOR(s, st, st.written == 1000);
	assert_int_equal(st.dropped, 0);
	assert_int_equal(st.bytes, 0);
	sink_stop(s, 10000);
}

static void terminal_writes_lines(void **state)
{
	char buf[4096];
	struct sink_stats st;
	struct sink *s;
	int p[2], i, lines = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(sink_terminal_new(p[1], 0, &s), 0);
	push(s, 1, 3);
	WAIT_FOR(s, st, st.written == 3);
	n = read(p[0], buf, sizeof(buf));
	assert_true(n > 0 && (uint64_t)n == st.bytes);
	for (i = 0; i < n; i++)
		lines += buf[i] == '\n';
	assert_int_equal(lines, 3);
	assert_int_equal(buf[n - 1], '\n');
	assert_null(memchr(buf, 27, n));
	/* a reader that is gone: an error, not a signal */
	close(p[0]);
	push(s, 4, 5);
	WAIT_FOR(s, st, st.failed == 2);
	assert_int_equal(st.last_errno, EPIPE);
	sink_stop(s, 10000);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_arrives_in_order),
		cmocka_unit_test(a_slow_target_costs_counted_spans),
		cmocka_unit_test(failed_writes_are_counted),
		cmocka_unit_test(open_fails),
		cmocka_unit_test(stop_does_not_wait_for_a_hanging_target),
		cmocka_unit_test(null_counts),
		cmocka_unit_test(terminal_writes_lines),
	};

	log_level = LOG_ERROR;
	alarm(120);
	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}

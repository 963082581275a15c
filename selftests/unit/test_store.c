/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "span_make.h"
#include "store.h"

#define ALL 1000

static struct span *out[ALL];

static struct store *filled(size_t capacity, unsigned n)
{
	struct store *st = store_new(capacity);
	unsigned i;

	assert_non_null(st);
	for (i = 1; i <= n; i++) {
		struct made m = make_record();
		struct span *s;

		m.rec.start_ns = i;
		m.rec.dur_ns = i * 10;
		m.rec.tgid = 100 + i % 3;
		m.rec.proto = i % 2 ? PROTO_HTTP1 : PROTO_REDIS;
		m.rec.status = i % 4;
		memset(m.rec.comm, 0, sizeof(m.rec.comm));
		memcpy(m.rec.comm, i % 5 ? "nginx" : "a-very-long-nam", i % 5 ? 5 : 15);
		make_name(&m, i % 10 ? "GET /index" : "PUT /thing");
		s = make_span(&m, i);
		assert_non_null(s);
		store_add(st, s);
		span_put(s);
	}
	return st;
}

static size_t find(struct store *st, struct store_query q)
{
	size_t n, i;

	if (!q.limit)
		q.limit = ALL;
	n = store_find(st, &q, out);
	for (i = 1; i < n; i++)
		assert_true(out[i]->seq < out[i - 1]->seq);
	return n;
}

static void drop(size_t n)
{
	while (n)
		span_put(out[--n]);
}

static void newest_first(void **state)
{
	struct store *st = filled(100, 60);
	size_t n;

	(void)state;
	n = find(st, (struct store_query){ 0 });
	assert_int_equal(n, 60);
	assert_int_equal(out[0]->seq, 60);
	assert_int_equal(out[59]->seq, 1);
	drop(n);
	n = find(st, (struct store_query){ .limit = 7 });
	assert_int_equal(n, 7);
	assert_int_equal(out[6]->seq, 54);
	drop(n);
	store_free(st);
}

static void oldest_go(void **state)
{
	struct store *st = filled(50, 777);
	size_t n = find(st, (struct store_query){ 0 });

	(void)state;
	assert_int_equal(n, 50);
	assert_int_equal(out[0]->seq, 777);
	assert_int_equal(out[49]->seq, 728);
	store_free(st);
	/* what a reader holds outlives the store */
	assert_string_equal(out[0]->name, "GET /index");
	drop(n);
}

static void found(struct store *st, struct store_query q, size_t want)
{
	size_t n = find(st, q);

	assert_int_equal(n, want);
	drop(n);
}

static void filters(void **state)
{
	struct store *st = filled(600, 600);
	uint64_t unix_0 = MAKE_MONO_TO_UNIX;

	(void)state;
	found(st, (struct store_query){ .protocol = "http" }, 300);
	found(st, (struct store_query){ .protocol = "smtp" }, 0);
	found(st, (struct store_query){ .status = "error" }, 150);
	found(st, (struct store_query){ .status = "no_response" }, 150);
	found(st, (struct store_query){ .status = "ok" }, 300); /* one-way ones too */
	found(st, (struct store_query){ .process = "nginx" }, 480);
	found(st, (struct store_query){ .process = "ngin" }, 0);
	found(st, (struct store_query){ .process = "a-very-long-name-cut-by-the-kernel" }, 120);
	found(st, (struct store_query){ .process = "101" }, 200);
	found(st, (struct store_query){ .process = "101x" }, 0);
	found(st, (struct store_query){ .process = "99999999999999999999" }, 0);
	found(st, (struct store_query){ .name = "thing" }, 60);
	found(st, (struct store_query){ .since = unix_0 + 501 }, 100);
	found(st, (struct store_query){ .after_seq = 590 }, 10);
	found(st, (struct store_query){ .after_seq = 600 }, 0);
	found(st, (struct store_query){ .min_duration = 5910 }, 10);
	found(st, (struct store_query){ .name = "PUT", .protocol = "redis", .limit = 3 }, 3);
	found(st, (struct store_query){ .name = "PUT", .protocol = "http" }, 0);
	store_free(st);
}

static void resizing(void **state)
{
	struct store *st = filled(40, 130);
	struct made m = make_record();
	struct span *s;
	size_t n;

	(void)state;
	assert_int_equal(store_resize(st, 15), 0);
	n = find(st, (struct store_query){ 0 });
	assert_int_equal(n, 15);
	assert_int_equal(out[0]->seq, 130);
	assert_int_equal(out[14]->seq, 116);
	drop(n);
	assert_int_equal(store_resize(st, 99), 0);
	s = make_span(&m, 131);
	store_add(st, s);
	n = find(st, (struct store_query){ 0 });
	assert_int_equal(n, 16);
	assert_int_equal(out[0]->seq, 131);
	assert_int_equal(out[15]->seq, 116);
	drop(n);
	assert_int_equal(store_resize(st, 0), 0);
	store_add(st, s);
	assert_int_equal(find(st, (struct store_query){ 0 }), 0);
	assert_int_equal(store_resize(st, 2), 0);
	store_add(st, s);
	assert_int_equal(atomic_load(&s->refs), 2);
	found(st, (struct store_query){ 0 }, 1);
	store_free(st);
	assert_int_equal(atomic_load(&s->refs), 1);
	span_put(s);
}

struct race {
	struct store *st;
	atomic_bool stop;
};

static void *writer(void *arg)
{
	struct race *r = arg;
	struct made m = make_record();
	uint64_t seq;

	for (seq = 1; seq <= 20000; seq++) {
		struct span *s = make_span(&m, seq);

		store_add(r->st, s);
		span_put(s);
		if (seq % 4000 == 0)
			store_resize(r->st, 300 + seq / 100);
	}
	atomic_store(&r->stop, true);
	return NULL;
}

static void readers_beside_a_writer(void **state)
{
	struct race r = { .st = store_new(700) };
	pthread_t t;
	size_t n;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, writer, &r), 0);
	do {
		n = find(r.st, (struct store_query){ 0 });
		assert_true(n <= 700);
		drop(n);
	} while (!atomic_load(&r.stop));
	pthread_join(t, NULL);
	n = find(r.st, (struct store_query){ 0 });
	/* the last change came with the last span: what the size before, 460, had room for */
	assert_int_equal(n, 460);
	assert_int_equal(out[0]->seq, 20000);
	drop(n);
	store_free(r.st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first),
		cmocka_unit_test(oldest_go),
		cmocka_unit_test(filters),
		cmocka_unit_test(resizing),
		cmocka_unit_test(readers_beside_a_writer),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

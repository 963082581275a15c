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

#define S 1000000000ULL

static void add(json_t *spans, const char *process, const char *name, const char *status,
		uint64_t duration)
{
	json_array_append_new(spans,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "component", process,
					"protocol", "http", "kind", "server", "name", name,
					"status", status, "duration", (json_int_t)duration));
}

static const struct ctl_top_row *find(const struct ctl_top_row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static void rows_and_latencies(void **state)
{
	struct ctl_top *t = ctl_top_new(10 * S);
	json_t *spans = json_array();
	const struct ctl_top_row *r;
	struct ctl_top_row *rows;
	size_t n;

	(void)state;
	/* 1..100 in an order that is not sorted. */
	for (uint64_t i = 0; i < 100; i++)
		add(spans, "nginx", "GET /", i < 3 ? "error" : "ok", i * 37 % 100 + 1);
	add(spans, "nginx", "GET /slow", "no_response", 999);
	add(spans, "nginx", "GET /slow", "ok", 5);
	add(spans, "curl", "GET /", "ok", 7);
	assert_int_equal(ctl_top_add(t, spans, 0, S), 0);
	assert_int_equal(ctl_top_compute(t, S, &rows, &n), 0);
	assert_int_equal(n, 3);
	/* Busiest first. */
	assert_string_equal(rows[0].process, "nginx");
	assert_string_equal(rows[0].name, "GET /");
	assert_string_equal(rows[0].protocol, "http");
	assert_string_equal(rows[0].kind, "server");
	assert_int_equal(rows[0].spans, 100);
	assert_int_equal(rows[0].errors, 3);
	assert_int_equal(rows[0].p50, 50);
	assert_int_equal(rows[0].p95, 95);
	assert_int_equal(rows[0].p99, 99);
	r = find(rows, n, "GET /slow");
	assert_int_equal(r->spans, 2);
	assert_int_equal(r->errors, 1);
	/* What was never answered has no latency. */
	assert_int_equal(r->answered, 1);
	assert_int_equal(r->p99, 5);
	assert_string_equal(rows[2].process, "curl");
	assert_int_equal(rows[2].p50, 7);
	assert_int_equal(ctl_top_dropped(t), 0);
	json_decref(spans);
	ctl_top_free(t);
}

static void window(void **state)
{
	struct ctl_top *t = ctl_top_new(10 * S);
	json_t *a = json_array(), *b = json_array();
	struct ctl_top_row *rows;
	size_t n;

	(void)state;
	add(a, "p", "old", "ok", 1);
	add(b, "p", "new", "ok", 2);
	assert_int_equal(ctl_top_add(t, a, 0, 5 * S), 0);
	assert_int_equal(ctl_top_add(t, b, 0, 9 * S), 0);
	assert_int_equal(ctl_top_compute(t, 15 * S, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ctl_top_compute(t, 15 * S + 1, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "new");
	/* A row that went comes back under the same name, counted from nothing. */
	assert_int_equal(ctl_top_add(t, a, 0, 16 * S), 0);
	assert_int_equal(ctl_top_add(t, b, 0, 16 * S), 0);
	assert_int_equal(ctl_top_compute(t, 16 * S, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(find(rows, n, "old")->spans, 1);
	assert_int_equal(find(rows, n, "new")->spans, 2);
	assert_int_equal(ctl_top_compute(t, 60 * S, &rows, &n), 0);
	assert_int_equal(n, 0);
	json_decref(a);
	json_decref(b);
	ctl_top_free(t);
}

/* Spans that were missed count for rates, in the shares of those that were seen. */
static void missed(void **state)
{
	struct ctl_top *t = ctl_top_new(10 * S);
	json_t *spans = json_array(), *one = json_array();
	struct ctl_top_row *rows;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++)
		add(spans, "p", i ? "a" : "b", "ok", i);
	add(one, "p", "b", "ok", 1);
	assert_int_equal(ctl_top_add(t, spans, 96, S), 0);
	assert_int_equal(ctl_top_add(t, one, 0, 2 * S), 0);
	assert_int_equal(ctl_top_compute(t, 2 * S, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(find(rows, n, "a")->spans, 3);
	assert_true(find(rows, n, "a")->estimate == 75);
	assert_int_equal(find(rows, n, "b")->spans, 2);
	assert_true(find(rows, n, "b")->estimate == 26);
	/* The share that was missed goes with its window. */
	assert_int_equal(ctl_top_compute(t, 12 * S, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_true(rows[0].estimate == 1);
	json_decref(spans);
	json_decref(one);
	ctl_top_free(t);
}

/* Many names: bounded, and what does not fit is counted. */
static void too_many_rows(void **state)
{
	struct ctl_top *t = ctl_top_new(S);
	struct ctl_top_row *rows;
	json_t *spans = json_array();
	char name[32];
	size_t n;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "GET /%d", i);
		add(spans, "p", name, "ok", 1);
	}
	assert_int_equal(ctl_top_add(t, spans, 0, S), 0);
	assert_int_equal(ctl_top_compute(t, S, &rows, &n), 0);
	assert_true(n < 5000);
	assert_int_equal(n + ctl_top_dropped(t), 5000);
	/* Later names find room again. */
	assert_int_equal(ctl_top_compute(t, 3 * S, &rows, &n), 0);
	assert_int_equal(n, 0);
	json_array_clear(spans);
	add(spans, "p", "fresh", "ok", 1);
	assert_int_equal(ctl_top_add(t, spans, 0, 3 * S), 0);
	assert_int_equal(ctl_top_compute(t, 3 * S, &rows, &n), 0);
	assert_int_equal(n, 1);
	json_decref(spans);
	ctl_top_free(t);
}

static void too_many_samples(void **state)
{
	struct ctl_top *t = ctl_top_new(S);
	json_t *spans = json_array();
	struct ctl_top_row *rows;
	size_t n;

	(void)state;
	for (int i = 0; i < 10000; i++)
		add(spans, "p", i % 2 ? "a" : "b", "ok", i);
	for (int i = 0; i < 30; i++)
		assert_int_equal(ctl_top_add(t, spans, 0, S), 0);
	assert_int_equal(ctl_top_compute(t, S, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_true(ctl_top_dropped(t) > 0);
	assert_int_equal(rows[0].spans + rows[1].spans + ctl_top_dropped(t), 300000);
	json_decref(spans);
	ctl_top_free(t);
}

/* An answer with holes in it does no harm. */
static void strange_spans(void **state)
{
	struct ctl_top *t = ctl_top_new(S);
	json_t *spans = json_loads("[{}, 1, null, {\"name\": 5, \"duration\": \"x\"}]", 0, NULL);
	struct ctl_top_row *rows;
	size_t n;

	(void)state;
	assert_int_equal(ctl_top_add(t, spans, 0, S), 0);
	assert_int_equal(ctl_top_compute(t, S, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].spans, 4);
	assert_int_equal(rows[0].answered, 0);
	json_decref(spans);
	ctl_top_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_latencies), cmocka_unit_test(window),
		cmocka_unit_test(too_many_rows),      cmocka_unit_test(too_many_samples),
		cmocka_unit_test(strange_spans),      cmocka_unit_test(missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "tracer.h"

static void every_entry_has_its_own_name(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < LG_MAX; i++) {
		const char *name = ledger_name(i);

		assert_non_null(name);
		assert_true(*name);
		for (k = 0; name[k]; k++)
			assert_true(islower(name[k]) || name[k] == '_');
		for (k = 0; k < i; k++)
			assert_string_not_equal(name, ledger_name(k));
	}
	assert_null(ledger_name(LG_MAX));
	assert_string_equal(ledger_name(LG_REQUESTS), "requests");
	assert_string_equal(ledger_name(LG_REQ_LOST_EVICTED), "req_lost_evicted");
	assert_string_equal(ledger_name(LG_BYTES_CONTENDED), "bytes_contended");
	assert_string_equal(ledger_name(LG_FILTERED), "filtered");
}

/*
 * The name tells which equation an entry belongs to: one more of it must show as a gap of exactly
 * one in that equation, and in no other.
 */
static void each_reason_counts_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < LG_MAX; i++) {
		const char *n = ledger_name(i);
		uint64_t l[LG_MAX] = { 0 };
		int requests = 0, responses = 0, bytes = 0;

		if (!strcmp(n, "requests"))
			requests = 1;
		else if (!strncmp(n, "req_", 4) || !strcmp(n, "no_response") ||
			 !strcmp(n, "oneway"))
			requests = -1;
		else if (!strcmp(n, "responses"))
			responses = 1;
		else if (!strncmp(n, "resp_", 5) || !strcmp(n, "pushed"))
			responses = -1;
		else if (!strcmp(n, "spans"))
			requests = responses = -1;
		else if (!strcmp(n, "bytes"))
			bytes = 1;
		else if (!strncmp(n, "bytes_", 6))
			bytes = -1;
		l[i] = 1;
		assert_int_equal(ledger_requests_gap(l, 0), requests);
		assert_int_equal(ledger_responses_gap(l), responses);
		assert_int_equal(ledger_bytes_gap(l), bytes);
	}
}

static void books_balance(void **state)
{
	uint64_t l[LG_MAX] = {
		[LG_REQUESTS] = 1000,
		[LG_RESPONSES] = 960,
		[LG_SPANS] = 900,
		[LG_NO_RESPONSE] = 20,
		[LG_ONEWAY] = 5,
		[LG_PUSHED] = 40,
		[LG_REQ_LOST_RING_FULL] = 15,
		[LG_REQ_SAMPLED] = 50,
		[LG_RESP_RING_FULL] = 15,
		[LG_RESP_ORPHAN] = 5,
		[LG_BYTES] = 1ULL << 60,
		[LG_BYTES_MESSAGE] = (1ULL << 60) - 7,
		[LG_BYTES_UNCLASSIFIED] = 7,
		[LG_CONNS] = 33,
	};

	(void)state;
	assert_int_equal(ledger_requests_gap(l, 10), 0);
	assert_int_equal(ledger_requests_gap(l, 12), -2);
	assert_int_equal(ledger_responses_gap(l), 0);
	assert_int_equal(ledger_bytes_gap(l), 0);
	l[LG_BYTES_UNCLASSIFIED] = 0;
	assert_int_equal(ledger_bytes_gap(l), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_has_its_own_name),
		cmocka_unit_test(each_reason_counts_once),
		cmocka_unit_test(books_balance),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}

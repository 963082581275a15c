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

/* A status with everything at rest; tests change what they are about. */
static json_t *healthy(void)
{
	return json_loads(
		"{\"agent\": {\"status\": \"running\", \"name\": \"host\", \"version\": \"1.2.3\","
		" \"uptime\": 3, \"reasons\": []},"
		" \"ebpf\": {\"programs_loaded\": 12, \"maps\": 9, \"kernel\": \"6.1.0\", \"hooks\":"
		" \"syscall\", \"map_memory\": 1000, \"ring_size\": 2000, \"ring_used\": 0,"
		" \"recursion_misses\": 0, \"connections\": 4},"
		" \"collection\": {\"spans_collected\": 77, \"spans_per_second\": 2.5,"
		" \"bad_records\": 0},"
		" \"ledger\": {\"requests\": 80, \"responses\": 77, \"spans\": 77, \"no_response\": 1,"
		" \"oneway\": 0, \"pushed\": 0, \"req_lost_ring_full\": 0, \"req_lost_desync\": 0,"
		" \"resp_orphan\": 0, \"bytes\": 5000, \"bytes_message\": 5000, \"bytes_desync\": 0,"
		" \"gaps\": 0, \"open\": 2, \"settled\": true,"
		" \"balance\": {\"requests\": 0, \"responses\": 0, \"bytes\": 0}},"
		" \"sender\": {\"retry_queue_size\": 0, \"queues\": [{\"name\": \"spans\", \"kind\":"
		" \"file\", \"queued\": 0, \"written\": 77, \"dropped\": 0, \"failed\": 0, \"bytes\":"
		" 9000, \"last_error\": null}]},"
		" \"correlation\": {\"algorithm\": \"link\", \"correlation_rate\": null}}",
		0, NULL);
}

static void set(json_t *v, const char *path, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(ctl_get(v, path), key, value), 0);
}

static char *print(json_t *v)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ctl_print_status(f, v);
	fclose(f);
	json_decref(v);
	return text;
}

static void has(const char *text, const char *part, bool wanted)
{
	if (!strstr(text, part) == wanted)
		fail_msg("%s \"%s\" in:\n%s", wanted ? "no" : "unexpected", part, text);
}

static void quiet_when_healthy(void **state)
{
	char *text = print(healthy());

	(void)state;
	has(text, "running", true);
	has(text, "spand 1.2.3", true);
	has(text, "12 programs", true);
	has(text, "77 collected, 2.5/s", true);
	has(text, "80 = 77 spans + 1 unanswered + 0 one-way + 2 open", true);
	has(text, "balance      exact", true);
	has(text, "!!", false);
	/* Reasons that are zero are not worth a line. */
	has(text, "req_lost_ring_full", false);
	has(text, "gaps", false);
	has(text, "bytes_desync", false);
	has(text, "bytes_message", true);
	free(text);
}

static void losses_are_loud(void **state)
{
	json_t *v = healthy();
	char *text;

	(void)state;
	set(v, "ledger", "req_lost_ring_full", json_integer(5));
	set(v, "ledger", "req_lost_desync", json_integer(2));
	set(v, "ledger", "resp_orphan", json_integer(3));
	text = print(v);
	has(text, "!! 7 requests did not become spans", true);
	has(text, "req_lost_ring_full       5", true);
	has(text, "resp_orphan              3", true);
	free(text);
}

static void imbalance_is_loud(void **state)
{
	json_t *v = healthy();
	char *text;

	(void)state;
	set(v, "ledger.balance", "requests", json_integer(-4));
	text = print(v);
	has(text, "!! the books do not balance: -4 requests", true);
	has(text, "WRONG", true);
	free(text);
	/* While traffic moves, a gap says nothing. */
	v = healthy();
	set(v, "ledger.balance", "requests", json_integer(-4));
	set(v, "ledger", "settled", json_false());
	text = print(v);
	has(text, "!!", false);
	has(text, "exact", false);
	has(text, "not known", true);
	free(text);
}

static void other_troubles(void **state)
{
	json_t *v = healthy();
	char *text;

	(void)state;
	json_array_append_new(ctl_get(v, "agent.reasons"), json_string("a bad \033 thing"));
	set(v, "collection", "bad_records", json_integer(9));
	set(v, "ebpf", "recursion_misses", json_integer(6));
	set(json_array_get(ctl_get(v, "sender.queues"), 0), "", "dropped", json_integer(8));
	text = print(v);
	has(text, "!! a bad \\x1b thing", true);
	has(text, "!! 9 records could not be read", true);
	has(text, "!! the kernel skipped 6", true);
	has(text, "!! sender spans lost spans: 8 queue full, 0 failed", true);
	free(text);
	v = healthy();
	set(v, "", "ledger", json_null());
	text = print(v);
	has(text, "!! the ledger can't be read", true);
	free(text);
}

/* An older or newer daemon may leave things out. */
static void empty_answer(void **state)
{
	char *text = print(json_object());

	(void)state;
	has(text, "ledger can't be read", true);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_when_healthy), cmocka_unit_test(losses_are_loud),
		cmocka_unit_test(imbalance_is_loud),  cmocka_unit_test(other_troubles),
		cmocka_unit_test(empty_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

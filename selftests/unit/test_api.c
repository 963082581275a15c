/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routing, refusals before a handler, /health, /status, /config. */
#include "fake_api.h"

static void test_health(void **state UNUSED)
{
	unsigned status;
	json_t *v = ask("GET", "/health", NULL, &status);

	assert_int_equal(status, 200);
	json_decref(v);
	fake_tracer.info.programs = 0;
	v = ask("GET", "/health", NULL, &status);
	assert_refused(v, status, 503, "");
	fake_tracer.info.programs = 7;
	fake_tracer.info_error = -EIO;
	v = ask("GET", "/health", NULL, &status);
	assert_refused(v, status, 503, "");
	fake_daemon.tracer = NULL;
	v = ask("HEAD", "/health", NULL, &status);
	assert_refused(v, status, 503, "");
}

static void test_unknown_paths(void **state UNUSED)
{
	static const char *const paths[] = { "/",
					     "",
					     "/status/",
					     "/Status",
					     "/api",
					     "/api/traces",
					     "/api/traces/1",
					     "/api/config",
					     "/\xff\"" };
	unsigned status;
	json_t *v;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		v = ask("GET", paths[i], NULL, &status);
		assert_refused(v, status, 404, "");
		v = ask("POST", paths[i], NULL, &status);
		assert_refused(v, status, 404, "");
	}
}

static void test_methods(void **state UNUSED)
{
	static const char *const gets[] = { "/health", "/status",  "/processes",
					    "/config", "/metrics", "/api/spans" };
	static const char *const others[] = { "POST", "PUT", "DELETE", "OPTIONS", "get", "" };
	struct api_request req = {};
	char allow[32];
	unsigned status;
	json_t *v;

	for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++) {
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
			req = (struct api_request){ .method = others[j], .path = gets[i] };
			v = ask_full(&req, &status, allow);
			assert_refused(v, status, 405, "");
			assert_string_equal(allow, "GET, HEAD");
		}
		req.method = "HEAD";
		json_decref(ask_full(&req, &status, allow));
		assert_int_equal(status, 200);
		assert_string_equal(allow, "");
	}
	req = (struct api_request){ .method = "GET", .path = "/api/config/update" };
	v = ask_full(&req, &status, allow);
	assert_refused(v, status, 405, "");
	assert_string_equal(allow, "POST");
}

static void test_parameters(void **state UNUSED)
{
	unsigned status;
	json_t *v;

	v = ask("GET", "/status", "x=1", &status);
	assert_refused(v, status, 400, "x");
	v = ask("GET", "/api/spans", "limit=1&protcol=http", &status);
	assert_refused(v, status, 400, "protcol");
	v = ask("GET", "/api/spans", "limit=1&since=1&limit=2", &status);
	assert_refused(v, status, 400, "limit");
	v = ask("GET", "/api/spans", "\xff=1", &status);
	assert_refused(v, status, 400, "?");
}

static void test_status(void **state UNUSED)
{
	struct sink *sink = NULL;
	unsigned status;
	json_t *v, *q;

	assert_int_equal(sink_null_new(&sink), 0);
	fake_daemon.sinks = calloc(1, sizeof(fake_daemon.sinks[0]));
	fake_daemon.sinks[0] = sink;
	fake_daemon.n_sinks = 1;
	atomic_store(&fake_daemon.spans, 41);
	atomic_store(&fake_daemon.spans_per_second, 2.5);
	for (int i = 0; i < LG_MAX; i++)
		fake_tracer.ledger[i] = 1000 + i;
	fake_tracer.ledger[LG_REQUESTS] = 0;
	v = ask("GET", "/status", NULL, &status);
	assert_int_equal(status, 200);
	assert_text(v, "agent.status", "running");
	assert_text(v, "agent.name", "unit");
	assert_text(v, "agent.version", SPAND_VERSION);
	assert_number(v, "agent.uptime", 0);
	assert_number(v, "ebpf.programs_loaded", 7);
	assert_number(v, "ebpf.maps", 9);
	assert_text(v, "ebpf.kernel", "6.1.0-test");
	assert_text(v, "ebpf.hooks", "socket");
	assert_number(v, "ebpf.map_memory", 50000000);
	assert_number(v, "ebpf.ring_size", 16777216);
	assert_number(v, "ebpf.ring_used", 4096);
	assert_number(v, "ebpf.recursion_misses", 1);
	assert_number(v, "collection.spans_collected", 41);
	assert_true(json_real_value(at(v, "collection.spans_per_second")) == 2.5);
	assert_number(v, "collection.bad_records", 0);
	for (int i = 0; i < LG_MAX; i++)
		assert_int_equal(json_integer_value(
					 json_object_get(at(v, "ledger"), ledger_name(i))),
				 i == LG_REQUESTS ? 0 : 1000 + i);
	assert_number(v, "ledger.open", 2);
	assert_number(v, "ledger.balance.requests",
		      ledger_requests_gap(fake_tracer.ledger, fake_tracer.info.open));
	assert_true(json_integer_value(at(v, "ledger.balance.requests")) < -3000);
	assert_number(v, "ledger.balance.responses", ledger_responses_gap(fake_tracer.ledger));
	assert_number(v, "ledger.balance.bytes", ledger_bytes_gap(fake_tracer.ledger));
	assert_true(json_is_true(at(v, "ledger.settled")));
	assert_number(v, "sender.retry_queue_size", 0);
	assert_int_equal(json_array_size(at(v, "sender.queues")), 1);
	q = json_array_get(at(v, "sender.queues"), 0);
	assert_text(q, "name", sink_name(sink));
	assert_text(q, "kind", "null");
	assert_number(q, "queued", 0);
	assert_number(q, "written", 0);
	assert_number(q, "dropped", 0);
	assert_number(q, "failed", 0);
	assert_number(q, "bytes", 0);
	assert_text(v, "correlation.algorithm", "link");
	assert_number(v, "correlation.spans_processed", 41);
	assert_number(v, "correlation.traces_generated", 0);
	assert_true(json_is_null(at(v, "correlation.correlation_rate")));
	json_decref(v);
}

static void assert_degraded(unsigned reasons)
{
	unsigned status;
	json_t *v = ask("GET", "/status", NULL, &status);

	assert_int_equal(status, 200);
	assert_text(v, "agent.status", "degraded");
	assert_int_equal(json_array_size(at(v, "agent.reasons")), reasons);
	json_decref(v);
}

static void test_status_degraded(void **state UNUSED)
{
	unsigned status;
	json_t *v;

	fake_tracer.ledger_error = -EIO;
	assert_degraded(1);
	v = ask("GET", "/status", NULL, &status);
	assert_true(json_is_null(at(v, "ledger"))); /* unknown, so not zeros */
	json_decref(v);
	atomic_store(&fake_daemon.bad_records, 1);
	assert_degraded(2);
	fake_daemon.tracer = NULL;
	assert_degraded(2);
	v = ask("GET", "/status", NULL, &status);
	assert_number(v, "ebpf.programs_loaded", 0);
	assert_true(json_is_null(at(v, "ebpf.hooks")));
	assert_true(json_string_length(at(v, "ebpf.kernel")) > 0);
	json_decref(v);
}

static void test_status_settles(void **state UNUSED)
{
	unsigned status;
	json_t *v;

	fake_tracer.moving = 3; /* two reads a try: the second is quiet */
	v = ask("GET", "/status", NULL, &status);
	assert_true(json_is_true(at(v, "ledger.settled")));
	assert_number(v, "ledger.bytes", 3);
	json_decref(v);
	fake_tracer.moving = 1000;
	v = ask("GET", "/status", NULL, &status);
	assert_true(json_is_false(at(v, "ledger.settled")));
	json_decref(v);
}

static void test_status_odd_values(void **state UNUSED)
{
	unsigned status;
	json_t *v;

	set_string(&fake_daemon.cfg->agent_name, "caf\xe9");
	atomic_store(&fake_daemon.spans_per_second, 0.0 / 0.0);
	fake_daemon.started_unix = UINT64_MAX; /* the clock was set back */
	v = ask("GET", "/status", NULL, &status);
	assert_int_equal(status, 200);
	assert_text(v, "agent.name", "caf?");
	assert_number(v, "agent.uptime", 0);
	json_decref(v);
}

static void test_config_masked(void **state UNUSED)
{
	unsigned status;
	json_t *v;
	char *text;

	set_string(&fake_daemon.cfg->api.token, "s3cr3t-t0ken");
	v = ask("GET", "/config", NULL, &status);
	assert_int_equal(status, 200);
	assert_true(json_is_object(at(v, "api")));
	text = json_dumps(v, 0);
	assert_null(strstr(text, "s3cr3t"));
	free(text);
	json_decref(v);
}

static void test_host(void **state UNUSED)
{
	static const char *const good[] = { "localhost",    "LOCALHOST:7899", "127.0.0.1",
					    "127.0.0.1:1",  "[::1]",	      "[::1]:7899",
					    "127.1.2.3:80", "localhost:" };
	static const char *const bad[] = { "",
					   "example.org",
					   "localhost.example.org",
					   "127.0.0.1.example.org",
					   "evil:7899",
					   "[::1",
					   "::1",
					   "[::2]",
					   "10.0.0.1",
					   "localhost:80x",
					   "localhost:1234567",
					   "127.0.0.1@evil",
					   "localhost evil",
					   "[localhost]evil" };
	struct api_request req = { .method = "GET", .path = "/health" };
	unsigned status;
	json_t *v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		req.host = good[i];
		json_decref(ask_full(&req, &status, NULL));
		assert_int_equal(status, 200);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		req.host = bad[i];
		v = ask_full(&req, &status, NULL);
		assert_refused(v, status, 403, "");
	}
	/* Elsewhere the names that lead here are not ours to know. */
	set_string(&fake_daemon.cfg->api.address, "0.0.0.0");
	req.host = "tracer.example.org:7899";
	json_decref(ask_full(&req, &status, NULL));
	assert_int_equal(status, 200);
}

static void test_loopback(void **state UNUSED)
{
	assert_true(api_is_loopback("127.0.0.1"));
	assert_true(api_is_loopback("127.255.0.9"));
	assert_true(api_is_loopback("::1"));
	assert_true(api_is_loopback("::ffff:127.0.0.1"));
	assert_true(api_is_loopback("localhost"));
	assert_false(api_is_loopback("0.0.0.0"));
	assert_false(api_is_loopback("::"));
	assert_false(api_is_loopback("128.0.0.1"));
	assert_false(api_is_loopback("::ffff:10.0.0.1"));
	assert_false(api_is_loopback("127.0.0.1 "));
	assert_false(api_is_loopback(""));
}

static void test_origin(void **state UNUSED)
{
	assert_true(api_origin_is_loopback("http://localhost:3000"));
	assert_true(api_origin_is_loopback("https://[::1]"));
	assert_false(api_origin_is_loopback("null"));
	assert_false(api_origin_is_loopback("http://example.org"));
	assert_false(api_origin_is_loopback("http://localhost.example.org"));
	assert_false(api_origin_is_loopback("localhost"));
	assert_false(api_origin_is_loopback("file://localhost"));
}

static void test_token_equal(void **state UNUSED)
{
	assert_true(api_token_equal("abc", "abc"));
	assert_false(api_token_equal("abc", "abd"));
	assert_false(api_token_equal("abc", "ab"));
	assert_false(api_token_equal("abc", "abcabc"));
	assert_false(api_token_equal("abc", ""));
	assert_false(api_token_equal("", ""));
	assert_false(api_token_equal("", "a"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_health),	   TEST(test_unknown_paths),
		TEST(test_methods),	   TEST(test_parameters),
		TEST(test_status),	   TEST(test_status_degraded),
		TEST(test_status_settles), TEST(test_status_odd_values),
		TEST(test_config_masked),  TEST(test_host),
		TEST(test_loopback),	   TEST(test_origin),
		TEST(test_token_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

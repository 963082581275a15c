/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* POST /api/config/update: who may, what is refused, and that a refusal changes nothing. */
#include "fake_api.h"

static struct api_request request(const char *body)
{
	return (struct api_request){ .method = "POST",
				     .path = "/api/config/update",
				     .body = body,
				     .body_len = strlen(body) };
}

/* Sends body; the answer must be a refusal that leaves the configuration as it was. */
static void refused(const struct api_request *req, unsigned want, const char *field)
{
	struct config *before = fake_daemon.cfg;
	unsigned status, rate = before->trace.sampling_rate;
	json_t *v = ask_full(req, &status, NULL);

	assert_refused(v, status, want, field);
	assert_ptr_equal(fake_daemon.cfg, before);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, rate);
	assert_int_equal(fake_tracer.applied, 0);
}

static void accepted(const struct api_request *req)
{
	unsigned status;
	json_t *v = ask_full(req, &status, NULL);

	assert_int_equal(status, 200);
	assert_true(json_is_object(v));
	json_decref(v);
}

#define GOOD "{\"trace\": {\"sampling_rate\": 5}}"

static void test_applied(void **state UNUSED)
{
	struct api_request req = request(GOOD);
	unsigned status;
	json_t *v, *shown;

	v = ask_full(&req, &status, NULL);
	assert_int_equal(status, 200);
	assert_number(v, "trace.sampling_rate", 5);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 5);
	assert_int_equal(fake_tracer.applied, 1);
	shown = ask("GET", "/config", NULL, &status);
	assert_true(json_equal(v, shown));
	json_decref(shown);
	json_decref(v);
}

static void test_not_json(void **state UNUSED)
{
	static const char *const bad[] = { "",
					   "{",
					   "trace=1",
					   "{\"trace\": {}} x",
					   "{\"trace\": {\"sampling_rate\": 5}, \"trace\": {}}",
					   "{\"agent\": {\"name\": \"\\u0000\"}}",
					   "{\"agent\": {\"name\": \"\xff\"}}",
					   "[]",
					   "null",
					   "5" };
	struct api_request req;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		req = request(bad[i]);
		refused(&req, 400, "");
	}
	req = request("");
	req.body = NULL;
	refused(&req, 400, "");
}

static void test_deep_json(void **state UNUSED)
{
	struct api_request req;
	char *body = malloc(60001);

	memset(body, '[', 60000);
	body[60000] = '\0';
	req = request(body);
	refused(&req, 400, "");
	free(body);
}

static void test_bad_fields(void **state UNUSED)
{
	struct api_request req = request("{\"trace\": {\"sampling_rate\": \"many\"}}");
	unsigned status;
	json_t *v;

	refused(&req, 400, "trace.sampling_rate");
	req = request("{\"trace\": {\"nonsense\": 1}}");
	refused(&req, 400, "trace.nonsense");
	v = ask_full(&req, &status, NULL);
	assert_int_equal(json_array_size(at(v, "errors")), 1);
	json_decref(v);
}

static void test_restart_needed(void **state UNUSED)
{
	struct api_request req = request("{\"api\": {\"port\": 1234}}");

	refused(&req, 409, "api.port");
}

static void test_apply_fails(void **state UNUSED)
{
	struct api_request req = request(GOOD);

	fake_tracer.apply_error = -E2BIG;
	fake_tracer.apply_text = "trace.ports: too many";
	refused(&req, 400, "trace.ports");
	fake_tracer.apply_text = "no colon and no field";
	refused(&req, 400, "");
	fake_tracer.apply_error = -ENOMEM;
	refused(&req, 500, "");
	fake_tracer.apply_error = 0;
	atomic_store(&fake_daemon.busy, true);
	refused(&req, 503, "");
	atomic_store(&fake_daemon.busy, false);
	accepted(&req);
}

static void test_content_type(void **state UNUSED)
{
	static const char *const bad[] = { "text/plain",
					   "application/x-www-form-urlencoded",
					   "",
					   "application/jsonx",
					   "json",
					   "application/+json",
					   "multipart/form-data; boundary=application/json" };
	static const char *const good[] = { "application/json", "Application/JSON; charset=utf-8",
					    "application/merge-patch+json" };
	struct api_request req = request(GOOD);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		req.content_type = bad[i];
		refused(&req, 415, "");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		req.content_type = good[i];
		accepted(&req);
	}
}

static void test_origin(void **state UNUSED)
{
	struct api_request req = request(GOOD);

	req.origin = "http://example.org";
	refused(&req, 403, "");
	req.origin = "null";
	refused(&req, 403, "");
	req.origin = "http://localhost:8080";
	accepted(&req);
}

static void test_token_on_loopback(void **state UNUSED)
{
	struct api_request req = request(GOOD);

	req.token = "not needed";
	accepted(&req);
	fake_tracer.applied = 0;
	set_string(&fake_daemon.cfg->api.token, "open-sesame");
	refused(&req, 401, "");
	req.token = NULL;
	refused(&req, 401, "");
	req.token = "";
	refused(&req, 401, "");
	req.token = "open-sesame";
	accepted(&req);
}

static void test_token_elsewhere(void **state UNUSED)
{
	struct api_request req = request(GOOD);

	set_string(&fake_daemon.cfg->api.address, "0.0.0.0");
	refused(&req, 403, "api.token");
	req.token = "";
	refused(&req, 403, "api.token");
	set_string(&fake_daemon.cfg->api.token, "");
	refused(&req, 403, "api.token");
	set_string(&fake_daemon.cfg->api.token, "open-sesame");
	refused(&req, 401, "");
	req.token = "open-sesame";
	accepted(&req);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_applied),	    TEST(test_not_json),       TEST(test_deep_json),
		TEST(test_bad_fields),	    TEST(test_restart_needed), TEST(test_apply_fails),
		TEST(test_content_type),    TEST(test_origin),	       TEST(test_token_on_loopback),
		TEST(test_token_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* GET /api/spans: parameters, order, and the streamed body. */
#include "fake_api.h"

/* The list of spans that a query answers (new reference). */
static json_t *spans(const char *query)
{
	unsigned status;
	json_t *v = ask("GET", "/api/spans", query, &status), *list;

	assert_int_equal(status, 200);
	assert_non_null(v);
	list = json_incref(at(v, "spans"));
	assert_true(json_is_array(list));
	json_decref(v);
	return list;
}

static size_t count(const char *query)
{
	json_t *list = spans(query);
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

static void test_none(void **state UNUSED)
{
	assert_int_equal(count(NULL), 0);
}

static void test_order_and_limit(void **state UNUSED)
{
	struct fake_span f = {};
	json_t *list;

	for (unsigned i = 1; i <= 250; i++) {
		f.start_ns = i * 1000;
		assert_int_equal(add_span(&f), i);
	}
	list = spans(NULL);
	assert_int_equal(json_array_size(list), 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_number(json_array_get(list, i), "seq", 250 - i);
		assert_number(json_array_get(list, i), "start_time", (250 - i) * 1000);
	}
	json_decref(list);
	assert_int_equal(count("limit=1"), 1);
	assert_int_equal(count("limit=250"), 250);
	assert_int_equal(count("limit=10000"), 250);
	assert_int_equal(count("limit=10000&since=200000"), 51);
	list = spans("limit=10000&after_seq=240");
	assert_int_equal(json_array_size(list), 10);
	assert_number(json_array_get(list, 9), "seq", 241);
	json_decref(list);
}

static void test_filters(void **state UNUSED)
{
	char query[128];

	add_span(&(struct fake_span){ .name = "GET /a", .comm = "nginx", .tgid = 77, .kind = 0 });
	add_span(&(struct fake_span){ .name = "GET /b", .status = SPAN_ERROR, .dur_ns = 5000000 });
	add_span(&(struct fake_span){ .name = "PUT /a", .status = SPAN_NO_RESPONSE });
	assert_int_equal(count("name=/a"), 2);
	assert_int_equal(count("status=ok"), 1);
	assert_int_equal(count("status=error"), 1);
	assert_int_equal(count("status=no_response"), 1);
	assert_int_equal(count("min_duration=5000000"), 1);
	assert_int_equal(count("min_duration=5000001"), 0);
	assert_int_equal(count("process=nginx"), 1);
	assert_int_equal(count("process=77"), 1);
	assert_int_equal(count("process=nobody"), 0);
	snprintf(query, sizeof(query), "protocol=%s&status=error", stats_proto_label(1));
	assert_int_equal(count(query), 1);
	for (char *c = query + 9; *c != '&'; c++)
		*c = *c >= 'a' && *c <= 'z' ? *c - 32 : *c;
	assert_int_equal(count(query), 1);
}

static void test_bad_parameters(void **state UNUSED)
{
	static const struct {
		const char *query, *field;
	} bad[] = {
		{ "limit=0", "limit" },
		{ "limit=10001", "limit" },
		{ "limit=-1", "limit" },
		{ "limit=+1", "limit" },
		{ "limit= 1", "limit" },
		{ "limit=1x", "limit" },
		{ "limit=0x10", "limit" },
		{ "limit=", "limit" },
		{ "limit", "limit" },
		{ "limit=18446744073709551617", "limit" },
		{ "since=yesterday", "since" },
		{ "since=18446744073709551616", "since" },
		{ "after_seq=1.5", "after_seq" },
		{ "min_duration=5ms", "min_duration" },
		{ "protocol=gopher", "protocol" },
		{ "protocol=", "protocol" },
		{ "status=OK", "status" },
		{ "status=oneway", "status" },
		{ "process=", "process" },
		{ "name=", "name" },
	};
	unsigned status;
	json_t *v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v = ask("GET", "/api/spans", bad[i].query, &status);
		assert_refused(v, status, 400, bad[i].field);
	}
	assert_int_equal(count("since=18446744073709551615"), 0);
}

/* Both prefixes full of bytes that JSON must escape: longer than the first buffer. */
static void test_large_spans(void **state UNUSED)
{
	struct fake_span f = { .captured = SPAND_CAPTURE_MAX };
	json_t *list;
	char *text;

	for (int i = 0; i < 3; i++)
		add_span(&f);
	list = spans(NULL);
	assert_int_equal(json_array_size(list), 3);
	text = json_dumps(json_array_get(list, 0), 0);
	assert_true(strlen(text) > 4096);
	free(text);
	json_decref(list);
}

/* The stream must be the same however it is cut. */
static void test_stream_cuts(void **state UNUSED)
{
	struct api_request req = { .method = "GET", .path = "/api/spans" };
	struct api_response res, whole;
	struct api_stream *s;
	char *text, buf[7];
	size_t n = 0;
	ssize_t r;

	for (int i = 0; i < 5; i++)
		add_span(&(struct fake_span){ .captured = i * 100 });
	api_handle(&fake_daemon, &req, &whole);
	assert_int_equal(whole.status, 200);
	text = malloc(whole.len + sizeof(buf));
	api_route(&fake_daemon, &req, &res, &s);
	assert_non_null(s);
	while ((r = api_stream_read(s, buf, sizeof(buf))) > 0) {
		assert_true(n + r <= whole.len);
		memcpy(text + n, buf, r);
		n += r;
	}
	assert_int_equal(r, 0);
	assert_int_equal(api_stream_read(s, buf, sizeof(buf)), 0);
	assert_int_equal(n, whole.len);
	assert_memory_equal(text, whole.body, n);
	api_stream_free(s);
	free(text);
	free(whole.body);
}

/* Answers that nobody reads hold spans: beyond a bound the next one is refused, not served. */
static void test_pinned_bound(void **state UNUSED)
{
	struct api_request req = { .method = "GET",
				   .path = "/api/spans",
				   .arg = fake_arg,
				   .arg_name = fake_arg_name,
				   .ctx = "limit=10000" };
	struct api_stream *held[8];
	struct api_response res;
	char buf[16];
	size_t n = 0;

	for (unsigned i = 0; i < API_SPANS_MAX; i++)
		add_span(&(struct fake_span){});
	for (; n < 8; n++) {
		api_route(&fake_daemon, &req, &res, &held[n]);
		if (!held[n])
			break;
	}
	assert_int_equal(n, 4);
	assert_int_equal(res.status, 503);
	free(res.body);
	assert_true(api_stream_read(held[0], buf, sizeof(buf)) > 0);
	while (n)
		api_stream_free(held[--n]); /* half-read and unread: all is given back */
	assert_int_equal(count("limit=10000"), 10000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),	   TEST(test_order_and_limit), TEST(test_filters),
		TEST(test_bad_parameters), TEST(test_large_spans),     TEST(test_stream_cuts),
		TEST(test_pinned_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

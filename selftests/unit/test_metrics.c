/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* GET /metrics against the grammar of the text format 0.0.4, and the numbers in it. */
#include <ctype.h>

#include "fake_api.h"
#include "metrics.h"

static char *fetch(void)
{
	struct api_request req = { .method = "GET", .path = "/metrics" };
	struct api_response res;

	api_handle(&fake_daemon, &req, &res);
	assert_int_equal(res.status, 200);
	assert_string_equal(res.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_int_equal(strlen(res.body), res.len);
	assert_true(res.len && res.body[res.len - 1] == '\n');
	return res.body;
}

static size_t name_len(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':')
		n++;
	assert_true(n && !isdigit((unsigned char)s[0]));
	return n;
}

/* name{label="value",...} number: returns past the labels. */
static const char *check_labels(const char *s)
{
	for (s++; *s != '}'; s += *s == ',') {
		s += name_len(s);
		assert_true(s[0] == '=' && s[1] == '"');
		for (s += 2; *s != '"'; s++) {
			assert_true(*s && *s != '\n');
			if (*s == '\\')
				assert_true(strchr("\\\"n", *++s) && *s);
		}
		s++;
		assert_true(*s == ',' || *s == '}');
	}
	return s + 1;
}

/* The sample's family: what stands in its TYPE line. */
static bool in_family(const char *name, size_t n, const char *family, const char *type)
{
	static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
	size_t f = strlen(family);

	if (n < f || strncmp(name, family, f))
		return false;
	if (strcmp(type, "histogram"))
		return n == f;
	for (int i = 0; i < 3; i++)
		if (n - f == strlen(suffixes[i]) && !strncmp(name + f, suffixes[i], n - f))
			return true;
	return false;
}

/* Every line by the grammar; each family once, HELP and TYPE before its samples. */
static unsigned check_grammar(const char *text)
{
	char family[128] = "", type[32] = "", seen[128][128], *end;
	unsigned families = 0, samples = 0;
	const char *p;
	size_t n;

	for (; *text; text = strchr(text, '\n') + 1) {
		if (!strncmp(text, "# HELP ", 7)) {
			n = name_len(text + 7);
			snprintf(family, sizeof(family), "%.*s", (int)n, text + 7);
			assert_int_equal(strncmp(family, "spand_", 6), 0);
			for (unsigned i = 0; i < families; i++)
				assert_string_not_equal(seen[i], family);
			assert_true(families < 128);
			strcpy(seen[families++], family);
			*type = '\0';
			continue;
		}
		if (*text == '#') {
			assert_string_equal(type, "");
			assert_int_equal(strncmp(text, "# TYPE ", 7), 0);
			assert_int_equal(strncmp(text + 7, family, strlen(family)), 0);
			assert_int_equal(sscanf(text + 7 + strlen(family), " %31[a-z]\n", type), 1);
			assert_true(!strcmp(type, "counter") || !strcmp(type, "gauge") ||
				    !strcmp(type, "histogram"));
			/* The convention: counters, and only they, end in _total. */
			n = strlen(family);
			assert_int_equal(!strcmp(type, "counter"),
					 n > 6 && !strcmp(family + n - 6, "_total"));
			continue;
		}
		n = name_len(text);
		assert_true(in_family(text, n, family, type));
		p = text[n] == '{' ? check_labels(text + n) : text + n;
		assert_int_equal(*p, ' ');
		assert_false(isspace((unsigned char)p[1]));
		strtod(p + 1, &end);
		assert_true(end > p + 1 && *end == '\n');
		samples++;
	}
	return samples;
}

/* The value of a whole series "name{labels}"; fails when it is not there, or there twice. */
static double value(const char *text, const char *series)
{
	const char *hit = NULL;
	size_t n = strlen(series);

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, series, n) && line[n] == ' ') {
			assert_null(hit);
			hit = line + n;
		}
	}
	if (!hit)
		fail_msg("no series %s", series);
	return strtod(hit, NULL);
}

static void test_numbers(void **state UNUSED)
{
	char series[128], *text;

	for (int i = 0; i < LG_MAX; i++)
		fake_tracer.ledger[i] = 70000 + i;
	fake_tracer.ledger[LG_BYTES] = (1ULL << 63) + 1;
	atomic_store(&fake_daemon.spans, 41);
	atomic_store(&fake_daemon.bad_records, 3);
	text = fetch();
	assert_true(check_grammar(text) > LG_MAX);
	for (int i = 0; i < LG_MAX; i++) {
		snprintf(series, sizeof(series), "spand_ledger_total{reason=\"%s\"}",
			 ledger_name(i));
		if (i != LG_BYTES)
			assert_true(value(text, series) == 70000 + i);
	}
	assert_non_null(strstr(text, "{reason=\"bytes\"} 9223372036854775809\n"));
	assert_true(value(text, "spand_ledger_gap{of=\"requests\"}") < 0);
	assert_true(value(text, "spand_spans_collected_total") == 41);
	assert_true(value(text, "spand_bad_records_total") == 3);
	assert_true(value(text, "spand_up") == 1);
	assert_true(value(text, "spand_programs_attached") == 7);
	assert_true(value(text, "spand_ring_size_bytes") == 16777216);
	assert_true(value(text, "spand_ring_used_bytes") == 4096);
	assert_true(value(text, "spand_open_requests") == 2);
	assert_true(value(text, "spand_connections") == 3);
	assert_true(value(text, "spand_recursion_misses_total") == 1);
	assert_true(value(text, "spand_process_resident_memory_bytes") > 1e6);
	snprintf(series, sizeof(series),
		 "spand_build_info{version=\"%s\",kernel=\"6.1.0-test\",hooks=\"socket\"}",
		 SPAND_VERSION);
	assert_true(value(text, series) == 1);
	free(text);
}

/* Without the kernel's side there are no numbers of it, rather than zeros. */
static void test_no_tracer(void **state UNUSED)
{
	char *text;

	fake_daemon.tracer = NULL;
	text = fetch();
	check_grammar(text);
	assert_true(value(text, "spand_up") == 0);
	assert_null(strstr(text, "spand_ledger_"));
	assert_null(strstr(text, "spand_ring_"));
	free(text);
}

static void count_one(unsigned status, unsigned kind, uint64_t dur_ns)
{
	struct span s = { .rec = { .proto = 1, .status = status, .kind = kind, .dur_ns = dur_ns } };

	stats_count(&s);
}

static double protocol_value(const char *text, const char *fmt)
{
	char series[160];

	snprintf(series, sizeof(series), fmt, stats_proto_label(1));
	return value(text, series);
}

static void test_spans_by_kind(void **state UNUSED)
{
	char *text;

	count_one(SPAN_OK, SPAN_CLIENT, 50000); /* on the first bound: le is inclusive */
	count_one(SPAN_OK, SPAN_CLIENT, 50001);
	count_one(SPAN_ERROR, SPAN_CLIENT, 20000000000); /* beyond the last */
	count_one(SPAN_NO_RESPONSE, SPAN_CLIENT, 1);
	count_one(SPAN_ONEWAY, SPAN_CLIENT, 1);
	count_one(SPAN_ONEWAY + 1, SPAN_CLIENT, 1); /* no such status */
	count_one(SPAN_OK, 2, 1);		    /* no such kind */
	text = fetch();
	check_grammar(text);
#define SPANS(k, s)	 "spand_spans_total{protocol=\"%s\",kind=\"" k "\",status=\"" s "\"}"
#define HIST(what, rest) "spand_span_duration_seconds_" what "{protocol=\"%s\",kind=\"client\"" rest
	assert_true(protocol_value(text, SPANS("client", "ok")) == 3);
	assert_true(protocol_value(text, SPANS("client", "error")) == 1);
	assert_true(protocol_value(text, SPANS("client", "no_response")) == 1);
	assert_true(protocol_value(text, SPANS("server", "ok")) == 0);
	assert_true(protocol_value(text, HIST("bucket", ",le=\"5e-05\"}")) == 1);
	assert_true(protocol_value(text, HIST("bucket", ",le=\"0.0001\"}")) == 2);
	assert_true(protocol_value(text, HIST("bucket", ",le=\"10\"}")) == 2);
	assert_true(protocol_value(text, HIST("bucket", ",le=\"+Inf\"}")) == 3);
	assert_true(protocol_value(text, HIST("count", "}")) == 3);
	assert_true(protocol_value(text, HIST("sum", "}")) == 20.000100001);
	assert_null(strstr(text, "duration_seconds_count{protocol=\"http\",kind=\"server\""));
	free(text);
}

static void test_stats_range(void **state UNUSED)
{
	struct stats_series s;

	assert_int_equal(stats_get(0, 0, &s), -EINVAL);
	assert_int_equal(stats_get(PROTO_MAX, 0, &s), -EINVAL);
	assert_int_equal(stats_get(1, 2, &s), -EINVAL);
	assert_int_equal(stats_get(1, 1, &s), 0);
	assert_null(stats_proto_label(PROTO_MAX));
	assert_null(stats_proto_label(0));
	assert_non_null(stats_proto_label(PROTO_MAX - 1));
}

static int null_write(void *ctx UNUSED, struct span *const *spans UNUSED, size_t n UNUSED)
{
	return 0;
}

/* A sender's name is the user's: it may hold whatever TOML allows in a key. */
static void test_label_escapes(void **state UNUSED)
{
	static const struct sink_ops ops = { .kind = "null", .write = null_write };
	struct sink *sink = NULL;
	char *text;

	assert_int_equal(sink_start("a\"b\\c\nd\xff{\xc3\xa9}", &ops, NULL, 16, &sink), 0);
	fake_daemon.sinks = calloc(1, sizeof(fake_daemon.sinks[0]));
	fake_daemon.sinks[0] = sink;
	fake_daemon.n_sinks = 1;
	text = fetch();
	check_grammar(text);
	assert_true(value(text, "spand_sender_written_total{sender=\"a\\\"b\\\\c\\nd?{\xc3\xa9}\","
				"kind=\"null\"}") == 0);
	assert_true(value(text, "spand_sender_dropped_total{sender=\"a\\\"b\\\\c\\nd?{\xc3\xa9}\","
				"kind=\"null\"}") == 0);
	free(text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),	TEST(test_no_tracer),	  TEST(test_spans_by_kind),
		TEST(test_stats_range), TEST(test_label_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

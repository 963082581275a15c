// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Updates as JSON: merging, both dialects, errors, secrets, and what needs a restart. */
#include "test_config_util.h"

#include <errno.h>

static struct config *base;

static const char base_text[] =
	"[agent]\nname = 'a1'\n"
	"[ebpf.trace]\npids = [7]\nenabled_probes = ['sys_enter_read']\nhooks = 'socket'\n"
	"[trace]\nsender = ['file.out', 'elastic.es']\nsampling_rate = 10\nports = [80]\n"
	"include_processes = ['nginx']\n"
	"[capture]\nenabled = true\nmask_patterns = ['[0-9]{16}']\n"
	"[sender.file.out]\npath = '/tmp/x'\nrotate = true\n"
	"[sender.elastic.es]\nnode_urls = ['http://a:9200']\nusername = 'u'\npassword = 'pw1'\n"
	"[api]\ntoken = 'secret-token'\n";

static int setup(void **state)
{
	if (make_file(state))
		return -1;
	base = load_ok(base_text);
	return 0;
}

static int teardown(void **state)
{
	config_free(base);
	return remove_file(state);
}

static int update(const char *json, struct config **out)
{
	json_error_t e;
	json_t *patch = json_loads(json, JSON_DECODE_ANY, &e), *before, *after;
	int err;

	assert_non_null(patch);
	before = config_json(base, false);
	err = config_update(base, patch, out, &errs);
	after = config_json(base, false);
	/* Whatever came of it: the old one is as it was. */
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	json_decref(patch);
	return err;
}

static struct config *update_ok(const char *json)
{
	struct config *cfg = NULL;
	int err = update(json, &cfg);

	if (err && errs.n)
		fail_msg("%s: %s", errs.v[0].field, errs.v[0].text);
	assert_int_equal(err, 0);
	return cfg;
}

static void assert_same(const struct config *a, const struct config *b)
{
	json_t *ja = config_json(a, false), *jb = config_json(b, false);
	char *ta = json_dumps(ja, JSON_SORT_KEYS), *tb = json_dumps(jb, JSON_SORT_KEYS);

	assert_string_equal(ta, tb);
	free(ta);
	free(tb);
	json_decref(ja);
	json_decref(jb);
}

static void round_trip(const struct config *from, bool mask)
{
	json_t *j = config_json(from, mask);
	struct config *cfg = NULL;
	int err = config_update(from, j, &cfg, &errs);

	if (err && errs.n)
		fail_msg("%s: %s", errs.v[0].field, errs.v[0].text);
	assert_int_equal(err, 0);
	assert_same(from, cfg);
	/* JSON does not tell all: the list of probes stands for a mask, null for no list. */
	assert_int_equal(from->ebpf.probes, cfg->ebpf.probes);
	assert_int_equal(from->ebpf.pids_set, cfg->ebpf.pids_set);
	assert_int_equal(from->ebpf.hooks, cfg->ebpf.hooks);
	config_free(cfg);
	json_decref(j);
}

/* What GET /config shows can be sent back, masked or not, and changes nothing. */
static void test_round_trip(void **state)
{
	struct config *plain = NULL;

	(void)state;
	round_trip(base, false);
	round_trip(base, true);
	assert_int_equal(config_load(NULL, &plain, &errs), 0);
	round_trip(plain, false);
	round_trip(plain, true);
	config_free(plain);
}

static void test_merge(void **state)
{
	struct config *c = update_ok("{\"trace\":{\"sampling_rate\":3,\"ports\":[81,82]},"
				     "\"capture\":{\"max_payload_size\":64},\"agent\":{}}");

	(void)state;
	assert_int_equal(c->trace.sampling_rate, 3);
	assert_int_equal(c->trace.n_ports, 2);
	assert_int_equal(c->trace.ports[0], 81);
	assert_int_equal(c->capture.max_payload_size, 64);
	/* Their neighbours stay. */
	assert_true(c->capture.enabled);
	assert_int_equal(c->capture.mask_patterns.n, 1);
	assert_string_equal(c->trace.include_processes.v[0], "nginx");
	assert_string_equal(c->agent_name, "a1");
	assert_int_equal(c->ebpf.pids[0], 7);
	config_free(c);
	c = update_ok("{}");
	assert_same(base, c);
	config_free(c);
}

static void test_null_is_default(void **state)
{
	struct config *c =
		update_ok("{\"ebpf\":{\"trace\":{\"pids\":null,\"enabled_probes\":null}},"
			  "\"trace\":{\"sampling_rate\":null},\"capture\":null,"
			  "\"api\":{\"token\":null,\"port\":null}}");

	(void)state;
	assert_false(c->ebpf.pids_set);
	assert_int_equal(c->ebpf.probes, (1u << PROBE_MAX) - 1);
	assert_int_equal(c->trace.sampling_rate, 1);
	assert_false(c->capture.enabled);
	assert_int_equal(c->capture.mask_patterns.n, 0);
	assert_null(c->api.token);
	config_free(c);
}

static void test_senders(void **state)
{
	struct config *c = update_ok("{\"sender\":{\"file\":{\"two\":{\"path\":\"b\"},"
				     "\"out\":{\"max_size\":5}}},\"trace\":{\"sender\":\"two\"}}");

	(void)state;
	assert_int_equal(c->sender.n_file, 2);
	assert_string_equal(c->sender.file[0].name, "out");
	assert_string_equal(c->sender.file[0].path, "/tmp/x");
	assert_int_equal(c->sender.file[0].max_size, 5);
	assert_true(c->sender.file[0].rotate);
	assert_string_equal(c->sender.file[1].name, "two");
	assert_int_equal(c->trace.sender.n, 1);
	config_free(c);

	c = update_ok("{\"sender\":{\"file\":{\"out\":null}},\"trace\":{\"sender\":[\"es\"]}}");
	assert_int_equal(c->sender.n_file, 0);
	config_free(c);
}

/* The body that DeepTrace's server sends to its agents. */
static void test_deeptrace_body(void **state)
{
	struct config *c = update_ok(
		"{\"agent\":{\"workers\":16,\"state_index\":\"agent_status\",\"name\":\"n2\"},"
		"\"sender\":{\"batch_size\":1024,\"flat_file\":{\"mem_buffer_size\":16,"
		"\"file_buffer_size\":32,\"file_size_limit\":1024},"
		"\"elastic\":{\"node_url\":\"http://10.0.0.1:9200\",\"username\":\"elastic\","
		"\"password\":\"x\",\"request_timeout\":10,\"index_name\":\"agent1\","
		"\"bulk_size\":1024}},"
		"\"trace\":{\"pids\":[11,12]},"
		"\"api\":{\"address\":\"127.0.0.1\",\"port\":7899,\"workers\":1,"
		"\"ident\":\"deeptrace\"}}");
	const char *field = "";
	json_t *es;

	(void)state;
	assert_string_equal(c->agent_name, "n2");
	assert_int_equal(c->ebpf.n_pids, 2);
	assert_int_equal(c->ebpf.pids[1], 12);
	es = json_object_get(c->sender.elastic, "trace");
	assert_string_equal(json_string_value(json_object_get(es, "index_name")), "agent1");
	assert_non_null(json_object_get(c->sender.elastic, "es"));
	assert_false(config_needs_restart(base, c, &field));
	config_free(c);

	c = update_ok("{\"agent\":[{\"name\":\"n3\"},{\"workers\":2}],"
		      "\"trace\":[{\"pids\":[]},{\"sampling_rate\":2}]}");
	assert_string_equal(c->agent_name, "n3");
	assert_true(c->ebpf.pids_set);
	assert_int_equal(c->ebpf.n_pids, 0);
	assert_int_equal(c->trace.sampling_rate, 2);
	config_free(c);

	c = update_ok("{\"capture\":false}");
	assert_false(c->capture.enabled);
	assert_int_equal(c->capture.mask_patterns.n, 1);
	config_free(c);
}

static void test_secrets(void **state)
{
	json_t *j = config_json(base, true);
	char *text = json_dumps(j, 0);
	struct config *c;

	(void)state;
	assert_null(strstr(text, "secret-token"));
	assert_null(strstr(text, "pw1"));
	assert_non_null(strstr(text, "\"token\": \"********\""));
	assert_non_null(strstr(text, "\"password\": \"********\""));
	free(text);
	json_decref(j);

	c = update_ok("{\"api\":{\"token\":\"********\"},"
		      "\"sender\":{\"elastic\":{\"es\":{\"password\":\"pw2\"}}}}");
	assert_string_equal(c->api.token, "secret-token");
	j = json_object_get(json_object_get(c->sender.elastic, "es"), "password");
	assert_string_equal(json_string_value(j), "pw2");
	config_free(c);
}

static const struct {
	const char *json, *field, *error;
} bad[] = {
	{ "[]", "", "expected a JSON object" },
	{ "{\"trace\":{\"sampling_rate\":0}}", "trace.sampling_rate", "1 to 1000000" },
	{ "{\"trace\":{\"sampling_rate\":\"x\"}}", "trace.sampling_rate", "expected an integer" },
	{ "{\"trace\":{\"samplingrate\":1}}", "trace.samplingrate", "did you mean" },
	{ "{\"trace\":{\"nothing\":null}}", "trace.nothing", "unknown key" },
	{ "{\"trace\":3}", "trace", "expected a table" },
	{ "{\"trace\":{\"ports\":[null]}}", "trace.ports", "found null in the list" },
	{ "{\"trace\":{\"ports\":[[1]]}}", "trace.ports", "found an array in the list" },
	{ "{\"trace\":{\"sender\":[\"gone\"]}}", "trace.sender", "there is no" },
	{ "{\"sender\":{\"file\":{\"out\":null}}}", "trace.sender", "there is no" },
	{ "{\"sender\":{\"file\":{\"new\":{}}}}", "sender.file.new", "'path' is missing" },
	{ "{\"trace\":{\"pids\":[-4]}}", "ebpf.trace.pids", "found -4" },
	{ "{\"capture\":{\"mask_patterns\":[\"(\"]}}", "capture.mask_patterns",
	  "regular expression" },
	{ "{\"a b\":1}", "\"a?b\"", "unknown key" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *cfg = (void *)0x1;

		if (update(bad[i].json, &cfg) != -EINVAL)
			fail_msg("accepted: %s", bad[i].json);
		assert_ptr_equal(cfg, (void *)0x1);
		if (errs.n != 1)
			fail_msg("%zu errors: %s", errs.n, bad[i].json);
		assert_string_equal(errs.v[0].where, "");
		assert_string_equal(errs.v[0].field, bad[i].field);
		if (!strstr(errs.v[0].text, bad[i].error))
			fail_msg("found '%s', expected '%s'", errs.v[0].text, bad[i].error);
		config_errors_free(&errs);
	}
}

static void test_two_and_deep(void **state)
{
	struct config *cfg = NULL;
	char deep[512] = "{\"trace\":";

	(void)state;
	assert_int_equal(update("{\"api\":{\"port\":0},\"trace\":{\"ports\":[0]}}", &cfg), -EINVAL);
	assert_int_equal(errs.n, 2);
	assert_string_equal(errs.v[0].field, "trace.ports");
	assert_string_equal(errs.v[1].field, "api.port");
	config_errors_free(&errs);

	for (int i = 0; i < 100; i++)
		strcat(deep, "[");
	strcat(deep, "1");
	for (int i = 0; i < 100; i++)
		strcat(deep, "]");
	strcat(deep, "}");
	assert_int_equal(update(deep, &cfg), -EINVAL);
	assert_string_equal(errs.v[0].text, "nested deeper than 16");
	config_errors_free(&errs);
	assert_null(cfg);
}

static void test_restart(void **state)
{
	static const char *const restart[][2] = {
		{ "{\"api\":{\"port\":8000}}", "api.port" },
		{ "{\"api\":{\"address\":\"::1\"}}", "api.address" },
		{ "{\"api\":{\"workers\":2}}", "api.workers" },
		{ "{\"api\":{\"max_conns\":2}}", "api.max_conns" },
		{ "{\"ebpf\":{\"trace\":{\"hooks\":\"auto\"}}}", "ebpf.trace.hooks" },
		{ "{\"ebpf\":{\"trace\":{\"max_buffered_events\":4}}}",
		  "ebpf.trace.max_buffered_events" },
		{ "{\"trace\":{\"span\":{\"max_sockets\":4}}}", "trace.span.max_sockets" },
		{ "{\"trace\":{\"span\":{\"max_inflight\":4}}}", "trace.span.max_inflight" },
	};
	const char *field = "none";
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(restart) / sizeof(restart[0]); i++) {
		c = update_ok(restart[i][0]);
		assert_true(config_needs_restart(base, c, &field));
		assert_string_equal(field, restart[i][1]);
		config_free(c);
	}
	field = "none";
	c = update_ok("{\"ebpf\":{\"trace\":{\"log_level\":\"debug\",\"pids\":[1],"
		      "\"enabled_probes\":[]}},\"capture\":{\"enabled\":false},"
		      "\"trace\":{\"sampling_rate\":2,\"span\":{\"memory_spans\":1}},"
		      "\"api\":{\"token\":\"another-token\"}}");
	assert_false(config_needs_restart(base, c, &field));
	assert_string_equal(field, "none");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_null_is_default),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_deeptrace_body),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_two_and_deep),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests_name("config_update", tests, setup, teardown);
}

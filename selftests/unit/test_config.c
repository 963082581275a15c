// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configuration file: defaults, every key, every kind of error with its line and key. */
#include "test_config_util.h"

#include <errno.h>

#define ALL_PROBES ((1u << PROBE_MAX) - 1)

static void assert_list(const struct strlist *l, const char *joined)
{
	char buf[512] = "";

	for (size_t i = 0; i < l->n; i++) {
		strcat(buf, i ? " " : "");
		strcat(buf, l->v[i]);
	}
	assert_string_equal(buf, joined);
}

static void assert_defaults(const struct config *c)
{
	char host[256];

	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_string_equal(c->agent_name, host);
	assert_string_equal(c->ebpf.log_level, "info");
	assert_false(c->ebpf.pids_set);
	assert_int_equal(c->ebpf.n_pids, 0);
	assert_int_equal(c->ebpf.max_buffered_events, 32768);
	assert_int_equal(c->ebpf.probes, ALL_PROBES);
	assert_int_equal(c->ebpf.hooks, HOOKS_AUTO);
	assert_string_equal(c->trace.ebpf, "trace");
	assert_int_equal(c->trace.sender.n, 0);
	assert_int_equal(c->trace.cleanup_interval, 5);
	assert_int_equal(c->trace.max_sockets, 32768);
	assert_int_equal(c->trace.max_inflight, 65536);
	assert_int_equal(c->trace.request_timeout, 60);
	assert_int_equal(c->trace.memory_spans, 10000);
	assert_int_equal(c->trace.include_processes.n, 0);
	assert_int_equal(c->trace.exclude_processes.n, 0);
	assert_int_equal(c->trace.n_ports, 0);
	assert_int_equal(c->trace.monitor_containers.n, 0);
	assert_int_equal(c->trace.sampling_rate, 1);
	assert_false(c->capture.enabled);
	assert_int_equal(c->capture.max_payload_size, 256);
	assert_int_equal(c->capture.exclude_payloads.n, 0);
	assert_list(&c->capture.filter_headers, "authorization proxy-authorization cookie "
						"set-cookie x-api-key x-auth-token");
	assert_int_equal(c->capture.mask_patterns.n, 0);
	assert_int_equal(c->sender.n_file, 0);
	assert_int_equal(json_object_size(c->sender.elastic), 0);
	assert_int_equal(c->metric.interval, 10);
	assert_null(c->metric.sender);
	assert_string_equal(c->api.address, "127.0.0.1");
	assert_int_equal(c->api.port, 7899);
	assert_int_equal(c->api.workers, 1);
	assert_string_equal(c->api.ident, "spand");
	assert_null(c->api.token);
	assert_int_equal(c->api.max_body, 65536);
	assert_int_equal(c->api.max_conns, 64);
}

static void test_defaults(void **state)
{
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(config_load(NULL, &cfg, &errs), 0);
	assert_defaults(cfg);
	config_free(cfg);
	cfg = load_ok("# nothing\n[trace.span]\n[sender.elastic]\n[sender.file]\n");
	assert_defaults(cfg);
	config_free(cfg);
	cfg = load_ok("[sender.file.f]\npath = 'f'\n");
	assert_string_equal(cfg->sender.file[0].name, "f");
	assert_string_equal(cfg->sender.file[0].path, "f");
	assert_false(cfg->sender.file[0].rotate);
	assert_int_equal(cfg->sender.file[0].max_size, 100);
	assert_int_equal(cfg->sender.file[0].max_age, 7);
	assert_int_equal(cfg->sender.file[0].rotate_time, 24);
	assert_string_equal(cfg->sender.file[0].data_format, "json");
	config_free(cfg);
}

static void test_every_key(void **state)
{
	struct config *c = load_ok(
		"[agent]\nname = 'a1'\n"
		"[ebpf.trace]\nlog_level = 'WARN'\npids = [7, 8]\nmax_buffered_events = 128\n"
		"enabled_probes = ['sys_enter_read', 'sys_exit_sendfile64', 'sys_exit_splice']\n"
		"hooks = 'syscall'\n"
		"[trace]\nebpf = 'trace'\nsender = ['file.out', 'es']\n"
		"include_processes = ['nginx', 'redis-server']\nexclude_processes = ['sshd']\n"
		"ports = [80, 65535]\nmonitor_containers = ['0123abcd']\nsampling_rate = 10\n"
		"[trace.span]\ncleanup_interval = 30\nmax_sockets = 1024\nmax_inflight = 99\n"
		"request_timeout = 0\nmemory_spans = 5\n"
		"[capture]\nenabled = true\nmax_payload_size = 512\nexclude_payloads = ['HTTP']\n"
		"filter_headers = []\nmask_patterns = ['[0-9]{16}', 'a|b']\n"
		"[sender.file.out]\npath = '/tmp/x'\nrotate = true\nmax_size = 1\nmax_age = 2\n"
		"rotate_time = 3\ndata_format = 'json'\n"
		"[sender.elastic.es]\nnode_urls = ['http://a:9200', 'https://b']\n"
		"username = 'u'\npassword = 'p'\nrequest_timeout = 9\nindex_name = 'i'\n"
		"bulk_size = 64\n"
		"[metric]\ninterval = 3\nsender = 'out'\n"
		"[api]\naddress = '::1'\nport = 1\nworkers = 2\nident = 'id'\n"
		"token = 'secret-token'\nmax_body = 1024\nmax_conns = 3\n");

	(void)state;
	assert_string_equal(c->agent_name, "a1");
	assert_string_equal(c->ebpf.log_level, "warn");
	assert_true(c->ebpf.pids_set);
	assert_int_equal(c->ebpf.n_pids, 2);
	assert_int_equal(c->ebpf.pids[1], 8);
	assert_int_equal(c->ebpf.max_buffered_events, 128);
	assert_int_equal(c->ebpf.probes, 1u << PROBE_READ | 1u << PROBE_SENDFILE |
						 1u << PROBE_SPLICE | 1u << PROBE_OTHER);
	assert_int_equal(c->ebpf.hooks, HOOKS_SYSCALL);
	assert_list(&c->trace.sender, "file.out es");
	assert_list(&c->trace.include_processes, "nginx redis-server");
	assert_list(&c->trace.exclude_processes, "sshd");
	assert_int_equal(c->trace.n_ports, 2);
	assert_int_equal(c->trace.ports[1], 65535);
	assert_list(&c->trace.monitor_containers, "0123abcd");
	assert_int_equal(c->trace.sampling_rate, 10);
	assert_int_equal(c->trace.cleanup_interval, 30);
	assert_int_equal(c->trace.max_sockets, 1024);
	assert_int_equal(c->trace.max_inflight, 99);
	assert_int_equal(c->trace.request_timeout, 0);
	assert_int_equal(c->trace.memory_spans, 5);
	assert_true(c->capture.enabled);
	assert_int_equal(c->capture.max_payload_size, 512);
	assert_list(&c->capture.exclude_payloads, "HTTP");
	assert_int_equal(c->capture.filter_headers.n, 0);
	assert_list(&c->capture.mask_patterns, "[0-9]{16} a|b");
	assert_int_equal(c->sender.n_file, 1);
	assert_true(c->sender.file[0].rotate);
	assert_int_equal(c->sender.file[0].max_size, 1);
	assert_int_equal(c->sender.file[0].max_age, 2);
	assert_int_equal(c->sender.file[0].rotate_time, 3);
	assert_int_equal(json_array_size(json_object_get(json_object_get(c->sender.elastic, "es"),
							 "node_urls")),
			 2);
	assert_int_equal(c->metric.interval, 3);
	assert_string_equal(c->metric.sender, "out");
	assert_string_equal(c->api.address, "::1");
	assert_int_equal(c->api.port, 1);
	assert_int_equal(c->api.workers, 2);
	assert_string_equal(c->api.ident, "id");
	assert_string_equal(c->api.token, "secret-token");
	assert_int_equal(c->api.max_body, 1024);
	assert_int_equal(c->api.max_conns, 3);
	config_free(c);
}

/* The keys, types and odd values of the file that DeepTrace's agent is shipped with. */
static void test_deeptrace(void **state)
{
	struct config *c = load_ok("[agent]\nname = \"deeptrace\"\n"
				   "[metric]\ninterval = 10\nsender = \"metric\"\n"
				   "[sender.elastic.trace]\nnode_url = \"http://localhost:9200\"\n"
				   "username = \"elastic\"\npassword = \"***\"\n"
				   "request_timeout = 10\nindex_name = \"agent1\"\nbulk_size = 64\n"
				   "[sender.file.metric]\npath = \"metrics.csv\"\nrotate = true\n"
				   "max_size = 512\nmax_age = 6\nrotate_time = 11\n"
				   "data_format = \"%Y%m%d\"\n"
				   "[trace]\nebpf = \"trace\"\nsender = \"trace\"\n"
				   "[trace.span]\ncleanup_interval = 30\nmax_sockets = 1024\n"
				   "[ebpf.trace]\nlog_level = 1\npids = [523094]\n"
				   "max_buffered_events = 128\n"
				   "enabled_probes = [\n  \"sys_enter_read\",\n"
				   "  \"sys_exit_read\",\n\n  \"sys_exit_socket\",\n"
				   "  \"sys_enter_close\"\n]\n");
	json_t *es;

	(void)state;
	assert_string_equal(c->agent_name, "deeptrace");
	assert_string_equal(c->ebpf.log_level, "debug");
	assert_int_equal(c->ebpf.pids[0], 523094);
	assert_int_equal(c->ebpf.probes, 1u << PROBE_READ | 1u << PROBE_SOCKET | 1u << PROBE_CLOSE |
						 1u << PROBE_OTHER);
	assert_list(&c->trace.sender, "trace");
	assert_string_equal(c->metric.sender, "metric");
	assert_string_equal(c->sender.file[0].data_format, "json");
	es = json_object_get(c->sender.elastic, "trace");
	assert_string_equal(json_string_value(json_array_get(json_object_get(es, "node_urls"), 0)),
			    "http://localhost:9200");
	assert_int_equal(json_integer_value(json_object_get(es, "bulk_size")), 64);
	config_free(c);
}

static void test_other_forms(void **state)
{
	struct config *c = load_ok("capture = true\n[trace]\npids = []\nsampling_rate = 0.01\n"
				   "[ebpf.trace]\nlog_level = 0\nenabled_probes = []\n"
				   "[sender.elastic]\nnode_url = 'http://h:1'\nbulk_size = 3\n"
				   "[sender.file.f]\npath = 'f'\nrotate = \"true\"\n"
				   "[api]\naddress = 'localhost'\n");

	(void)state;
	assert_true(c->capture.enabled);
	assert_true(c->ebpf.pids_set);
	assert_int_equal(c->ebpf.n_pids, 0);
	assert_int_equal(c->trace.sampling_rate, 100);
	assert_string_equal(c->ebpf.log_level, "info");
	assert_int_equal(c->ebpf.probes, 0);
	assert_non_null(json_object_get(c->sender.elastic, "trace"));
	assert_true(c->sender.file[0].rotate);
	assert_string_equal(c->api.address, "127.0.0.1");
	config_free(c);
	/* Reading is open on any address; updates are refused there without a token. */
	config_free(load_ok("[api]\naddress = '0.0.0.0'\n"));
}

struct bad {
	const char *text;
	unsigned line;
	const char *field, *error;
};

static const struct bad bad[] = {
	{ "[trace]\nsampling_rte = 1\n", 2, "trace.sampling_rte", "did you mean 'sampling_rate'?" },
	{ "[tarce]\nsampling_rate = 1\n", 1, "tarce", "did you mean 'trace'?" },
	{ "\n[api]\nsampling_rate = 1\n", 3, "api.sampling_rate",
	  "did you mean 'trace.sampling_rate'?" },
	{ "[trace.spam]\n", 1, "trace.spam", "did you mean 'span'?" },
	{ "zzz = 1\n", 1, "zzz", "unknown key" },
	{ "'a.b' = 1\n", 1, "\"a.b\"", "unknown key" },
	{ "'agent.name' = 'x'\n", 1, "\"agent.name\"", "unknown key" },
	{ "[api]\nport = '80'\n", 2, "api.port", "expected an integer, found a string" },
	{ "[api]\nport = 80.0\n", 2, "api.port", "expected an integer, found a float" },
	{ "[api]\nport = 0\n", 2, "api.port", "expected an integer from 1 to 65535, found 0" },
	{ "[api]\nport = 65536\n", 2, "api.port", "found 65536" },
	{ "[api]\nport = -1\n", 2, "api.port", "found -1" },
	{ "[agent]\nname = 1\n", 2, "agent.name", "expected a string, found an integer" },
	{ "[agent]\nname = ''\n", 2, "agent.name", "1 to 255 bytes" },
	{ "[agent]\nname = \"a\\u0000b\"\n", 2, "agent.name", "control character 0x00" },
	{ "agent = 3\n", 1, "agent", "expected a table, found an integer" },
	{ "[[agent]]\nname = 'x'\n", 1, "agent", "expected a table, found an array" },
	{ "[capture]\nenabled = 1\n", 2, "capture.enabled", "expected a boolean" },
	{ "capture = 1\n", 1, "capture", "expected a table" },
	{ "[capture]\nmax_payload_size = 513\n", 2, "capture.max_payload_size", "0 to 512" },
	{ "[capture]\nmask_patterns = ['ok',\n 'a(b']\n", 3, "capture.mask_patterns",
	  "expected a POSIX extended regular expression" },
	{ "[capture]\nexclude_payloads = ['smoke']\n", 2, "capture.exclude_payloads",
	  "expected a protocol: " },
	{ "[capture]\nfilter_headers = ['a b']\n", 2, "capture.filter_headers",
	  "the name of a header" },
	{ "[trace]\nports = 80\n", 2, "trace.ports",
	  "expected a list of integers, found an integer" },
	{ "[trace]\nports = [80, '81']\n", 2, "trace.ports", "found a string in the list" },
	{ "[trace]\nports = [\n80,\n0]\n", 4, "trace.ports", "1 to 65535, found 0" },
	{ "[trace]\ninclude_processes = ['0123456789abcdef']\n", 2, "trace.include_processes",
	  "at most 15 bytes (\"0123456789abcde\")" },
	{ "[trace]\nmonitor_containers = ['a/b']\n", 2, "trace.monitor_containers",
	  "container id" },
	{ "[trace]\nsampling_rate = 0.0\n", 2, "trace.sampling_rate", "expected an integer" },
	{ "[trace]\nebpf = 'other'\n", 2, "trace.ebpf", "expected one of trace" },
	{ "[trace]\nsender = 'nobody'\n", 2, "trace.sender",
	  "no [sender.file.nobody] nor [sender.elastic.nobody]" },
	{ "[trace]\nsender = ['file.f',\n'elastic.f']\n[sender.file.f]\npath = 'f'\n", 3,
	  "trace.sender", "nor [sender.elastic.f]" },
	{ "[metric]\nsender = 'nobody'\n", 2, "metric.sender", "there is no" },
	{ "[ebpf.trace]\nlog_level = 'loud'\n", 2, "ebpf.trace.log_level",
	  "expected one of error|warn|info|debug, found \"loud\"" },
	{ "[ebpf.trace]\nlog_level = 9\n", 2, "ebpf.trace.log_level", "expected a string" },
	{ "[ebpf.trace]\nhooks = 'kprobe'\n", 2, "ebpf.trace.hooks", "auto|socket|syscall" },
	{ "[ebpf.trace]\npids = [0]\n", 2, "ebpf.trace.pids", "found 0" },
	{ "[ebpf.trace]\nenabled_probes = ['sys_enter_raed']\n", 2, "ebpf.trace.enabled_probes",
	  "did you mean \"sys_enter_read\"?" },
	{ "[ebpf.trace]\nenabled_probes = ['read']\n", 2, "ebpf.trace.enabled_probes",
	  "sys_enter_X or sys_exit_X" },
	{ "[ebpf.trace]\nenabled_probes = ['sys_enter_other']\n", 2, "ebpf.trace.enabled_probes",
	  "traced system call" },
	{ "[trace]\npids = [1]\n[ebpf.trace]\npids = [2]\n", 2, "ebpf.trace.pids", "given twice" },
	{ "[sender.file.f]\nrotate = true\n", 1, "sender.file.f", "the key 'path' is missing" },
	{ "[sender.file.f]\npath = 'x'\nmaxsize = 3\n", 3, "sender.file.f.maxsize",
	  "did you mean 'max_size'?" },
	{ "[sender.file.f]\npath = 'x'\nrotate = 'maybe'\n", 3, "sender.file.f.rotate",
	  "expected a boolean" },
	{ "[sender.file.f]\npath = 'x'\ndata_format = 'csv'\n", 3, "sender.file.f.data_format",
	  "expected one of json" },
	{ "[sender.file.'a b']\npath = 'x'\n", 1, "sender.file", "a sender's name" },
	{ "[sender]\nfile = 1\n", 2, "sender.file", "expected a table" },
	{ "[sender.file]\npath = 'x'\n", 2, "sender.file.path",
	  "expected a table, found a string" },
	{ "[sender.elastic.e]\nusername = 'u'\n", 1, "sender.elastic.e",
	  "the key 'node_urls' is missing" },
	{ "[sender.elastic.e]\nnode_urls = 'a:9200'\n", 2, "sender.elastic.e.node_urls",
	  "expected a URL" },
	{ "[sender.elastic.e]\nnode_urls = 'http://u:p@h'\n", 2, "sender.elastic.e.node_urls",
	  "without credentials" },
	{ "[sender.elastic.e]\nnode_url = 'http://h'\npasword = 'p'\n", 3,
	  "sender.elastic.e.pasword", "did you mean 'password'?" },
	{ "[sender.kafka.k]\n", 1, "sender.kafka", "unknown key" },
	{ "[api]\naddress = 'example.org'\n", 2, "api.address", "IPv4 or IPv6" },
	{ "[api]\ntoken = 'short'\n", 2, "api.token", "8 to 256 bytes" },
	{ "[api]\nport = 1979-05-27\n", 2, "api.port", "found a local date" },
	{ "[api]\nport = \n", 2, "", "column 8: expected a value" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *cfg = (void *)0x1;

		if (load(bad[i].text, &cfg) != -EINVAL)
			fail_msg("accepted: %s", bad[i].text);
		assert_ptr_equal(cfg, (void *)0x1);
		if (errs.n != 1)
			fail_msg("%zu errors: %s", errs.n, bad[i].text);
		expect(0, bad[i].line, bad[i].field, bad[i].error);
		config_errors_free(&errs);
	}
}

/* A secret's value is not repeated in the message about it. */
static void test_secret_message(void **state)
{
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(load("[api]\ntoken = 'pass word pass'\n", &cfg), -EINVAL);
	expect(0, 2, "api.token", "printable ASCII");
	assert_null(strstr(errs.v[0].text, "pass"));
	config_errors_free(&errs);
}

static void test_all_reported(void **state)
{
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(load("[trace]\n"
			      "sampling_rate = 'often'\n"
			      "sender = 'later'\n"
			      "[api\n"
			      "port = 70000\n"
			      "[agent]\n"
			      "nmae = 'x'\n"
			      "name = [\n"
			      "  1,\n",
			      &cfg),
			 -EINVAL);
	assert_null(cfg);
	assert_int_equal(errs.n, 4);
	expect(0, 2, "trace.sampling_rate", "expected an integer, found a string");
	expect(1, 4, "", "expected ']'");
	expect(2, 7, "agent.nmae", "did you mean 'name'?");
	expect(3, 8, "", "the array has no end");
	config_errors_free(&errs);
}

static void test_unreadable(void **state)
{
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(config_load("/nonexistent/spand.toml", &cfg, &errs), -ENOENT);
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.v[0].where, "/nonexistent/spand.toml");
	assert_string_equal(errs.v[0].text, "can't be read: No such file or directory");
	config_errors_free(&errs);
	assert_int_equal(config_load("/", &cfg, &errs), -EISDIR);
	config_errors_free(&errs);
	assert_int_equal(config_load("/dev/zero", &cfg, &errs), -EINVAL);
	assert_non_null(strstr(errs.v[0].text, "larger than"));
	config_errors_free(&errs);
	assert_null(cfg);
}

/* The file that is installed, read from the top folder as `make unit` does. */
static void test_shipped(void **state)
{
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(config_load("config/spand.toml", &cfg, &errs), 0);
	assert_list(&cfg->trace.sender, "file.spans");
	assert_string_equal(cfg->sender.file[0].path, "/var/log/spand/spans.jsonl");
	assert_true(cfg->sender.file[0].rotate);
	config_free(cfg);
}

static void test_probe_names(void **state)
{
	(void)state;
	assert_string_equal(config_probe_name(PROBE_READ), "read");
	assert_string_equal(config_probe_name(PROBE_SPLICE), "splice");
	for (int i = 0; i < PROBE_MAX; i++)
		assert_non_null(config_probe_name(i));
	assert_null(config_probe_name(PROBE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_deeptrace),    cmocka_unit_test(test_other_forms),
		cmocka_unit_test(test_bad),	     cmocka_unit_test(test_secret_message),
		cmocka_unit_test(test_all_reported), cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_shipped),	     cmocka_unit_test(test_probe_names),
	};

	return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}

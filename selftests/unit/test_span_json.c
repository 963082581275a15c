/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enrich.h"
#include "span_json.h"

static void json_fields(void **state)
{
	static const char *const keys[] = {
		"span_id",     "parent_span_id", "parent_rule", "trace_id",    "kind",
		"protocol",    "name",		 "status",	"status_code", "start_time",
		"end_time",    "duration",	 "ttfb",	"tgid",	       "tid",
		"component",   "src_ip",	 "src_port",	"dst_ip",      "dst_port",
		"l4",	       "req_size",	 "resp_size",	"req_tcp_seq", "resp_tcp_seq",
		"req_syscall", "resp_syscall",	 "attributes",
	};
	struct made m = make_record();
	json_t *v = json_of(good(&m)), *a;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		member(v, keys[i]);
	assert_int_equal(json_object_size(v), i);

	assert_str(v, "span_id", "0000000000000abc");
	assert_str(v, "parent_span_id", "fedcba9876543210");
	assert_str(v, "parent_rule", "link");
	assert_int_equal(strlen(json_string_value(member(v, "trace_id"))), 32);
	assert_str(v, "kind", "server");
	assert_str(v, "protocol", "http");
	assert_str(v, "name", "GET /");
	assert_str(v, "status", "ok");
	assert_num(v, "status_code", 200);
	assert_num(v, "start_time", 1700000005000000123);
	assert_num(v, "end_time", 1700000005000002623);
	assert_num(v, "duration", 2500);
	assert_num(v, "ttfb", 1000);
	assert_num(v, "tgid", 4321);
	assert_num(v, "tid", 4322);
	assert_str(v, "component", "nginx");
	assert_str(v, "src_ip", "10.0.0.1");
	assert_num(v, "src_port", 54321);
	assert_str(v, "dst_ip", "192.168.1.254");
	assert_num(v, "dst_port", 80);
	assert_str(v, "l4", "tcp");
	assert_num(v, "req_size", 78);
	assert_num(v, "resp_size", 12345678901);
	assert_num(v, "req_tcp_seq", 4294967295);
	assert_num(v, "resp_tcp_seq", 0);
	assert_str(v, "req_syscall", "recvfrom");
	assert_str(v, "resp_syscall", "writev");
	a = member(v, "attributes");
	assert_str(a, "http.request.method", "GET");
	assert_str(a, "url.path", "/");
	assert_num(a, "http.response.status_code", 200);
	assert_int_equal(json_object_size(a), 3);
	json_decref(v);
}

static void http_attributes(void **state)
{
	static const struct {
		const char *name, *method, *path;
	} t[] = {
		{ "POST /a%20b/c", "POST", "/a%20b/c" },
		{ "GET http://example.org:81/x/y", "GET", "/x/y" },
		{ "GET http://example.org", "GET", NULL },
		{ "CONNECT example.org:443", "CONNECT", NULL },
		{ "OPTIONS *", "OPTIONS", NULL },
		{ "BREW", "BREW", NULL },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct made m = make_record();
		json_t *v, *a;

		make_name(&m, t[i].name);
		v = json_of(good(&m));
		a = member(v, "attributes");
		assert_str(v, "name", t[i].name);
		assert_str(a, "http.request.method", t[i].method);
		if (t[i].path)
			assert_str(a, "url.path", t[i].path);
		else
			assert_null(json_object_get(a, "url.path"));
		json_decref(v);
	}
}

static void redis_names(void **state)
{
	struct made m = make_record();
	json_t *v, *a;

	(void)state;
	m.rec.proto = PROTO_REDIS;
	m.rec.status = SPAN_ERROR;
	m.rec.status_code = 0;
	make_name(&m, "hGetAll");
	v = json_of(good(&m));
	a = member(v, "attributes");
	assert_str(v, "protocol", "redis");
	assert_str(v, "name", "HGETALL");
	assert_str(v, "status", "error");
	assert_str(a, "db.system.name", "redis");
	assert_str(a, "db.operation.name", "HGETALL");
	assert_int_equal(json_object_size(a), 2);
	json_decref(v);
}

static void roots_and_unanswered(void **state)
{
	struct made m = make_record();
	json_t *v;

	(void)state;
	m.rec.kind = SPAN_CLIENT;
	m.rec.parent_span_id = 0;
	m.rec.parent_rule = PARENT_NONE;
	m.rec.status = SPAN_NO_RESPONSE;
	m.rec.status_code = 0;
	m.rec.req_syscall = SPAND_SYSCALL_NONE;
	v = json_of(good(&m));
	assert_str(v, "kind", "client");
	assert_null_member(v, "parent_span_id");
	assert_null_member(v, "parent_rule");
	assert_str(v, "status", "no_response");
	assert_num(v, "end_time", 1700000005000002623);
	assert_null_member(v, "ttfb");
	assert_num(v, "resp_size", 0);
	assert_num(v, "req_tcp_seq", 4294967295);
	assert_null_member(v, "resp_tcp_seq");
	assert_null_member(v, "req_syscall");
	assert_null_member(v, "resp_syscall");
	json_decref(v);
}

static void one_way(void **state)
{
	struct made m = make_record();
	json_t *v;

	(void)state;
	m.rec.status = SPAN_ONEWAY;
	m.rec.resp_size = 0;
	v = json_of(good(&m));
	assert_str(v, "status", "ok");
	assert_true(json_is_true(member(member(v, "attributes"), "oneway")));
	assert_str(v, "req_syscall", "recvfrom");
	assert_null_member(v, "resp_tcp_seq");
	assert_null_member(v, "resp_syscall");
	json_decref(v);

	/* a push: only the answering side says something */
	m.rec.req_size = 0;
	m.rec.resp_size = 12;
	v = json_of(good(&m));
	assert_null_member(v, "req_tcp_seq");
	assert_null_member(v, "req_syscall");
	assert_num(v, "resp_size", 12);
	assert_num(v, "resp_tcp_seq", 0);
	json_decref(v);
}

static void addresses(void **state)
{
	struct made m = make_record();
	json_t *v;

	(void)state;
	m.rec.family = SPAND_AF_INET6;
	memcpy(m.rec.saddr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memset(m.rec.daddr, 0, 16);
	m.rec.l4 = L4_UDP;
	v = json_of(good(&m));
	assert_str(v, "src_ip", "2001:db8::1");
	assert_str(v, "dst_ip", "::");
	assert_str(v, "l4", "udp");
	assert_null_member(v, "req_tcp_seq");
	json_decref(v);

	m.rec.family = SPAND_AF_UNIX;
	m.rec.l4 = L4_UNIX;
	v = json_of(good(&m));
	assert_str(v, "src_ip", "unix");
	assert_str(v, "dst_ip", "unix");
	assert_num(v, "src_port", 0);
	assert_num(v, "dst_port", 0);
	assert_str(v, "l4", "unix");
	assert_null_member(v, "req_tcp_seq");
	assert_null_member(v, "resp_tcp_seq");
	json_decref(v);
}

static char *trace_of(const struct made *m)
{
	json_t *v = json_of(good(m));
	char *id = strdup(json_string_value(member(v, "trace_id")));

	json_decref(v);
	return id;
}

static void both_halves_share_a_trace(void **state)
{
	struct made server = make_record(), client = make_record(), other = make_record();
	char *a, *b, *c, *d;

	(void)state;
	client.rec.kind = SPAN_CLIENT;
	client.rec.span_id = 99;
	client.rec.parent_span_id = 0;
	client.rec.start_ns = 1;
	other.rec.link++;
	a = trace_of(&server);
	b = trace_of(&client);
	c = trace_of(&other);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	/* without a link every span is its own */
	server.rec.link = client.rec.link = 0;
	d = trace_of(&server);
	free(b);
	b = trace_of(&client);
	assert_string_not_equal(b, d);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void longest_json_fits(void **state)
{
	char name[SPAND_NAME_MAX], cap[SPAND_CAPTURE_MAX], json[2 * (1024 + 256)];
	struct process proc = { .refs = 2, .json = json, .json_len = sizeof(json) };
	struct made m = make_record();
	char buf[SPAN_JSON_MAX], line[SPAN_LINE_MAX];
	struct span *s;
	int n;

	(void)state;
	/* the longest escapes there are: \\xNN in a name, \u0001 in captured bytes */
	memset(name, 0xff, sizeof(name));
	memcpy(name, "G /", 3);
	memset(cap, 1, sizeof(cap));
	memset(json, 'x', sizeof(json));
	memset(&m.rec.comm, 1, sizeof(m.rec.comm));
	make_texts(&m, name, sizeof(name), cap, sizeof(cap), cap, sizeof(cap));
	s = span_new(&m, m.rec.len, UINT64_MAX, 0, &proc);
	n = span_write_json(s, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(span_write_json(s, buf, n - 1), -ENOSPC);
	assert_int_equal(span_write_json(s, buf, n), n);
	assert_int_equal(span_write_json(s, buf, 0), -ENOSPC);
	assert_true(span_write_line(s, line, sizeof(line), 1) > 0);
	assert_int_equal(span_write_line(s, line, 20, 1), -ENOSPC);
	span_put(s);
	assert_int_equal(atomic_load(&proc.refs), 1);
}

static void process_attributes(void **state)
{
	static char json[] = "\"process.executable.path\":\"/bin/x\",\"container.id\":\"c\",";
	struct process proc = { .refs = 2, .json = json, .json_len = sizeof(json) - 1 };
	struct made m = make_record();
	json_t *v, *a;

	(void)state;
	v = json_of(span_new(&m, m.rec.len, 1, 0, &proc));
	a = member(v, "attributes");
	assert_str(a, "process.executable.path", "/bin/x");
	assert_str(a, "container.id", "c");
	assert_str(a, "url.path", "/");
	json_decref(v);
	assert_int_equal(atomic_load(&proc.refs), 1);

	/* the reference is taken over on failure too */
	atomic_store(&proc.refs, 2);
	m.rec.type = 99;
	assert_null(span_new(&m, m.rec.len, 1, 0, &proc));
	assert_int_equal(atomic_load(&proc.refs), 1);
}

static void syscall_names(void **state)
{
	(void)state;
	assert_string_equal(span_syscall_name(SYS_read), "read");
	assert_string_equal(span_syscall_name(SYS_sendmmsg), "sendmmsg");
	assert_string_equal(span_syscall_name(SYS_sendfile), "sendfile");
	assert_string_equal(span_syscall_name(SYS_io_uring_enter), "io_uring_enter");
	assert_null(span_syscall_name(SYS_getppid));
	assert_null(span_syscall_name(SPAND_SYSCALL_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_fields),
		cmocka_unit_test(http_attributes),
		cmocka_unit_test(redis_names),
		cmocka_unit_test(roots_and_unanswered),
		cmocka_unit_test(one_way),
		cmocka_unit_test(addresses),
		cmocka_unit_test(both_halves_share_a_trace),
		cmocka_unit_test(longest_json_fits),
		cmocka_unit_test(process_attributes),
		cmocka_unit_test(syscall_names),
	};

	if (!wanted[0] || !wanted[1])
		return 1;
	return cmocka_run_group_tests_name("span as JSON", tests, NULL, NULL);
}

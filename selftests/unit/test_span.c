/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "span_json.h"

static void a_good_record(void **state)
{
	struct made m = make_record();
	struct span *s = good(&m);

	(void)state;
	assert_int_equal(s->seq, 7);
	assert_true(s->start_unix == MAKE_MONO_TO_UNIX + 5000000123);
	assert_string_equal(s->name, "GET /");
	assert_int_equal(s->rec.name_len, 5);
	assert_null(s->req_content);
	assert_null(s->resp_content);
	assert_string_equal(span_protocol(s), "http");
	assert_string_equal(span_status_name(s), "ok");
	span_put(span_get(s));
	span_put(s);
}

static void refuse(const struct made *m, size_t len)
{
	char *exact = malloc(len ? len : 1); /* so that the sanitizer sees reads past the end */

	memcpy(exact, m, len);
	errno = 0;
	assert_null(span_new(exact, len, 1, 0, NULL));
	assert_int_equal(errno, EBADMSG);
	free(exact);
}

#define REFUSE_WITH(field, value)              \
	do {                                   \
		struct made m = make_record(); \
		m.rec.field = (value);         \
		refuse(&m, sizeof(m.rec) + 5); \
	} while (0)

static void bad_records(void **state)
{
	struct made m = make_record();
	size_t len;

	(void)state;
	for (len = 0; len < m.rec.len; len++)
		refuse(&m, len);
	REFUSE_WITH(type, 0);
	REFUSE_WITH(type, REC_SPAN + 1);
	REFUSE_WITH(proto, PROTO_UNKNOWN);
	REFUSE_WITH(proto, PROTO_MAX);
	REFUSE_WITH(proto, 255);
	REFUSE_WITH(len, sizeof(m.rec) + 4);
	REFUSE_WITH(len, sizeof(m.rec) + 6);
	REFUSE_WITH(len, 0);
	REFUSE_WITH(name_len, 6);
	REFUSE_WITH(name_len, 65535);
	REFUSE_WITH(req_cap, 1);
	REFUSE_WITH(resp_cap, 65535);
	REFUSE_WITH(kind, 2);
	REFUSE_WITH(status, 4);
	REFUSE_WITH(l4, 3);
	REFUSE_WITH(l4, L4_UNIX);
	REFUSE_WITH(family, 0);
	REFUSE_WITH(family, SPAND_AF_UNIX);
	REFUSE_WITH(family, 255);
	REFUSE_WITH(parent_rule, PARENT_LINK + 1);
	REFUSE_WITH(dur_ns, -1000ULL);
	REFUSE_WITH(start_ns, -1000ULL);
	REFUSE_WITH(req_size, -1ULL);
	REFUSE_WITH(resp_size, 1ULL << 63);

	/* consistent, but longer than anything the kernel may send */
	m.rec.name_len = SPAND_NAME_MAX + 1;
	m.rec.len = sizeof(m.rec) + SPAND_NAME_MAX + 1;
	refuse(&m, m.rec.len);
	m = make_record();
	m.rec.req_cap = SPAND_CAPTURE_MAX + 1;
	m.rec.len += SPAND_CAPTURE_MAX + 1;
	refuse(&m, m.rec.len);
}

static void random_records(void **state)
{
	unsigned seed = 3, round, i;
	char buf[SPAN_JSON_MAX], line[SPAN_LINE_MAX];

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct made m = make_record();
		size_t len = m.rec.len;
		struct span *s;
		json_t *v;

		for (i = rand_r(&seed) % 8; i; i--)
			((uint8_t *)&m)[rand_r(&seed) % len] = rand_r(&seed) >> 8;
		s = span_new(&m, len, 1, MAKE_MONO_TO_UNIX, NULL);
		if (!s)
			continue;
		i = span_write_json(s, buf, sizeof(buf));
		assert_true((int)i > 0);
		v = json_loadb(buf, i, 0, NULL);
		assert_non_null(v);
		json_decref(v);
		assert_true(span_write_line(s, line, sizeof(line), 1) > 0);
		span_put(s);
	}
}

static void hostile_names(void **state)
{
	struct made m = make_record();
	unsigned seed = 9, round, i;
	char name[SPAND_NAME_MAX];
	struct span *s;
	json_t *v;

	(void)state;
	make_texts(&m, "GET /\"\\\x1b[2J\xff\n\0x", 15, NULL, 0, NULL, 0);
	s = good(&m);
	assert_string_equal(s->name, "GET /\"\\\\x1b[2J\\xff\\x0a\\x00x");
	v = json_of(s);
	assert_str(v, "name", "GET /\"\\\\x1b[2J\\xff\\x0a\\x00x");
	json_decref(v);

	memset(name, 0xff, sizeof(name));
	make_texts(&m, name, sizeof(name), NULL, 0, NULL, 0);
	s = good(&m);
	assert_int_equal(s->rec.name_len, 4 * SPAND_NAME_MAX);
	json_decref(json_of(s));

	for (round = 0; round < 3000; round++) {
		size_t n = rand_r(&seed) % (SPAND_NAME_MAX + 1);

		for (i = 0; i < n; i++)
			name[i] = rand_r(&seed) >> 6;
		m.rec.proto = round & 1 ? PROTO_REDIS : PROTO_HTTP1;
		make_texts(&m, name, n, NULL, 0, NULL, 0);
		memcpy(m.rec.comm, name, n < 16 ? n : 16);
		json_decref(json_of(good(&m)));
	}
}

static void captured_content(void **state)
{
	struct made m = make_record();
	struct span *s;
	json_t *v, *a;

	(void)state;
	make_texts(&m, "GET /", 5, "GET / HTTP/1.1\r\n\0\xfe", 18, "HTTP/1.1 200 OK", 15);
	s = good(&m);
	assert_int_equal(s->req_content_len, 18);
	assert_memory_equal(s->resp_content, "HTTP/1.1 200 OK", 15);
	v = json_of(s);
	a = member(v, "attributes");
	assert_str(a, "req_content", "GET / HTTP/1.1\r\n\\x00\\xfe");
	assert_str(a, "resp_content", "HTTP/1.1 200 OK");
	json_decref(v);

	make_texts(&m, "GET /", 5, NULL, 0, "x", 1);
	v = json_of(good(&m));
	a = member(v, "attributes");
	assert_null(json_object_get(a, "req_content"));
	assert_str(a, "resp_content", "x");
	json_decref(v);
}

static void masks(void **state)
{
	static char *const patterns[] = { "[0-9]{4}-[0-9]{4}", "token=[^&]*", "x*" };
	static char *const broken[] = { "fine", "(open" };
	char a[] = "card 1234-5678 and 8765-4321; token=abc&y", with_nul[] = "a\0"
									     "1111-2222";
	struct span_mask *m = NULL;
	struct made rec = make_record();
	size_t bad = 99;
	struct span *s;
	json_t *v;

	(void)state;
	assert_int_equal(span_mask_new(patterns, 3, &m, &bad), 0);
	assert_int_equal(bad, 99);
	span_mask_apply(m, a, strlen(a));
	assert_string_equal(a, "card ********* and *********; *********&y");
	span_mask_apply(m, with_nul, 11);
	assert_memory_equal(with_nul, "a\0*********", 11);
	span_mask_apply(NULL, a, strlen(a));

	make_texts(&rec, "GET /", 5, "id 1234-5678", 12, "1234-567812345-678", 18);
	span_mask_use(m);
	s = good(&rec);
	/* a match does not run from one content into the next */
	assert_memory_equal(s->req_content, "id *********", 12);
	assert_memory_equal(s->resp_content, "*********12345-678", 18);
	assert_string_equal(s->name, "GET /");
	span_put(s);
	span_mask_use(NULL);
	s = good(&rec);
	assert_memory_equal(s->req_content, "id 1234-5678", 12);
	span_put(s);

	/* nor is a secret in a name told, by itself or in an attribute made of it */
	make_name(&rec, "GET /card/1234-5678/\x01");
	s = good(&rec);
	assert_string_equal(s->name, "GET /card/1234-5678/\\x01");
	span_put(s);
	assert_int_equal(span_mask_new(patterns, 3, &m, &bad), 0);
	span_mask_use(m);
	v = json_of(good(&rec));
	assert_str(v, "name", "GET /card/*********/\\x01");
	assert_str(member(v, "attributes"), "url.path", "/card/*********/\\x01");
	json_decref(v);
	span_mask_use(NULL);

	m = (void *)1;
	assert_int_equal(span_mask_new(broken, 2, &m, &bad), -EINVAL);
	assert_int_equal(bad, 1);
	assert_ptr_equal(m, (void *)1);
	assert_int_equal(span_mask_new(NULL, 0, &m, &bad), 0);
	span_mask_free(m);
}

static void lines(void **state)
{
	struct made m = make_record();
	char buf[SPAN_LINE_MAX];
	struct span *s;
	int n;

	(void)state;
	s = good(&m);
	n = span_write_line(s, buf, sizeof(buf) - 1, 0);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf,
			    "00:13:25.000 <- http   GET /                            200 ok       "
			    "2.50\302\265s     78B  12.3GB  10.0.0.1:54321 > 192.168.1.254:80 "
			    "nginx[4321]");
	n = span_write_line(s, buf, sizeof(buf) - 1, 1);
	buf[n] = '\0';
	assert_non_null(strstr(buf, "\033[32m200 ok"));
	span_put(s);

	m.rec.status = SPAN_ERROR;
	m.rec.kind = SPAN_CLIENT;
	memcpy(m.rec.comm, "a\x1b[31m", 7);
	s = good(&m);
	n = span_write_line(s, buf, sizeof(buf) - 1, 1);
	buf[n] = '\0';
	assert_non_null(strstr(buf, " -> "));
	assert_non_null(strstr(buf, "\033[31m200 error"));
	assert_non_null(strstr(buf, "a\\x1b[31m[4321]"));
	span_put(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_record),
		cmocka_unit_test(bad_records),
		cmocka_unit_test(random_records),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(captured_content),
		cmocka_unit_test(masks),
		cmocka_unit_test(lines),
	};

	if (!wanted[0] || !wanted[1])
		return 1;
	setenv("TZ", "UTC-2", 1); /* two hours east of it */
	tzset();
	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The worked example of README, "Add a protocol": what its vectors do not say. Detection of what
 * has only begun, the end of waiting, and user/proto/ident.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>

#include "proto/ident.h"
#include "proto_ops.h"
#include "span_make.h"

struct line {
	const char *text;
	__u32 is; /* DETECT_*; 0: neither */
};

static const struct line lines[] = {
	{ "6193, 23\r\n", DETECT_REQUEST },
	{ "\t 06193 \t,  00023 \t\r\n", DETECT_REQUEST },
	{ "6193, 23 : USERID : UNIX : stjohns\r\n", DETECT_RESPONSE },
	{ "6193,23:USERID:OTHER , UTF-8: : : \r \xff\r\n", DETECT_RESPONSE },
	{ "6195, 23 : ERROR : NO-USER\r\n", DETECT_RESPONSE },
	{ "\r\n", 0 },
	{ ", 23\r\n", 0 },
	{ "6193 23\r\n", 0 },
	{ "-1, 23\r\n", 0 },
	{ "1,2,3\r\n", 0 },
	{ "6193, 23\rX", 0 },
	{ "6193, 23 : USER : x\r\n", 0 },
	{ "6193, 23 : ERROR NO-USER\r\n", 0 },
	{ "GET / HTTP/1.1\r\n", 0 },
};

/* The window holds text after a byte of another message; behind it is what a stale one left. */
static struct pwin window(const char *text, size_t len)
{
	struct pwin w = { .off = 1, .len = 1 + len };

	memset(w.data, '1', sizeof(w.data));
	memcpy(w.data + 1, text, len);
	return w;
}

static void detection(void **state)
{
	const __u32 both = DETECT_REQUEST | DETECT_RESPONSE;
	size_t i, n, len, known;
	struct pwin w;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct line *l = &lines[i];
		__u32 want = l->is;

		len = strlen(l->text);
		w = window(l->text, len);
		assert_int_equal(ident_detect(&w, both), want);
		assert_int_equal(ident_detect(&w, DETECT_REQUEST), want & DETECT_REQUEST);
		assert_int_equal(ident_detect(&w, DETECT_RESPONSE), want & DETECT_RESPONSE);
		if (!want)
			continue;
		/* A beginning is never refused; a response is known by its keyword. */
		known = len;
		if (want == DETECT_RESPONSE)
			known = strchr(strchr(l->text, ':') + 1, ':') + 1 - l->text;
		for (n = 0; n < len; n++) {
			w = window(l->text, n);
			assert_int_equal(ident_detect(&w, both), n < known ? DETECT_MORE : want);
		}
	}
}

/* The contract: from PWIN_ENOUGH bytes on there is nothing to wait for. */
static void enough_is_enough(void **state)
{
	static const char *const starts[] = {
		"6", " ", "1, ", "1,2 ", "1,2 : ", "1,2 : ERROR ", ""
	};
	static const char fill[] = " \t0:,\rE";
	char text[PWIN_ENOUGH];
	struct pstate s;
	struct pmsg m;
	struct pwin w;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (k = 0; fill[k]; k++) {
			memset(text, fill[k], sizeof(text));
			memcpy(text, starts[i], strlen(starts[i]));
			w = window(text, sizeof(text));
			s = (struct pstate){};
			m = (struct pmsg){};
			assert_int_not_equal(ident_request(&w, &s, &m), PARSE_MORE);
			s = (struct pstate){};
			m = (struct pmsg){};
			assert_int_not_equal(ident_response(&w, &s, &m), PARSE_MORE);
			assert_false(ident_detect(&w, DETECT_REQUEST | DETECT_RESPONSE) &
				     DETECT_MORE);
		}
	}
}

/* The archive gives out what is asked for by name; span.c asks weakly. */
extern PROTO_OPS(ident);

static void check_span(const char *raw, size_t n, const char *name, json_int_t port)
{
	struct made m = make_record();
	char buf[SPAN_JSON_MAX];
	struct span *s;
	json_t *v, *attr;
	int len;

	m.rec.proto = PROTO_IDENT;
	make_texts(&m, raw, n, NULL, 0, NULL, 0);
	s = make_span(&m, 1);
	assert_non_null(s);
	assert_string_equal(s->name, name);
	assert_string_equal(span_protocol(s), "ident");
	len = span_write_json(s, buf, sizeof(buf));
	assert_true(len > 0);
	v = json_loadb(buf, len, 0, NULL);
	assert_non_null(v);
	attr = json_object_get(json_object_get(v, "attributes"), "ident.port_on_client");
	assert_int_equal(json_integer_value(attr), port);
	assert_true(port ? json_is_integer(attr) : !attr);
	json_decref(v);
	span_put(s);
}

static void names_and_attributes(void **state)
{
	(void)state;
	assert_non_null(proto_ops_ident.name);
	check_span("23", 2, "23", 23);
	check_span("00023", 5, "23", 23);
	check_span("65535", 5, "65535", 65535);
	check_span("99999", 5, "99999", 0);
	check_span("000", 3, "0", 0);
	check_span("", 0, "", 0);
	/* Not what the parser lets through: shown, and no port. */
	check_span("0\0\xff", 3, "\\x00\\xff", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detection),
		cmocka_unit_test(enough_is_enough),
		cmocka_unit_test(names_and_attributes),
	};

	return cmocka_run_group_tests_name("ident, the worked example", tests, NULL, NULL);
}

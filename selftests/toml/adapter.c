// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * adapter.c - TOML on stdin to the tagged JSON of the toml-test suite on stdout; exits with 1
 * and the errors on stderr when the document is not valid.
 * Format: https://github.com/toml-lang/toml-test, "JSON encoding".
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "toml.h"

static json_t *tag(const char *type, json_t *text)
{
	return json_pack("{s:s, s:o}", "type", type, "value", text);
}

static json_t *convert_float(double f)
{
	char buf[64];

	if (isnan(f))
		return json_string("nan");
	if (isinf(f))
		return json_string(f < 0 ? "-inf" : "inf");
	snprintf(buf, sizeof(buf), "%.17g", f);
	return json_string(buf);
}

static json_t *convert(const struct toml *t)
{
	static const char *const times[] = {
		[TOML_DATETIME] = "datetime",
		[TOML_LOCAL_DATETIME] = "datetime-local",
		[TOML_LOCAL_DATE] = "date-local",
		[TOML_LOCAL_TIME] = "time-local",
	};
	char buf[64];
	json_t *j;

	switch (t->type) {
	case TOML_STRING:
		return tag("string", json_stringn(t->str.s, t->str.len));
	case TOML_INTEGER:
		snprintf(buf, sizeof(buf), "%" PRId64, t->i);
		return tag("integer", json_string(buf));
	case TOML_FLOAT:
		return tag("float", convert_float(t->f));
	case TOML_BOOL:
		return tag("bool", json_string(t->b ? "true" : "false"));
	case TOML_ARRAY:
		j = json_array();
		for (size_t i = 0; i < t->array.n; i++)
			json_array_append_new(j, convert(t->array.v[i]));
		return j;
	case TOML_TABLE:
		j = json_object();
		for (size_t i = 0; i < t->table.n; i++)
			json_object_setn_new(j, t->table.v[i].key, t->table.v[i].len,
					     convert(t->table.v[i].val));
		return j;
	default:
		toml_time_format(t, buf, sizeof(buf));
		return tag(times[t->type], json_string(buf));
	}
}

int main(void)
{
	struct toml_errors errors;
	struct toml *root;
	char *text = NULL;
	size_t len = 0, cap = 0, got;
	json_t *j;

	do {
		cap += 65536;
		text = realloc(text, cap);
		if (!text)
			return 2;
		got = fread(text + len, 1, cap - len, stdin);
		len += got;
	} while (len == cap);
	root = toml_parse(text, len, &errors);
	free(text);
	if (!root)
		return 2;
	for (size_t i = 0; i < errors.n; i++)
		fprintf(stderr, "%u:%u: %s\n", errors.v[i].line, errors.v[i].col, errors.v[i].text);
	if (errors.n) {
		toml_free(root);
		return 1;
	}
	j = convert(root);
	toml_free(root);
	if (!j || json_dumpf(j, stdout, JSON_ENSURE_ASCII))
		return 2;
	json_decref(j);
	return 0;
}

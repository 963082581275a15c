// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fuzz_toml.c - any bytes through the TOML parser: no crash, no leak, bounds kept; errors are in
 * order and printable, a document is parsed the same way each time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "toml.h"

static size_t values;

/* Visits all of the tree, so that the sanitizers see every byte of it. */
static void visit(const struct toml *t, unsigned depth)
{
	char buf[64];

	/* Each of the nested values may have a key of as many parts; headers add one more. */
	if (depth > (TOML_MAX_DEPTH + 2) * TOML_MAX_DEPTH)
		abort();
	values++;
	if (t->type == TOML_STRING) {
		if (t->str.s[t->str.len])
			abort();
	} else if (t->type == TOML_ARRAY) {
		for (size_t i = 0; i < t->array.n; i++)
			visit(t->array.v[i], depth + 1);
	} else if (t->type == TOML_TABLE) {
		for (size_t i = 0; i < t->table.n; i++) {
			const struct toml_pair *pair = &t->table.v[i];

			if (toml_find(t, pair->key, pair->len) != pair || !pair->line)
				abort();
			visit(pair->val, depth + 1);
		}
	} else if (t->type >= TOML_DATETIME && t->type <= TOML_LOCAL_TIME) {
		toml_time_format(t, buf, sizeof(buf));
	} else if (t->type == TOML_NULL) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct toml_errors errors, again;
	size_t first;
	struct toml *t;

	t = toml_parse((const char *)data, size, &errors);
	if (!t)
		return 0;
	values = 0;
	visit(t, 0);
	toml_free(t);
	first = values;
	for (size_t i = 0; i < errors.n; i++) {
		const struct toml_error *e = &errors.v[i];

		if (!e->line || !e->col || !e->text[0] || (unsigned char)e->text[0] < ' ')
			abort();
	}
	t = toml_parse((const char *)data, size, &again);
	if (!t)
		return 0;
	values = 0;
	visit(t, 0);
	toml_free(t);
	if (values != first || again.n != errors.n ||
	    memcmp(again.v, errors.v, errors.n * sizeof(errors.v[0])) != 0)
		abort();
	return 0;
}

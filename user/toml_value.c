// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* toml_value.c - values that hold values, and the choice between all kinds of them. */
#include <errno.h>
#include <stdlib.h>

#include "toml_priv.h"

/* Blank space, comments and line ends, as arrays may hold between their values. */
static int skip_space(struct toml_parser *p)
{
	int err;

	do {
		toml_skip_blank(p);
		err = toml_comment(p);
		if (err)
			return err;
	} while (toml_newline(p));
	return 0;
}

static int read_array(struct toml_parser *p, struct toml *t)
{
	struct toml_mark start = toml_here(p);
	char found[48];
	int err;

	t->flags = TF_INLINE;
	p->pos++;
	for (;;) {
		struct toml *val;

		err = skip_space(p);
		if (err)
			return err;
		if (p->pos == p->end)
			return toml_fail(p, start, "the array has no end: expected ']'");
		if (*p->pos == ']')
			break;
		err = toml_read_value(p, &val);
		if (err)
			return err;
		if (toml_push(t, val))
			return toml_no_memory(p);
		err = skip_space(p);
		if (err)
			return err;
		if (p->pos == p->end)
			return toml_fail(p, start, "the array has no end: expected ']'");
		if (*p->pos == ']')
			break;
		if (*p->pos != ',')
			return toml_fail(p, toml_here(p),
					 "expected ',' or ']' in the array, found %s",
					 toml_found(p, found));
		p->pos++;
	}
	p->pos++;
	return 0;
}

/* A finished inline table is closed, with all that its dotted keys made. */
static void close_inline(struct toml *t)
{
	t->flags = TF_INLINE;
	for (size_t i = 0; i < t->table.n; i++) {
		struct toml *val = t->table.v[i].val;

		if (val->type == TOML_TABLE && !(val->flags & TF_INLINE))
			close_inline(val);
	}
}

static int read_inline_table(struct toml_parser *p, struct toml *t)
{
	char found[48];
	int err;

	p->pos++;
	toml_skip_blank(p);
	if (toml_peek(p, 0) == '}')
		goto done;
	for (;;) {
		toml_skip_blank(p);
		err = toml_read_pair(p, t);
		if (err)
			return err;
		toml_skip_blank(p);
		if (toml_peek(p, 0) == '}')
			break;
		if (toml_peek(p, 0) != ',')
			return toml_fail(p, toml_here(p),
					 "expected ',' or '}' in the inline table, found %s",
					 toml_found(p, found));
		p->pos++;
	}
done:
	p->pos++;
	close_inline(t);
	return 0;
}

static int read_string_value(struct toml_parser *p, struct toml *t)
{
	bool multi = toml_at(p, "\"\"\"") || toml_at(p, "'''");
	struct toml_buf buf = {};
	int err = toml_read_string(p, &buf, multi);

	if (err) {
		free(buf.s);
		return err;
	}
	t->type = TOML_STRING;
	t->str.s = buf.s;
	t->str.len = buf.len;
	return 0;
}

int toml_read_value(struct toml_parser *p, struct toml **out)
{
	struct toml_mark at = toml_here(p);
	/* A scalar stays TOML_NULL, with nothing to free, until its reader knows the type. */
	struct toml *t = toml_new(TOML_NULL, p->line, toml_column(at));
	int c = toml_peek(p, 0), err;

	if (!t)
		return toml_no_memory(p);
	if (++p->values > TOML_MAX_VALUES) {
		err = p->full ? -E2BIG : toml_fail(p, at, "more than %d values", TOML_MAX_VALUES);
		p->full = true;
	} else if (p->depth >= TOML_MAX_DEPTH) {
		err = toml_fail(p, at, "values are nested deeper than %d", TOML_MAX_DEPTH);
	} else if (c == '"' || c == '\'') {
		err = read_string_value(p, t);
	} else if (c == '[' || c == '{') {
		t->type = c == '[' ? TOML_ARRAY : TOML_TABLE;
		p->depth++;
		err = c == '[' ? read_array(p, t) : read_inline_table(p, t);
		p->depth--;
	} else {
		err = toml_read_scalar(p, t);
	}
	if (err) {
		toml_free(t);
		return err;
	}
	*out = t;
	return 0;
}

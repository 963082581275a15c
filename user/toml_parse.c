// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * toml_parse.c - the lines of a document: keys, headers, and which of them may extend which
 * table (TOML 1.0 "Keys", "Table", "Array of Tables").
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "toml_priv.h"

unsigned toml_column(struct toml_mark m)
{
	unsigned col = 1;

	for (const char *s = m.line_start; s < m.pos; s++)
		col += (*s & 0xc0) != 0x80;
	return col;
}

int toml_fail(struct toml_parser *p, struct toml_mark at, const char *fmt, ...)
{
	struct toml_error *e;
	va_list ap;

	p->fail_depth = p->depth;
	if (p->errors->n == TOML_MAX_ERRORS)
		return -EINVAL;
	e = &p->errors->v[p->errors->n++];
	e->line = at.line;
	e->col = toml_column(at);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	toml_clean(e->text);
	return -EINVAL;
}

int toml_no_memory(struct toml_parser *p)
{
	p->oom = true;
	return -ENOMEM;
}

const char *toml_found(const struct toml_parser *p, char buf[48])
{
	const char *s = p->pos;
	size_t n = 0;

	if (s == p->end)
		return "the end of the file";
	if (*s == '\n' || *s == '\r')
		return "the end of the line";
	while (s + n < p->end && n < 20 && (unsigned char)s[n] > ' ' && s[n] != 0x7f)
		n++;
	if (s + n < p->end) /* not in the middle of a character */
		while (n && (s[n] & 0xc0) == 0x80)
			n--;
	if (n)
		snprintf(buf, 48, "'%.*s'", (int)n, s);
	else
		snprintf(buf, 48, "character 0x%02x", (unsigned char)*s);
	return buf;
}

static bool is_bare(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '-';
}

void toml_key_free(struct toml_key *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->part[i].s);
	k->n = 0;
}

static int read_key_part(struct toml_parser *p, struct toml_buf *part)
{
	size_t n = 0;
	char found[48];

	if (toml_peek(p, 0) == '"' || toml_peek(p, 0) == '\'')
		return toml_read_string(p, part, false);
	while (is_bare(toml_peek(p, n)))
		n++;
	if (!n)
		return toml_fail(p, toml_here(p), "expected a key, found %s", toml_found(p, found));
	if (toml_buf_add(part, p->pos, n))
		return toml_no_memory(p);
	p->pos += n;
	return 0;
}

int toml_read_key(struct toml_parser *p, struct toml_key *k)
{
	k->n = 0;
	k->line = p->line;
	for (;;) {
		int err;

		if (k->n == TOML_MAX_DEPTH)
			return toml_fail(p, toml_here(p), "a key of more than %d parts",
					 TOML_MAX_DEPTH);
		k->col[k->n] = toml_column(toml_here(p));
		k->part[k->n] = (struct toml_buf){};
		err = read_key_part(p, &k->part[k->n++]);
		if (err)
			return err;
		toml_skip_blank(p);
		if (toml_peek(p, 0) != '.')
			return 0;
		p->pos++;
		toml_skip_blank(p);
	}
}

int toml_add(struct toml_parser *p, struct toml *table, const struct toml_key *k, size_t part,
	     struct toml *val)
{
	struct toml_pair *pair;

	if (toml_set(table, k->part[part].s, k->part[part].len, val))
		return toml_no_memory(p);
	pair = &table->table.v[table->table.n - 1];
	pair->line = k->line;
	pair->col = k->col[part];
	return 0;
}

/* A new, empty table or array under part number i of the key. */
static struct toml *add_new(struct toml_parser *p, struct toml *table, const struct toml_key *k,
			    size_t i, enum toml_type type, unsigned flags)
{
	struct toml *t = toml_new(type, k->line, k->col[i]);

	if (!t) {
		toml_no_memory(p);
		return NULL;
	}
	t->flags = flags;
	return toml_add(p, table, k, i, t) ? NULL : t;
}

/* "a.b" for messages: the first n parts, cut when long. */
static const char *key_text(const struct toml_key *k, size_t n, char buf[80])
{
	size_t len = 0;

	buf[0] = 0;
	for (size_t i = 0; i < n && len < 78; i++)
		len += snprintf(buf + len, 80 - len, "%s%s", i ? "." : "", k->part[i].s);
	return buf;
}

static struct toml *next_table(struct toml_parser *p, struct toml *t, const struct toml_key *k,
			       size_t i, struct toml_mark at)
{
	struct toml_pair *pair = toml_find(t, k->part[i].s, k->part[i].len);
	char text[80];

	if (!pair)
		return add_new(p, t, k, i, TOML_TABLE, TF_DOTTED);
	if (pair->val->type == TOML_TABLE && pair->val->flags & TF_DOTTED)
		return pair->val;
	toml_fail(p, at, "'%s' is defined already (line %u): dotted keys can't add to it",
		  key_text(k, i + 1, text), pair->line);
	return NULL;
}

int toml_read_pair(struct toml_parser *p, struct toml *table)
{
	struct toml_mark at = toml_here(p);
	struct toml_pair *pair;
	struct toml_key k;
	struct toml *val;
	char text[80];
	int err;

	err = toml_read_key(p, &k);
	if (err)
		goto out;
	if (toml_peek(p, 0) != '=') {
		err = toml_fail(p, toml_here(p), "expected '=' after the key, found %s",
				toml_found(p, text));
		goto out;
	}
	p->pos++;
	toml_skip_blank(p);
	/* The value first: a key that is defined twice is then reported once, and passed over. */
	err = toml_read_value(p, &val);
	if (err)
		goto out;
	for (size_t i = 0; table && i + 1 < k.n; i++)
		table = next_table(p, table, &k, i, at);
	if (!table) {
		toml_free(val);
		err = p->oom ? -ENOMEM : -EINVAL;
		goto out;
	}
	pair = toml_find(table, k.part[k.n - 1].s, k.part[k.n - 1].len);
	if (pair) {
		err = toml_fail(p, at, "'%s' is defined already (line %u)", key_text(&k, k.n, text),
				pair->line);
		toml_free(val);
		goto out;
	}
	err = toml_add(p, table, &k, k.n - 1, val);
out:
	toml_key_free(&k);
	return err;
}

/* The table that a header's parts before the last lead to; NULL with the error recorded. */
static struct toml *header_parent(struct toml_parser *p, const struct toml_key *k,
				  struct toml_mark at)
{
	struct toml *t = p->root;
	char text[80];

	for (size_t i = 0; t && i + 1 < k->n; i++) {
		struct toml_pair *pair = toml_find(t, k->part[i].s, k->part[i].len);
		struct toml *val = pair ? pair->val : NULL;

		if (val && val->flags & TF_TABLES)
			val = val->array.v[val->array.n - 1];
		if (!val) {
			t = add_new(p, t, k, i, TOML_TABLE, 0);
		} else if (val->type == TOML_TABLE && !(val->flags & TF_INLINE)) {
			t = val;
		} else {
			toml_fail(p, at, "'%s' is not a table that can be added to (line %u)",
				  key_text(k, i + 1, text), pair->line);
			t = NULL;
		}
	}
	return t;
}

static struct toml *header_table(struct toml_parser *p, const struct toml_key *k,
				 struct toml_mark at)
{
	struct toml *parent = header_parent(p, k, at);
	struct toml_pair *pair;
	char text[80];

	if (!parent)
		return NULL;
	pair = toml_find(parent, k->part[k->n - 1].s, k->part[k->n - 1].len);
	if (!pair)
		return add_new(p, parent, k, k->n - 1, TOML_TABLE, TF_EXPLICIT);
	if (pair->val->type == TOML_TABLE && !pair->val->flags) {
		/* So far only made by the header of a table inside it. */
		pair->val->flags = TF_EXPLICIT;
		return pair->val;
	}
	toml_fail(p, at, "'%s' is defined already (line %u)", key_text(k, k->n, text), pair->line);
	return NULL;
}

static struct toml *header_array(struct toml_parser *p, const struct toml_key *k,
				 struct toml_mark at)
{
	struct toml *parent = header_parent(p, k, at), *array, *t;
	struct toml_pair *pair;
	char text[80];

	if (!parent)
		return NULL;
	pair = toml_find(parent, k->part[k->n - 1].s, k->part[k->n - 1].len);
	if (pair && !(pair->val->flags & TF_TABLES)) {
		toml_fail(p, at, "'%s' is defined already (line %u) and not by [[%s]]",
			  key_text(k, k->n, text), pair->line, text);
		return NULL;
	}
	array = pair ? pair->val : add_new(p, parent, k, k->n - 1, TOML_ARRAY, TF_TABLES);
	t = array ? toml_new(TOML_TABLE, k->line, k->col[0]) : NULL;
	if (!t || toml_push(array, t)) {
		toml_no_memory(p);
		return NULL;
	}
	t->flags = TF_EXPLICIT;
	return t;
}

/* [a.b] or [[a.b]]; sets p->cur, to NULL when it is wrong: its keys are then passed over. */
static int read_header(struct toml_parser *p)
{
	struct toml_mark at = toml_here(p);
	bool array = toml_at(p, "[[");
	struct toml_key k;
	char found[48];
	int err;

	p->cur = NULL;
	p->pos += array ? 2 : 1;
	toml_skip_blank(p);
	err = toml_read_key(p, &k);
	if (!err && !toml_at(p, array ? "]]" : "]"))
		err = toml_fail(p, toml_here(p), "expected '%s' after the table's name, found %s",
				array ? "]]" : "]", toml_found(p, found));
	if (!err && ++p->values > TOML_MAX_VALUES) {
		err = p->full ? -E2BIG : toml_fail(p, at, "more than %d values", TOML_MAX_VALUES);
		p->full = true;
	}
	if (!err) {
		p->pos += array ? 2 : 1;
		p->cur = array ? header_array(p, &k, at) : header_table(p, &k, at);
		if (!p->cur)
			err = p->oom ? -ENOMEM : -EINVAL;
	}
	toml_key_free(&k);
	return err;
}

/*
 * Whether a line looks like the beginning of a statement: where reading goes on after an error
 * inside an array, which may have had further lines.
 */
static bool looks_like_statement(struct toml_parser p)
{
	bool header;

	toml_skip_blank(&p);
	header = toml_peek(&p, 0) == '[';
	while (toml_peek(&p, 0) == '[')
		p.pos++;
	while (is_bare(toml_peek(&p, 0)) || (toml_peek(&p, 0) > 0 && strchr("\"'. \t", *p.pos)))
		p.pos++;
	if (!header)
		return toml_peek(&p, 0) == '=';
	while (toml_peek(&p, 0) == ']')
		p.pos++;
	toml_skip_blank(&p);
	return p.pos == p.end || strchr("\r\n#", *p.pos);
}

static void recover(struct toml_parser *p)
{
	do {
		while (p->pos < p->end && !toml_newline(p))
			p->pos++;
	} while (p->fail_depth && p->pos < p->end && !looks_like_statement(*p));
}

static int read_statement(struct toml_parser *p)
{
	struct toml *scratch = NULL;
	char found[48];
	int err = 0, c;

	toml_skip_blank(p);
	c = toml_peek(p, 0);
	if (c == '[') {
		err = read_header(p);
	} else if (c >= 0 && c != '#' && c != '\n' && c != '\r') {
		if (!p->cur) {
			scratch = toml_new(TOML_TABLE, 0, 0);
			if (!scratch)
				return toml_no_memory(p);
		}
		err = toml_read_pair(p, scratch ? scratch : p->cur);
		toml_free(scratch);
	}
	if (err)
		return err;
	toml_skip_blank(p);
	err = toml_comment(p);
	if (err)
		return err;
	if (p->pos == p->end || toml_newline(p))
		return 0;
	return toml_fail(p, toml_here(p), "expected the end of the line, found %s",
			 toml_found(p, found));
}

/* Bytes that are no UTF-8 make the whole document unreadable: one error a line. */
static void check_utf8(struct toml_parser *p)
{
	struct toml_mark m = toml_here(p);

	while (m.pos < p->end && p->errors->n < TOML_MAX_ERRORS) {
		size_t n = toml_utf8(m.pos, p->end);

		if (!n) {
			toml_fail(p, m, "byte 0x%02x is not valid UTF-8", (unsigned char)*m.pos);
			while (m.pos < p->end && *m.pos != '\n')
				m.pos++;
			continue;
		}
		m.pos += n;
		if (m.pos[-1] == '\n') {
			m.line++;
			m.line_start = m.pos;
		}
	}
}

struct toml *toml_parse(const char *text, size_t len, struct toml_errors *errors)
{
	struct toml_parser p = { .pos = text, .end = text + len, .line = 1, .errors = errors };

	errors->n = 0;
	p.root = p.cur = toml_new(TOML_TABLE, 1, 1);
	if (!p.root)
		return NULL;
	if (toml_at(&p, "\xef\xbb\xbf"))
		p.pos += 3;
	p.line_start = p.pos;
	if (len > TOML_MAX_SIZE)
		toml_fail(&p, toml_here(&p), "the document is larger than %d bytes", TOML_MAX_SIZE);
	else
		check_utf8(&p);
	if (errors->n)
		return p.root;
	while (p.pos < p.end && errors->n < TOML_MAX_ERRORS && !p.full && !p.oom)
		if (read_statement(&p))
			recover(&p);
	if (p.oom) {
		toml_free(p.root);
		return NULL;
	}
	return p.root;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * toml_priv.h - what the files of the TOML parser share.
 */
#ifndef SPAND_TOML_PRIV_H
#define SPAND_TOML_PRIV_H

#include <string.h>

#include "toml.h"

/* toml.flags: how a table or array came about decides what may be added to it. */
enum toml_flags {
	TF_EXPLICIT = 1 << 0, /* by its own [header] */
	TF_DOTTED = 1 << 1,   /* by a dotted key: only dotted keys may extend it */
	TF_INLINE = 1 << 2,   /* written as a value: complete */
	TF_TABLES = 1 << 3,   /* array that [[header]] made */
};

struct toml_parser {
	const char *pos, *end;
	const char *line_start;
	unsigned line;
	unsigned depth;
	unsigned fail_depth; /* depth where the last error was */
	size_t values;
	bool oom, full; /* full: the bound on values is reached */
	struct toml *root;
	struct toml *cur; /* table that key/value lines go to */
	struct toml_errors *errors;
};

/* A place to come back to in an error message. */
struct toml_mark {
	const char *pos, *line_start;
	unsigned line;
};

/* A growing string. */
struct toml_buf {
	char *s;
	size_t len, cap;
};

struct toml_key {
	struct toml_buf part[TOML_MAX_DEPTH];
	unsigned col[TOML_MAX_DEPTH];
	unsigned line;
	size_t n;
};

static inline int toml_peek(const struct toml_parser *p, size_t off)
{
	return (size_t)(p->end - p->pos) > off ? (unsigned char)p->pos[off] : -1;
}

static inline bool toml_at(const struct toml_parser *p, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(p->end - p->pos) >= n && memcmp(p->pos, s, n) == 0;
}

static inline struct toml_mark toml_here(const struct toml_parser *p)
{
	return (struct toml_mark){ p->pos, p->line_start, p->line };
}

static inline void toml_skip_blank(struct toml_parser *p)
{
	while (p->pos < p->end && (*p->pos == ' ' || *p->pos == '\t'))
		p->pos++;
}

/* All below return 0 or a negative errno; the error is recorded. */
int toml_fail(struct toml_parser *p, struct toml_mark at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int toml_no_memory(struct toml_parser *p);
unsigned toml_column(struct toml_mark m);
/* Quotes what stands at the position, for "found ...". */
const char *toml_found(const struct toml_parser *p, char buf[48]);

/* Steps over LF or CRLF at the position; false when there is neither. */
bool toml_newline(struct toml_parser *p);
/* A comment up to the end of its line, if one begins here. */
int toml_comment(struct toml_parser *p);

int toml_buf_add(struct toml_buf *b, const char *s, size_t n);
/* A basic or literal string at the position, either with three quotes if multi. */
int toml_read_string(struct toml_parser *p, struct toml_buf *out, bool multi);
/* Length of the valid UTF-8 sequence at s, or 0. */
size_t toml_utf8(const char *s, const char *end);

int toml_read_value(struct toml_parser *p, struct toml **out);
/* A number, date or bare word of n bytes at the position. */
int toml_read_scalar(struct toml_parser *p, struct toml *t);
int toml_read_date(struct toml_parser *p, struct toml *t);

int toml_read_key(struct toml_parser *p, struct toml_key *k);
void toml_key_free(struct toml_key *k);
/* Reads `key = value` into table. */
int toml_read_pair(struct toml_parser *p, struct toml *table);
/* Adds a value under a key that the table doesn't have yet. Takes over val. */
int toml_add(struct toml_parser *p, struct toml *table, const struct toml_key *k, size_t part,
	     struct toml *val);

#endif

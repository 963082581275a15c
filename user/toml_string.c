// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* toml_string.c - strings, comments, line ends, UTF-8 (TOML 1.0 "String", RFC 3629). */
#include <errno.h>
#include <stdlib.h>

#include "toml_priv.h"

size_t toml_utf8(const char *str, const char *end)
{
	const unsigned char *s = (const unsigned char *)str;
	size_t left = end - str, n;
	uint32_t cp;

	if (s[0] < 0x80)
		return 1;
	n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (!n || left < n)
		return 0;
	cp = s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	/* Overlong forms, surrogates, beyond the last plane. */
	if ((n == 3 && cp < 0x800) || (n == 4 && cp < 0x10000) || cp > 0x10ffff ||
	    (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	return n;
}

void toml_clean(char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		size_t n = toml_utf8(text, end);

		if (!n || (unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
		text += n ? n : 1;
	}
}

int toml_buf_add(struct toml_buf *b, const char *s, size_t n)
{
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 32;
		char *bigger;

		while (cap < b->len + n + 1)
			cap *= 2;
		bigger = realloc(b->s, cap);
		if (!bigger)
			return -ENOMEM;
		b->s = bigger;
		b->cap = cap;
	}
	if (n)
		memcpy(b->s + b->len, s, n);
	b->len += n;
	b->s[b->len] = 0;
	return 0;
}

bool toml_newline(struct toml_parser *p)
{
	if (toml_at(p, "\n"))
		p->pos += 1;
	else if (toml_at(p, "\r\n"))
		p->pos += 2;
	else
		return false;
	p->line++;
	p->line_start = p->pos;
	return true;
}

/* Control characters that may not stand in a comment or string: all but tab. */
static bool is_control(int c)
{
	return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

int toml_comment(struct toml_parser *p)
{
	if (toml_peek(p, 0) != '#')
		return 0;
	for (; p->pos < p->end; p->pos++) {
		if (toml_at(p, "\n") || toml_at(p, "\r\n"))
			return 0;
		if (is_control((unsigned char)*p->pos))
			return toml_fail(p, toml_here(p), "control character 0x%02x in a comment",
					 (unsigned char)*p->pos);
	}
	return 0;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* \uXXXX or \UXXXXXXXX; the position is at the u. */
static int read_unicode(struct toml_parser *p, struct toml_buf *out, struct toml_mark at)
{
	int digits = *p->pos == 'u' ? 4 : 8;
	char utf8[4];
	uint32_t cp = 0;
	size_t n;

	p->pos++;
	for (int i = 0; i < digits; i++, p->pos++) {
		int d = hex_digit(toml_peek(p, 0));

		if (d < 0)
			return toml_fail(p, at, "expected %d hexadecimal digits in the escape",
					 digits);
		cp = cp << 4 | d;
	}
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return toml_fail(p, at, "the escape is not a Unicode scalar value");
	if (cp < 0x80) {
		utf8[0] = cp;
		n = 1;
	} else if (cp < 0x800) {
		utf8[0] = 0xc0 | cp >> 6;
		utf8[1] = 0x80 | (cp & 0x3f);
		n = 2;
	} else if (cp < 0x10000) {
		utf8[0] = 0xe0 | cp >> 12;
		utf8[1] = 0x80 | (cp >> 6 & 0x3f);
		utf8[2] = 0x80 | (cp & 0x3f);
		n = 3;
	} else {
		utf8[0] = 0xf0 | cp >> 18;
		utf8[1] = 0x80 | (cp >> 12 & 0x3f);
		utf8[2] = 0x80 | (cp >> 6 & 0x3f);
		utf8[3] = 0x80 | (cp & 0x3f);
		n = 4;
	}
	return toml_buf_add(out, utf8, n) ? toml_no_memory(p) : 0;
}

/* A backslash that only blanks follow on its line swallows all space up to the next text. */
static int read_line_fold(struct toml_parser *p, struct toml_mark at)
{
	toml_skip_blank(p);
	if (!toml_newline(p))
		return toml_fail(p, at,
				 "expected an escape: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX "
				 "\\UXXXXXXXX");
	do
		toml_skip_blank(p);
	while (toml_newline(p));
	return 0;
}

static int read_escape(struct toml_parser *p, struct toml_buf *out, bool multi)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	struct toml_mark at = toml_here(p);
	const char *found;
	int c;

	p->pos++; /* backslash */
	c = toml_peek(p, 0);
	if (c == 'u' || c == 'U')
		return read_unicode(p, out, at);
	found = c > 0 ? strchr(names, c) : NULL;
	if (found) {
		p->pos++;
		return toml_buf_add(out, &values[found - names], 1) ? toml_no_memory(p) : 0;
	}
	if (multi && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
		return read_line_fold(p, at);
	return toml_fail(p, at,
			 "expected an escape: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
}

/* How many quotes q stand at the position, up to five. */
static int count_quotes(const struct toml_parser *p, int q)
{
	int n = 0;

	while (n < 5 && toml_peek(p, n) == q)
		n++;
	return n;
}

int toml_read_string(struct toml_parser *p, struct toml_buf *out, bool multi)
{
	struct toml_mark start = toml_here(p);
	int q = toml_peek(p, 0);

	if (toml_buf_add(out, "", 0))
		return toml_no_memory(p);
	p->pos += multi ? 3 : 1;
	if (multi)
		toml_newline(p); /* one right after the opening does not count */
	for (;;) {
		int c = toml_peek(p, 0), err = 0;

		if (c < 0)
			return toml_fail(p, start, "the string has no end: expected %s%c",
					 multi ? "three times " : "", q);
		if (c == q) {
			int n = multi ? count_quotes(p, q) : 1;

			/* One or two quotes may stand right before the closing three. */
			if (!multi || n >= 3) {
				p->pos += n;
				return multi && toml_buf_add(out, p->pos - n, n - 3)
					       ? toml_no_memory(p)
					       : 0;
			}
		}
		if (c == '\\' && q == '"') {
			err = read_escape(p, out, multi);
		} else if (c == '\n' || toml_at(p, "\r\n")) {
			if (!multi)
				return toml_fail(p, start, "the string does not end on its line");
			/* The line end's form is kept as it is written. */
			if (toml_buf_add(out, p->pos, c == '\n' ? 1 : 2))
				return toml_no_memory(p);
			toml_newline(p);
		} else if (is_control(c)) {
			return toml_fail(p, toml_here(p), "control character 0x%02x in a string",
					 c);
		} else {
			if (toml_buf_add(out, p->pos, 1))
				return toml_no_memory(p);
			p->pos++;
		}
		if (err)
			return err;
	}
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* toml_scalar.c - numbers, booleans, dates and times (TOML 1.0 "Integer" to "Local Time"). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "toml_priv.h"

/* Longer than any number worth writing; further digits are an error, not cut off. */
#define TOKEN_MAX 1024

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
	       c == '-' || c == '_' || c == '.' || c == ':';
}

/*
 * Steps over digits of the base with single underscores between them; copies the digits.
 * Returns how many there were, or 0 when the form is wrong.
 */
static size_t take_digits(const char **s, int base, char **out)
{
	size_t n = 0;

	for (;; (*s)++) {
		int c = (unsigned char)**s, d = -1;

		if (is_digit(c))
			d = c - '0';
		else if (base == 16 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
			d = 10;
		if (d >= 0 && d < base) {
			*(*out)++ = c;
			n++;
		} else if (c == '_') {
			if (!n || (*s)[-1] == '_')
				return 0;
		} else {
			return n && (*s)[-1] != '_' ? n : 0;
		}
	}
}

static int bad_number(struct toml_parser *p, const char *token)
{
	return toml_fail(p, toml_here(p), "expected a value, found '%.40s'; a string needs quotes",
			 token);
}

static int read_radix(struct toml_parser *p, const char *token, struct toml *t)
{
	int base = token[1] == 'x' ? 16 : token[1] == 'o' ? 8 : 2;
	char digits[TOKEN_MAX + 1], *out = digits;
	const char *s = token + 2;
	unsigned long long v;

	if (!take_digits(&s, base, &out) || *s)
		return toml_fail(p, toml_here(p), "expected digits of base %d, found '%.40s'", base,
				 token);
	*out = 0;
	errno = 0;
	v = strtoull(digits, NULL, base);
	if (errno || v > INT64_MAX)
		return toml_fail(p, toml_here(p), "the integer does not fit into 64 bits");
	t->type = TOML_INTEGER;
	t->i = (int64_t)v;
	return 0;
}

/* Decimal integers and floats. The daemon never leaves the C locale, so strtod() takes a dot. */
static int read_number(struct toml_parser *p, const char *token, struct toml *t)
{
	char clean[TOKEN_MAX + 1], *out = clean;
	const char *s = token, *first;
	bool is_float = false;
	size_t n;

	if (*s == '+' || *s == '-')
		*out++ = *s++;
	if (strcmp(s, "inf") == 0 || strcmp(s, "nan") == 0) {
		t->type = TOML_FLOAT;
		t->f = copysign(*s == 'i' ? INFINITY : NAN, *token == '-' ? -1 : 1);
		return 0;
	}
	first = s;
	n = take_digits(&s, 10, &out);
	if (!n)
		return bad_number(p, token);
	if (n > 1 && *first == '0')
		return toml_fail(p, toml_here(p), "a number may not begin with 0: '%.40s'", token);
	if (*s == '.') {
		is_float = true;
		*out++ = *s++;
		if (!take_digits(&s, 10, &out))
			return toml_fail(p, toml_here(p), "expected digits after '.' in '%.40s'",
					 token);
	}
	if (*s == 'e' || *s == 'E') {
		is_float = true;
		*out++ = *s++;
		if (*s == '+' || *s == '-')
			*out++ = *s++;
		if (!take_digits(&s, 10, &out))
			return toml_fail(p, toml_here(p), "expected an exponent in '%.40s'", token);
	}
	if (*s)
		return bad_number(p, token);
	*out = 0;
	errno = 0;
	if (is_float) {
		t->type = TOML_FLOAT;
		t->f = strtod(clean, NULL);
		if (isinf(t->f))
			return toml_fail(p, toml_here(p), "the float does not fit into 64 bits");
		return 0;
	}
	t->type = TOML_INTEGER;
	t->i = strtoll(clean, NULL, 10);
	if (errno)
		return toml_fail(p, toml_here(p), "the integer does not fit into 64 bits");
	return 0;
}

int toml_read_scalar(struct toml_parser *p, struct toml *t)
{
	char token[TOKEN_MAX + 1], found[48];
	size_t n = 0;
	int err;

	if (is_digit(toml_peek(p, 0)) && is_digit(toml_peek(p, 1)) &&
	    (toml_peek(p, 2) == ':' ||
	     (is_digit(toml_peek(p, 2)) && is_digit(toml_peek(p, 3)) && toml_peek(p, 4) == '-')))
		return toml_read_date(p, t);
	while (is_word(toml_peek(p, n))) {
		if (n == TOKEN_MAX)
			return toml_fail(p, toml_here(p), "the number is too long");
		token[n] = p->pos[n];
		n++;
	}
	token[n] = 0;
	if (!n)
		return toml_fail(p, toml_here(p), "expected a value, found %s",
				 toml_found(p, found));
	if (strcmp(token, "true") == 0 || strcmp(token, "false") == 0) {
		t->type = TOML_BOOL;
		t->b = *token == 't';
		err = 0;
	} else if (token[0] == '0' && (token[1] == 'x' || token[1] == 'o' || token[1] == 'b')) {
		err = read_radix(p, token, t);
	} else {
		err = read_number(p, token, t);
	}
	if (!err)
		p->pos += n;
	return err;
}

/* Exactly n digits at the position, or -1. */
static int take_number(struct toml_parser *p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!is_digit(toml_peek(p, i)))
			return -1;
		v = v * 10 + (p->pos[i] - '0');
	}
	p->pos += n;
	return v;
}

static bool take_char(struct toml_parser *p, char c)
{
	if (toml_peek(p, 0) != c)
		return false;
	p->pos++;
	return true;
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)))
		return 29;
	return days[month - 1];
}

/* RFC 3339 full-date. */
static bool read_ymd(struct toml_parser *p, struct toml_time *tm)
{
	tm->year = take_number(p, 4);
	if (!take_char(p, '-'))
		return false;
	tm->month = take_number(p, 2);
	if (tm->month < 1 || tm->month > 12 || !take_char(p, '-'))
		return false;
	tm->day = take_number(p, 2);
	return tm->day >= 1 && tm->day <= days_of_month(tm->year, tm->month);
}

/* RFC 3339 partial-time. Digits beyond nanoseconds are cut off, as TOML asks. */
static bool read_hms(struct toml_parser *p, struct toml_time *tm)
{
	int scale = 100000000;

	tm->hour = take_number(p, 2);
	if (tm->hour < 0 || tm->hour > 23 || !take_char(p, ':'))
		return false;
	tm->min = take_number(p, 2);
	if (tm->min < 0 || tm->min > 59 || !take_char(p, ':'))
		return false;
	tm->sec = take_number(p, 2);
	/* 60 is a leap second; RFC 3339 has it at any minute's end. */
	if (tm->sec < 0 || tm->sec > 60)
		return false;
	if (!take_char(p, '.'))
		return true;
	if (!is_digit(toml_peek(p, 0)))
		return false;
	for (; is_digit(toml_peek(p, 0)); p->pos++, scale /= 10)
		tm->nsec += (*p->pos - '0') * scale;
	return true;
}

/* RFC 3339 time-offset, when there is one. */
static bool read_offset(struct toml_parser *p, struct toml *t)
{
	int sign = toml_peek(p, 0), hours, minutes;

	if (take_char(p, 'Z') || take_char(p, 'z')) {
		t->type = TOML_DATETIME;
		return true;
	}
	if (sign != '+' && sign != '-')
		return true;
	p->pos++;
	hours = take_number(p, 2);
	if (hours < 0 || hours > 23 || !take_char(p, ':'))
		return false;
	minutes = take_number(p, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	t->type = TOML_DATETIME;
	t->time.offset = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
	return true;
}

int toml_read_date(struct toml_parser *p, struct toml *t)
{
	struct toml_mark at = toml_here(p);
	bool ok = true;
	int c;

	memset(&t->time, 0, sizeof(t->time));
	if (toml_peek(p, 2) == ':') {
		t->type = TOML_LOCAL_TIME;
		ok = read_hms(p, &t->time);
	} else {
		t->type = TOML_LOCAL_DATE;
		ok = read_ymd(p, &t->time);
		c = toml_peek(p, 0);
		if (ok && (c == 'T' || c == 't' ||
			   (c == ' ' && is_digit(toml_peek(p, 1)) && is_digit(toml_peek(p, 2))))) {
			p->pos++;
			t->type = TOML_LOCAL_DATETIME;
			ok = read_hms(p, &t->time) && read_offset(p, t);
		}
	}
	if (!ok || is_word(toml_peek(p, 0)))
		return toml_fail(p, at,
				 "expected a date, time or both as in 1979-05-27T07:32:00.5+01:00");
	return 0;
}

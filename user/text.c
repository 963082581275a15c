/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "text.h"

static const char digits[] = "0123456789abcdef";

void text_u64(struct text_out *o, uint64_t v)
{
	char buf[20];
	char *p = buf + sizeof(buf);

	while (v >= 100) {
		unsigned two = v % 100;

		v /= 100;
		*--p = '0' + two % 10;
		*--p = '0' + two / 10;
	}
	if (v >= 10) {
		*--p = '0' + v % 10;
		v /= 10;
	}
	*--p = '0' + v;
	text_bytes(o, p, buf + sizeof(buf) - p);
}

void text_hex(struct text_out *o, uint64_t v, unsigned n)
{
	char buf[16];
	unsigned i;

	for (i = n; i-- > 0; v >>= 4)
		buf[i] = digits[v & 15];
	text_bytes(o, buf, n);
}

static bool is_cont(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

/* RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
unsigned text_utf8(const char *s, size_t n)
{
	uint8_t a = n ? (uint8_t)s[0] : 0, b = n > 1 ? (uint8_t)s[1] : 0;

	if (!n)
		return 0;
	if (a < 0x80)
		return 1;
	if (a < 0xc2 || a > 0xf4 || n < 2 || !is_cont(s[1]))
		return 0;
	if (a < 0xe0)
		return 2;
	if (n < 3 || !is_cont(s[2]))
		return 0;
	if (a < 0xf0)
		return (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ? 0 : 3;
	if (n < 4 || !is_cont(s[3]))
		return 0;
	return (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f) ? 0 : 4;
}

/* What a byte needs inside a JSON string. */
enum json_class { JSON_PLAIN, JSON_ESCAPE, JSON_RAW, JSON_HIGH };

static inline enum json_class json_class(uint8_t c)
{
	if (c >= 0x80)
		return JSON_HIGH;
	if (!c)
		return JSON_RAW;
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f ? JSON_ESCAPE : JSON_PLAIN;
}

static void json_escape(struct text_out *o, uint8_t c)
{
	char buf[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
	static const char short_form[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	const char *f;

	for (f = short_form; *f; f += 2) {
		if ((uint8_t)f[1] == c) {
			buf[1] = f[0];
			text_bytes(o, buf, 2);
			return;
		}
	}
	text_bytes(o, buf, 6);
}

void text_json(struct text_out *o, const char *s, size_t n)
{
	size_t i = 0, from = 0;

	while (i < n) {
		enum json_class class = json_class(s[i]);
		unsigned len;

		if (class == JSON_PLAIN) {
			i++;
			continue;
		}
		if (class == JSON_HIGH) {
			len = text_utf8(s + i, n - i);
			if (len) {
				i += len;
				continue;
			}
		}
		text_bytes(o, s + from, i - from);
		if (class == JSON_ESCAPE) {
			json_escape(o, s[i]);
		} else {
			text_lit(o, "\\\\x");
			text_hex(o, (uint8_t)s[i], 2);
		}
		from = ++i;
	}
	text_bytes(o, s + from, i - from);
}

void text_close(struct text_out *o, char close)
{
	if (!o->full && o->p[-1] == ',')
		o->p[-1] = close;
	else
		text_bytes(o, &close, 1);
}

/* Characters beyond ASCII that must not reach a terminal: C1 controls, separators, direction. */
static bool is_harmful(const char *s, unsigned len)
{
	uint32_t c;

	if (len == 2)
		return (uint8_t)s[0] == 0xc2 && (uint8_t)s[1] < 0xa0;
	if (len != 3)
		return false;
	c = ((uint8_t)s[0] & 15u) << 12 | ((uint8_t)s[1] & 63u) << 6 | ((uint8_t)s[2] & 63u);
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void text_printable(struct text_out *o, const char *s, size_t n)
{
	size_t i, from = 0;
	unsigned len, k;

	for (i = 0; i < n; i += len) {
		uint8_t c = s[i];

		len = 1;
		if (c >= 0x20 && c < 0x7f)
			continue;
		if (c >= 0x80) {
			len = text_utf8(s + i, n - i);
			if (len && !is_harmful(s + i, len))
				continue;
			if (!len)
				len = 1;
		}
		text_bytes(o, s + from, i - from);
		for (k = 0; k < len; k++) {
			text_lit(o, "\\x");
			text_hex(o, (uint8_t)s[i + k], 2);
		}
		from = i + len;
	}
	text_bytes(o, s + from, i - from);
}

void text_ipv4(struct text_out *o, const uint8_t a[4])
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (i)
			text_lit(o, ".");
		text_u64(o, a[i]);
	}
}

/* RFC 5952 section 4: no leading zeros, the first longest run of two or more zeros as "::". */
void text_ipv6(struct text_out *o, const uint8_t a[16])
{
	unsigned i, run = 0, best = 8, best_len = 1;

	for (i = 0; i < 8; i++) {
		run = a[2 * i] || a[2 * i + 1] ? 0 : run + 1;
		if (run > best_len) {
			best_len = run;
			best = i + 1 - run;
		}
	}
	for (i = 0; i < 8;) {
		unsigned v = (unsigned)a[2 * i] << 8 | a[2 * i + 1];

		if (i == best) {
			text_lit(o, "::");
			i += best_len;
			continue;
		}
		if (i && i != best + best_len)
			text_lit(o, ":");
		text_hex(o, v, v > 0xfff ? 4 : v > 0xff ? 3 : v > 0xf ? 2 : 1);
		i++;
	}
}

/* v/unit with three significant digits, rounded down; v < 1000 * unit. */
static void three_digits(struct text_out *o, uint64_t v, uint64_t unit)
{
	uint64_t whole = v / unit, rest = v % unit;

	text_u64(o, whole);
	if (whole >= 100 || unit == 1)
		return;
	text_lit(o, ".");
	/* unit is a power of 1000, so these divisions are exact. */
	rest /= unit / 1000;
	text_bytes(o, &digits[rest / 100], 1);
	if (whole < 10)
		text_bytes(o, &digits[rest / 10 % 10], 1);
}

static void two_parts(struct text_out *o, uint64_t big, char big_unit, uint64_t small, char unit)
{
	text_u64(o, big);
	text_bytes(o, &big_unit, 1);
	text_bytes(o, &digits[small / 10], 1);
	text_bytes(o, &digits[small % 10], 1);
	text_bytes(o, &unit, 1);
}

void text_duration(struct text_out *o, uint64_t ns)
{
	uint64_t s = ns / 1000000000;

	if (ns < 1000) {
		text_u64(o, ns);
		text_lit(o, "ns");
	} else if (ns < 1000000) {
		three_digits(o, ns, 1000);
		text_lit(o, "\302\265s");
	} else if (ns < 1000000000) {
		three_digits(o, ns, 1000000);
		text_lit(o, "ms");
	} else if (s < 60) {
		three_digits(o, ns, 1000000000);
		text_lit(o, "s");
	} else if (s < 3600) {
		two_parts(o, s / 60, 'm', s % 60, 's');
	} else {
		two_parts(o, s / 3600, 'h', s / 60 % 60, 'm');
	}
}

void text_size(struct text_out *o, uint64_t bytes)
{
	static const char prefix[] = "kMGTPE";
	uint64_t unit = 1;
	unsigned i = 0;

	/* 1000^6 is the largest unit that a __u64 holds. */
	while (bytes / unit >= 1000 && i < sizeof(prefix) - 1) {
		unit *= 1000;
		i++;
	}
	three_digits(o, bytes, unit);
	if (i)
		text_bytes(o, &prefix[i - 1], 1);
	text_lit(o, "B");
}

static unsigned count_columns(const char *p, const char *end)
{
	unsigned n = 0;

	for (; p < end; p++)
		n += !is_cont(*p);
	return n;
}

void text_pad(struct text_out *o, const char *start, unsigned columns)
{
	unsigned n = count_columns(start, o->p);

	for (; n < columns; n++)
		text_lit(o, " ");
}

void text_pad_left(struct text_out *o, char *start, unsigned columns)
{
	unsigned n = count_columns(start, o->p);
	size_t fill = columns > n ? columns - n : 0;

	if ((size_t)(o->end - o->p) < fill) {
		o->full = true;
		return;
	}
	memmove(start + fill, start, o->p - start);
	memset(start, ' ', fill);
	o->p += fill;
}

void text_end(struct text_out *o)
{
	if (o->p == o->end)
		o->p--;
	*o->p = '\0';
}

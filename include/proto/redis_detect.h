/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * redis_detect.h - is it RESP? Part of redis.h.
 *
 * An array whose first element is a bulk string that reads like a command is strong evidence of a
 * request; any other value is weak evidence of a reply, and an inline command is only believed if
 * it is a known one. Text protocols come close ("+OK" is POP3's and NATS' too): a
 * connection's verdict needs both directions.
 */
#ifndef SPAND_PROTO_REDIS_DETECT_H
#define SPAND_PROTO_REDIS_DETECT_H

#include "redis_values.h"

#define REDIS_CODE_MAX	 16 /* capitals that begin an error */
#define REDIS_STATUS_MAX 64 /* bytes of a status or error line that detection believes */

/* A command word as a case label: the string literal of SWAR_WORD() is no constant in C. */
#define REDIS_W(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/*
 * True if the word at off, n bytes, is one of the frequent commands. alone: of those, one that
 * people send inline and that other text protocols don't have (QUIT, HELP, AUTH; memcached's are
 * in lower case).
 */
PROTO_FN int redis_known(const struct pwin *w, __u32 off, __u32 n, __u32 alone)
{
	__u64 x;

	if (!w || n < 3 || n > 8)
		return 0;
	x = swar_load(w, off);
	if (!(x & 0x20) && alone)
		alone = 2; /* capitals */
	x |= SWAR_CASE;
	/* Blanks behind the word, as in the labels. */
	x = (x & SWAR_BYTES(n)) | (SWAR_CASE & ~SWAR_BYTES(n));
	switch (x) {
	case REDIS_W('d', 'e', 'l', ' ', ' ', ' ', ' ', ' '):
	case REDIS_W('t', 't', 'l', ' ', ' ', ' ', ' ', ' '):
	case REDIS_W('p', 'i', 'n', 'g', ' ', ' ', ' ', ' '):
	case REDIS_W('i', 'n', 'f', 'o', ' ', ' ', ' ', ' '):
	case REDIS_W('k', 'e', 'y', 's', ' ', ' ', ' ', ' '):
	case REDIS_W('e', 'c', 'h', 'o', ' ', ' ', ' ', ' '):
	case REDIS_W('h', 'g', 'e', 't', ' ', ' ', ' ', ' '):
	case REDIS_W('h', 's', 'e', 't', ' ', ' ', ' ', ' '):
	case REDIS_W('l', 'l', 'e', 'n', ' ', ' ', ' ', ' '):
	case REDIS_W('s', 'a', 'd', 'd', ' ', ' ', ' ', ' '):
	case REDIS_W('z', 'a', 'd', 'd', ' ', ' ', ' ', ' '):
	case REDIS_W('s', 'c', 'a', 'n', ' ', ' ', ' ', ' '):
	case REDIS_W('m', 'g', 'e', 't', ' ', ' ', ' ', ' '):
	case REDIS_W('m', 's', 'e', 't', ' ', ' ', ' ', ' '):
	case REDIS_W('l', 'p', 'u', 's', 'h', ' ', ' ', ' '):
	case REDIS_W('r', 'p', 'u', 's', 'h', ' ', ' ', ' '):
	case REDIS_W('h', 'e', 'l', 'l', 'o', ' ', ' ', ' '):
	case REDIS_W('m', 'u', 'l', 't', 'i', ' ', ' ', ' '):
	case REDIS_W('h', 'm', 'g', 'e', 't', ' ', ' ', ' '):
	case REDIS_W('s', 'e', 't', 'e', 'x', ' ', ' ', ' '):
	case REDIS_W('b', 'l', 'p', 'o', 'p', ' ', ' ', ' '):
	case REDIS_W('b', 'r', 'p', 'o', 'p', ' ', ' ', ' '):
	case REDIS_W('d', 'b', 's', 'i', 'z', 'e', ' ', ' '):
	case REDIS_W('e', 'x', 'i', 's', 't', 's', ' ', ' '):
	case REDIS_W('c', 'o', 'n', 'f', 'i', 'g', ' ', ' '):
	case REDIS_W('l', 'r', 'a', 'n', 'g', 'e', ' ', ' '):
	case REDIS_W('e', 'x', 'p', 'i', 'r', 'e', ' ', ' '):
	case REDIS_W('z', 'r', 'a', 'n', 'g', 'e', ' ', ' '):
	case REDIS_W('i', 'n', 'c', 'r', 'b', 'y', ' ', ' '):
	case REDIS_W('c', 'o', 'm', 'm', 'a', 'n', 'd', ' '):
	case REDIS_W('m', 'o', 'n', 'i', 't', 'o', 'r', ' '):
	case REDIS_W('h', 'g', 'e', 't', 'a', 'l', 'l', ' '):
	case REDIS_W('p', 'u', 'b', 'l', 'i', 's', 'h', ' '):
	case REDIS_W('e', 'v', 'a', 'l', 's', 'h', 'a', ' '):
	case REDIS_W('f', 'l', 'u', 's', 'h', 'a', 'l', 'l'):
	case REDIS_W('s', 'm', 'e', 'm', 'b', 'e', 'r', 's'):
		return 1;
	case REDIS_W('g', 'e', 't', ' ', ' ', ' ', ' ', ' '):
	case REDIS_W('s', 'e', 't', ' ', ' ', ' ', ' ', ' '):
	case REDIS_W('i', 'n', 'c', 'r', ' ', ' ', ' ', ' '):
	case REDIS_W('d', 'e', 'c', 'r', ' ', ' ', ' ', ' '):
		return alone != 1;
	case REDIS_W('a', 'u', 't', 'h', ' ', ' ', ' ', ' '):
	case REDIS_W('q', 'u', 'i', 't', ' ', ' ', ' ', ' '):
	case REDIS_W('e', 'x', 'e', 'c', ' ', ' ', ' ', ' '):
	case REDIS_W('e', 'v', 'a', 'l', ' ', ' ', ' ', ' '):
	case REDIS_W('c', 'l', 'i', 'e', 'n', 't', ' ', ' '):
	case REDIS_W('s', 'e', 'l', 'e', 'c', 't', ' ', ' '):
		return !alone;
	}
	return 0;
}

/* A known inline command on a line that is whole. */
PROTO_INLINE int redis_detect_inline(const struct pwin *w)
{
	__u32 off, n, left;
	__u8 c;

	off = w->off;
	left = pwin_left(w);
	n = redis_word(w, off, w->len);
	if (!n || n > 8)
		return 0;
	if (n == left)
		return DETECT_MORE;
	if (!redis_known(w, off, n, 1))
		return 0;
	c = pwin_u8(w, off + n);
	if (c != ' ' && c != '\r' && c != '\n')
		return 0;
	/* NATS: "INFO {...}"; HTTP/0.9: "GET /". */
	c = n + 1 < left ? pwin_u8(w, off + n + 1) : ' ';
	if (c == '{' || c == '/')
		return 0;
	off = redis_eol(w, off);
	if (off >= w->len)
		return left < PWIN_ENOUGH ? DETECT_MORE : 0;
	if (off < w->off + 10)
		return DETECT_REQUEST;
	/* "GET / HTTP/1.0\r\n" */
	return swar_load(w, off - 9) == SWAR_WORD(" HTTP/1.") ||
			       swar_load(w, off - 10) == SWAR_WORD(" HTTP/1.")
		       ? 0
		       : DETECT_REQUEST;
}

/*
 * "*<n>\r\n$<len>\r\n<word>\r\n". Both bits if the word is not a known command: a reply can look
 * so too.
 */
PROTO_INLINE int redis_detect_request(const struct pwin *w)
{
	__u32 off, n;
	__u64 v;

	off = w->off;
	if (pwin_u8(w, off) != '*')
		return redis_detect_inline(w);
	v = redis_int(w, off);
	if (!v)
		return DETECT_MORE;
	if (v >> 40 || !(__u32)v || (__u32)v > REDIS_ARGS_MAX)
		return 0;
	off += redis_int_len(v);
	if (off >= w->len)
		return DETECT_MORE;
	if (pwin_u8(w, off) != '$')
		return 0;
	v = redis_int(w, off);
	if (!v)
		return DETECT_MORE;
	n = v;
	if (v >> 40 || !n || n > REDIS_WORD_MAX)
		return 0;
	off += redis_int_len(v);
	if (off + n + 2 > w->len)
		return DETECT_MORE;
	if (redis_word(w, off, off + n) != n || pwin_u8(w, off + n) != '\r' ||
	    pwin_u8(w, off + n + 1) != '\n')
		return 0;
	return redis_known(w, off, n, 0) ? DETECT_REQUEST : DETECT_REQUEST | DETECT_RESPONSE;
}

/* Capitals at off, REDIS_CODE_MAX + 1 at most: the code of an error. */
PROTO_FN __u32 redis_capitals(const struct pwin *w, __u32 off)
{
	__u32 i;

	if (!w)
		return 0;
	for (i = 0; i <= REDIS_CODE_MAX; i++) {
		if ((__u8)(pwin_u8(w, off + i) - 'A') > 'Z' - 'A')
			break;
	}
	return i;
}

/*
 * "+OK", "-ERR unknown command": a line of printable characters. A status is short, words; an
 * error begins with a code.
 */
PROTO_FN int redis_detect_status(const struct pwin *w)
{
	__u32 off, i, len, n = 0;
	__u64 x, t;
	__u8 c;

	if (!w)
		return 0;
	off = w->off + 1;
	len = w->len;
	c = pwin_u8(w, off) | 0x20;
	if (off >= len)
		return DETECT_MORE;
	if (c < 'a' || c > 'z')
		return 0;
	if (pwin_u8(w, off - 1) == '-') {
		n = redis_capitals(w, off);
		if (off + n >= len)
			return n <= REDIS_CODE_MAX ? DETECT_MORE : 0;
		c = pwin_u8(w, off + n);
		if (n < 3 || n > REDIS_CODE_MAX || (c != ' ' && c != '\r'))
			return 0;
	} else if (redis_is(w, off, 3, SWAR_WORD("ok      ")) && off + 2 < len) {
		return 0; /* POP3: "+OK dovecot ready." */
	}
	n = 0;
	for (i = 0; i < REDIS_STATUS_MAX / 8; i++) {
		x = swar_load(w, off + n);
		t = swar_below(x, ' ') | (x & SWAR_HIGH);
		if (t) {
			n += swar_first(t);
			break;
		}
		n += 8;
	}
	/* An error's text may be long. */
	if (n >= REDIS_STATUS_MAX && off + REDIS_STATUS_MAX <= len)
		return pwin_u8(w, off - 1) == '-' ? DETECT_RESPONSE : 0;
	if (off + n >= len)
		return DETECT_MORE;
	if (pwin_u8(w, off + n) != '\r')
		return 0;
	if (off + n + 1 >= len)
		return DETECT_MORE;
	return pwin_u8(w, off + n + 1) == '\n' ? DETECT_RESPONSE : 0;
}

/* A character that begins a RESP3 value. */
PROTO_INLINE int redis_type(__u8 c)
{
	/* ! # $ % ( * + , - : = > as a bitmap */
	return c < 64 ? 0x64003d3a00000000ULL >> c & 1 : c == '_' || c == '|' || c == '~';
}

PROTO_INLINE int redis_detect_response(const struct pwin *w)
{
	__u32 off, len, n;
	__u64 v;
	__u8 c, d;

	off = w->off;
	len = w->len;
	c = pwin_u8(w, off);
	if (c == '+' || c == '-')
		return redis_detect_status(w);
	if (!redis_type(c))
		return 0;
	if (len - off < 2)
		return DETECT_MORE;
	d = pwin_u8(w, off + 1);
	if (c == '#' || c == '_') {
		if (c == '#' && d != 't' && d != 'f')
			return 0;
		off += c == '#' ? 2 : 1;
		n = swar_load(w, off) & 0xffff;
		if (off + 2 > len)
			return off < len && (n & 0xff) != '\r' ? 0 : DETECT_MORE;
		return n == ('\r' | '\n' << 8) ? DETECT_RESPONSE : 0;
	}
	/* Doubles and big numbers are too rare, and too much like noise. */
	if (c == ',' || c == '(')
		return 0;
	/* ":-7": the sign stands where redis_int() passes over the type. */
	if (c == ':' && d == '-')
		off++;
	v = redis_int(w, off);
	if (!v)
		return DETECT_MORE;
	if (v & REDIS_INT_BAD)
		return 0;
	if (c == ':')
		return v >> 40 ? 0 : DETECT_RESPONSE;
	if (v >> 40)
		return v & REDIS_INT_STREAM || c == '*' || c == '$' ? DETECT_RESPONSE : 0;
	n = v;
	off += redis_int_len(v);
	if (c == '$' || c == '=' || c == '!') {
		if (n > REDIS_BULK_MAX)
			return 0;
		if (off + n + 2 > len)
			return DETECT_RESPONSE;
		return pwin_u8(w, off + n) == '\r' && pwin_u8(w, off + n + 1) == '\n'
			       ? DETECT_RESPONSE
			       : 0;
	}
	if (!n)
		return DETECT_RESPONSE;
	if (off >= len)
		return DETECT_MORE;
	return redis_type(pwin_u8(w, off)) ? DETECT_RESPONSE : 0;
}

/*
 * Where either is possible, an array of bulk strings that begins with no known command is left to
 * later evidence.
 */
PROTO_FN int redis_detect(const struct pwin *w, __u32 dirs)
{
	int r = 0;
	__u8 c;

	if (!w)
		return 0;
	if (!pwin_left(w))
		return DETECT_MORE;
	c = pwin_u8(w, w->off);
	if (!redis_type(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'z'))
		return 0;
	if (dirs & DETECT_REQUEST) {
		r = redis_detect_request(w);
		if (r & DETECT_RESPONSE)
			return dirs & DETECT_RESPONSE ? 0 : DETECT_REQUEST;
		if (r & DETECT_REQUEST)
			return r;
	}
	if (dirs & DETECT_RESPONSE)
		r |= redis_detect_response(w);
	return r & DETECT_RESPONSE ? DETECT_RESPONSE : r;
}

#endif

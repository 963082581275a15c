/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * redis_values.h - the values of RESP2 and RESP3: what redis.h builds on. Names of types are
 * those of github.com/redis/redis-specifications, protocol/RESP3.md.
 */
#ifndef SPAND_PROTO_REDIS_VALUES_H
#define SPAND_PROTO_REDIS_VALUES_H

#include "swar.h"

/* pstate.stage */
enum redis_stage {
	REDIS_START = 0,
	REDIS_VALUES,
	REDIS_LINE, /* in a line that is too long for the window */
};

/* pstate.flags; count: open streamed aggregates, left: values to come, aux: of those outside. */
enum redis_flags {
	REDIS_REQUEST = 1 << 0, /* only bulk strings may come */
	REDIS_NESTED = 1 << 1,	/* an aggregate is open: an error is not the reply's own */
	REDIS_CHUNKS = 1 << 2,	/* in a streamed string */
	REDIS_LEAVES = 1 << 3,
};

#define REDIS_BULK_MAX (512ULL << 20) /* proto-max-bulk-len */
/*
 * Values taken in one call. The window's end stops most calls first; the next call goes on.
 */
#define REDIS_FIRST    16 /* values taken before the loop */
#define REDIS_STEPS    32

#define REDIS_CRLF ('\r' | '\n' << 8)

/* redis_int(): value in the lower half, bytes of the line in bits 32..39. */
#define REDIS_INT_NULL	 (1ULL << 40) /* "-1" */
#define REDIS_INT_STREAM (1ULL << 41) /* "?" */
#define REDIS_INT_BAD	 (1ULL << 42)

PROTO_INLINE __u32 redis_int_len(__u64 v)
{
	return v >> 32 & 0xff;
}

/* "<type><digits>\r\n" at off. 0: incomplete. A number has ten digits at most. */
PROTO_FN __u64 redis_int(const struct pwin *w, __u32 off)
{
	__u32 i, len, left;
	__u64 v = 0, x;
	__u8 c;

	if (!w)
		return REDIS_INT_BAD;
	len = w->len;
	left = len > off ? len - off : 0;
	x = swar_load(w, off) >> 8;
	c = x;
	if (left > 1 && (c == '-' || c == '?')) {
		x ^= c == '-' ? SWAR_WORD("-1\r\n    ") : SWAR_WORD("?\r\n     ");
		i = c == '-' ? 5 : 4;
		x &= SWAR_BYTES(4) >> (c == '-' ? 0 : 8);
		if (left < i)
			return x & (SWAR_BYTES(4) >> (5 - left) * 8) ? REDIS_INT_BAD : 0;
		if (x)
			return REDIS_INT_BAD;
		return (__u64)i << 32 | (c == '-' ? REDIS_INT_NULL : REDIS_INT_STREAM);
	}
	for (i = 1; i <= 11; i++) {
		if (i >= left)
			return 0;
		c = pwin_u8(w, off + i) - '0';
		if (c > 9)
			break;
		v = v * 10 + c;
	}
	if (i == 1 || i > 11 || v >> 32 || c != (__u8)('\r' - '0'))
		return REDIS_INT_BAD;
	if (i + 1 >= left)
		return 0;
	if (pwin_u8(w, off + i + 1) != '\n')
		return REDIS_INT_BAD;
	return v | (__u64)(i + 2) << 32;
}

/* As redis_int() for the usual, "<type>" and one or two digits, without a call. */
PROTO_INLINE __u64 redis_int_short(const struct pwin *w, __u32 off)
{
	__u64 x = swar_load(w, off);
	__u32 a = (__u8)(x >> 8) - '0', b = (__u8)(x >> 16) - '0', len = w->len;

	if (a <= 9 && (x >> 16 & 0xffff) == REDIS_CRLF && off + 4 <= len)
		return a | 4ULL << 32;
	if (a <= 9 && b <= 9 && (x >> 24 & 0xffff) == REDIS_CRLF && off + 5 <= len)
		return (a * 10 + b) | 5ULL << 32;
	return redis_int(w, off);
}

/* Offset of the first LF in [off, w->len), or w->len. */
PROTO_INLINE __u32 redis_eol(const struct pwin *w, __u32 off)
{
	return swar_find(w, off, w->len, '\n');
}

/*
 * One value's first token at off, which is in the window. Returns bytes taken (more than there
 * are: the rest is to be skipped), 0: incomplete, REDIS_TOKEN_BAD, or REDIS_TOKEN_LINE: a
 * line that is longer than the window has begun.
 */
#define REDIS_TOKEN_BAD	 (~0ULL)
#define REDIS_TOKEN_LINE (~0ULL - 1)

PROTO_FN __u64 redis_token(const struct pwin *w, struct pstate *s, __u32 off)
{
	__u64 v, n, per = 1;
	__u32 eol, len;
	__u8 c;

	if (!w || !s)
		return REDIS_TOKEN_BAD;
	len = w->len;
	c = pwin_u8(w, off);
	if (c == '$') {
		/* The most frequent first. */
		if (s->flags & REDIS_CHUNKS)
			return REDIS_TOKEN_BAD;
	} else if (s->flags & REDIS_REQUEST) {
		return REDIS_TOKEN_BAD;
	} else if (s->flags & REDIS_CHUNKS) {
		if (c != ';')
			return REDIS_TOKEN_BAD;
	} else if (c == '+' || c == '-' || c == ':' || c == ',' || c == '(' || c == '_' ||
		   c == '#') {
		eol = redis_eol(w, off);
		if (eol >= len && len - off < PWIN_ENOUGH)
			return 0;
		n = eol - off;
		/* A line is judged by no more than its first PWIN_ENOUGH bytes. */
		if (n < PWIN_ENOUGH && pwin_u8(w, eol - 1) != '\r')
			return REDIS_TOKEN_BAD;
		if ((c == '_' && n != 2) || (c == '#' && n != 3))
			return REDIS_TOKEN_BAD;
		s->left--;
		return eol < len ? n + 1 : REDIS_TOKEN_LINE;
	} else if (c == '.') {
		/* The end of a streamed aggregate; what is outside of it goes on. */
		if (s->left != 1 || !s->count)
			return REDIS_TOKEN_BAD;
		if (len - off < 3)
			return 0;
		if (pwin_u8(w, off + 1) != '\r' || pwin_u8(w, off + 2) != '\n')
			return REDIS_TOKEN_BAD;
		s->count--;
		s->left = s->aux & 0xffffffff;
		s->aux >>= 32;
		return 3;
	} else if (c == '%' || c == '|') {
		per = 2;
	} else if (c != '*' && c != '~' && c != '>' && c != '=' && c != '!') {
		return REDIS_TOKEN_BAD;
	}
	v = redis_int_short(w, off);
	if (!v)
		return 0;
	if (v & REDIS_INT_BAD)
		return REDIS_TOKEN_BAD;
	n = v & 0xffffffff;
	off = redis_int_len(v);
	if (c == ';') {
		if (v & (REDIS_INT_NULL | REDIS_INT_STREAM) || n > REDIS_BULK_MAX)
			return REDIS_TOKEN_BAD;
		if (n)
			return off + n + 2;
		s->flags &= ~REDIS_CHUNKS;
		s->left--;
		return off;
	}
	if (c == '$' || c == '=' || c == '!') {
		if (v & REDIS_INT_STREAM) {
			if (c != '$' || s->flags & REDIS_REQUEST)
				return REDIS_TOKEN_BAD;
			s->flags |= REDIS_CHUNKS;
			return off;
		}
		if (n > REDIS_BULK_MAX || (v & REDIS_INT_NULL && c != '$'))
			return REDIS_TOKEN_BAD;
		s->left--;
		return v & REDIS_INT_NULL ? off : off + n + 2;
	}
	/* An attribute comes before the value that it describes. */
	if (c != '|') {
		s->flags |= REDIS_NESTED;
		s->left--;
	}
	if (v & REDIS_INT_NULL)
		return c == '*' ? off : REDIS_TOKEN_BAD;
	if (v & REDIS_INT_STREAM) {
		if (s->count >= 2 || s->left >> 32)
			return REDIS_TOKEN_BAD;
		s->count++;
		s->aux = s->aux << 32 | s->left;
		s->left = 0;
		return off;
	}
	s->left += n * per;
	return s->left >> 32 ? REDIS_TOKEN_BAD : off;
}

/*
 * Values from w->off + m->consumed on, until s->left are taken. PARSE_OK: the message is
 * complete with m->skip; PARSE_MORE: it is not.
 */
PROTO_FN int redis_values(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos, len, i;
	__u64 n;
	__u8 c;

	if (!w || !s || !m)
		return PARSE_BAD;
	len = w->len;
	pos = w->off + m->consumed;
	if (s->stage == REDIS_LINE) {
		pos = redis_eol(w, pos);
		if (pos >= len) {
			m->consumed = len - w->off;
			return PARSE_MORE;
		}
		pos++;
	}
	s->stage = REDIS_VALUES;
	for (i = 0; i < REDIS_STEPS; i++) {
		if (!s->left) {
			if (!s->count)
				break;
			s->left = 1;
		}
		if (pos >= len)
			break;
		c = pwin_u8(w, pos);
		if ((c == '-' || c == '!') && s->left == 1 && !(s->flags & REDIS_NESTED)) {
			m->flags |= PMSG_ERROR;
			s->flags &= ~REDIS_LEAVES;
		}
		n = redis_token(w, s, pos);
		if (!n)
			break;
		if (n == REDIS_TOKEN_BAD)
			return PARSE_BAD;
		if (n == REDIS_TOKEN_LINE) {
			s->stage = REDIS_LINE;
			pos = len;
			break;
		}
		if (n > len - pos) {
			m->skip = n - (len - pos);
			pos = len;
			break;
		}
		pos += n;
	}
	m->consumed = pos - w->off;
	return s->left || s->count || s->stage == REDIS_LINE ? PARSE_MORE : PARSE_OK;
}

/*
 * redis_token() for the most frequent, which need no call: a bulk string of up to 99 bytes, a
 * line that ends in the first eight. *n: bytes taken. False: not one of these, or incomplete.
 */
PROTO_INLINE int redis_short(const struct pwin *w, struct pstate *s, __u32 pos, __u64 *n)
{
	__u64 x = swar_load(w, pos), t;
	__u32 len = w->len, a, b;
	__u8 c = x;

	if (c == '$') {
		a = (__u8)(x >> 8) - '0';
		b = (__u8)(x >> 16) - '0';
		if (a > 9 || s->flags & REDIS_CHUNKS)
			return 0;
		if ((x >> 16 & 0xffff) == REDIS_CRLF) {
			b = 4;
		} else if (b <= 9 && (x >> 24 & 0xffff) == REDIS_CRLF) {
			a = a * 10 + b;
			b = 5;
		} else {
			return 0;
		}
		if (pos + b > len)
			return 0;
		*n = a + b + 2;
		return 1;
	}
	if (s->flags & (REDIS_CHUNKS | REDIS_REQUEST) || (c != '+' && c != ':'))
		return 0;
	t = swar_eq(x, '\n');
	if (!t)
		return 0;
	a = swar_first(t);
	if (pos + a >= len || !a || pwin_u8(w, pos + a - 1) != '\r')
		return 0;
	*n = a + 1;
	return 1;
}

/*
 * As redis_values(), and tells the walker. The first few values need no call when they are short:
 * that is all there is in most messages.
 */
PROTO_INLINE int redis_rest(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos = w->off + m->consumed, i;
	int r = PARSE_OK;
	__u64 n;

	for (i = 0; i < REDIS_FIRST; i++) {
		if (!s->left || s->stage != REDIS_VALUES || !redis_short(w, s, pos, &n) ||
		    n > w->len - pos)
			break;
		s->left--;
		pos += n;
	}
	m->consumed = pos - w->off;
	if (s->left || s->count || s->stage != REDIS_VALUES)
		r = redis_values(w, s, m);
	if (r == PARSE_OK) {
		m->flags |= PMSG_END;
		if (s->flags & REDIS_LEAVES)
			m->flags |= PMSG_LEAVE;
	}
	if (r == PARSE_MORE && m->consumed)
		r = PARSE_OK;
	return r;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http1_start.h - first lines: the request line and the name in it, the status line. Part of
 * http1.h.
 */
#ifndef SPAND_PROTO_HTTP1_START_H
#define SPAND_PROTO_HTTP1_START_H

#include "swar.h"

/* pstate.stage; *_LINE: in a line whose rest has no meaning. */
enum http1_stage {
	HTTP1_START = 0,
	HTTP1_LINE,
	HTTP1_FIELDS,
	HTTP1_TRAILER_LINE,
	HTTP1_TRAILERS,
	HTTP1_CHUNK, /* left: size of the chunk, in HTTP1_CHUNK_LINE */
	HTTP1_CHUNK_LINE,
};

/* pstate.flags */
enum http1_flags {
	HTTP1_CL = 1 << 0,	/* Content-Length seen; its value is in left */
	HTTP1_TE = 1 << 1,	/* Transfer-Encoding other than identity */
	HTTP1_CHUNKED = 1 << 2, /* the last coding is chunked */
	HTTP1_IN_CL = 1 << 3,	/* the line before was one: a folded line continues it */
	HTTP1_IN_TE = 1 << 4,
	HTTP1_RESPONSE = 1 << 5,
	HTTP1_BODYLESS = 1 << 6,
	HTTP1_INTERIM = 1 << 7,
	HTTP1_LEAVE = 1 << 8,
	HTTP1_VERSION = 1 << 9, /* the request line's end was seen */
};

/* pmsg.hint of a request */
enum http1_hint {
	HTTP1_HINT_HEAD = 1,
	HTTP1_HINT_CONNECT = 2,
};

#define HTTP1_METHOD_MAX 32 /* the longest registered one has 17 */
#define HTTP1_EMPTY_MAX	 8  /* bytes of empty lines before a request line (RFC 9112, 2.2) */
#define HTTP1_OWS_MAX	 16 /* bytes of white space around a value that matters */
#define HTTP1_DIGITS_MAX 18 /* of a Content-Length: no 64-bit overflow */
#define HTTP1_VALUE_MAX	 40 /* bytes of a Content-Length's value, blanks included */
#define HTTP1_HEADER_MAX (1 << 20)
/*
 * Steps of the line scanner in one call: each takes eight bytes or a line. Enough for a line that
 * is too long (PWIN_ENOUGH) behind others; a call that runs out of steps has taken whole lines.
 * The verifier walks every step.
 */
#define HTTP1_STEPS	 72

/* RFC 9110, 5.6.2: tchar, as two bitmaps. */
PROTO_INLINE int http1_tchar(__u8 c)
{
	if (c < 64)
		return 0x03ff6cfa00000000ULL >> c & 1;
	if (c < 128)
		return 0x57ffffffc7fffffeULL >> (c - 64) & 1;
	return 0;
}

/*
 * The name's second piece, from the target at [off, end), which holds no query: RFC 9112, 3.2.
 * An absolute-form without a path means "/": the authority's second slash stands for it.
 */
PROTO_FN int http1_path(const struct pwin *w, struct pmsg *m, __u32 off, __u32 end)
{
	__u32 at, first;

	if (!w || !m)
		return PARSE_BAD;
	first = pwin_u8(w, off);
	if (off < end && first != '/' && first != '*') {
		if (m->hint == HTTP1_HINT_CONNECT) {
			/* Authority-form has no user information; never show it if it does. */
			at = swar_find(w, off, end, '@');
			if (at < end)
				off = at + 1;
		} else {
			at = swar_find(w, off, end, ':');
			if (at + 2 < end && pwin_u8(w, at + 1) == '/' &&
			    pwin_u8(w, at + 2) == '/') {
				off = swar_find(w, at + 3, end, '/');
				if (off >= end) {
					off = at + 2;
					end = at + 3;
				}
			}
		}
	}
	m->name_off[1] = off;
	m->name_len[1] = end > off ? end - off : 0;
	return PARSE_OK;
}

/*
 * The scans of a request line are functions of their own: each one's verdict is then one
 * unknown number to the verifier, not one state for each length.
 *
 * Bytes of empty lines at [off, end), no more than HTTP1_EMPTY_MAX.
 */
PROTO_FN __u32 http1_empty(const struct pwin *w, __u32 off, __u32 end)
{
	__u32 i;
	__u8 c;

	if (!w)
		return 0;
	for (i = 0; i < HTTP1_EMPTY_MAX; i++) {
		c = pwin_u8(w, off + i);
		if (off + i >= end || (c != '\r' && c != '\n'))
			return i;
	}
	return HTTP1_EMPTY_MAX;
}

/* Bytes of a token at [off, end), no more than HTTP1_METHOD_MAX + 1. */
PROTO_FN __u32 http1_token(const struct pwin *w, __u32 off, __u32 end)
{
	__u32 i;

	if (!w)
		return 0;
	for (i = 0; i <= HTTP1_METHOD_MAX; i++) {
		if (off + i >= end || !http1_tchar(pwin_u8(w, off + i)))
			return i;
	}
	return HTTP1_METHOD_MAX + 1;
}

/*
 * Offset of the first blank or control character in [off, end), or of the first query or
 * fragment if that is asked for; end if there is none. end is at most PWIN_ENOUGH further.
 */
PROTO_FN __u32 http1_target(const struct pwin *w, __u32 off, __u32 end, __u32 query)
{
	const __u64 ask = query ? ~0ULL : 0;
	__u64 x, t;
	__u32 i;

	if (!w)
		return end;
	for (i = 0; i <= PWIN_ENOUGH / 8; i++) {
		if (off >= end)
			return end;
		x = swar_load(w, off);
		t = swar_below(x, ' ' + 1) | ((swar_eq(x, '?') | swar_eq(x, '#')) & ask);
		if (t) {
			off += swar_first(t);
			return off < end ? off : end;
		}
		off += 8;
	}
	return end;
}

/* The request line (RFC 9112, 3), after empty lines. */
PROTO_INLINE int http1_request_line(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos, start, len, limit, n, stop;
	__u64 x;
	__u8 c;

	len = w->len;
	limit = w->off + PWIN_ENOUGH;
	if (limit > len)
		limit = len;
	start = w->off;
	x = swar_load(w, start);
	/* Calls cost more than anything else here: the usual needs none. */
	if ((x & SWAR_BYTES(4)) == (SWAR_WORD("GET     ") & SWAR_BYTES(4)) && limit - start > 4) {
		n = 3;
	} else {
		if ((__u8)x == '\r' || (__u8)x == '\n') {
			start += http1_empty(w, start, limit);
			x = swar_load(w, start);
		}
		n = http1_token(w, start, limit);
	}
	pos = start + n;
	if (n > HTTP1_METHOD_MAX)
		return PARSE_BAD;
	if (pos >= limit)
		return PARSE_MORE;
	if (!n || pwin_u8(w, pos) != ' ')
		return PARSE_BAD;
	if ((x & SWAR_BYTES(5)) == (SWAR_WORD("HEAD    ") & SWAR_BYTES(5)))
		m->hint = HTTP1_HINT_HEAD;
	else if (x == SWAR_WORD("CONNECT "))
		m->hint = HTTP1_HINT_CONNECT;
	m->name_off[0] = start;
	m->name_len[0] = n + 1;
	start = pos + 1;
	stop = pos = http1_target(w, start, limit, 1);
	c = pwin_u8(w, pos);
	if (pos < limit && (c == '?' || c == '#'))
		pos = http1_target(w, pos, limit, 0);
	if (pos < limit) {
		if (pwin_u8(w, pos) != ' ' || pos == start)
			return PARSE_BAD;
		/* " HTTP/1." or as much of it as is there. */
		x = swar_load(w, pos) ^ SWAR_WORD(" HTTP/1.");
		n = limit - pos;
		if (n < 8)
			x &= SWAR_BYTES(n);
		if (x)
			return PARSE_BAD;
		/* " HTTP/1.1\r\n"; a bare LF is followed by at least another one. */
		if (pos + 11 <= w->off + PWIN_ENOUGH) {
			if (pos + 11 > len)
				return PARSE_MORE;
			c = pwin_u8(w, pos + 8);
			if (c < '0' || c > '9')
				return PARSE_BAD;
			c = pwin_u8(w, pos + 9);
			if (c != '\n' && (c != '\r' || pwin_u8(w, pos + 10) != '\n'))
				return PARSE_BAD;
			s->flags = HTTP1_VERSION;
			s->stage = HTTP1_FIELDS;
			pos += c == '\n' ? 10 : 11;
		}
	}
	if (s->stage != HTTP1_FIELDS) {
		if (len < w->off + PWIN_ENOUGH)
			return PARSE_MORE;
		s->stage = HTTP1_LINE;
	}
	m->consumed = pos - w->off;
	m->flags = PMSG_BEGIN;
	if (pwin_u8(w, start) != '/')
		return http1_path(w, m, start, stop);
	m->name_off[1] = start;
	m->name_len[1] = stop - start;
	return PARSE_OK;
}

/* The status line (RFC 9112, 4) up to its reason phrase. */
PROTO_INLINE int http1_status_line(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off, left, code;
	__u64 x;
	__u8 a, b, c;

	off = w->off;
	left = pwin_left(w);
	x = (swar_load(w, off) ^ SWAR_WORD("HTTP/1. ")) & SWAR_BYTES(7);
	if (left < 7)
		x = left ? x & SWAR_BYTES(left) : 0;
	if (x)
		return PARSE_BAD;
	/* One byte more than "HTTP/1.1 200" shows that the number is complete. */
	if (left < 13)
		return PARSE_MORE;
	x = swar_load(w, off + 7);
	c = x;
	if (c < '0' || c > '9' || (x >> 8 & 0xff) != ' ')
		return PARSE_BAD;
	a = (__u8)(x >> 16) - '0';
	b = (__u8)(x >> 24) - '0';
	c = (__u8)(x >> 32) - '0';
	if (a < 1 || a > 9 || b > 9 || c > 9)
		return PARSE_BAD;
	code = a * 100 + b * 10 + c;
	c = x >> 40;
	if (c != ' ' && c != '\r' && c != '\n')
		return PARSE_BAD;
	m->flags = PMSG_BEGIN | PMSG_STATUS;
	m->status_code = code;
	m->consumed = 12;
	s->stage = HTTP1_LINE;
	s->flags = HTTP1_RESPONSE;
	/* RFC 9110, 15.2.2; RFC 9112, 6.3. */
	if (code == 101 || (a == 2 && s->hint == HTTP1_HINT_CONNECT)) {
		s->flags |= HTTP1_LEAVE | HTTP1_BODYLESS;
	} else if (a == 1) {
		s->flags |= HTTP1_INTERIM | HTTP1_BODYLESS;
		m->flags |= PMSG_INTERIM;
	} else if (code == 204 || code == 304 || s->hint == HTTP1_HINT_HEAD) {
		s->flags |= HTTP1_BODYLESS;
	}
	if (a >= 4)
		m->flags |= PMSG_ERROR;
	return PARSE_OK;
}

#endif

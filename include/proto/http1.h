/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http1.h - HTTP/1.0 and 1.1 (RFC 9112 message syntax, RFC 9110 semantics).
 *
 * A message's name is "METHOD path": the query and fragment, and an absolute-form target's
 * scheme and authority, are left out. It is taken from the message's first PWIN_ENOUGH bytes
 * only, so that it does not depend on how the bytes were cut into syscalls; it may be longer
 * than SPAND_NAME_MAX, where the walker cuts it.
 *
 * Whole lines are consumed as they come. A line is judged by its first PWIN_ENOUGH bytes: what
 * is longer is passed over (stage *_LINE), a Content-Length or Transfer-Encoding that long is
 * refused.
 *
 * What is inlined here is so because a chain of calls may be five deep (proto.h).
 */
#ifndef SPAND_PROTO_HTTP1_H
#define SPAND_PROTO_HTTP1_H

#include "swar.h"

PROTO_REGISTER(http1, 10, "http")

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
 * Steps of the line scanner in one call: each takes eight bytes or a line. A window without
 * line ends needs PWIN_SIZE / 8; a call that runs out of steps has taken whole lines.
 */
#define HTTP1_STEPS	 160

/* RFC 9110, 5.6.2: tchar, as two bitmaps. */
PROTO_INLINE int http1_tchar(__u8 c)
{
	if (c < 64)
		return 0x03ff6cfa00000000ULL >> c & 1;
	if (c < 128)
		return 0x57ffffffc7fffffeULL >> (c - 64) & 1;
	return 0;
}

/* Offset of the first byte c in [off, end), or end. */
PROTO_FN __u32 http1_find(const struct pwin *w, __u32 off, __u32 end, __u32 c)
{
	__u64 t;
	__u32 i;

	if (!w)
		return end;
	for (i = 0; i <= PWIN_SIZE / 8; i++) {
		if (off >= end)
			return end;
		t = swar_eq(swar_load(w, off), c);
		if (t) {
			off += swar_first(t);
			return off < end ? off : end;
		}
		off += 8;
	}
	return end;
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
			at = http1_find(w, off, end, '@');
			if (at < end)
				off = at + 1;
		} else {
			at = http1_find(w, off, end, ':');
			if (at + 2 < end && pwin_u8(w, at + 1) == '/' &&
			    pwin_u8(w, at + 2) == '/') {
				off = http1_find(w, at + 3, end, '/');
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
 * A request target at [off, end), end at most PWIN_ENOUGH further. In the lower half: offset of
 * the blank or control character behind it, or end; in the upper: of its query or fragment, 0 if
 * it has none.
 */
PROTO_FN __u64 http1_target(const struct pwin *w, __u32 off, __u32 end)
{
	__u32 i, k, stop = 0;
	__u64 x, t, q;

	if (!w)
		return end;
	for (i = 0; i <= PWIN_ENOUGH / 8; i++) {
		if (off >= end)
			break;
		x = swar_load(w, off);
		t = swar_below(x, ' ' + 1);
		if (!stop) {
			q = swar_eq(x, '?') | swar_eq(x, '#');
			if (q)
				stop = off + swar_first(q);
		}
		if (t) {
			k = off + swar_first(t);
			if (k < end)
				end = k;
			break;
		}
		off += 8;
	}
	if (stop >= end)
		stop = 0;
	return (__u64)stop << 32 | end;
}

/* The request line (RFC 9112, 3), after empty lines. */
PROTO_FN int http1_request_line(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos, start, len, limit, n, stop;
	__u64 x;
	__u8 c;

	if (!w || !s || !m)
		return PARSE_BAD;
	len = w->len;
	limit = w->off + PWIN_ENOUGH;
	if (limit > len)
		limit = len;
	start = w->off + http1_empty(w, w->off, limit);
	n = http1_token(w, start, limit);
	pos = start + n;
	if (n > HTTP1_METHOD_MAX)
		return PARSE_BAD;
	if (pos >= limit)
		return PARSE_MORE;
	if (!n || pwin_u8(w, pos) != ' ')
		return PARSE_BAD;
	x = swar_load(w, start);
	if ((x & SWAR_BYTES(5)) == (SWAR_WORD("HEAD    ") & SWAR_BYTES(5)))
		m->hint = HTTP1_HINT_HEAD;
	else if (x == SWAR_WORD("CONNECT "))
		m->hint = HTTP1_HINT_CONNECT;
	m->name_off[0] = start;
	m->name_len[0] = n + 1;
	start = pos + 1;
	x = http1_target(w, start, limit);
	pos = x;
	stop = x >> 32 ? x >> 32 : pos;
	if (pos < limit) {
		if (pwin_u8(w, pos) != ' ' || pos == start)
			return PARSE_BAD;
		/* " HTTP/1." or as much of it as is there. */
		x = swar_load(w, pos) ^ SWAR_WORD(" HTTP/1.");
		n = len - pos;
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
	return http1_path(w, m, start, stop);
}

/* The status line (RFC 9112, 4) up to its reason phrase. */
PROTO_FN int http1_status_line(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off, left, code;
	__u64 x;
	__u8 a, b, c;

	if (!w || !s || !m)
		return PARSE_BAD;
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

/*
 * A blank or a CR, which counts as one (RFC 9112, 2.2). Few branches: each one in a loop
 * multiplies what the verifier has to walk.
 */
PROTO_INLINE int http1_blank(__u8 c)
{
	const __u64 blanks = 1ULL << ' ' | 1ULL << '\t' | 1ULL << '\r';

	return c <= ' ' && blanks >> c & 1;
}

/* Offset behind the blanks at [off, eol), HTTP1_OWS_MAX at most. */
PROTO_FN __u32 http1_ows(const struct pwin *w, __u32 off, __u32 eol)
{
	__u32 i, n = 0;

	if (!w || eol <= off)
		return eol;
	for (i = 0; i < HTTP1_OWS_MAX; i++) {
		if (!http1_blank(pwin_u8(w, off + i)))
			break;
		n++;
	}
	return n < eol - off ? off + n : eol;
}

/*
 * A Content-Length's value in [off, eol): RFC 9110, 8.6. PARSE_BAD: no number, too big, a list,
 * or another number than before.
 */
PROTO_FN int http1_length(const struct pwin *w, struct pstate *s, __u32 off, __u32 eol)
{
	__u32 i, start;
	__u64 v = 0;
	__u8 c;

	if (!w || !s)
		return PARSE_BAD;
	off = http1_ows(w, off, eol);
	if (off >= eol)
		return PARSE_OK; /* empty: a folded line may follow */
	start = off;
	for (i = 0; i <= HTTP1_DIGITS_MAX; i++) {
		c = pwin_u8(w, off) - '0';
		if (off >= eol || c > 9)
			break;
		v = v * 10 + c;
		off++;
	}
	if (off == start || off > start + HTTP1_DIGITS_MAX || http1_ows(w, off, eol) != eol)
		return PARSE_BAD;
	if (s->flags & HTTP1_CL && s->left != v)
		return PARSE_BAD;
	s->left = v;
	s->flags |= HTTP1_CL;
	return PARSE_OK;
}

/* The last coding of a Transfer-Encoding's value in [off, eol): RFC 9112, 6.1. */
PROTO_FN int http1_coding(const struct pwin *w, struct pstate *s, __u32 off, __u32 eol)
{
	__u32 i;
	__u8 c;

	if (!w || !s)
		return PARSE_BAD;
	for (i = 0; i < HTTP1_OWS_MAX; i++) {
		if (eol <= off || !http1_blank(pwin_u8(w, eol - 1)))
			break;
		eol--;
	}
	off = http1_ows(w, off, eol);
	if (eol <= off)
		return PARSE_OK; /* empty: adds nothing */
	if (eol - off == 8 && (swar_load(w, off) | SWAR_CASE) == SWAR_WORD("identity"))
		return PARSE_OK;
	s->flags &= ~HTTP1_CHUNKED;
	s->flags |= HTTP1_TE;
	if (eol - off < 7 || ((swar_load(w, eol - 7) | SWAR_CASE) & SWAR_BYTES(7)) !=
				     (SWAR_WORD("chunked ") & SWAR_BYTES(7)))
		return PARSE_OK;
	c = eol - off > 7 ? pwin_u8(w, eol - 8) : ',';
	if (c == ',' || http1_blank(c))
		s->flags |= HTTP1_CHUNKED;
	return PARSE_OK;
}

PROTO_INLINE int http1_content(__u64 x)
{
	return (x | SWAR_CASE) == SWAR_WORD("content-");
}

PROTO_INLINE int http1_transfer(__u64 x)
{
	return (x | SWAR_CASE) == SWAR_WORD("transfer");
}

/*
 * One field line [line, eol), eol at its LF: RFC 9112, 5. Takes what tells the body's length;
 * a continuation (obs-fold, 5.2) of such a field counts.
 */
PROTO_FN int http1_field(const struct pwin *w, struct pstate *s, __u32 line, __u32 eol)
{
	__u32 in = 0, off = line;
	__u64 x, y;

	if (!w || !s)
		return PARSE_BAD;
	if (s->stage == HTTP1_TRAILERS)
		return PARSE_OK; /* say nothing about framing: RFC 9110, 6.5.1 */
	x = swar_load(w, line);
	y = swar_load(w, line + 8);
	if (http1_content(x)) {
		/* '\r' | 0x20 is '-': the hyphen is compared as it is. */
		if (x >> 56 == '-' &&
		    ((y | SWAR_CASE) & SWAR_BYTES(7)) == (SWAR_WORD("length: ") & SWAR_BYTES(7)))
			in = HTTP1_IN_CL;
		off += 15;
	} else if (http1_transfer(x)) {
		if ((y | (SWAR_CASE & ~0xffULL)) == SWAR_WORD("-encodin") &&
		    ((swar_load(w, line + 16) | 0x20) & SWAR_BYTES(2)) ==
			    (SWAR_WORD("g:      ") & SWAR_BYTES(2)))
			in = HTTP1_IN_TE;
		off += 18;
	} else if ((__u8)x == ' ' || (__u8)x == '\t') {
		in = s->flags & (HTTP1_IN_CL | HTTP1_IN_TE);
		/* A number cannot be continued, only one that has not begun. */
		if (in & HTTP1_IN_CL && s->flags & HTTP1_CL)
			return PARSE_BAD;
	}
	s->flags &= ~(HTTP1_IN_CL | HTTP1_IN_TE);
	s->flags |= in;
	if (!in)
		return PARSE_OK;
	if (eol - line >= PWIN_ENOUGH)
		return PARSE_BAD;
	return in & HTTP1_IN_CL ? http1_length(w, s, off, eol) : http1_coding(w, s, off, eol);
}

#define HTTP1_AT_EMPTY (1ULL << 32) /* the last line taken was empty */
#define HTTP1_AT_END   (1ULL << 33) /* no further line is whole */
#define HTTP1_AT_BAD   (1ULL << 34)

/* Takes whole field lines from offset line on. Returns the offset behind them | HTTP1_AT_*. */
PROTO_FN __u64 http1_lines(const struct pwin *w, struct pstate *s, __u32 line)
{
	__u32 pos = line, len, eol, i;
	__u64 x, t;
	__u8 c;

	if (!w || !s)
		return HTTP1_AT_BAD;
	len = w->len;
	for (i = 0; i < HTTP1_STEPS; i++) {
		if (pos >= len)
			return line | HTTP1_AT_END;
		t = swar_eq(swar_load(w, pos), '\n');
		if (!t) {
			pos += 8;
			continue;
		}
		eol = pos + swar_first(t);
		if (eol >= len)
			return line | HTTP1_AT_END;
		x = swar_load(w, line);
		c = x;
		if (c < ' ' && c != '\t') {
			if (eol - line < 2 && (c == '\n' || c == '\r'))
				return (eol + 1) | HTTP1_AT_EMPTY;
			return HTTP1_AT_BAD;
		}
		/* Most lines need no call. */
		if ((http1_content(x) || http1_transfer(x) ||
		     s->flags & (HTTP1_IN_CL | HTTP1_IN_TE)) &&
		    http1_field(w, s, line, eol) == PARSE_BAD)
			return HTTP1_AT_BAD;
		line = pos = eol + 1;
	}
	return line;
}

/*
 * Field lines from w->off + m->consumed on. PARSE_OK: the empty line at their end was taken;
 * PARSE_MORE: what there is was taken, as far as lines are whole.
 */
PROTO_INLINE int http1_fields(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 line, len, before, eol;
	__u64 r;

	len = w->len;
	before = m->consumed;
	line = w->off + before;
	if (s->stage == HTTP1_LINE || s->stage == HTTP1_TRAILER_LINE) {
		eol = http1_find(w, line, len, '\n');
		if (eol < len)
			s->stage++; /* HTTP1_FIELDS, HTTP1_TRAILERS */
		line = eol < len ? eol + 1 : eol;
	}
	r = line;
	if (s->stage == HTTP1_FIELDS || s->stage == HTTP1_TRAILERS)
		r = http1_lines(w, s, line);
	if (r & HTTP1_AT_BAD)
		return PARSE_BAD;
	line = r;
	if (r & HTTP1_AT_END && line + PWIN_ENOUGH <= len) {
		/* A long line: pass over it. */
		if (http1_field(w, s, line, len) == PARSE_BAD)
			return PARSE_BAD;
		line = len;
		s->stage--;
	}
	m->consumed = line - w->off;
	s->count += m->consumed - before;
	if (s->count > HTTP1_HEADER_MAX)
		return PARSE_BAD;
	return r & HTTP1_AT_EMPTY ? PARSE_OK : PARSE_MORE;
}

/*
 * A chunk's first line (RFC 9112, 7.1): PARSE_OK: it was taken, m->skip passes over the
 * chunk, or stage is HTTP1_TRAILERS.
 */
PROTO_FN int http1_chunk(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos, len, i, eol, start;
	__u64 size = 0;
	__u8 c;

	if (!w || !s || !m)
		return PARSE_BAD;
	len = w->len;
	start = pos = w->off + m->consumed;
	if (s->stage == HTTP1_CHUNK) {
		for (i = 0; i < 17; i++) {
			if (pos >= len)
				return PARSE_MORE;
			c = pwin_u8(w, pos);
			if (c >= '0' && c <= '9')
				c -= '0';
			else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
				c = (c | 0x20) - 'a' + 10;
			else
				break;
			size = size << 4 | c;
			pos++;
		}
		if (pos == start || size >> 60)
			return PARSE_BAD;
		if (c != '\r' && c != '\n' && c != ';' && c != ' ' && c != '\t')
			return PARSE_BAD;
	} else {
		size = s->left;
	}
	eol = http1_find(w, pos, len, '\n');
	if (eol >= len) {
		if (s->stage == HTTP1_CHUNK && len - start < PWIN_ENOUGH)
			return PARSE_MORE;
		s->stage = HTTP1_CHUNK_LINE;
		s->left = size;
		m->consumed = len - w->off;
		return PARSE_MORE;
	}
	m->consumed = eol + 1 - w->off;
	if (size) {
		s->stage = HTTP1_CHUNK;
		m->skip = size + 2;
	} else {
		s->stage = HTTP1_TRAILERS;
	}
	return PARSE_OK;
}

/* How the body is framed, at the end of the header: RFC 9112, 6.3. */
PROTO_INLINE int http1_body(struct pstate *s, struct pmsg *m)
{
	if (s->flags & HTTP1_INTERIM)
		m->flags |= PMSG_INTERIM;
	if (s->flags & HTTP1_LEAVE)
		m->flags |= PMSG_LEAVE;
	if (s->flags & HTTP1_BODYLESS) {
		m->flags |= PMSG_END;
	} else if (s->flags & HTTP1_CHUNKED) {
		s->stage = HTTP1_CHUNK;
	} else if (s->flags & HTTP1_TE) {
		/* A request's end must be known before its response. */
		if (!(s->flags & HTTP1_RESPONSE))
			return PARSE_BAD;
		m->flags |= PMSG_UNTIL_CLOSE;
	} else if (s->flags & HTTP1_CL || !(s->flags & HTTP1_RESPONSE)) {
		m->flags |= PMSG_END;
		m->skip = s->left;
	} else {
		m->flags |= PMSG_UNTIL_CLOSE;
	}
	return PARSE_OK;
}

/* Everything behind the first line. A chunked body's trailers are left to a call of their own. */
PROTO_INLINE int http1_rest(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	int r = PARSE_OK;

	if (s->stage < HTTP1_CHUNK) {
		r = http1_fields(w, s, m);
		if (r == PARSE_OK) {
			if (s->stage == HTTP1_TRAILERS)
				m->flags |= PMSG_END;
			else
				r = http1_body(s, m);
		}
	}
	if (r == PARSE_OK && s->stage >= HTTP1_CHUNK)
		r = http1_chunk(w, s, m);
	if (r == PARSE_MORE && m->consumed)
		r = PARSE_OK;
	return r;
}

PROTO_FN int http1_request(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	int r;

	if (!w || !s || !m)
		return PARSE_BAD;
	if (s->stage == HTTP1_START) {
		r = http1_request_line(w, s, m);
		if (r != PARSE_OK)
			return r;
	}
	return http1_rest(w, s, m);
}

PROTO_FN int http1_response(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	int r;

	if (!w || !s || !m)
		return PARSE_BAD;
	if (s->stage == HTTP1_START) {
		r = http1_status_line(w, s, m);
		if (r != PARSE_OK)
			return r;
	}
	return http1_rest(w, s, m);
}

/*
 * A status line, or a request line. A request line whose end is out of reach is only taken with
 * a method in capitals and a target that begins with '/' or a scheme.
 */
PROTO_FN int http1_detect(const struct pwin *w, __u32 dirs)
{
	struct pstate s = {};
	struct pmsg m = {};
	int r, more = 0;
	__u32 off;
	__u8 c;

	if (!w)
		return 0;
	if (dirs & DETECT_RESPONSE) {
		r = http1_status_line(w, &s, &m);
		if (r == PARSE_OK)
			return DETECT_RESPONSE;
		if (r == PARSE_MORE)
			more = DETECT_MORE;
	}
	if (!(dirs & DETECT_REQUEST))
		return more;
	r = http1_request_line(w, &s, &m);
	if (r == PARSE_BAD)
		return more;
	off = m.name_off[0];
	c = pwin_u8(w, r == PARSE_OK ? off : w->off);
	if (r == PARSE_MORE)
		return more | (c == '\r' || c == '\n' || (c >= 'A' && c <= 'Z') ? DETECT_MORE : 0);
	if (s.flags & HTTP1_VERSION)
		return DETECT_REQUEST;
	if (m.name_len[0] < 4 || m.name_len[0] > 18 || c < 'A' || c > 'Z')
		return 0;
	c = pwin_u8(w, off + m.name_len[0]);
	return c == '/' || (c | 0x20) == 'h' ? DETECT_REQUEST : 0;
}

#endif

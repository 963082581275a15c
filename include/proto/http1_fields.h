/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http1_fields.h - field lines: header and trailer sections, and what they say of the body's
 * length. Part of http1.h.
 */
#ifndef SPAND_PROTO_HTTP1_FIELDS_H
#define SPAND_PROTO_HTTP1_FIELDS_H

#include "http1_start.h"

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
	if (off < eol && pwin_u8(w, off) == ' ')
		off++;
	if (off >= eol || pwin_u8(w, off) <= ' ')
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
	if (off == start || off > start + HTTP1_DIGITS_MAX)
		return PARSE_BAD;
	if ((off + 1 != eol || pwin_u8(w, off) != '\r') && http1_ows(w, off, eol) != eol)
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

/* No control characters; a blank begins a folded line. */
PROTO_INLINE int http1_begins_field(__u8 c)
{
	return c >= ' ' || c == '\t';
}

/* http1_lines(): offset behind the last whole line, offset up to which it looked << 16, and */
#define HTTP1_AT_EMPTY (1ULL << 32) /* the last line was the empty one */
#define HTTP1_AT_BAD   (1ULL << 33)

/* Takes whole field lines from offset line on. */
PROTO_FN __u64 http1_lines(const struct pwin *w, struct pstate *s, __u32 line)
{
	__u32 pos, len, eol, i;
	__u64 x, t;
	__u8 c;

	if (!w || !s)
		return HTTP1_AT_BAD;
	len = w->len;
	line = swar_bound(line);
	pos = swar_bound(line);
	for (i = 0; i < HTTP1_STEPS; i++) {
		if (pos >= len)
			break;
		t = swar_eq(swar_load(w, pos), '\n');
		if (!t) {
			pos = swar_bound(pos + 8);
			continue;
		}
		eol = pos + swar_first(t);
		if (eol >= len) {
			pos = eol;
			break;
		}
		x = swar_load(w, line);
		c = x;
		if (!http1_begins_field(c)) {
			if (eol - line < 2 && (c == '\n' || c == '\r'))
				return (eol + 1) | HTTP1_AT_EMPTY;
			return HTTP1_AT_BAD;
		}
		/* Most lines need no call. */
		if (((http1_content(x) && (pwin_u8(w, line + 8) | 0x20) == 'l') ||
		     http1_transfer(x) || s->flags & (HTTP1_IN_CL | HTTP1_IN_TE)) &&
		    http1_field(w, s, line, eol) == PARSE_BAD)
			return HTTP1_AT_BAD;
		line = swar_bound(eol + 1);
		pos = swar_bound(eol + 1);
	}
	return line | pos << 16;
}

/*
 * Field lines from w->off + m->consumed on. PARSE_OK: the empty line at their end was taken;
 * PARSE_MORE: what there is was taken, as far as lines are whole.
 */
PROTO_INLINE int http1_fields(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 line, len, before, eol, seen;
	__u64 r;

	len = w->len;
	before = m->consumed;
	line = w->off + before;
	if (s->stage == HTTP1_LINE || s->stage == HTTP1_TRAILER_LINE) {
		eol = swar_find(w, line, len, '\n');
		if (eol < len)
			s->stage++; /* HTTP1_FIELDS, HTTP1_TRAILERS */
		line = eol < len ? eol + 1 : eol;
	}
	r = line;
	if (s->stage == HTTP1_FIELDS || s->stage == HTTP1_TRAILERS)
		r = http1_lines(w, s, line);
	if (r & HTTP1_AT_BAD)
		return PARSE_BAD;
	line = r & 0xffff;
	seen = r >> 16 & 0xffff;
	if (seen > len)
		seen = len;
	if (seen >= line + PWIN_ENOUGH) {
		/* A long line: pass over what was looked at. */
		if (!http1_begins_field(pwin_u8(w, line)) ||
		    http1_field(w, s, line, line + PWIN_ENOUGH) == PARSE_BAD)
			return PARSE_BAD;
		line = seen;
		s->stage--;
	}
	m->consumed = line - w->off;
	s->count += m->consumed - before;
	if (s->count > HTTP1_HEADER_MAX)
		return PARSE_BAD;
	return r & HTTP1_AT_EMPTY ? PARSE_OK : PARSE_MORE;
}

#endif

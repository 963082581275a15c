/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ident.h - the Identification Protocol (RFC 1413): who owns this connection?
 *
 *	request		6193, 23 CR LF
 *	response	6193, 23 : USERID : UNIX : stjohns CR LF
 *			6195, 23 : ERROR : NO-USER CR LF
 *
 * The name is the second port, the one on the asking side: it tells which service asks. The first
 * is another one for every connection; a name that is never the same twice groups nothing. The
 * user's name is not looked at.
 *
 * The worked example of README, "Add a protocol".
 */
#ifndef SPAND_PROTO_IDENT_H
#define SPAND_PROTO_IDENT_H

#include "swar.h"

/* Few bytes tell it from other text, so the others are asked first. */
PROTO_REGISTER(ident, 90, "ident")

/* pstate.stage */
enum ident_stage {
	IDENT_START = 0,
	IDENT_REST, /* of a response's line, behind its keyword; count: bytes of it so far */
};

#define IDENT_DIGITS_MAX 5
/*
 * White space between two tokens: section "Formal syntax", note 1 allows any amount. With this
 * bound what has to be read of a line fits well into PWIN_ENOUGH, and none is cut for ever.
 */
#define IDENT_BLANKS_MAX 16
#define IDENT_LINE_MAX	 1000 /* note 2: a client may give up there */
#define IDENT_STEPS	 32   /* of eight bytes in one call; the walker calls again */

/* Results of the scans below, besides an offset behind what was found. */
#define IDENT_MORE 0U
#define IDENT_BAD  (~0U)

PROTO_INLINE int ident_result(__u32 off)
{
	return off == IDENT_BAD ? PARSE_BAD : PARSE_MORE;
}

PROTO_INLINE int ident_found(__u32 off)
{
	return off != IDENT_MORE && off != IDENT_BAD;
}

/* Bytes of white space at off, IDENT_BLANKS_MAX at most. */
PROTO_FN __u32 ident_blanks(const struct pwin *w, __u32 off)
{
	__u32 i;
	__u8 c;

	if (!w)
		return 0;
	for (i = 0; i < IDENT_BLANKS_MAX; i++) {
		c = pwin_u8(w, off + i);
		if (off + i >= w->len || (c != ' ' && c != '\t'))
			return i;
	}
	return IDENT_BLANKS_MAX;
}

/* White space and the character mark at off. Returns the offset behind it, IDENT_*. */
PROTO_FN __u32 ident_mark(const struct pwin *w, __u32 off, __u32 mark)
{
	if (!w)
		return IDENT_BAD;
	off += ident_blanks(w, off);
	if (off >= w->len)
		return IDENT_MORE;
	return pwin_u8(w, off) == mark ? off + 1 : IDENT_BAD;
}

/* White space and a port's digits at off, which become the name. Returns as ident_mark(). */
PROTO_FN __u32 ident_port(const struct pwin *w, struct pmsg *m, __u32 off)
{
	__u32 n;

	if (!w || !m)
		return IDENT_BAD;
	off += ident_blanks(w, off);
	for (n = 0; n <= IDENT_DIGITS_MAX; n++) {
		/* A number that ends with the window may go on behind it. */
		if (off + n >= w->len)
			return IDENT_MORE;
		if ((__u8)(pwin_u8(w, off + n) - '0') > 9)
			break;
	}
	if (!n || n > IDENT_DIGITS_MAX)
		return IDENT_BAD;
	m->name_off[0] = off;
	m->name_len[0] = n;
	return off + n;
}

/* <port-on-server> "," <port-on-client>, which requests and responses begin with. */
PROTO_FN __u32 ident_pair(const struct pwin *w, struct pmsg *m)
{
	__u32 off;

	if (!w || !m)
		return IDENT_BAD;
	off = ident_port(w, m, w->off);
	if (ident_found(off))
		off = ident_mark(w, off, ',');
	if (ident_found(off))
		off = ident_port(w, m, off);
	return off;
}

/* ":" USERID or ERROR ":" at off. An error is noted in m->flags. Returns as ident_mark(). */
PROTO_FN __u32 ident_keyword(const struct pwin *w, struct pmsg *m, __u32 off)
{
	__u32 n = 6, left;
	__u64 x;

	if (!w || !m)
		return IDENT_BAD;
	off = ident_mark(w, off, ':');
	if (!ident_found(off))
		return off;
	off += ident_blanks(w, off);
	if (off >= w->len)
		return IDENT_MORE;
	left = w->len - off;
	x = swar_load(w, off) ^ SWAR_WORD("USERID  ");
	if (pwin_u8(w, off) == 'E') {
		x = swar_load(w, off) ^ SWAR_WORD("ERROR   ");
		n = 5;
		m->flags |= PMSG_ERROR;
	}
	if (x & SWAR_BYTES(left < n ? left : n))
		return IDENT_BAD;
	return ident_mark(w, off + n, ':');
}

/* The rest of a response's line from w->off + m->consumed on: nothing in it matters but its end. */
PROTO_FN int ident_rest(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 pos, len, i;
	__u64 t = 0;

	if (!w || !s || !m)
		return PARSE_BAD;
	len = w->len;
	pos = w->off + m->consumed;
	for (i = 0; i < IDENT_STEPS && pos < len; i++) {
		t = swar_eq(swar_load(w, pos), '\n');
		if (t) {
			pos += swar_first(t) + 1;
			break;
		}
		pos += 8;
	}
	if (pos > len) {
		pos = len; /* the padding's bytes say nothing */
		t = 0;
	}
	if (pos == w->off)
		return PARSE_MORE;
	if (t)
		m->flags |= PMSG_END;
	m->consumed = pos - w->off;
	s->stage = IDENT_REST;
	s->count += m->consumed;
	return s->count > IDENT_LINE_MAX ? PARSE_BAD : PARSE_OK;
}

PROTO_FN int ident_request(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off;

	if (!w || !s || !m)
		return PARSE_BAD;
	off = ident_pair(w, m);
	if (ident_found(off))
		off = ident_mark(w, off, '\r');
	if (!ident_found(off))
		return ident_result(off);
	if (off >= w->len)
		return PARSE_MORE;
	if (pwin_u8(w, off) != '\n')
		return PARSE_BAD;
	m->consumed = off + 1 - w->off;
	m->flags = PMSG_BEGIN | PMSG_END;
	return PARSE_OK;
}

PROTO_FN int ident_response(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off;

	if (!w || !s || !m)
		return PARSE_BAD;
	if (s->stage == IDENT_START) {
		off = ident_pair(w, m);
		if (ident_found(off))
			off = ident_keyword(w, m, off);
		if (!ident_found(off))
			return ident_result(off);
		m->consumed = off - w->off;
		m->flags |= PMSG_BEGIN;
		m->name_len[0] = 0; /* the request has it */
	}
	return ident_rest(w, s, m);
}

/* Whatever parses; a response up to its keyword. */
PROTO_FN int ident_detect(const struct pwin *w, __u32 dirs)
{
	struct pstate s = {};
	struct pmsg m = {};
	int r, more = 0;

	if (!w)
		return 0;
	if (dirs & DETECT_REQUEST) {
		r = ident_request(w, &s, &m);
		if (r == PARSE_OK)
			return DETECT_REQUEST;
		if (r == PARSE_MORE)
			more = DETECT_MORE;
	}
	if (dirs & DETECT_RESPONSE) {
		r = ident_response(w, &s, &m);
		if (r == PARSE_OK)
			return DETECT_RESPONSE;
		if (r == PARSE_MORE)
			more = DETECT_MORE;
	}
	return more;
}

#endif

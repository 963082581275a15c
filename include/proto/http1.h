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

#include "http1_fields.h"

PROTO_REGISTER(http1, 10, "http")

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
	eol = swar_find(w, pos, len, '\n');
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
	c = pwin_u8(w, w->off);
	if (!(dirs & DETECT_REQUEST) || c > '~' ||
	    (c < '!' && c != '\r' && c != '\n' && pwin_left(w)))
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * redis.h - RESP2 and RESP3, the Redis serialization protocol (redis.io/docs/reference/
 * protocol-spec and github.com/redis/redis-specifications, RESP3.md).
 *
 * A request is an array of bulk strings or an inline command; its name is the command word as
 * it was sent, never a key or value. A reply is one value of any type: elements still to come are
 * counted, so that depth needs no stack.
 *
 * Which reply answers what:
 * - Pushes (RESP3 '>', and in RESP2 arrays `message`, `pmessage`, `smessage` while no ordinary
 *   command is waiting) and MONITOR's lines are one-way.
 * - SUBSCRIBE and its kin with n channels are answered by n confirmations: together they are the
 *   one response. How many UNSUBSCRIBE without arguments gets is unknown: the first answers it,
 *   the others are one-way, unless another such command waits already.
 * - CLIENT REPLY OFF|SKIP leaves requests without replies, REPLY ON comes back: a parser that
 *   sees one message cannot tell which, so the connection is left rather than mispaired.
 * - PSYNC and SYNC turn the connection into a replication stream once they are granted.
 */
#ifndef SPAND_PROTO_REDIS_H
#define SPAND_PROTO_REDIS_H

#include "redis_values.h"

PROTO_REGISTER(redis, 20, "redis")

/* pmsg.hint of a request */
enum redis_hint {
	REDIS_HINT_PLAIN = 1,
	REDIS_HINT_CONTROL = 2, /* may be sent by a RESP2 subscriber: PING, QUIT, RESET */
	REDIS_HINT_SYNC = 3,
	REDIS_HINT_SUBSCRIBE = 0x80, /* | channels; 0: not known */
};

#define REDIS_WORD_MAX	64	   /* bytes of a command word */
#define REDIS_ARGS_MAX	(1U << 20) /* multibulk limit */
#define REDIS_EMPTY_MAX 8	   /* bytes of empty lines before a request */

/* Fields of redis_command()'s result beside the hint. */
#define REDIS_CMD_ONEWAY (1U << 8)
#define REDIS_CMD_LEAVE	 (1U << 9)
#define REDIS_CMD_MORE	 (1U << 10)

/* True if the n (1..8) bytes at off are those of the lower-case word, in any case. */
PROTO_INLINE int redis_is(const struct pwin *w, __u32 off, __u32 n, __u64 word)
{
	return ((swar_load(w, off) | SWAR_CASE) & SWAR_BYTES(n)) == (word & SWAR_BYTES(n));
}

/*
 * What the command word at off, n bytes, of args words (0: inline, unknown) means to pairing:
 * enum redis_hint | REDIS_CMD_*. REDIS_CMD_MORE: an argument that matters is not there yet.
 */
PROTO_FN __u32 redis_command(const struct pwin *w, __u32 off, __u32 n, __u32 args)
{
	__u32 arg, left;

	if (!w)
		return 0;
	/* Behind "word\r\n", or the blank behind an inline one. */
	arg = off + n + (args ? 2 : 1);
	left = w->len > arg ? w->len - arg : 0;
	switch (n) {
	case 4:
		if (redis_is(w, off, 4, SWAR_WORD("ping    ")) ||
		    redis_is(w, off, 4, SWAR_WORD("quit    ")))
			return REDIS_HINT_CONTROL;
		if (redis_is(w, off, 4, SWAR_WORD("sync    ")))
			return REDIS_HINT_SYNC;
		break;
	case 5:
		if (redis_is(w, off, 5, SWAR_WORD("reset   ")))
			return REDIS_HINT_CONTROL;
		if (redis_is(w, off, 5, SWAR_WORD("psync   ")))
			return REDIS_HINT_SYNC;
		break;
	case 6:
		if (!redis_is(w, off, 6, SWAR_WORD("client  ")))
			break;
		if (args == 3) {
			/* "$5\r\nREPLY\r\n$2\r\nON\r\n", or OFF, or SKIP. */
			if (left < 13)
				return REDIS_CMD_MORE;
			if (pwin_u8(w, arg + 1) == '5' &&
			    redis_is(w, arg + 4, 5, SWAR_WORD("reply   ")) &&
			    pwin_u8(w, arg + 12) != '2')
				return REDIS_CMD_ONEWAY | REDIS_CMD_LEAVE;
		} else if (!args && pwin_u8(w, off + n) == ' ' &&
			   redis_is(w, arg, 6, SWAR_WORD("reply   ")) &&
			   !redis_is(w, arg + 6, 2, SWAR_WORD("on      "))) {
			/* The line is whole: no comparison goes past its LF. */
			return REDIS_CMD_ONEWAY | REDIS_CMD_LEAVE;
		}
		break;
	case 8:
		/* A replica's acknowledgement. */
		if (args == 3 && redis_is(w, off, 8, SWAR_WORD("replconf"))) {
			if (left < 9)
				return REDIS_CMD_MORE;
			if (pwin_u8(w, arg + 1) == '3' &&
			    redis_is(w, arg + 4, 3, SWAR_WORD("ack     ")))
				return REDIS_CMD_ONEWAY;
		}
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		/* (P|S|UN|PUN|SUN)SUBSCRIBE */
		if ((pwin_u8(w, off + n - 9) | 0x20) == 's' &&
		    redis_is(w, off + n - 8, 8, SWAR_WORD("ubscribe")))
			return REDIS_HINT_SUBSCRIBE | (args > 1 && args <= 128 ? args - 1 : 0);
		break;
	}
	return REDIS_HINT_PLAIN;
}

/*
 * Bytes of a command word at [off, end): up to a blank or control character, no more than
 * REDIS_WORD_MAX + 1. 0 if it does not begin with a letter.
 */
PROTO_FN __u32 redis_word(const struct pwin *w, __u32 off, __u32 end)
{
	__u32 i, n = 0;
	__u64 t;
	__u8 c;

	if (!w || end <= off)
		return 0;
	c = pwin_u8(w, off) | 0x20;
	if (c < 'a' || c > 'z')
		return 0;
	for (i = 0; i <= REDIS_WORD_MAX / 8; i++) {
		t = swar_below(swar_load(w, off + n), ' ' + 1);
		if (t) {
			n += swar_first(t);
			break;
		}
		n += 8;
	}
	if (n > REDIS_WORD_MAX)
		n = REDIS_WORD_MAX + 1;
	return n < end - off ? n : end - off;
}

/* redis_word() of [off, off + n), without a call if it is short; n is in the window. */
PROTO_INLINE __u32 redis_word_short(const struct pwin *w, __u32 off, __u32 n)
{
	__u64 x = swar_load(w, off);
	__u8 c = x | 0x20;

	if (n && n <= 8 && c >= 'a' && c <= 'z' && !swar_below(x | ~SWAR_BYTES(n), ' ' + 1))
		return n;
	return redis_word(w, off, off + n);
}

/* Enters the command word at off, n bytes, of args words (0: inline), and what it means. */
PROTO_INLINE int redis_begin(const struct pwin *w, struct pmsg *m, __u32 off, __u32 n, __u32 args)
{
	__u32 c;

	/* GET, SET, DEL: nothing that is three letters long is special. */
	c = n == 3 ? REDIS_HINT_PLAIN : redis_command(w, off, n, args);
	if (c & REDIS_CMD_MORE)
		return PARSE_MORE;
	m->hint = c;
	m->flags = PMSG_BEGIN;
	if (c & REDIS_CMD_ONEWAY)
		m->flags |= PMSG_ONEWAY;
	if (c & REDIS_CMD_LEAVE)
		m->flags |= PMSG_LEAVE;
	m->name_off[0] = off;
	m->name_len[0] = n;
	return PARSE_OK;
}

/* Bytes of empty lines at [off, end), no more than REDIS_EMPTY_MAX: Redis passes over them. */
PROTO_FN __u32 redis_empty(const struct pwin *w, __u32 off, __u32 end)
{
	__u32 i;
	__u8 c;

	if (!w)
		return 0;
	for (i = 0; i < REDIS_EMPTY_MAX; i++) {
		c = pwin_u8(w, off + i);
		if (off + i >= end || (c != '\r' && c != '\n'))
			return i;
	}
	return REDIS_EMPTY_MAX;
}

/* An inline command at off: a line of words. */
PROTO_FN int redis_inline(const struct pwin *w, struct pstate *s, struct pmsg *m, __u32 off)
{
	__u32 eol, n;

	if (!w || !s || !m)
		return PARSE_BAD;
	n = redis_word(w, off, w->len);
	if (!n || n > REDIS_WORD_MAX)
		return PARSE_BAD;
	eol = redis_eol(w, off);
	if (eol >= w->len && pwin_left(w) < PWIN_ENOUGH)
		return PARSE_MORE;
	if (redis_begin(w, m, off, n, 0) != PARSE_OK)
		return PARSE_BAD;
	m->consumed = (eol < w->len ? eol + 1 : eol) - w->off;
	if (eol < w->len)
		m->flags |= PMSG_END;
	else
		s->stage = REDIS_LINE;
	return PARSE_OK;
}

/* The first call for a request: its command word, and the arguments that are there. */
PROTO_INLINE int redis_start_request(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off, len, n, args, word;
	__u64 v;

	len = w->len;
	off = w->off;
	if (pwin_u8(w, off) < ' ')
		off += redis_empty(w, off, len);
	if (off >= len)
		return PARSE_MORE;
	if (pwin_u8(w, off) != '*')
		return redis_inline(w, s, m, off);
	v = redis_int_short(w, off);
	if (!v)
		return PARSE_MORE;
	if (v & (REDIS_INT_BAD | REDIS_INT_STREAM))
		return PARSE_BAD;
	off += redis_int_len(v);
	args = v;
	if (args > REDIS_ARGS_MAX)
		return PARSE_BAD;
	if (!args) {
		/* Also "*-1": Redis says nothing to it. */
		m->flags = PMSG_BEGIN | PMSG_END | PMSG_ONEWAY;
		m->consumed = off - w->off;
		return PARSE_OK;
	}
	if (off >= len)
		return PARSE_MORE;
	if (pwin_u8(w, off) != '$')
		return PARSE_BAD;
	v = redis_int_short(w, off);
	if (!v)
		return PARSE_MORE;
	if (v & (REDIS_INT_BAD | REDIS_INT_STREAM | REDIS_INT_NULL))
		return PARSE_BAD;
	n = v;
	if (n > REDIS_BULK_MAX)
		return PARSE_BAD;
	word = off + redis_int_len(v);
	if (n <= REDIS_WORD_MAX && word + n + 2 > len)
		return PARSE_MORE;
	s->flags = REDIS_REQUEST;
	s->left = args;
	s->stage = REDIS_VALUES;
	m->consumed = off - w->off;
	m->flags = PMSG_BEGIN;
	m->hint = REDIS_HINT_PLAIN;
	/* What cannot be a command is data: no name. */
	if (n > REDIS_WORD_MAX || !n || redis_word_short(w, word, n) != n)
		return PARSE_OK;
	s->left--;
	m->consumed = word + n + 2 - w->off;
	return redis_begin(w, m, word, n, args);
}

/* redis_push(): what a subscriber is sent without asking. */
enum redis_push {
	REDIS_PUSH_NONE = 0,
	REDIS_PUSH_MESSAGE, /* message, pmessage, smessage */
	REDIS_PUSH_CONFIRM, /* subscribe, punsubscribe, ... */
	REDIS_PUSH_MORE,
};

/* The first element, at off, of an array that has at least two. */
PROTO_FN int redis_push(const struct pwin *w, __u32 off)
{
	__u32 n, len;
	__u64 v;

	if (!w)
		return REDIS_PUSH_NONE;
	len = w->len;
	if (off >= len)
		return REDIS_PUSH_MORE;
	if (pwin_u8(w, off) != '$')
		return REDIS_PUSH_NONE;
	v = redis_int_short(w, off);
	if (!v)
		return REDIS_PUSH_MORE;
	n = v;
	off += redis_int_len(v);
	if (v & (REDIS_INT_BAD | REDIS_INT_STREAM | REDIS_INT_NULL) || n < 7 || n > 12)
		return REDIS_PUSH_NONE;
	if (off + n > len)
		return REDIS_PUSH_MORE;
	if (n <= 8)
		return redis_is(w, off + n - 7, 7, SWAR_WORD("message ")) ? REDIS_PUSH_MESSAGE
									  : REDIS_PUSH_NONE;
	return pwin_u8(w, off + n - 9) == 's' && redis_is(w, off + n - 8, 8, SWAR_WORD("ubscribe"))
		       ? REDIS_PUSH_CONFIRM
		       : REDIS_PUSH_NONE;
}

/* One of MONITOR's lines: "+1339518083.107412 [0 127.0.0.1:60866] ...". 1, 0, or -1: too short. */
PROTO_FN int redis_monitored(const struct pwin *w, __u32 off)
{
	__u32 eol;
	__u64 x;

	if (!w)
		return 0;
	if (w->len < off + 2)
		return -1;
	if ((__u8)(pwin_u8(w, off + 1) - '0') > 9)
		return 0;
	eol = redis_eol(w, off);
	if (eol < off + 20)
		return eol < w->len ? 0 : -1;
	x = swar_load(w, off + 11);
	return (x & 0xff) == '.' && x >> 56 == ' ' && pwin_u8(w, off + 19) == '[';
}

/* The first bytes of a response: what it answers. The values are taken by redis_rest(). */
PROTO_INLINE int redis_start_response(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	__u32 off, len, hint, eol;
	int push = REDIS_PUSH_NONE;
	__u64 v, n;
	__u8 c;

	len = w->len;
	off = w->off;
	hint = s->hint;
	/* A master shows that it is alive while it prepares its snapshot. */
	if (hint == REDIS_HINT_SYNC)
		off += redis_empty(w, off, len);
	if (off >= len)
		return PARSE_MORE;
	c = pwin_u8(w, off);
	s->left = 1;
	s->stage = REDIS_VALUES;
	m->flags = PMSG_BEGIN;
	m->consumed = off - w->off;
	if (hint == REDIS_HINT_SYNC && c == '$') {
		/* SYNC: the snapshot follows, without a CRLF behind it, or up to a marker. */
		eol = redis_eol(w, off);
		if (eol >= w->off + PWIN_ENOUGH)
			return PARSE_BAD;
		if (eol >= len)
			return PARSE_MORE;
		m->consumed = eol + 1 - w->off;
		s->left = 0;
		s->flags = REDIS_LEAVES;
	} else if (c == '+') {
		/* A digit behind it, or nothing yet. */
		if (off + 1 >= len || pwin_u8(w, off + 1) <= '9')
			push = redis_monitored(w, off);
		if (push < 0)
			return PARSE_MORE;
		if (push)
			m->flags |= PMSG_ONEWAY;
		else if (hint == REDIS_HINT_SYNC)
			s->flags = REDIS_LEAVES;
	} else if (c == '*' || c == '>') {
		v = redis_int_short(w, off);
		if (!v)
			return PARSE_MORE;
		if (v & (REDIS_INT_NULL | REDIS_INT_STREAM | REDIS_INT_BAD)) {
			if (c == '>')
				m->flags |= PMSG_ONEWAY;
			return PARSE_OK;
		}
		off += redis_int_len(v);
		if ((__u32)v >= 2 && (c == '>' || hint != REDIS_HINT_PLAIN))
			push = redis_push(w, off);
		if (push == REDIS_PUSH_MORE)
			return PARSE_MORE;
		if (push == REDIS_PUSH_CONFIRM && hint & REDIS_HINT_SUBSCRIBE)
			s->left = hint & 0x7f ? hint & 0x7f : 1;
		else if (c == '>' || push != REDIS_PUSH_NONE)
			m->flags |= PMSG_ONEWAY;
		/* The kind of a delivery is its name. */
		if (m->flags & PMSG_ONEWAY && push != REDIS_PUSH_NONE) {
			n = redis_int_short(w, off);
			m->name_off[0] = off + redis_int_len(n);
			m->name_len[0] = n;
		}
		/* The array's own token is taken here. */
		s->flags = REDIS_NESTED;
		s->left += (__u64)(__u32)v - 1;
		m->consumed = off - w->off;
	}
	return PARSE_OK;
}

PROTO_FN int redis_request(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	struct pstate was;
	int r = PARSE_OK;

	if (!w || !s || !m)
		return PARSE_BAD;
	was = *s;
	if (s->stage == REDIS_START) {
		r = redis_start_request(w, s, m);
		if (r == PARSE_OK && (m->flags & PMSG_END || s->stage == REDIS_LINE))
			return r;
	}
	if (r == PARSE_OK)
		r = redis_rest(w, s, m);
	if (r == PARSE_MORE)
		*s = was;
	return r;
}

PROTO_FN int redis_response(const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	struct pstate was;
	int r = PARSE_OK;

	if (!w || !s || !m)
		return PARSE_BAD;
	was = *s;
	if (s->stage == REDIS_START)
		r = redis_start_response(w, s, m);
	if (r == PARSE_OK)
		r = redis_rest(w, s, m);
	if (r == PARSE_MORE)
		*s = was;
	return r;
}

#include "redis_detect.h"

#endif

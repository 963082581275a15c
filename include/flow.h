/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.h - how one direction of a connection moves: pure bookkeeping, the same in the kernel
 * and in the tests on the host.
 *
 * A walker loops: flow_pass() takes bytes that need no reading; otherwise it fills a window
 * from the stream, calls the protocol's parser and hands the result to flow_step(). Both
 * return what happened. PARSE_MORE with nothing left to read: the window's rest is carried
 * over to the next call (flow_state.carry_len).
 */
#ifndef SPAND_FLOW_H
#define SPAND_FLOW_H

#include "abi.h"
#include "proto.h"

enum flow_event {
	FLOW_BEGIN = 1 << 0, /* a message's first byte was among the step's bytes */
	FLOW_END = 1 << 1,   /* a message's last byte was the step's last */
};

PROTO_INLINE struct pstate *flow_pstate(struct flow_state *f)
{
	return (struct pstate *)f->ps;
}

/* True if the next byte begins a message, as far as is known. */
PROTO_INLINE int flow_at_boundary(const struct flow_state *f)
{
	return !(f->flags & FLOW_IN_MSG) && !f->carry_len;
}

PROTO_INLINE void flow_end_message(struct flow_state *f)
{
	f->flags &= ~(FLOW_IN_MSG | FLOW_END_AFTER | FLOW_UNTIL_CLOSE);
	f->skip = 0;
	f->ps[0] = 0;
	f->ps[1] = 0;
	f->ps[2] = 0;
}

/*
 * Takes up to n bytes that belong to a body. *taken is how many; 0 means that the next byte
 * must be parsed. Returns FLOW_END if the message ended with them.
 */
PROTO_INLINE __u32 flow_pass(struct flow_state *f, __u64 n, __u64 *taken)
{
	if (f->flags & FLOW_UNTIL_CLOSE) {
		f->pos += n;
		*taken = n;
		return 0;
	}
	if (n > f->skip)
		n = f->skip;
	f->skip -= n;
	f->pos += n;
	*taken = n;
	if (n && !f->skip && (f->flags & FLOW_END_AFTER)) {
		flow_end_message(f);
		return FLOW_END;
	}
	return 0;
}

/*
 * Enters a parser's result (PARSE_OK). f->msg_off and msg_ns were set by the walker when the
 * message's first byte arrived. After FLOW_END the parser's memory is clear again.
 */
PROTO_INLINE __u32 flow_step(struct flow_state *f, const struct pmsg *m)
{
	__u32 events = 0;

	f->pos += m->consumed;
	if (m->flags & PMSG_BEGIN) {
		events = FLOW_BEGIN;
		f->flags &= ~(FLOW_STATUS_ERROR | FLOW_LEAVE | FLOW_ONEWAY);
		f->flags |= FLOW_IN_MSG;
		f->status_code = 0;
	}
	if (m->flags & PMSG_ONEWAY)
		f->flags |= FLOW_ONEWAY;
	if (m->flags & PMSG_ERROR)
		f->flags |= FLOW_STATUS_ERROR;
	if (m->flags & PMSG_LEAVE)
		f->flags |= FLOW_LEAVE;
	if (m->flags & (PMSG_BEGIN | PMSG_STATUS) && m->status_code)
		f->status_code = m->status_code;
	if (m->flags & PMSG_UNTIL_CLOSE) {
		f->flags |= FLOW_UNTIL_CLOSE;
		return events;
	}
	f->skip = m->skip;
	if (m->flags & PMSG_END) {
		if (!m->skip) {
			flow_end_message(f);
			return events | FLOW_END;
		}
		f->flags |= FLOW_END_AFTER;
	}
	return events;
}

#endif

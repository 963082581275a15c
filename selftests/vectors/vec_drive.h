/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vec_drive.h - feeds a vector's bytes through a parser as the kernel's walker does (window,
 * carry, skip: flow.h), cut as the caller says, and compares the messages that come out. Every
 * call is held to the contract in proto.h.
 */
#ifndef SPAND_VEC_DRIVE_H
#define SPAND_VEC_DRIVE_H

#include "flow.h"
#include "vec_load.h"

/* One call of the parser under test: enum parse_result. dir 0: request, 1: response. */
typedef int (*drive_parse_fn)(void *ctx, int dir, const struct pwin *w, struct pstate *s,
			      struct pmsg *m);

struct drive_dir {
	struct flow_state f;
	struct pwin w;
	int in_msg; /* the last result is not complete */
	int bad;
	struct vec_list msgs;
};

struct drive {
	const struct vec_case *c;
	drive_parse_fn parse;
	void *ctx;
	struct drive_dir dir[2];
	struct vec_list hints; /* __u8, of requests in the order sent */
	size_t answered;
	int left;	  /* the connection speaks something else now */
	char error[1024]; /* a breach of contract */
};

static void drive_init(struct drive *d, const struct vec_case *c, drive_parse_fn parse, void *ctx)
{
	memset(d, 0, sizeof(*d));
	d->c = c;
	d->parse = parse;
	d->ctx = ctx;
}

static void drive_free(struct drive *d)
{
	free(d->dir[0].msgs.items);
	free(d->dir[1].msgs.items);
	free(d->hints.items);
}

static void drive_end(struct drive *d, int dir)
{
	struct drive_dir *x = &d->dir[dir];
	struct vec_msg *msg = vec_at(&x->msgs, struct vec_msg, x->msgs.n - 1);

	msg->size = x->f.pos - x->f.msg_off;
	x->in_msg = 0;
	if (dir && !(msg->flags & (VEC_ONEWAY | VEC_INTERIM)) && d->answered < d->hints.n)
		d->answered++;
	if (msg->flags & VEC_LEAVE && (dir || msg->flags & VEC_ONEWAY))
		d->left = 1;
}

static void drive_msg(struct drive *d, int dir, const struct pmsg *m, __u32 base)
{
	struct drive_dir *x = &d->dir[dir];
	struct vec_msg *msg;
	size_t n = 0, i, take;

	if (m->flags & PMSG_BEGIN) {
		if (x->in_msg)
			snprintf(d->error, sizeof(d->error), "BEGIN inside a message");
		msg = vec_add(&x->msgs, sizeof(*msg));
		x->in_msg = 1;
		for (i = 0; i < 2; i++) {
			if (m->name_len[i] &&
			    (m->name_off[i] < base || m->name_off[i] + m->name_len[i] > x->w.len))
				snprintf(d->error, sizeof(d->error), "name outside the window");
			take = m->name_len[i];
			if (take > SPAND_NAME_MAX - n)
				take = SPAND_NAME_MAX - n;
			memcpy(msg->name + n, x->w.data + (m->name_off[i] & (PWIN_SIZE - 1)), take);
			n += take;
		}
		if (!dir && !(m->flags & PMSG_ONEWAY))
			*(__u8 *)vec_add(&d->hints, 1) = m->hint;
	}
	if (!x->in_msg) {
		if (m->flags)
			snprintf(d->error, sizeof(d->error), "flags %#x before BEGIN", m->flags);
		return;
	}
	msg = vec_at(&x->msgs, struct vec_msg, x->msgs.n - 1);
	if (m->flags & PMSG_STATUS)
		msg->status = m->status_code;
	msg->flags |= (m->flags & PMSG_ONEWAY ? VEC_ONEWAY : 0) |
		      (m->flags & PMSG_ERROR ? VEC_ERROR : 0) |
		      (m->flags & PMSG_LEAVE ? VEC_LEAVE : 0) |
		      (m->flags & PMSG_INTERIM ? VEC_INTERIM : 0);
}

/* One parser call at the window's place. 0: go on, 1: more bytes are needed, -1: over. */
static int drive_step(struct drive *d, int dir)
{
	struct drive_dir *x = &d->dir[dir];
	struct pstate was;
	struct pmsg m;
	__u32 left = pwin_left(&x->w), events, at = x->w.off;
	int r;

	if (!(x->f.flags & FLOW_IN_MSG)) {
		x->f.msg_off = x->f.pos;
		if (dir)
			flow_pstate(&x->f)->hint = d->answered < d->hints.n
							   ? ((__u8 *)d->hints.items)[d->answered]
							   : 0;
	}
	was = *flow_pstate(&x->f);
	memset(&m, 0, sizeof(m));
	r = d->parse(d->ctx, dir, &x->w, flow_pstate(&x->f), &m);
	if (r == PARSE_MORE) {
		if (left >= PWIN_ENOUGH)
			snprintf(d->error, sizeof(d->error), "PARSE_MORE with %u bytes", left);
		if (memcmp(&was, flow_pstate(&x->f), sizeof(was)))
			snprintf(d->error, sizeof(d->error), "PARSE_MORE with a changed state");
		return d->error[0] ? -1 : 1;
	}
	if (r != PARSE_OK) {
		if (r != PARSE_BAD)
			snprintf(d->error, sizeof(d->error), "result %d", r);
		x->bad = 1;
		/* See drive_settle(): a request that was refused has no answer. */
		if (!dir && x->in_msg &&
		    !(vec_at(&x->msgs, struct vec_msg, x->msgs.n - 1)->flags & VEC_ONEWAY))
			d->hints.n--;
		return -1;
	}
	if (m.consumed > left)
		snprintf(d->error, sizeof(d->error), "%u bytes consumed of %u", m.consumed, left);
	else if (!m.consumed && !m.skip && !(m.flags & (PMSG_END | PMSG_UNTIL_CLOSE)))
		snprintf(d->error, sizeof(d->error), "no progress");
	if (d->error[0])
		return -1;
	x->w.off += m.consumed;
	drive_msg(d, dir, &m, at);
	events = flow_step(&x->f, &m);
	if (events & FLOW_END)
		drive_end(d, dir);
	return d->left || d->error[0] ? -1 : 0;
}

/* n bytes from stream offset off on arrive in one call, after all that came before. */
static void drive_feed(struct drive *d, int dir, __u64 off, __u64 n)
{
	struct drive_dir *x = &d->dir[dir];
	__u64 end = off + n, taken;
	__u32 rest, events, take;
	int r;

	while (!d->left && !x->bad && !d->error[0]) {
		rest = pwin_left(&x->w);
		if (x->f.skip || x->f.flags & FLOW_UNTIL_CLOSE) {
			if (!rest && off == end)
				return;
			taken = 0;
			events = flow_pass(&x->f, rest ? rest : end - off, &taken);
			if (rest)
				x->w.off += taken;
			else
				off += taken;
			if (events & FLOW_END)
				drive_end(d, dir);
			continue;
		}
		if (!rest) {
			if (off == end)
				return;
			r = 1;
		} else {
			r = drive_step(d, dir);
		}
		if (r <= 0)
			continue;
		if (off == end)
			return; /* the window's rest is the carry */
		memmove(x->w.data, x->w.data + x->w.off, rest);
		/* What lies behind the end has no meaning: let it look like something. */
		memset(x->w.data + rest, '\n', sizeof(x->w.data) - rest);
		take = end - off < PWIN_SIZE - rest ? end - off : PWIN_SIZE - rest;
		vec_read(&d->c->dir[dir], off, x->w.data + rest, take);
		x->w.off = 0;
		x->w.len = rest + take;
		off += take;
	}
}

static int drive_same(const struct vec_msg *a, const struct vec_msg *b)
{
	return !strcmp(a->name, b->name) && a->status == b->status && a->size == b->size &&
	       a->flags == b->flags;
}

static void drive_print(char *out, size_t size, const struct vec_msg *m)
{
	size_t i, n = 0;

	n += snprintf(out, size, "name \"%s\" status %u size %llu", m->name, m->status,
		      (unsigned long long)m->size);
	for (i = 0; i < 6; i++) {
		if (m->flags & 1 << i && n < size)
			n += snprintf(out + n, size - n, " %s", vec_flag_names[i]);
	}
}

/* After the last byte: what is not complete, and what was refused, goes into the lists. */
static void drive_settle(struct drive *d)
{
	struct vec_msg *msg;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		struct drive_dir *x = &d->dir[dir];

		if (x->in_msg && x->bad) {
			/* Refused in the middle: whether it had begun depends on the cuts. */
			x->msgs.n--;
		} else if (x->in_msg) {
			msg = vec_at(&x->msgs, struct vec_msg, x->msgs.n - 1);
			msg->size = x->f.pos - x->f.msg_off;
			msg->flags |= VEC_OPEN;
		}
		if (x->bad) {
			msg = vec_add(&x->msgs, sizeof(*msg));
			msg->flags = VEC_BAD;
		}
	}
}

/* Compares all messages with what the case expects. 0, or -1 and why in d->error. */
static int drive_check(struct drive *d)
{
	static const struct vec_msg none;
	char want[256], got[256];
	size_t i;
	int dir;

	drive_settle(d);
	for (dir = 0; dir < 2 && !d->error[0]; dir++) {
		struct drive_dir *x = &d->dir[dir];
		const struct vec_list *expected = &d->c->dir[dir].msgs;

		for (i = 0; i < expected->n || i < x->msgs.n; i++) {
			const struct vec_msg *e =
				i < expected->n ? vec_at(expected, struct vec_msg, i) : &none;
			const struct vec_msg *g =
				i < x->msgs.n ? vec_at(&x->msgs, struct vec_msg, i) : &none;

			if (i < expected->n && i < x->msgs.n && drive_same(e, g))
				continue;
			drive_print(want, sizeof(want), e);
			drive_print(got, sizeof(got), g);
			snprintf(d->error, sizeof(d->error), "%c message %zu: expected %s, got %s",
				 "><"[dir], i + 1, i < expected->n ? want : "nothing",
				 i < x->msgs.n ? got : "nothing");
			break;
		}
	}
	return d->error[0] ? -1 : 0;
}

#endif

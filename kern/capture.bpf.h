/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.bpf.h - prefixes of messages, when the user asked for them. Values of headers that are
 * never to be captured are masked before anything leaves the programs.
 */
#ifndef SPAND_CAPTURE_BPF_H
#define SPAND_CAPTURE_BPF_H

#include "filter.bpf.h"

static const struct capture empty_capture;

/* Where the masking of headers is in a prefix. */
struct redact {
	struct walk *k;
	struct spand_cfg *cfg;
	u32 len;
	u32 hash; /* of the line's name so far */
	u8 in_name;
	u8 at_start; /* of a line */
	u8 masking;
	u8 pad;
};

static long redact_byte(u32 i, struct redact *r)
{
	u8 *p, b;

	if (i >= r->len || i >= SPAND_CAPTURE_MAX)
		return 1;
	p = &r->k->out[i];
	b = *p;
	if (b == '\n') {
		r->at_start = 1;
		return 0;
	}
	/* A line that begins with a blank goes on with the header before it (RFC 9112, 5.2). */
	if (r->at_start && b != ' ' && b != '\t') {
		r->in_name = 1;
		r->masking = 0;
		r->hash = SPAND_HEADER_HASH_INIT;
	}
	r->at_start = 0;
	if (r->masking) {
		if (b != '\r')
			*p = '*';
	} else if (r->in_name && b == ':') {
		r->in_name = 0;
		r->masking = filter_look(r->cfg, FILTER_BY_HEADER, r->hash, 0) != 0;
	} else if (r->in_name && b != ' ' && b != '\t') {
		/* A blank before the colon is wrong, but some take it. */
		r->hash = spand_header_hash_step(r->hash, b);
	}
	return 0;
}

/* Masks in the first len bytes of walk.out what filter_headers names. */
static __always_inline void redact(struct walk *k, struct spand_cfg *cfg, u32 len)
{
	struct redact r = { .k = k, .cfg = cfg, .len = len, .at_start = 1 };

	if (cfg->deny_headers)
		bpf_loop(SPAND_CAPTURE_MAX, redact_byte, &r, 0);
}

/* Keeps the message's first bytes, as many as the window has; returns how many. */
__noinline int capture_prefix(struct conn *c, struct walk *k, u32 no, u32 dir, u32 at)
{
	struct capture_key key = { .dir = dir, .no = no };
	struct spand_cfg *cfg;
	struct capture *p;
	u32 i, n;

	if (!c || !k)
		return 0;
	i = k->cfg;
	key.sk = k->sk;
	cfg = bpf_map_lookup_elem(&settings, &i);
	if (!cfg || !cfg->capture_len || !(cfg->capture_protos >> (c->proto & 31) & 1))
		return 0;
	n = k->w.len - at;
	if (at > k->w.len || n > cfg->capture_len)
		n = cfg->capture_len;
	if (n > SPAND_CAPTURE_MAX)
		n = SPAND_CAPTURE_MAX;
	if (bpf_probe_read_kernel(k->out, n, k->w.data + (at & (PWIN_SIZE - 1))))
		return 0;
	redact(k, cfg, n);
	/* Kernel 6.1 takes no argument's memory as a map value: make it, then fill it. */
	if (bpf_map_update_elem(&captures, &key, &empty_capture, BPF_ANY))
		return 0;
	p = bpf_map_lookup_elem(&captures, &key);
	if (!p || bpf_probe_read_kernel(p->data, sizeof(p->data), k->out))
		return 0;
	return n;
}

#endif

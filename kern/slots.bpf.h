/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots.bpf.h - the open requests of a connection, in order. The first waits inside the
 * connection's state, the rest in pages. Requests push at the tail, responses pop at the head,
 * all under the connection's lock.
 */
#ifndef SPAND_SLOTS_BPF_H
#define SPAND_SLOTS_BPF_H

#include "maps.bpf.h"

static const struct req_page empty_page;

static __always_inline struct req_page *slots_page(const struct conn *c, u64 sk, u32 no)
{
	struct req_page_key key = {
		.sk = sk,
		.page = no / REQ_PAGE,
		.incarnation = c->incarnation,
	};

	return bpf_map_lookup_elem(&req_pages, &key);
}

static __always_inline void slots_drop_page(struct conn *c, u64 sk, u32 no)
{
	struct req_page_key key = {
		.sk = sk,
		.page = no / REQ_PAGE,
		.incarnation = c->incarnation,
	};

	if (!bpf_map_delete_elem(&req_pages, &key))
		c->pages--;
}

/* The slot of open request no, or NULL if there was no room to remember it. */
static __always_inline struct req_slot *slots_find(struct conn *c, u64 sk, u32 no)
{
	struct req_page *page;
	struct req_slot *s;

	if (c->inline_valid && c->inline_no == no)
		return &c->req_inline;
	if (!c->pages)
		return NULL;
	page = slots_page(c, sk, no);
	if (!page)
		return NULL;
	s = &page->slot[no % REQ_PAGE];
	return s->flags & SLOT_USED ? s : NULL;
}

/* A slot for request no, which is c->tail or beyond it, or NULL if there is no room. */
static __always_inline struct req_slot *slots_make(struct conn *c, u64 sk, u32 no)
{
	struct req_page *page;

	if (c->inline_valid && c->inline_no == no)
		return &c->req_inline;
	if (c->head == no && !c->inline_valid) {
		c->inline_no = no;
		c->inline_valid = 1;
		c->req_inline.flags = 0;
		return &c->req_inline;
	}
	page = slots_page(c, sk, no);
	if (!page) {
		struct req_page_key key = {
			.sk = sk,
			.page = no / REQ_PAGE,
			.incarnation = c->incarnation,
		};

		if (bpf_map_update_elem(&req_pages, &key, &empty_page, BPF_NOEXIST))
			return NULL;
		c->pages++;
		page = bpf_map_lookup_elem(&req_pages, &key);
		if (!page)
			return NULL;
	}
	return &page->slot[no % REQ_PAGE];
}

/* Request no == c->head is done with: its slot may be used again. */
static __always_inline void slots_pop(struct conn *c, u64 sk)
{
	u32 no = c->head;

	if (c->inline_valid && c->inline_no == no)
		c->inline_valid = 0;
	c->head = no + 1;
	if (c->pages && (no % REQ_PAGE == REQ_PAGE - 1 || no + 1 == c->tail + c->early))
		slots_drop_page(c, sk, no);
}

struct slots_drop_ctx {
	struct conn *c;
	u64 sk;
	u32 reason;
};

static long slots_drop_one(u32 i, struct slots_drop_ctx *d)
{
	struct conn *c = d->c;

	if (c->head == c->tail)
		return 1;
	if (c->expired)
		c->expired--;
	else
		lg_inc(slots_find(c, d->sk, c->head) ? d->reason : LG_REQ_LOST_INFLIGHT_FULL);
	slots_pop(c, d->sk);
	return 0;
}

static long slots_drop_early(u32 i, struct slots_drop_ctx *d)
{
	struct conn *c = d->c;

	if (!c->early)
		return 1;
	lg_inc(LG_RESPONSES);
	lg_inc(LG_RESP_ORPHAN);
	c->early--;
	c->tail++;
	slots_pop(c, d->sk);
	return 0;
}

/*
 * Gives up every open request, counted as reason (enum ledger). The bound is far above
 * what a connection can have open, given the size of req_pages.
 */
__noinline int slots_drop_all(struct conn *c, u64 sk, u32 reason)
{
	struct slots_drop_ctx d = { .c = c, .sk = sk, .reason = reason };

	if (!c)
		return 0;
	if (c->head != c->tail)
		bpf_loop(1 << 20, slots_drop_one, &d, 0);
	if (c->early)
		bpf_loop(1 << 20, slots_drop_early, &d, 0);
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span_line.c - a span as one line for people:
 *
 *	12:34:56.789 <- http   GET /index.html  200 ok   1.23ms   312B   4.50kB  SRC > DST COMM[PID]
 *
 * "->" is a request that the process sent (client), "<-" one that it received (server).
 */
#include <errno.h>
#include <time.h>

#include "span.h"
#include "text.h"

#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"
#define RESET  "\033[0m"

/* Names may be longer: the rest of their line moves. */
#define NAME_COLUMNS 32

/* Local time of day with ms. localtime_r() costs a lock and a search: once a second is enough. */
static void write_clock(struct text_out *o, uint64_t unix_ns)
{
	static _Thread_local time_t cached = -1;
	static _Thread_local char text[9];
	time_t now = unix_ns / 1000000000;
	unsigned ms = unix_ns / 1000000 % 1000;
	char dec[4] = { '.', '0' + ms / 100, '0' + ms / 10 % 10, '0' + ms % 10 };
	struct tm tm;

	if (now != cached && localtime_r(&now, &tm) && strftime(text, sizeof(text), "%T", &tm))
		cached = now;
	text_bytes(o, text, 8);
	text_bytes(o, dec, 4);
}

static void write_end(struct text_out *o, uint8_t family, const uint8_t a[16], uint16_t port)
{
	if (family == SPAND_AF_UNIX) {
		text_lit(o, "unix");
		return;
	}
	if (family == SPAND_AF_INET) {
		text_ipv4(o, a);
	} else {
		text_lit(o, "[");
		text_ipv6(o, a);
		text_lit(o, "]");
	}
	text_lit(o, ":");
	text_u64(o, port);
}

static const char *status_colour(const struct span *s)
{
	switch (s->rec.status) {
	case SPAN_ERROR:
		return RED;
	case SPAN_NO_RESPONSE:
		return YELLOW;
	default:
		return GREEN;
	}
}

static void write_status(struct text_out *o, const struct span *s)
{
	const char *start = o->p;

	if (s->rec.status_code) {
		text_u64(o, s->rec.status_code);
		text_lit(o, " ");
	}
	text_str(o, s->rec.status == SPAN_ONEWAY ? "oneway" : span_status_name(s));
	text_pad(o, start, 11);
}

int span_write_line(const struct span *s, char *buf, size_t size, int colour)
{
	const struct span_rec *r = &s->rec;
	struct text_out o;
	char *start;

	text_init(&o, buf, size);
	if (colour)
		text_lit(&o, DIM);
	write_clock(&o, s->start_unix);
	if (colour)
		text_lit(&o, RESET);
	if (r->kind == SPAN_CLIENT)
		text_lit(&o, " -> ");
	else
		text_lit(&o, " <- ");
	start = o.p;
	text_str(&o, span_protocol(s));
	text_pad(&o, start, 6);
	text_lit(&o, " ");
	if (colour)
		text_lit(&o, CYAN);
	start = o.p;
	text_bytes(&o, s->name, r->name_len);
	if (r->flags & SPANF_NAME_CUT)
		text_lit(&o, "...");
	text_pad(&o, start, NAME_COLUMNS);
	text_lit(&o, " ");
	if (colour)
		text_str(&o, status_colour(s));
	write_status(&o, s);
	if (colour)
		text_lit(&o, RESET);
	text_lit(&o, " ");
	start = o.p;
	text_duration(&o, r->dur_ns);
	text_pad_left(&o, start, 7);
	text_lit(&o, " ");
	start = o.p;
	text_size(&o, r->req_size);
	text_pad_left(&o, start, 7);
	text_lit(&o, " ");
	start = o.p;
	text_size(&o, r->resp_size);
	text_pad_left(&o, start, 7);
	text_lit(&o, "  ");
	start = o.p;
	write_end(&o, r->family, r->saddr, r->sport);
	text_lit(&o, " > ");
	write_end(&o, r->family, r->daddr, r->dport);
	text_pad(&o, start, 33);
	text_lit(&o, " ");
	text_printable(&o, (const char *)r->comm, strlen((const char *)r->comm));
	text_lit(&o, "[");
	text_u64(&o, r->tgid);
	text_lit(&o, "]");
	return o.full ? -ENOSPC : (int)(o.p - buf);
}

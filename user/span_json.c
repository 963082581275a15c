/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span_json.c - a span as JSON and as a line of text.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "enrich.h"
#include "proto_ops.h"
#include "span.h"
#include "text.h"

/* Every call that can move socket bytes, also those that only io_uring or splice stand for. */
static const char *const syscalls[] = {
	[SYS_read] = "read",	     [SYS_readv] = "readv",
	[SYS_recvfrom] = "recvfrom", [SYS_recvmsg] = "recvmsg",
	[SYS_recvmmsg] = "recvmmsg", [SYS_write] = "write",
	[SYS_writev] = "writev",     [SYS_sendto] = "sendto",
	[SYS_sendmsg] = "sendmsg",   [SYS_sendmmsg] = "sendmmsg",
	[SYS_sendfile] = "sendfile", [SYS_splice] = "splice",
	[SYS_vmsplice] = "vmsplice", [SYS_tee] = "tee",
	[SYS_preadv2] = "preadv2",   [SYS_pwritev2] = "pwritev2",
	[SYS_connect] = "connect",   [SYS_accept] = "accept",
	[SYS_accept4] = "accept4",   [SYS_close] = "close",
	[SYS_shutdown] = "shutdown", [SYS_io_uring_enter] = "io_uring_enter",
};

const char *span_syscall_name(uint16_t nr)
{
	return nr < sizeof(syscalls) / sizeof(syscalls[0]) ? syscalls[nr] : NULL;
}

static bool has_request(const struct span *s)
{
	return s->rec.status != SPAN_ONEWAY || s->rec.req_size;
}

static bool has_response(const struct span *s)
{
	if (s->rec.status == SPAN_ONEWAY)
		return s->rec.resp_size;
	return s->rec.status != SPAN_NO_RESPONSE;
}

/*
 * Until traces are assembled, a trace is one request: both of its halves know its link (without
 * one: the span's own id), and make the same 128 bits of it. Different constants keep the trace
 * id apart from the span ids, which are mixed from the link too.
 */
static void write_trace_id(struct text_out *o, const struct span_rec *r)
{
	uint64_t hi = spand_mix64((r->link ? r->link : r->span_id) + 't');
	uint64_t lo = spand_mix64(hi + 0x9e3779b97f4a7c15ULL);

	text_hex(o, hi, 16);
	text_hex(o, lo ? lo : 1, 16); /* W3C trace context: all zero is not a trace id */
}

static void write_address(struct text_out *o, uint8_t family, const uint8_t a[16])
{
	if (family == SPAND_AF_UNIX)
		text_lit(o, "unix");
	else if (family == SPAND_AF_INET)
		text_ipv4(o, a);
	else
		text_ipv6(o, a);
}

static void write_syscall(struct text_out *o, bool known, uint16_t nr)
{
	const char *name = known ? span_syscall_name(nr) : NULL;

	if (!name) {
		text_lit(o, "null");
		return;
	}
	text_lit(o, "\"");
	text_str(o, name);
	text_lit(o, "\"");
}

static void write_number(struct text_out *o, bool known, uint64_t v)
{
	if (known)
		text_u64(o, v);
	else
		text_lit(o, "null");
}

static void write_identity(struct text_out *o, const struct span *s)
{
	const struct span_rec *r = &s->rec;

	text_lit(o, "{\"span_id\":\"");
	text_hex(o, r->span_id, 16);
	if (r->parent_span_id) {
		text_lit(o, "\",\"parent_span_id\":\"");
		text_hex(o, r->parent_span_id, 16);
		text_lit(o, "\",\"parent_rule\":");
	} else {
		text_lit(o, "\",\"parent_span_id\":null,\"parent_rule\":");
	}
	if (r->parent_rule == PARENT_LINK)
		text_lit(o, "\"link\"");
	else
		text_lit(o, "null");
	text_lit(o, ",\"trace_id\":\"");
	write_trace_id(o, r);
	if (r->kind == SPAN_CLIENT)
		text_lit(o, "\",\"kind\":\"client\",\"protocol\":\"");
	else
		text_lit(o, "\",\"kind\":\"server\",\"protocol\":\"");
	text_str(o, span_protocol(s));
	text_lit(o, "\",\"name\":\"");
	text_json(o, s->name, r->name_len);
	text_lit(o, "\",\"status\":\"");
	text_str(o, span_status_name(s));
	text_lit(o, "\",\"status_code\":");
	text_u64(o, r->status_code);
}

static void write_times(struct text_out *o, const struct span *s)
{
	const struct span_rec *r = &s->rec;

	text_lit(o, ",\"start_time\":");
	text_u64(o, s->start_unix);
	text_lit(o, ",\"end_time\":");
	text_u64(o, s->start_unix + r->dur_ns);
	text_lit(o, ",\"duration\":");
	text_u64(o, r->dur_ns);
	text_lit(o, ",\"ttfb\":");
	write_number(o, r->status == SPAN_OK || r->status == SPAN_ERROR, r->ttfb_ns);
}

static void write_place(struct text_out *o, const struct span *s)
{
	const struct span_rec *r = &s->rec;
	bool unix_socket = r->family == SPAND_AF_UNIX;

	text_lit(o, ",\"tgid\":");
	text_u64(o, r->tgid);
	text_lit(o, ",\"tid\":");
	text_u64(o, r->tid);
	text_lit(o, ",\"component\":\"");
	text_json(o, (const char *)r->comm, strlen((const char *)r->comm));
	text_lit(o, "\",\"src_ip\":\"");
	write_address(o, r->family, r->saddr);
	text_lit(o, "\",\"src_port\":");
	text_u64(o, unix_socket ? 0 : r->sport);
	text_lit(o, ",\"dst_ip\":\"");
	write_address(o, r->family, r->daddr);
	text_lit(o, "\",\"dst_port\":");
	text_u64(o, unix_socket ? 0 : r->dport);
	if (r->l4 == L4_TCP)
		text_lit(o, ",\"l4\":\"tcp\"");
	else if (r->l4 == L4_UDP)
		text_lit(o, ",\"l4\":\"udp\"");
	else
		text_lit(o, ",\"l4\":\"unix\"");
}

static void write_traffic(struct text_out *o, const struct span *s)
{
	const struct span_rec *r = &s->rec;
	bool req = has_request(s), resp = has_response(s), tcp = r->l4 == L4_TCP;

	text_lit(o, ",\"req_size\":");
	text_u64(o, r->req_size);
	text_lit(o, ",\"resp_size\":");
	text_u64(o, resp ? r->resp_size : 0);
	text_lit(o, ",\"req_tcp_seq\":");
	write_number(o, tcp && req, r->req_seq);
	text_lit(o, ",\"resp_tcp_seq\":");
	write_number(o, tcp && resp, r->resp_seq);
	text_lit(o, ",\"req_syscall\":");
	write_syscall(o, req, r->req_syscall);
	text_lit(o, ",\"resp_syscall\":");
	write_syscall(o, resp, r->resp_syscall);
}

static void write_attributes(struct text_out *o, const struct span *s)
{
	text_lit(o, ",\"attributes\":{");
	span_proto_attributes(s, o);
	if (s->rec.status == SPAN_ONEWAY)
		text_lit(o, "\"oneway\":true,");
	if (s->proc && s->proc->json)
		text_bytes(o, s->proc->json, s->proc->json_len);
	if (s->req_content)
		text_member(o, "req_content", s->req_content, s->req_content_len);
	if (s->resp_content)
		text_member(o, "resp_content", s->resp_content, s->resp_content_len);
	text_close(o, '}');
	text_lit(o, "}");
}

int span_write_json(const struct span *s, char *buf, size_t size)
{
	struct text_out o;

	text_init(&o, buf, size);
	write_identity(&o, s);
	write_times(&o, s);
	write_place(&o, s);
	write_traffic(&o, s);
	write_attributes(&o, s);
	return o.full ? -ENOSPC : (int)(o.p - buf);
}

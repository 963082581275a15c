/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span_make.h - records and spans for tests.
 */
#ifndef SPAND_SPAN_MAKE_H
#define SPAND_SPAN_MAKE_H

#include <string.h>
#include <sys/syscall.h>

#include "span.h"

#define MAKE_MONO_TO_UNIX 1700000000000000000ULL

struct made {
	struct span_rec rec;
	char data[SPAND_NAME_MAX + 2 * SPAND_CAPTURE_MAX];
};

/* A good HTTP record of a server, name "GET /". */
static inline struct made make_record(void)
{
	struct made m = {
		.rec = {
			.type = REC_SPAN,
			.proto = PROTO_HTTP1,
			.kind = SPAN_SERVER,
			.status = SPAN_OK,
			.flags = SPANF_LINK,
			.l4 = L4_TCP,
			.start_ns = 5000000123,
			.ttfb_ns = 1000,
			.dur_ns = 2500,
			.link = 0x1122334455667788,
			.span_id = 0x0000000000000abc,
			.parent_span_id = 0xfedcba9876543210,
			.parent_rule = PARENT_LINK,
			.req_size = 78,
			.resp_size = 12345678901,
			.cgroup_id = 42,
			.req_seq = 4294967295u,
			.resp_seq = 0,
			.tgid = 4321,
			.tid = 4322,
			.status_code = 200,
			.req_syscall = SYS_recvfrom,
			.resp_syscall = SYS_writev,
			.saddr = { 10, 0, 0, 1 },
			.daddr = { 192, 168, 1, 254 },
			.sport = 54321,
			.dport = 80,
			.family = SPAND_AF_INET,
			.name_len = 5,
			.comm = "nginx",
			.len = sizeof(struct span_rec) + 5,
		},
		.data = "GET /",
	};

	return m;
}

/* Puts name and captured prefixes behind the fixed part. */
static inline void make_texts(struct made *m, const void *name, size_t name_len, const void *req,
			      size_t req_len, const void *resp, size_t resp_len)
{
	memcpy(m->data, name, name_len);
	if (req_len)
		memcpy(m->data + name_len, req, req_len);
	if (resp_len)
		memcpy(m->data + name_len + req_len, resp, resp_len);
	m->rec.name_len = name_len;
	m->rec.req_cap = req_len;
	m->rec.resp_cap = resp_len;
	m->rec.len = sizeof(m->rec) + name_len + req_len + resp_len;
}

static inline void make_name(struct made *m, const char *name)
{
	make_texts(m, name, strlen(name), NULL, 0, NULL, 0);
}

static inline struct span *make_span(const struct made *m, uint64_t seq)
{
	return span_new(m, m->rec.len, seq, MAKE_MONO_TO_UNIX, NULL);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Every parser by BPF_PROG_TEST_RUN: the window comes from a map that user space has mapped. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "parsers.h"
#include "dispatch_gen.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct parsers_io);
} io_map SEC(".maps");

SEC("syscall")
int parsers_run(void *ctx __attribute__((unused)))
{
	__u32 key = 0;
	struct parsers_io *io = bpf_map_lookup_elem(&io_map, &key);
	int result = 0;

	if (!io)
		return 1;
	switch (io->op) {
	case PARSERS_REQUEST:
		result = proto_request(io->proto, &io->w, &io->s, &io->m);
		break;
	case PARSERS_RESPONSE:
		result = proto_response(io->proto, &io->w, &io->s, &io->m);
		break;
	case PARSERS_DETECT:
		io->proto = proto_detect(&io->w, io->dirs, &result);
		break;
	default:
		return 1;
	}
	io->result = result;
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";

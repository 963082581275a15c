// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * config_schema.c - every key there is: its type, range, default, place in the struct, and
 * whether it can change while running. Names and types of DeepTrace's keys are its agent's.
 */
#include <string.h>

#include "config_priv.h"

#define CFG(m)	 offsetof(struct config, m)
#define FILE_(m) offsetof(struct config_file_sender, m)

/*
 * Bounds on the filter lists add up to less than half of the kernel's table of filters: during
 * an update it holds the old and the new ones.
 */
/* clang-format off */
const struct cfg_key cfg_keys[] = {
	{ .path = "agent.name", .type = CFG_STR, .off = CFG(agent_name), .min = 1, .max = 255 },
	{ .path = "agent.workers", .type = CFG_IGNORED },
	{ .path = "agent.state_index", .type = CFG_IGNORED },
	{ .path = "agent.user", .type = CFG_IGNORED },

	{ .path = "ebpf.trace.log_level", .type = CFG_STR, .off = CFG(ebpf.log_level),
	  .adapt = cfg_adapt_log_level, .choices = "error|warn|info|debug", .sdef = "info" },
	{ .path = "ebpf.trace.pids", .type = CFG_PIDS, .min = 1, .max = 4194304,
	  .max_items = 1024 },
	{ .path = "ebpf.trace.max_buffered_events", .type = CFG_U32, .flags = CFG_RESTART,
	  .off = CFG(ebpf.max_buffered_events), .min = 1, .max = 1048576, .def = 32768 },
	{ .path = "ebpf.trace.enabled_probes", .type = CFG_PROBES, .max_items = 128, .max = 64,
	  .check = cfg_check_probe },
	{ .path = "ebpf.trace.hooks", .type = CFG_HOOKS, .flags = CFG_RESTART,
	  .off = CFG(ebpf.hooks), .adapt = cfg_adapt_lower, .choices = "auto|socket|syscall" },

	{ .path = "trace.ebpf", .type = CFG_STR, .off = CFG(trace.ebpf), .choices = "trace",
	  .sdef = "trace" },
	{ .path = "trace.name", .type = CFG_IGNORED },
	{ .path = "trace.sender", .type = CFG_STRLIST, .flags = CFG_ONE, .off = CFG(trace.sender),
	  .min = 1, .max = 80, .max_items = CFG_MAX_SENDERS },
	{ .path = "trace.include_processes", .type = CFG_STRLIST,
	  .off = CFG(trace.include_processes), .min = 1, .max = 255, .max_items = 128,
	  .check = cfg_check_comm },
	{ .path = "trace.exclude_processes", .type = CFG_STRLIST,
	  .off = CFG(trace.exclude_processes), .min = 1, .max = 255, .max_items = 128,
	  .check = cfg_check_comm },
	{ .path = "trace.ports", .type = CFG_PORTS, .min = 1, .max = 65535, .max_items = 256 },
	{ .path = "trace.monitor_containers", .type = CFG_STRLIST,
	  .off = CFG(trace.monitor_containers), .min = 1, .max = 64, .max_items = 256,
	  .check = cfg_check_container },
	{ .path = "trace.sampling_rate", .type = CFG_U32, .off = CFG(trace.sampling_rate),
	  .adapt = cfg_adapt_sampling, .min = 1, .max = 1000000, .def = 1 },

	{ .path = "trace.span.cleanup_interval", .type = CFG_U32,
	  .off = CFG(trace.cleanup_interval), .min = 1, .max = 3600, .def = 5 },
	{ .path = "trace.span.max_sockets", .type = CFG_U32, .flags = CFG_RESTART,
	  .off = CFG(trace.max_sockets), .min = 1, .max = 1048576, .def = 32768 },
	{ .path = "trace.span.max_inflight", .type = CFG_U32, .flags = CFG_RESTART,
	  .off = CFG(trace.max_inflight), .min = 1, .max = 4194304, .def = 65536 },
	{ .path = "trace.span.request_timeout", .type = CFG_U32, .off = CFG(trace.request_timeout),
	  .min = 0, .max = 86400, .def = 60 },
	{ .path = "trace.span.memory_spans", .type = CFG_U32, .off = CFG(trace.memory_spans),
	  .min = 1, .max = 1000000, .def = 10000 },

	{ .path = "capture.enabled", .type = CFG_BOOL, .off = CFG(capture.enabled), .def = false },
	{ .path = "capture.max_payload_size", .type = CFG_U32, .off = CFG(capture.max_payload_size),
	  .min = 0, .max = SPAND_CAPTURE_MAX, .def = 256 },
	{ .path = "capture.exclude_payloads", .type = CFG_STRLIST,
	  .off = CFG(capture.exclude_payloads), .min = 1, .max = 64, .max_items = 32,
	  .check = cfg_check_protocol },
	{ .path = "capture.filter_headers", .type = CFG_STRLIST, .off = CFG(capture.filter_headers),
	  .min = 1, .max = 128, .max_items = 32, .check = cfg_check_header,
	  .sdef = "authorization proxy-authorization cookie set-cookie x-api-key x-auth-token" },
	{ .path = "capture.mask_patterns", .type = CFG_STRLIST, .off = CFG(capture.mask_patterns),
	  .min = 1, .max = 1024, .max_items = 64, .check = cfg_check_regex },

	{ .path = "sender.file", .type = CFG_SENDERS },
	{ .path = "sender.elastic", .type = CFG_SENDERS },
	{ .path = "sender.batch_size", .type = CFG_IGNORED },
	{ .path = "sender.flat_file.mem_buffer_size", .type = CFG_IGNORED },
	{ .path = "sender.flat_file.file_buffer_size", .type = CFG_IGNORED },
	{ .path = "sender.flat_file.file_size_limit", .type = CFG_IGNORED },

	{ .path = "metric.interval", .type = CFG_U32, .off = CFG(metric.interval), .min = 1,
	  .max = 86400, .def = 10 },
	{ .path = "metric.sender", .type = CFG_STR, .off = CFG(metric.sender), .min = 1,
	  .max = 80 },

	/*
	 * Any address is accepted without a token: reading is open to whoever can connect, and
	 * the API refuses updates there until a token is set.
	 */
	{ .path = "api.address", .type = CFG_STR, .flags = CFG_RESTART, .off = CFG(api.address),
	  .min = 1, .max = 64, .sdef = "127.0.0.1", .adapt = cfg_adapt_address,
	  .check = cfg_check_address },
	{ .path = "api.port", .type = CFG_U16, .flags = CFG_RESTART, .off = CFG(api.port), .min = 1,
	  .max = 65535, .def = 7899 },
	{ .path = "api.workers", .type = CFG_U32, .flags = CFG_RESTART, .off = CFG(api.workers),
	  .min = 1, .max = 64, .def = 1 },
	{ .path = "api.ident", .type = CFG_STR, .off = CFG(api.ident), .min = 1, .max = 64,
	  .sdef = "spand" },
	{ .path = "api.token", .type = CFG_STR, .flags = CFG_SECRET, .off = CFG(api.token),
	  .min = 8, .max = 256, .check = cfg_check_token },
	{ .path = "api.max_body", .type = CFG_U32, .off = CFG(api.max_body), .min = 1024,
	  .max = 16777216, .def = 65536 },
	{ .path = "api.max_conns", .type = CFG_U32, .flags = CFG_RESTART, .off = CFG(api.max_conns),
	  .min = 1, .max = 4096, .def = 64 },
	{ .path = NULL },
};

/* [sender.file.NAME] */
const struct cfg_key cfg_file_keys[] = {
	{ .path = "path", .type = CFG_STR, .flags = CFG_REQUIRED, .off = FILE_(path), .min = 1,
	  .max = 4095 },
	{ .path = "rotate", .type = CFG_BOOL, .off = FILE_(rotate), .adapt = cfg_adapt_bool,
	  .def = false },
	{ .path = "max_size", .type = CFG_U64, .off = FILE_(max_size), .max = 16777216,
	  .def = 100 },
	{ .path = "max_age", .type = CFG_U64, .off = FILE_(max_age), .max = 36500, .def = 7 },
	{ .path = "rotate_time", .type = CFG_U64, .off = FILE_(rotate_time), .max = 87600,
	  .def = 24 },
	{ .path = "data_format", .type = CFG_STR, .off = FILE_(data_format),
	  .adapt = cfg_adapt_format, .choices = "json", .sdef = "json" },
	{ .path = NULL },
};

/* [sender.elastic.NAME]: checked, then kept as JSON, so without a place in a struct. */
const struct cfg_key cfg_elastic_keys[] = {
	{ .path = "node_urls", .type = CFG_STRLIST, .flags = CFG_ONE | CFG_REQUIRED, .min = 1,
	  .max = 1024, .max_items = 16, .check = cfg_check_url },
	{ .path = "username", .type = CFG_STR, .max = 256 },
	{ .path = "password", .type = CFG_STR, .flags = CFG_SECRET, .max = 1024 },
	{ .path = "request_timeout", .type = CFG_U32, .min = 1, .max = 3600 },
	{ .path = "index_name", .type = CFG_STR, .min = 1, .max = 255 },
	{ .path = "bulk_size", .type = CFG_U32, .min = 1, .max = 100000 },
	{ .path = NULL },
};
/* clang-format on */

const struct cfg_key *cfg_find(const struct cfg_key *keys, const char *path)
{
	for (; keys->path; keys++)
		if (strcmp(keys->path, path) == 0)
			return keys;
	return NULL;
}

bool cfg_is_table(const struct cfg_key *keys, const char *path)
{
	size_t n = strlen(path);

	for (; keys->path; keys++)
		if (strncmp(keys->path, path, n) == 0 && keys->path[n] == '.')
			return true;
	return false;
}

bool cfg_is_secret(const char *name)
{
	static const struct cfg_key *const all[] = { cfg_keys, cfg_file_keys, cfg_elastic_keys };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (const struct cfg_key *k = all[i]; k->path; k++) {
			const char *dot = strrchr(k->path, '.');

			if (k->flags & CFG_SECRET && strcmp(dot ? dot + 1 : k->path, name) == 0)
				return true;
		}
	}
	return false;
}

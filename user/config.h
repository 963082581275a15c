/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config.h - the effective configuration: TOML file, defaults, live updates.
 */
#ifndef SPAND_CONFIG_H
#define SPAND_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* A list of strings; n may be 0. */
struct strlist {
	char **v;
	size_t n;
};

enum hooks_mode {
	HOOKS_AUTO,    /* socket tracepoints where the kernel has them, else syscalls */
	HOOKS_SOCKET,  /* tp_btf/sock_send_length, sock_recv_length (kernel 6.3 and later) */
	HOOKS_SYSCALL, /* tp_btf/sys_enter, sys_exit */
};

/* [sender.file.NAME] */
struct config_file_sender {
	char *name;
	char *path;
	bool rotate;	      /* default false */
	uint64_t max_size;    /* MiB a file, 0: no limit; default 100 */
	uint64_t max_age;     /* days that rotated files are kept, 0: for ever; default 7 */
	uint64_t rotate_time; /* hours between rotations by age, 0: never; default 24 */
	char *data_format;    /* "json" (JSON lines), the only one served; "%Y..." becomes it */
};

struct config {
	char *agent_name; /* default: host name */
	struct {
		char *log_level; /* error warn info debug; default info */
		bool pids_set;	 /* absent: every process */
		uint32_t *pids;
		size_t n_pids;
		uint32_t max_buffered_events; /* sizes the ring: 256 bytes each; default 32768 */
		uint32_t probes;	      /* mask of 1 << enum probe_id; from enabled_probes */
		enum hooks_mode hooks;
	} ebpf; /* [ebpf.trace] */
	struct {
		char *ebpf; /* accepted for DeepTrace's sake: name of the [ebpf.*] table, "trace" */
		struct strlist sender; /* names of senders that get spans; "file.NAME" or "NAME" */
		uint32_t cleanup_interval; /* [trace.span] s, default 5 */
		uint32_t max_sockets;	   /* [trace.span] default 32768 */
		uint32_t max_inflight; /* [trace.span] open requests beyond one a socket, 65536 */
		uint32_t request_timeout; /* [trace.span] s, default 60, 0: never */
		uint32_t memory_spans;	  /* [trace.span] spans kept for the API, default 10000 */
		struct strlist include_processes, exclude_processes; /* comm, up to 15 bytes */
		uint16_t *ports;
		size_t n_ports;
		struct strlist monitor_containers; /* container ids or unique prefixes */
		uint32_t sampling_rate;		   /* 1 in N, default 1 */
	} trace;
	struct {
		bool enabled;		   /* default false */
		uint32_t max_payload_size; /* bytes a message, 0..SPAND_CAPTURE_MAX, default 256 */
		struct strlist exclude_payloads; /* protocol labels never captured */
		struct strlist filter_headers;	 /* header names never captured */
		struct strlist mask_patterns;	 /* POSIX extended regular expressions */
	} capture;
	struct {
		struct config_file_sender *file;
		size_t n_file;
		json_t *elastic; /* [sender.elastic.*] checked and kept for a later release */
	} sender;
	struct {
		uint32_t interval; /* [metric] s */
		char *sender;
	} metric;
	struct {
		char *address;	  /* default 127.0.0.1 */
		uint16_t port;	  /* default 7899 */
		uint32_t workers; /* default 1 */
		char *ident;
		char *token;	    /* required for updates unless address is loopback */
		uint32_t max_body;  /* bytes, default 65536 */
		uint32_t max_conns; /* default 64 */
	} api;
};

/* Every error found, in the order of the file: "file:line: key: what was expected". */
struct config_errors {
	struct config_error {
		char *where; /* "file:line", or "" for an update */
		char *field; /* dotted key, "" if it is the syntax */
		char *text;
	} * v;
	size_t n;
};

/*
 * config_load - reads path (NULL: all defaults).
 * Returns 0 and *out, or -EINVAL with errors filled in and *out unchanged, or -errno when the
 * file can't be read (also in errors). Unknown keys and wrong types are errors, all reported.
 */
int config_load(const char *path, struct config **out, struct config_errors *errors);

/*
 * config_update - what old becomes under the partial configuration patch (a JSON object; tables
 * merge, everything else replaces, null restores the default). The body may be DeepTrace's too:
 * its lists of single-key objects and its agent, sender.elastic, trace.pids at the top.
 * Returns 0 and a new *out, or -EINVAL with errors; old is never changed.
 */
int config_update(const struct config *old, json_t *patch, struct config **out,
		  struct config_errors *errors);

/* The effective configuration as JSON, as GET /config shows it; secrets are masked if mask. */
json_t *config_json(const struct config *cfg, bool mask);

void config_free(struct config *cfg);
void config_errors_free(struct config_errors *errors);

/* True if keys that can't change without a restart differ; *field gets the first one's name. */
bool config_needs_restart(const struct config *a, const struct config *b, const char **field);

/* Name of a probe's syscall ("read"), or NULL at PROBE_MAX. */
const char *config_probe_name(enum probe_id p);

#endif

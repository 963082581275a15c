/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tracer.h - the BPF side as the daemon sees it: open, load, attach, poll, configure, sweep.
 */
#ifndef SPAND_TRACER_H
#define SPAND_TRACER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"

struct tracer;

/* Why a tracer can't run; also the daemon's exit status. */
enum tracer_error {
	TRACER_OK = 0,
	TRACER_NO_ROOT = 3,
	TRACER_NO_BTF = 4,
	TRACER_BPF_REFUSED = 5,
	TRACER_SECOND = 7, /* another instance has the pins */
};

/* data, len: one record of the ring, valid during the call. */
typedef void (*tracer_record_fn)(void *arg, const void *data, size_t len);

/*
 * tracer_new - loads, pins under pin_dir and attaches the programs.
 * Returns TRACER_OK and *out; else err holds one clear line.
 */
enum tracer_error tracer_new(const struct config *cfg, const char *pin_dir, tracer_record_fn fn,
			     void *arg, struct tracer **out, char *err, size_t errlen);
void tracer_free(struct tracer *t); /* detaches, unpins */

/* Applies filters, sampling, capture, probes of cfg. 0 or -errno, unchanged on error. */
int tracer_apply(struct tracer *t, const struct config *cfg, char *err, size_t errlen);

/* Reads what the ring holds, waiting up to timeout_ms; records read, or -errno. */
int tracer_poll(struct tracer *t, int timeout_ms);

/* Detaches all programs, so that nothing new is recorded (before the last tracer_poll()). */
void tracer_detach(struct tracer *t);

/* Closes idle state: timed-out requests, dead AF_UNIX sockets. Called every cleanup_interval. */
int tracer_sweep(struct tracer *t);

struct tracer_info {
	unsigned programs; /* attached */
	unsigned maps;
	const char *hooks;	       /* "socket" or "syscall" */
	char kernel[65];	       /* uname release */
	uint64_t ring_size, ring_used; /* bytes */
	uint64_t map_memory;	       /* bytes, as the kernel accounts it */
	uint64_t conns;		       /* connection states now */
	uint64_t open;		       /* requests that wait for a response, counted over conns */
	uint64_t recursion_misses;     /* program runs that the kernel skipped */
};

int tracer_info(struct tracer *t, struct tracer_info *out);

/* Sums the per-CPU ledger. */
int tracer_ledger(struct tracer *t, uint64_t out[LG_MAX]);

/* "requests", ...: the JSON name of a ledger entry (user/ledger.c). */
const char *ledger_name(enum ledger l);
/* Requests minus all that they became, minus open: 0 when the books balance. */
int64_t ledger_requests_gap(const uint64_t l[LG_MAX], uint64_t open);
int64_t ledger_responses_gap(const uint64_t l[LG_MAX]);
int64_t ledger_bytes_gap(const uint64_t l[LG_MAX]);

#endif

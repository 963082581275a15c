/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink.h - where spans go. Every sink has its own thread and bounded queue: a slow one never
 * blocks the reader, what does not fit is counted.
 */
#ifndef SPAND_SINK_H
#define SPAND_SINK_H

#include <stdint.h>

#include "config.h"
#include "span.h"

struct sink;

struct sink_stats {
	uint64_t queued;  /* spans waiting now */
	uint64_t written; /* spans handed to the target */
	uint64_t bytes;
	uint64_t dropped; /* queue full */
	uint64_t failed;  /* spans lost to write errors */
	int last_errno;
};

/* How far a sink that buffers has come; totals since open. */
struct sink_progress {
	uint64_t pending; /* spans taken by write that have not reached the target yet */
	uint64_t lost;	  /* spans given up */
	uint64_t bytes;	  /* that reached the target */
};

/* What a kind of sink does; called from its thread only. All but write may be NULL. */
struct sink_ops {
	const char *kind; /* "file", "terminal", "null" */
	int (*open)(void *ctx);
	/* 0, or -errno: then all n are lost, unless progress tells more exactly. */
	int (*write)(void *ctx, struct span *const *spans, size_t n);
	/* When nothing is queued, but at least every 200 ms; about once a second when idle. */
	int (*flush)(void *ctx);
	void (*close)(void *ctx); /* also after a failed open */
	void (*progress)(const void *ctx, struct sink_progress *out);
};

/* ctx is given to the ops and belongs to the sink (freed by ops->close). */
int sink_start(const char *name, const struct sink_ops *ops, void *ctx, size_t queue_spans,
	       struct sink **out);
void sink_push(struct sink *s, struct span *span); /* never blocks; takes its own reference */
/* Writes what is queued (at most timeout_ms), stops the thread, frees. */
void sink_stop(struct sink *s, int timeout_ms);
void sink_stats(struct sink *s, struct sink_stats *out);
const char *sink_name(const struct sink *s);
const char *sink_kind(const struct sink *s);

/*
 * What the file sender takes for the time, s since 1970; tests put their own here. Only for the
 * age of the current file and of rotated ones.
 */
extern int64_t (*sink_file_clock)(void);

/* JSON lines with rotation by size and age. Checks that the file can be opened for appending. */
int sink_file_new(const struct config_file_sender *cfg, struct sink **out, char *err,
		  size_t errlen);
/* One readable line a span on fd. */
int sink_terminal_new(int fd, int colour, struct sink **out);
/* Counts and forgets: for measuring. */
int sink_null_new(struct sink **out);

#endif

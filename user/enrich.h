/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * enrich.h - what /proc knows of a process, cached and bounded; counts spans per process.
 */
#ifndef SPAND_ENRICH_H
#define SPAND_ENRICH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct process {
	atomic_uint refs;
	uint32_t tgid;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat: tells a reused pid apart */
	char comm[16];
	char *exe;     /* NULL if it could not be read (gone, kernel); printable UTF-8 */
	char *cmdline; /* arguments joined by one space, at most 256 bytes, masked; printable UTF-8 */
	char *container; /* container id from the cgroup path, NULL: none */
	char *json;	 /* the three above as attributes of a span, "key":"value", each */
	uint32_t json_len;
	unsigned masks;	     /* span_mask_changes() when cmdline was masked */
	atomic_ullong spans; /* counted by enrich_lookup() */
};

struct enrich;

/* The clock of the cache, monotonic ns; tests put their own here. */
extern uint64_t (*enrich_clock)(void);

/* procfs: "/proc", or a tree made for a test. capacity: processes kept. */
struct enrich *enrich_new(const char *procfs, size_t capacity);
void enrich_free(struct enrich *e);

/* The process of a span, with a reference for the caller; comm as the kernel saw it. */
struct process *enrich_lookup(struct enrich *e, uint32_t tgid, const char comm[16],
			      uint64_t cgroup_id);
struct process *process_get(struct process *p);
void process_put(struct process *p);

/* Calls fn for every cached process (under a lock: fn is short). */
void enrich_each(struct enrich *e, void (*fn)(const struct process *, void *), void *arg);

/* Forgets processes that have exited and are no longer referenced. */
void enrich_expire(struct enrich *e);

/*
 * The cgroup id of the container whose id begins with prefix: 0 and *id, -ENOENT, -ENOTUNIQ. It is
 * the inode number of the cgroup2 directory of the container's lowest pid, which is what the
 * kernel takes for a task's cgroup id. The cgroup2 mount is procfs/../sys/fs/cgroup (or unified/).
 */
int enrich_container_cgroup(const char *procfs, const char *prefix, uint64_t *id);

#endif

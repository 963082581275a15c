/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tracer_priv.h - shared by tracer*.c only.
 */
#ifndef SPAND_TRACER_PRIV_H
#define SPAND_TRACER_PRIV_H

#include <bpf/libbpf.h>
#include <pthread.h>

#include "tracer.h"

struct spand_bpf;
struct reader;

struct tracer {
	struct spand_bpf *bpf;
	struct ring_buffer *ring;
	struct reader *reader; /* whom the ring's records go to */
	char *pin_dir;
	int pin_lock; /* the folder itself, flock()ed: the pins are ours; -1: they are not */
	bool socket_hooks;
	bool attached;
	int wait_ms;		   /* how long the next poll sleeps at most */
	pthread_mutex_t lock;	   /* apply against sweep */
	uint32_t gen;		   /* of the filters that count */
	uint32_t slot;		   /* of settings that counts */
	struct strlist containers; /* of the configuration, for those that start later */
	uint8_t mark;		   /* of the last sweep */
};

/* Fills the filter maps and settings for the first time, or again. See tracer_apply(). */
int tracer_settings(struct tracer *t, const struct config *cfg, char *err, size_t errlen);

/* Adds containers that have appeared since. */
void tracer_containers(struct tracer *t);

/* Marks living AF_UNIX sockets in every network namespace; 0, or -errno. */
int tracer_mark_unix(struct tracer *t);

#endif

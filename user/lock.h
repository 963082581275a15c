/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.h - one running daemon a host: an flock()ed file that holds the owner's pid. The kernel
 * drops the lock with its owner, so a file left by a killed daemon is no obstacle.
 */
#ifndef SPAND_LOCK_H
#define SPAND_LOCK_H

#include <limits.h>
#include <sys/types.h>

struct lock {
	int fd; /* -1: not held */
	char path[PATH_MAX];
};

#define LOCK_NONE        \
	{                \
		.fd = -1 \
	}

/*
 * lock_take - takes the lock on the first of paths (ends with NULL) that can be made here.
 * Returns 0 and *out; -EBUSY when another process holds it, with its pid in *owner (0 if it is not
 * known); -EPERM if the file belongs to someone else; or the -errno of the last path.
 */
int lock_take(const char *const *paths, struct lock *out, pid_t *owner);

/* Removes the file and gives the lock up; nothing if it is not held. */
void lock_release(struct lock *l);

#endif

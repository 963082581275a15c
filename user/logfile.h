/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * logfile.h - the file sender's target: a file that is appended to, and its rotation.
 */
#ifndef SPAND_LOGFILE_H
#define SPAND_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"

struct logfile {
	char *path;
	bool rotate;
	uint64_t max_size;    /* bytes, 0: no limit */
	uint64_t rotate_time; /* s, 0: never */
	uint64_t max_age;     /* s, 0: for ever */
	int fd;		      /* -1: closed */
	dev_t dev;
	ino_t ino;
	bool regular;
	bool cut;	     /* the file ends in the middle of a line */
	uint64_t size;	     /* bytes */
	int64_t birth;	     /* s since 1970 */
	int64_t next_expiry; /* when to look for old rotated files */
	int rotate_error;    /* the last one reported */
};

/* Takes over the settings of cfg; 0 or -ENOMEM. */
int logfile_init(struct logfile *f, const struct config_file_sender *cfg);
void logfile_free(struct logfile *f);

/*
 * logfile_open - opens the file for appending, makes it (0640) and its parents (0750) if need be,
 * and ends a line that an earlier process left unfinished. 0 or -errno.
 */
int logfile_open(struct logfile *f);

/*
 * logfile_append - writes whole lines. Rotates before, if the file is too old or would become too
 * large. Returns the bytes written, which are whole lines unless f->cut, or -errno if none were.
 */
ssize_t logfile_append(struct logfile *f, const char *lines, size_t len);

/* Opens the file again if it was moved or deleted, rotates by age, deletes what is too old. */
int logfile_check(struct logfile *f);

/* True if name is base.YYYYmmdd-HHMMSS or base.YYYYmmdd-HHMMSS.n; *when: that time, UTC. */
bool logfile_rotated_name(const char *name, const char *base, int64_t *when);

#endif

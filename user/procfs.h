/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * procfs.h - reading what /proc has on a process.
 */
#ifndef SPAND_PROCFS_H
#define SPAND_PROCFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for a cgroup file with a path in each of its hierarchies. */
#define PROCFS_TEXT_MAX 8192

/* Reads procfs/pid/file, zero-terminated, cut to size - 1 bytes. Its length, or -errno. */
ssize_t procfs_read(const char *procfs, uint32_t pid, const char *file, char *buf, size_t size);

/* What a symbolic link of a process points to, in the same way; -ENAMETOOLONG if it is cut. */
ssize_t procfs_link(const char *procfs, uint32_t pid, const char *file, char *buf, size_t size);

/* Fields 2 and 22 of procfs/pid/stat (proc(5)): name and start time in clock ticks. 0 or -errno. */
int procfs_stat(const char *procfs, uint32_t pid, char comm[16], uint64_t *start);

#endif

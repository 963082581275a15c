/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The pid in the file; 0 if its owner has not written it yet or it holds something else. */
static pid_t read_owner(int fd)
{
	char buf[32], *end;
	ssize_t n;
	long pid;

	/* Between the owner's flock() and its write there is a moment: look a few times. */
	for (int i = 0; i < 20; i++) {
		n = pread(fd, buf, sizeof(buf) - 1, 0);
		if (n > 0) {
			buf[n] = '\0';
			pid = strtol(buf, &end, 10);
			return end != buf && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
		}
		usleep(10000);
	}
	return 0;
}

/* The path still names the file that was locked: its owner may have removed it meanwhile. */
static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !lstat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int take_one(const char *path, struct lock *out, pid_t *owner)
{
	struct stat st;
	char buf[32];
	int fd, err, n;

	if (strlen(path) >= sizeof(out->path))
		return -ENAMETOOLONG;
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
		if (fd < 0)
			return -errno;
		/* In a folder that others can write to, they could have put it there. */
		if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
			close(fd);
			return -EPERM;
		}
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			err = errno == EWOULDBLOCK ? -EBUSY : -errno;
			if (err == -EBUSY)
				*owner = read_owner(fd);
			close(fd);
			return err;
		}
		if (same_file(fd, path))
			break;
		close(fd);
	}
	n = snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, buf, n, 0) != n) {
		err = errno ? -errno : -EIO;
		close(fd);
		return err;
	}
	out->fd = fd;
	strcpy(out->path, path);
	return 0;
}

int lock_take(const char *const *paths, struct lock *out, pid_t *owner)
{
	int err = -ENOENT;

	for (; *paths; paths++) {
		err = take_one(*paths, out, owner);
		/* Only a folder that is missing or closed to us is a reason to go elsewhere. */
		if (err != -ENOENT && err != -EROFS && err != -EACCES && err != -ENOTDIR)
			break;
	}
	return err;
}

void lock_release(struct lock *l)
{
	if (l->fd < 0)
		return;
	/* Removed while it is still locked, so that nobody else's file can be hit. */
	unlink(l->path);
	close(l->fd);
	l->fd = -1;
}

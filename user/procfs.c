/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs.h"

#define PATH_SIZE 512

static int make_path(char buf[PATH_SIZE], const char *procfs, uint32_t pid, const char *file)
{
	int n = snprintf(buf, PATH_SIZE, "%s/%u/%s", procfs, pid, file);

	return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

ssize_t procfs_read(const char *procfs, uint32_t pid, const char *file, char *buf, size_t size)
{
	char path[PATH_SIZE];
	size_t len = 0;
	ssize_t n = 0;
	int fd, ret = make_path(path, procfs, pid, file);

	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	ret = n < 0 ? -errno : 0;
	close(fd);
	if (ret)
		return ret;
	buf[len] = '\0';
	return len;
}

ssize_t procfs_link(const char *procfs, uint32_t pid, const char *file, char *buf, size_t size)
{
	char path[PATH_SIZE];
	ssize_t n;
	int ret = make_path(path, procfs, pid, file);

	if (ret)
		return ret;
	n = readlink(path, buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return n;
}

int procfs_stat(const char *procfs, uint32_t pid, char comm[16], uint64_t *start)
{
	char buf[1024];
	const char *open, *close, *p;
	unsigned field;
	size_t len;
	ssize_t n = procfs_read(procfs, pid, "stat", buf, sizeof(buf));

	if (n < 0)
		return n;
	/* The name may hold blanks and parentheses: it ends at the last of them. */
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || close < open)
		return -EBADMSG;
	p = close;
	for (field = 2; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return -EBADMSG;
	}
	len = close - open - 1;
	if (len > 15)
		len = 15;
	memset(comm, 0, 16);
	memcpy(comm, open + 1, len);
	*start = strtoull(p + 1, NULL, 10);
	return 0;
}

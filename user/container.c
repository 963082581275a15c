/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"
#include "enrich.h"
#include "procfs.h"

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool ends_with(const char *s, size_t len, const char *what)
{
	size_t n = strlen(what);

	return len >= n && !memcmp(s + len - n, what, n);
}

/* The id in one component of a path. */
static const char *id_in_name(const char *s, size_t len)
{
	const char *id;
	size_t i;

	if (ends_with(s, len, ".scope"))
		len -= strlen(".scope");
	if (len < CONTAINER_ID_LEN)
		return NULL;
	len -= CONTAINER_ID_LEN;
	id = s + len;
	for (i = 0; i < CONTAINER_ID_LEN; i++) {
		if (!is_hex(id[i]))
			return NULL;
	}
	/* conmon watches over the container from outside, under its name */
	if (ends_with(s, len, "-conmon-"))
		return NULL;
	return !len || s[len - 1] == '-' || s[len - 1] == ':' ? id : NULL;
}

const char *container_in_path(const char *path, size_t len)
{
	const char *slash, *id;

	while (len) {
		slash = memrchr(path, '/', len);
		if (!slash)
			return id_in_name(path, len);
		id = id_in_name(slash + 1, len - (slash + 1 - path));
		if (id)
			return id;
		len = slash - path;
	}
	return NULL;
}

const char *container_in_cgroups(const char *text, const char **path, size_t *path_len)
{
	const char *found = NULL;

	*path = NULL;
	while (*text) {
		const char *end = strchrnul(text, '\n');
		const char *p = memchr(text, ':', end - text); /* hierarchy:controllers:path */

		p = p ? memchr(p + 1, ':', end - p - 1) : NULL;
		if (p) {
			const char *id = container_in_path(p + 1, end - p - 1);

			if (id && !strncmp(text, "0::", 3)) {
				*path = p + 1;
				*path_len = end - p - 1;
				return id;
			}
			if (id && !found)
				found = id;
		}
		text = *end ? end + 1 : end;
	}
	return found;
}

/* The inode number of a directory of cgroup2. */
static int cgroup_inode(const char *procfs, const char *path, size_t len, uint64_t *id)
{
	static const char *const mounts[] = { "unified/", "" };
	char file[PATH_MAX];
	struct stat st;
	unsigned i;
	int n;

	for (i = 0; i < 2; i++) {
		n = snprintf(file, sizeof(file), "%s/../sys/fs/cgroup/%s%.*s", procfs, mounts[i],
			     (int)len, path);
		if (n < 0 || (size_t)n >= sizeof(file))
			return -ENAMETOOLONG;
		if (!stat(file, &st)) {
			*id = st.st_ino;
			return 0;
		}
	}
	return -ENOENT;
}

int enrich_container_cgroup(const char *procfs, const char *prefix, uint64_t *out)
{
	char text[PROCFS_TEXT_MAX], found[CONTAINER_ID_LEN] = "";
	size_t len = strlen(prefix), path_len;
	uint32_t pid, lowest = UINT32_MAX;
	const char *id, *path;
	struct dirent *e;
	uint64_t cgroup;
	int ret = -ENOENT;
	DIR *d;

	if (!len || len > CONTAINER_ID_LEN)
		return -ENOENT;
	d = opendir(procfs);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		pid = strtoul(e->d_name, NULL, 10);
		if (!pid || procfs_read(procfs, pid, "cgroup", text, sizeof(text)) < 0)
			continue;
		id = container_in_cgroups(text, &path, &path_len);
		if (!id || !path || memcmp(id, prefix, len))
			continue;
		if (*found && memcmp(found, id, sizeof(found))) {
			ret = -ENOTUNIQ;
			break;
		}
		memcpy(found, id, sizeof(found));
		if (pid < lowest && !cgroup_inode(procfs, path, path_len, &cgroup)) {
			lowest = pid;
			ret = 0;
		}
	}
	closedir(d);
	if (!ret)
		*out = cgroup;
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * logfile.c - appending whole lines to a file; rotation by size and age.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "sink.h"
#include "logfile.h"

#define EXPIRY_S	60    /* between searches for old files */
#define TAIL_MAX	65536 /* longer than any line that we write */
#define SAME_SECOND_MAX 10000 /* files rotated within a second */

static int64_t real_clock(void)
{
	return time(NULL);
}

int64_t (*sink_file_clock)(void) = real_clock;

int logfile_init(struct logfile *f, const struct config_file_sender *cfg)
{
	char *path = strdup(cfg->path);

	if (!path)
		return -ENOMEM;
	*f = (struct logfile){
		.path = path,
		.rotate = cfg->rotate,
		.fd = -1,
	};
	/* A number too large to count in bytes or seconds is as good as no limit. */
	if (cfg->max_size <= UINT64_MAX >> 20)
		f->max_size = cfg->max_size << 20;
	if (cfg->rotate_time <= INT32_MAX)
		f->rotate_time = cfg->rotate_time * 3600;
	if (cfg->max_age <= INT32_MAX)
		f->max_age = cfg->max_age * 86400;
	return 0;
}

static void close_file(struct logfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void logfile_free(struct logfile *f)
{
	close_file(f);
	free(f->path);
	f->path = NULL;
}

/* Makes the directories that path needs. */
static int make_parents(const char *path)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);
	char *p;

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, len + 1);
	for (p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(dir, 0750) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

/*
 * A process that was killed may have left half a line. If it looks like one of ours it is cut off,
 * else it is ended. The file is opened for appending only, so it is read through a second door.
 */
static int repair_tail(struct logfile *f)
{
	char path[64], *buf = NULL, *line;
	ssize_t n = -1;
	size_t want = f->size < TAIL_MAX ? f->size : TAIL_MAX;
	int fd = -1, ret = 0;

	if (!f->regular || !f->size)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	buf = malloc(want);
	if (!buf)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = pread(fd, buf, want, f->size - want);
	if (n <= 0 || buf[n - 1] == '\n')
		goto out; /* unreadable: nothing is known to be wrong */
	line = memrchr(buf, '\n', n);
	line = line ? line + 1 : want == f->size ? buf : NULL;
	if (line && *line == '{' && !ftruncate(f->fd, f->size - (buf + n - line)))
		f->size -= buf + n - line;
	else if (write(f->fd, "\n", 1) == 1)
		f->size++;
	else
		ret = -errno;
out:
	if (fd >= 0)
		close(fd);
	free(buf);
	return ret;
}

/* When the file was made, as far as its file system knows. */
static int64_t birth_time(int fd, const struct stat *st)
{
	struct statx stx;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) && stx.stx_mask & STATX_BTIME)
		return stx.stx_btime.tv_sec;
	return st->st_mtime;
}

int logfile_open(struct logfile *f)
{
	/* O_NONBLOCK: a named pipe without a reader must not hold us up. */
	const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int fd, ret;

	close_file(f);
	f->cut = false;
	fd = open(f->path, flags | O_CREAT, 0640);
	if (fd < 0 && errno == ENOENT) {
		ret = make_parents(f->path);
		if (ret)
			return ret;
		fd = open(f->path, flags | O_CREAT, 0640);
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	f->fd = fd;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->regular = S_ISREG(st.st_mode);
	f->size = f->regular ? (uint64_t)st.st_size : 0;
	f->birth = f->size ? birth_time(fd, &st) : sink_file_clock();
	ret = repair_tail(f);
	if (ret)
		close_file(f);
	return ret;
}

/* n digits at p; -1 if they are not all digits. */
static int number(const char *p, unsigned n)
{
	int v = 0;

	for (; n; n--, p++) {
		if (*p < '0' || *p > '9')
			return -1;
		v = v * 10 + (*p - '0');
	}
	return v;
}

bool logfile_rotated_name(const char *name, const char *base, int64_t *when)
{
	size_t len = strlen(base);
	struct tm tm = { 0 };
	const char *p;

	if (strncmp(name, base, len) || name[len] != '.')
		return false;
	p = name + len + 1;
	if (strnlen(p, 16) < 15 || p[8] != '-')
		return false;
	tm.tm_year = number(p, 4) - 1900;
	tm.tm_mon = number(p + 4, 2) - 1;
	tm.tm_mday = number(p + 6, 2);
	tm.tm_hour = number(p + 9, 2);
	tm.tm_min = number(p + 11, 2);
	tm.tm_sec = number(p + 13, 2);
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	p += 15;
	if (*p == '.') {
		p++;
		if (!*p || p[strspn(p, "0123456789")])
			return false;
	} else if (*p) {
		return false;
	}
	*when = timegm(&tm);
	return true;
}

/* Deletes rotated files, ours by their names, whose time has come. */
static void expire(struct logfile *f, int64_t now)
{
	const char *slash = strrchr(f->path, '/');
	const char *base = slash ? slash + 1 : f->path;
	char dir[PATH_MAX];
	struct dirent *e;
	int64_t when;
	DIR *d;

	f->next_expiry = now + EXPIRY_S;
	if (!f->rotate || !f->max_age)
		return;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - f->path + 1) : 1,
		 slash ? f->path : ".");
	d = opendir(dir);
	if (!d)
		return;
	while ((e = readdir(d))) {
		if (!logfile_rotated_name(e->d_name, base, &when))
			continue;
		if (now - when > (int64_t)f->max_age && unlinkat(dirfd(d), e->d_name, 0))
			log_warn("%s%s: can't be deleted: %s", dir, e->d_name, strerror(errno));
	}
	closedir(d);
}

/* Gives the file its rotated name, which must not exist. */
static int rename_away(const struct logfile *f, int64_t now)
{
	char name[PATH_MAX], stamp[32];
	time_t t = now;
	struct tm tm;
	unsigned i;
	int n;

	if (!gmtime_r(&t, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm))
		return -EOVERFLOW;
	for (i = 0; i < SAME_SECOND_MAX; i++) {
		n = i ? snprintf(name, sizeof(name), "%s.%s.%u", f->path, stamp, i)
		      : snprintf(name, sizeof(name), "%s.%s", f->path, stamp);
		if (n < 0 || (size_t)n >= sizeof(name))
			return -ENAMETOOLONG;
		if (!renameat2(AT_FDCWD, f->path, AT_FDCWD, name, RENAME_NOREPLACE))
			return 0;
		if (errno == EEXIST)
			continue;
		if (errno != EINVAL && errno != ENOSYS)
			return -errno;
		/* File systems without RENAME_NOREPLACE; nobody else uses these names. */
		if (!access(name, F_OK))
			continue;
		return rename(f->path, name) ? -errno : 0;
	}
	return -EEXIST;
}

/* A file that can't be rotated is written on: too large is better than lost. */
static int rotate(struct logfile *f)
{
	int64_t now = sink_file_clock();
	int ret = rename_away(f, now);

	if (ret) {
		if (ret != f->rotate_error)
			log_warn("%s: can't be rotated: %s", f->path, strerror(-ret));
		f->rotate_error = ret;
		return 0;
	}
	f->rotate_error = 0;
	ret = logfile_open(f);
	if (!ret)
		expire(f, now);
	return ret;
}

static bool too_old(const struct logfile *f)
{
	return f->rotate_time && sink_file_clock() - f->birth >= (int64_t)f->rotate_time;
}

static bool moved_away(const struct logfile *f)
{
	struct stat st;

	return stat(f->path, &st) || st.st_dev != f->dev || st.st_ino != f->ino;
}

int logfile_check(struct logfile *f)
{
	int64_t now = sink_file_clock();
	int ret = 0;

	if (f->fd < 0 || moved_away(f))
		ret = logfile_open(f);
	else if (f->regular) {
		struct stat st;

		/* copytruncate and the like change the size behind our back */
		if (!fstat(f->fd, &st))
			f->size = st.st_size;
	}
	if (!ret && f->rotate && f->regular && f->size && !f->cut && too_old(f))
		ret = rotate(f);
	if (now >= f->next_expiry || now < f->next_expiry - EXPIRY_S)
		expire(f, now);
	return ret;
}

/* After n bytes that do not end a line: takes the unfinished one back, if that can be done. */
static size_t take_back(struct logfile *f, const char *lines, size_t n)
{
	const char *last = memrchr(lines, '\n', n);
	size_t whole = last ? (size_t)(last + 1 - lines) : 0;

	/* The beginning of the first line may be in the file since an earlier call. */
	if ((!last && f->cut) || !f->regular || ftruncate(f->fd, f->size - (n - whole))) {
		f->cut = true;
		return n;
	}
	f->size -= n - whole;
	f->cut = false;
	return whole;
}

ssize_t logfile_append(struct logfile *f, const char *lines, size_t len)
{
	size_t done = 0;
	struct stat st;
	ssize_t n;
	int ret;

	ret = logfile_check(f);
	if (ret)
		return ret;
	if (f->rotate && f->regular && f->max_size && f->size && !f->cut &&
	    f->size + len > f->max_size) {
		ret = rotate(f);
		if (ret)
			return ret;
	}
	if (!f->size)
		f->birth = sink_file_clock(); /* an empty file has no age */
	/* After a short write the next one tells why. */
	do {
		n = write(f->fd, lines + done, len - done);
		if (n > 0)
			done += n;
	} while (n > 0 && done < len);
	ret = n < 0 ? -errno : -EIO;
	if (!done)
		return ret;
	if (f->regular)
		f->size = fstat(f->fd, &st) ? f->size + done : (uint64_t)st.st_size;
	if (lines[done - 1] == '\n') {
		f->cut = false;
		return done;
	}
	done = take_back(f, lines, done);
	return done ? (ssize_t)done : ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink_file.c - spans as JSON lines in a file. Lines gather in a buffer and go out in large
 * writes; what the file refuses stays in the buffer and is tried again.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "sink.h"
#include "logfile.h"

#define BUFFER	 (512 * 1024)
#define FLUSH_AT (256 * 1024)
#define QUEUE	 32768

struct file_sink {
	struct logfile file;
	char *name;
	size_t len; /* bytes in buf */
	struct sink_progress progress;
	int error; /* the last one reported, 0: all is well */
	char buf[BUFFER];
};

static uint64_t count_lines(const char *p, const char *end)
{
	uint64_t n = 0;

	while ((p = memchr(p, '\n', end - p))) {
		n++;
		p++;
	}
	return n;
}

/* Reports the beginning and the end of a failure, not each attempt. */
static void report(struct file_sink *f, int err)
{
	if (err == f->error)
		return;
	if (err)
		log_error("sender %s: %s: %s", f->name, f->file.path, strerror(-err));
	else
		log_info("sender %s: %s: writing again", f->name, f->file.path);
	f->error = err;
}

static int write_out(struct file_sink *f)
{
	ssize_t n = 0;

	while (f->len) {
		n = logfile_append(&f->file, f->buf, f->len);
		if (n == -EINTR)
			continue;
		if (n < 0)
			break;
		f->progress.bytes += n;
		f->progress.pending -=
			(size_t)n == f->len ? f->progress.pending : count_lines(f->buf, f->buf + n);
		f->len -= n;
		memmove(f->buf, f->buf + n, f->len);
	}
	report(f, n < 0 ? n : 0);
	return n < 0 ? n : 0;
}

static int file_write(void *ctx, struct span *const *spans, size_t n)
{
	struct file_sink *f = ctx;
	int len, ret = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (f->len >= FLUSH_AT && !ret)
			ret = write_out(f);
		/* While the file refuses, the rest of the buffer fills up, then spans are lost. */
		len = span_write_json(spans[i], f->buf + f->len, sizeof(f->buf) - f->len - 1);
		if (len < 0) {
			f->progress.lost++;
			continue;
		}
		f->len += len;
		f->buf[f->len++] = '\n';
		f->progress.pending++;
	}
	return ret;
}

static int file_flush(void *ctx)
{
	struct file_sink *f = ctx;
	int ret;

	if (f->len)
		return write_out(f);
	ret = logfile_check(&f->file);
	report(f, ret);
	return ret;
}

static void file_progress(const void *ctx, struct sink_progress *out)
{
	*out = ((const struct file_sink *)ctx)->progress;
}

static void file_close(void *ctx)
{
	struct file_sink *f = ctx;

	if (f->len)
		write_out(f);
	logfile_free(&f->file);
	free(f->name);
	free(f);
}

static const struct sink_ops file_ops = {
	.kind = "file",
	.write = file_write,
	.flush = file_flush,
	.close = file_close,
	.progress = file_progress,
};

int sink_file_new(const struct config_file_sender *cfg, struct sink **out, char *err, size_t errlen)
{
	struct file_sink *f = calloc(1, sizeof(*f));
	int ret;

	if (!f)
		return -ENOMEM;
	ret = logfile_init(&f->file, cfg);
	if (ret) {
		free(f);
		return ret;
	}
	f->name = strdup(cfg->name);
	ret = f->name ? logfile_open(&f->file) : -ENOMEM;
	if (ret) {
		snprintf(err, errlen, "%s: %s", cfg->path, strerror(-ret));
		file_close(f);
		return ret;
	}
	ret = sink_start(cfg->name, &file_ops, f, QUEUE, out);
	if (ret)
		snprintf(err, errlen, "%s: %s", cfg->path, strerror(-ret));
	return ret;
}

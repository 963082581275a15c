/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink_terminal.c - spans as readable lines on a descriptor, and the sink that only counts.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink.h"

#define BUFFER	    65536
#define QUEUE	    8192
#define PATIENCE_MS 1000 /* that a reader of ours may take before its lines are lost */

struct terminal {
	int fd;
	int colour;
	struct sink_progress progress;
	char buf[BUFFER];
};

/* How much of the len bytes was written; *err: why not all of it. */
static size_t put(int fd, const char *buf, size_t len, int *err)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	size_t done = 0;
	ssize_t n;

	*err = 0;
	while (done < len) {
		n = write(fd, buf + done, len - done);
		if (n >= 0) {
			done += n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			*err = -errno;
			break;
		}
		if (poll(&p, 1, PATIENCE_MS) == 0) {
			*err = -EAGAIN;
			break;
		}
	}
	return done;
}

/* Writes the n lines in the buffer; a line of which nothing, or not all, went out is lost. */
static int put_lines(struct terminal *t, size_t len, uint64_t n)
{
	size_t done, i;
	int err;

	done = put(t->fd, t->buf, len, &err);
	t->progress.bytes += done;
	for (i = 0; i < done; i++)
		n -= t->buf[i] == '\n';
	t->progress.lost += n;
	return err;
}

static int terminal_write(void *ctx, struct span *const *spans, size_t n)
{
	struct terminal *t = ctx;
	uint64_t lines = 0;
	size_t i, used = 0;
	int len, ret = 0, err;

	for (i = 0; i < n; i++) {
		if (sizeof(t->buf) - used <= SPAN_LINE_MAX) {
			err = put_lines(t, used, lines);
			ret = ret ? ret : err;
			used = 0;
			lines = 0;
		}
		len = span_write_line(spans[i], t->buf + used, SPAN_LINE_MAX, t->colour);
		if (len < 0) {
			t->progress.lost++;
			continue;
		}
		used += len;
		t->buf[used++] = '\n';
		lines++;
	}
	err = put_lines(t, used, lines);
	return ret ? ret : err;
}

static void terminal_progress(const void *ctx, struct sink_progress *out)
{
	*out = ((const struct terminal *)ctx)->progress;
}

static void terminal_close(void *ctx)
{
	free(ctx);
}

static const struct sink_ops terminal_ops = {
	.kind = "terminal",
	.write = terminal_write,
	.close = terminal_close,
	.progress = terminal_progress,
};

int sink_terminal_new(int fd, int colour, struct sink **out)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->fd = fd;
	t->colour = colour;
	return sink_start("terminal", &terminal_ops, t, QUEUE, out);
}

static int null_write(void *ctx, struct span *const *spans, size_t n)
{
	(void)ctx;
	(void)spans;
	(void)n;
	return 0;
}

static const struct sink_ops null_ops = {
	.kind = "null",
	.write = null_write,
};

int sink_null_new(struct sink **out)
{
	return sink_start("null", &null_ops, NULL, QUEUE, out);
}

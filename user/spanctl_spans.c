/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_spans.c - `spanctl spans`: one line a span.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "spanctl.h"

#define SPANS_DEFAULT 20
#define FOLLOW_NS     500000000L

static const struct ctl_column columns[] = {
	{ "TIME", false },     { "DURATION", true }, { "KIND", false },
	{ "PROTOCOL", false }, { "STATUS", false },  { "PROCESS", false },
	{ "CLIENT", false },   { "SERVER", false },  { "NAME", false },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct line {
	char time[32], duration[24], status[32], process[64], client[64], server[64];
	const char *cells[N_COLUMNS];
};

static void endpoint(json_t *span, const char *ip, const char *port, char *buf, size_t size)
{
	const char *a = ctl_str(span, ip);
	bool v6 = strchr(a, ':');

	if (*a)
		snprintf(buf, size, "%s%s%s:%" PRIu64, v6 ? "[" : "", a, v6 ? "]" : "",
			 ctl_u64(span, port));
	else
		snprintf(buf, size, "%s", ctl_str(span, "l4"));
}

static void fill(struct line *l, json_t *span)
{
	uint64_t start = ctl_u64(span, "start_time"), code = ctl_u64(span, "status_code");
	time_t s = start / 1000000000;
	json_t *duration = ctl_get(span, "duration");
	struct tm tm;
	size_t n;

	localtime_r(&s, &tm);
	n = strftime(l->time, sizeof(l->time), "%H:%M:%S", &tm);
	snprintf(l->time + n, sizeof(l->time) - n, ".%06" PRIu64, start % 1000000000 / 1000);
	if (json_is_number(duration))
		ctl_duration(ctl_u64(span, "duration"), l->duration, sizeof(l->duration));
	else
		strcpy(l->duration, "-");
	if (code)
		snprintf(l->status, sizeof(l->status), "%s %" PRIu64, ctl_str(span, "status"),
			 code);
	else
		snprintf(l->status, sizeof(l->status), "%s", ctl_str(span, "status"));
	snprintf(l->process, sizeof(l->process), "%s[%" PRIu64 "]", ctl_str(span, "component"),
		 ctl_u64(span, "tgid"));
	endpoint(span, "src_ip", "src_port", l->client, sizeof(l->client));
	endpoint(span, "dst_ip", "dst_port", l->server, sizeof(l->server));
	l->cells[0] = l->time;
	l->cells[1] = l->duration;
	l->cells[2] = ctl_str(span, "kind");
	l->cells[3] = ctl_str(span, "protocol");
	l->cells[4] = l->status;
	l->cells[5] = l->process;
	l->cells[6] = l->client;
	l->cells[7] = l->server;
	l->cells[8] = ctl_str(span, "name");
}

static int print_table(json_t *spans)
{
	struct ctl_table *t = ctl_table_new(columns, N_COLUMNS);
	unsigned width, height;
	struct line l;
	int ret = t ? 0 : -1;

	for (size_t i = json_array_size(spans); i-- && !ret;) {
		fill(&l, json_array_get(spans, i));
		ret = ctl_table_row(t, l.cells);
	}
	if (!ret) {
		ctl_terminal(stdout, &width, &height);
		ctl_table_print(t, stdout, width);
	} else {
		ctl_error("out of memory");
	}
	ctl_table_free(t);
	return ret ? CTL_INTERNAL : CTL_OK;
}

/* Spans that are still to come can't widen a column: fixed widths, oldest first. */
static void print_stream(json_t *spans, bool json)
{
	char cells[N_COLUMNS][256];
	struct line l;

	for (size_t i = json_array_size(spans); i--;) {
		json_t *span = json_array_get(spans, i);

		if (json) {
			ctl_print_json(stdout, span, false);
			continue;
		}
		fill(&l, span);
		for (size_t c = 0; c < N_COLUMNS; c++)
			ctl_printable(l.cells[c], cells[c], sizeof(cells[c]));
		printf("%s %9s %-6s %-8s %-11s %-20s %21s > %-21s %s\n", cells[0], cells[1],
		       cells[2], cells[3], cells[4], cells[5], cells[6], cells[7], cells[8]);
	}
	fflush(stdout);
}

static int follow(struct ctl_feed *f, struct ctl_http *h, bool json)
{
	struct timespec pause = { .tv_nsec = FOLLOW_NS };
	uint64_t missed;
	json_t *spans;
	int ret;

	f->limit = CTL_SPANS_MAX;
	while (!ferror(stdout)) {
		nanosleep(&pause, NULL);
		missed = f->missed;
		ret = ctl_feed_poll(f, h, &spans);
		if (ret)
			return ret;
		if (f->missed > missed)
			ctl_error("%" PRIu64 " spans went by too fast to be shown",
				  f->missed - missed);
		if (f->maybe_missed)
			ctl_error("spans may have gone by too fast to be shown");
		f->maybe_missed = false;
		print_stream(spans, json);
		json_decref(spans);
	}
	return CTL_INTERNAL;
}

int ctl_cmd_spans(struct ctl_http *h, const struct ctl_options *opt)
{
	struct ctl_feed feed;
	json_t *spans, *doc;
	int ret;

	ctl_feed_init(&feed, opt, opt->count ? opt->count : SPANS_DEFAULT);
	ret = ctl_feed_poll(&feed, h, &spans);
	if (ret)
		return ret;
	if (opt->follow) {
		print_stream(spans, opt->json);
		json_decref(spans);
		return follow(&feed, h, opt->json);
	}
	if (opt->json) {
		doc = json_pack("{s:O}", "spans", spans);
		ret = doc ? ctl_print_json(stdout, doc, false) : CTL_INTERNAL;
		json_decref(doc);
	} else if (!json_array_size(spans)) {
		puts(feed.filtered ? "no spans pass these filters" : "no spans yet");
	} else {
		ret = print_table(spans);
	}
	json_decref(spans);
	return ret;
}

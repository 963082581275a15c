/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_top_cmd.c - `spanctl top`: fetches, adds up, draws, again and again.
 */
#include <inttypes.h>
#include <time.h>

#include "spanctl.h"

#define WINDOW_NS    10000000000ULL /* what the table shows unless refreshes are further apart */
#define FETCH_NS     500000000ULL   /* the daemon keeps only the newest spans: fetch them in time */
#define ROWS_DEFAULT 20
#define NS_PER_S     1e9

static const struct ctl_column columns[] = {
	{ "PROCESS", false }, { "PROTOCOL", false }, { "KIND", false }, { "RATE/s", true },
	{ "SPANS", true },    { "ERRORS", true },    { "P50", true },	{ "P95", true },
	{ "P99", true },      { "NAME", false },
};

struct view {
	struct ctl_top *top;
	struct ctl_feed feed;
	struct ctl_http *http;
	uint64_t started, window;
	const struct ctl_options *opt;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Spans that the table does not know of: gone before they were fetched, or beyond its bounds. */
static uint64_t missed(const struct view *v)
{
	return v->feed.missed + ctl_top_dropped(v->top);
}

/* Seconds that the samples cover. */
static double covered(const struct view *v, uint64_t now)
{
	uint64_t ns = now - v->started < v->window ? now - v->started : v->window;

	return (ns ? ns : 1) / NS_PER_S;
}

static json_t *row_json(const struct ctl_top_row *r, double seconds)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:f, s:I, s:I}", "process", r->process,
				"protocol", r->protocol, "kind", r->kind, "name", r->name, "rate",
				r->estimate / seconds, "spans", (json_int_t)r->spans, "errors",
				(json_int_t)r->errors);
	const struct {
		const char *key;
		uint64_t ns;
	} p[] = { { "p50", r->p50 }, { "p95", r->p95 }, { "p99", r->p99 } };

	for (size_t i = 0; row && i < 3; i++)
		json_object_set_new(row, p[i].key,
				    r->answered ? json_integer((json_int_t)p[i].ns) : json_null());
	return row;
}

static int show_json(const struct view *v, const struct ctl_top_row *rows, size_t n, uint64_t now)
{
	double seconds = covered(v, now);
	json_t *list = json_array(), *doc;
	struct timespec ts;
	int ret;

	clock_gettime(CLOCK_REALTIME, &ts);
	for (size_t i = 0; i < n && (!v->opt->count || i < v->opt->count); i++)
		json_array_append_new(list, row_json(&rows[i], seconds));
	doc = json_pack("{s:I, s:f, s:I, s:o}", "time",
			(json_int_t)ts.tv_sec * 1000000000 + ts.tv_nsec, "seconds", seconds,
			"missed", (json_int_t)missed(v), "rows", list);
	ret = doc ? ctl_print_json(stdout, doc, false) : CTL_INTERNAL;
	json_decref(doc);
	return ret;
}

static int add_row(struct ctl_table *t, const struct ctl_top_row *r, double seconds)
{
	char rate[32], spans[24], errors[24], p50[24] = "-", p95[24] = "-", p99[24] = "-";
	const char *cells[] = { r->process, r->protocol, r->kind, rate, spans,
				errors,	    p50,	 p95,	  p99,	r->name };

	snprintf(rate, sizeof(rate), "%.1f", r->estimate / seconds);
	snprintf(spans, sizeof(spans), "%" PRIu64, r->spans);
	snprintf(errors, sizeof(errors), "%" PRIu64, r->errors);
	if (r->answered) {
		ctl_duration(r->p50, p50, sizeof(p50));
		ctl_duration(r->p95, p95, sizeof(p95));
		ctl_duration(r->p99, p99, sizeof(p99));
	}
	return ctl_table_row(t, cells);
}

static int show_table(const struct view *v, const struct ctl_top_row *rows, size_t n, uint64_t now)
{
	struct ctl_table *t = ctl_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	double seconds = covered(v, now);
	unsigned width, height, max;
	uint64_t spans = 0, errors = 0;
	double estimate = 0;
	int ret = t ? 0 : -1;

	ctl_terminal(stdout, &width, &height);
	max = v->opt->count ? v->opt->count : height > 5 ? height - 4 : ROWS_DEFAULT;
	for (size_t i = 0; i < n; i++) {
		spans += rows[i].spans;
		estimate += rows[i].estimate;
		errors += rows[i].errors;
		if (i < max && !ret)
			ret = add_row(t, &rows[i], seconds);
	}
	if (!ret) {
		if (width)
			fputs("\033[H\033[J", stdout); /* home, clear to the end */
		printf("last %.1f s: %" PRIu64 " spans, %.1f/s, %" PRIu64 " errors", seconds, spans,
		       estimate / seconds, errors);
		if (n > max)
			printf(", %u of %zu rows", max, n);
		putchar('\n');
		if (missed(v))
			printf("%s%" PRIu64
			       " spans were missed since the start: more come than spand "
			       "keeps; rates are estimates%s\n",
			       width ? "\033[31m" : "", missed(v), width ? "\033[0m" : "");
		ctl_table_print(t, stdout, width);
		if (!width && !v->opt->once)
			putchar('\n');
		fflush(stdout);
	}
	ctl_table_free(t);
	return ret ? CTL_INTERNAL : CTL_OK;
}

static int show(struct view *v)
{
	struct ctl_top_row *rows;
	uint64_t now = now_ns();
	size_t n;

	if (ctl_top_compute(v->top, now, &rows, &n))
		return CTL_INTERNAL;
	return v->opt->json ? show_json(v, rows, n, now) : show_table(v, rows, n, now);
}

/* Fetches until the next refresh is due. */
static int gather(struct view *v, uint64_t until)
{
	uint64_t now = now_ns(), wait;
	struct timespec ts;
	uint64_t before;
	json_t *spans;
	int ret;

	while (now < until) {
		wait = until - now < FETCH_NS ? until - now : FETCH_NS;
		ts = (struct timespec){ .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
		nanosleep(&ts, NULL);
		before = v->feed.missed;
		ret = ctl_feed_poll(&v->feed, v->http, &spans);
		if (ret)
			return ret;
		now = now_ns();
		ret = ctl_top_add(v->top, spans, v->feed.missed - before, now);
		json_decref(spans);
		if (ret)
			return CTL_INTERNAL;
	}
	return CTL_OK;
}

int ctl_cmd_top(struct ctl_http *h, const struct ctl_options *opt)
{
	struct view v = { .opt = opt, .http = h };
	json_t *spans = NULL;
	uint64_t next;
	int ret;

	v.window = opt->once || opt->delay > WINDOW_NS ? opt->delay : WINDOW_NS;
	v.top = ctl_top_new(v.window);
	if (!v.top) {
		ctl_error("out of memory");
		return CTL_INTERNAL;
	}
	/* Where the numbers stand now; what came before is not counted. */
	ctl_feed_init(&v.feed, opt, 1);
	ret = ctl_feed_poll(&v.feed, h, &spans);
	json_decref(spans);
	v.feed.limit = CTL_SPANS_MAX;
	v.started = next = now_ns();
	while (!ret) {
		next += opt->delay;
		ret = gather(&v, next);
		if (!ret)
			ret = show(&v);
		if (ret == CTL_INTERNAL)
			ctl_error("out of memory");
		if (opt->once || ferror(stdout)) /* main() speaks of the output */
			break;
	}
	ctl_top_free(v.top);
	return ret;
}

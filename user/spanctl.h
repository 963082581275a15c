/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl.h - the command line client of the API: what its files share.
 */
#ifndef SPAND_SPANCTL_H
#define SPAND_SPANCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_SPANS_MAX 10000 /* the most that one answer of the API holds */

enum ctl_exit {
	CTL_OK = 0,
	CTL_USAGE = 1,
	CTL_CONNECT = 2,  /* nobody answers */
	CTL_API = 3,	  /* the API answered with an error, or with nonsense */
	CTL_INTERNAL = 4, /* out of memory, output can't be written */
};

struct ctl_options {
	const char *address; /* HOST[:PORT], default $SPAND_API or 127.0.0.1:7899 */
	const char *token;   /* default $SPAND_TOKEN */
	bool json;
	bool help, version;
	/* spans */
	bool follow;
	const char *protocol, *process, *status, *name;
	uint64_t since;	       /* ns before now, 0: any */
	uint64_t min_duration; /* ns */
	/* top */
	bool once;
	uint64_t delay; /* ns between refreshes */
	unsigned count; /* -n of spans and top; 0: default */
	/* The command and its words. */
	const char *command;
	char **args;
	int n_args;
};

/* ctl_parse - the command line. 0, or -EINVAL with one line in err. */
int ctl_parse(int argc, char **argv, struct ctl_options *out, char *err, size_t errlen);
void ctl_usage(FILE *f);

/* "spanctl: ..." on standard error. */
void ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- text: spanctl_text.c ---- */

/* "10ms", "5m", "1h30m", "1.5s" -> ns; units ns us ms s m h d. 0, -EINVAL, -ERANGE. */
int ctl_parse_duration(const char *s, uint64_t *ns);

/* Sorts v in place (ctl_percentile() wants it so). */
void ctl_sort(uint64_t *v, size_t n);
/* Nearest rank: the smallest of n sorted values that `percent` of them don't exceed; n > 0. */
uint64_t ctl_percentile(const uint64_t *sorted, size_t n, unsigned percent);

/* "HOST", "HOST:PORT", "[V6]:PORT", ":PORT", "http://..." -> base URL. 0, -EINVAL. */
int ctl_base_url(const char *address, char *out, size_t size);

/* Short forms of json_object_get(): a path of keys joined by dots; NULL, "", 0 when absent. */
json_t *ctl_get(json_t *v, const char *path);
const char *ctl_str(json_t *v, const char *path);
uint64_t ctl_u64(json_t *v, const char *path);

/* Text for people into buf, cut to fit; returns buf. */
const char *ctl_duration(uint64_t ns, char *buf, size_t size);
const char *ctl_size(uint64_t bytes, char *buf, size_t size);
/* Text from outside with everything that could upset a terminal spelled out. */
const char *ctl_printable(const char *s, char *buf, size_t size);

/* One JSON document and a newline on f. */
int ctl_print_json(FILE *f, const json_t *v, bool pretty);

/* ---- tables: spanctl_table.c ---- */

struct ctl_column {
	const char *title;
	bool right; /* numbers */
};

struct ctl_table;
struct ctl_table *ctl_table_new(const struct ctl_column *columns, size_t n);
void ctl_table_free(struct ctl_table *t);
/* Adds a row of as many cells as there are columns; copies. 0 or -ENOMEM. */
int ctl_table_row(struct ctl_table *t, const char *const *cells);
/* Prints title and rows; lines are cut to width columns (0: not cut). */
void ctl_table_print(const struct ctl_table *t, FILE *f, unsigned width);
/* Width and height of the terminal behind f, both 0 if it is none. */
void ctl_terminal(FILE *f, unsigned *width, unsigned *height);

/* ---- HTTP: spanctl_http.c; these print their errors and return enum ctl_exit ---- */

struct ctl_http;
/* How long a daemon may take for its whole answer, ms; a variable for the tests. */
extern long ctl_answer_ms;
int ctl_http_new(const struct ctl_options *opt, struct ctl_http **out);
void ctl_http_free(struct ctl_http *h);
/* path with its query; *out gets the body as JSON. */
int ctl_http_get(struct ctl_http *h, const char *path, json_t **out);
int ctl_http_post(struct ctl_http *h, const char *path, const json_t *body, json_t **out);
/* As ctl_http_get(), without a word when nobody answers. */
int ctl_http_try(struct ctl_http *h, const char *path, json_t **out);

/* What an answer that is not 2xx says: "field: text", or the status. */
void ctl_api_error(unsigned status, json_t *body, char *buf, size_t size);

/* ---- spans as they come: spanctl_feed.c ---- */

struct ctl_feed {
	const struct ctl_options *opt; /* filters */
	bool filtered;
	unsigned limit;	   /* spans in the next answer at most */
	uint64_t last;	   /* seq of the newest span seen */
	uint64_t since;	   /* Unix ns, 0: any */
	uint64_t missed;   /* spans that came and went between two answers */
	bool maybe_missed; /* with filters only: an answer was full */
};

void ctl_feed_init(struct ctl_feed *f, const struct ctl_options *opt, unsigned limit);
/* The path and query of the next request. 0, -ENOSPC. */
int ctl_feed_path(const struct ctl_feed *f, char *buf, size_t size);
/* Notes what an answer holds: moves last, counts missed. Returns its spans, newest first. */
json_t *ctl_feed_take(struct ctl_feed *f, json_t *answer);
/* Asks for what is new: CTL_OK and a new reference to the array of spans. */
int ctl_feed_poll(struct ctl_feed *f, struct ctl_http *h, json_t **spans);

/* ---- top: spanctl_top.c ---- */

struct ctl_top;

struct ctl_top_row {
	char *process, *protocol, *kind, *name;
	uint64_t spans, errors; /* seen in the window */
	double estimate;	/* spans with those that were missed, by their share */
	uint64_t answered;	/* of these, durations of which p50.. are made */
	uint64_t p50, p95, p99; /* ns */
};

/* window_ns: spans older than this (by when they were fetched) no longer count. */
struct ctl_top *ctl_top_new(uint64_t window_ns);
void ctl_top_free(struct ctl_top *t);
/*
 * ctl_top_add - adds an array of spans fetched at now (CLOCK_MONOTONIC ns); `missed` more came and
 * went with them: each span stands for some of those. 0, -ENOMEM.
 */
int ctl_top_add(struct ctl_top *t, json_t *spans, uint64_t missed, uint64_t now);
/*
 * ctl_top_compute - the rows at now, busiest first. They belong to t until the next call.
 * 0 or -ENOMEM.
 */
int ctl_top_compute(struct ctl_top *t, uint64_t now, struct ctl_top_row **rows, size_t *n);
/* Spans that did not fit: rows or samples at their bounds. */
uint64_t ctl_top_dropped(const struct ctl_top *t);

/* ---- values for `config set`: spanctl_config.c ---- */

/*
 * ctl_value - what text means for a key whose value is current (NULL: unknown): a string stays
 * text, a list may be "a,b"; JSON and the word null work everywhere. NULL: not a value (err).
 */
json_t *ctl_value(const char *text, json_t *current, char *err, size_t errlen);
/* "a.b=VALUE" into patch as {"a": {"b": VALUE}}, typed by config. 0, -EINVAL with err, -ENOMEM. */
int ctl_set(json_t *patch, const char *assignment, json_t *config, char *err, size_t errlen);

/* ---- commands: each returns enum ctl_exit ---- */
int ctl_cmd_status(struct ctl_http *h, const struct ctl_options *opt);
int ctl_cmd_processes(struct ctl_http *h, const struct ctl_options *opt);
int ctl_cmd_version(struct ctl_http *h, const struct ctl_options *opt);
int ctl_cmd_spans(struct ctl_http *h, const struct ctl_options *opt);
int ctl_cmd_top(struct ctl_http *h, const struct ctl_options *opt);
int ctl_cmd_config(struct ctl_http *h, const struct ctl_options *opt);

/* The text of `spanctl status` for an answer of GET /status. */
void ctl_print_status(FILE *f, json_t *status);

#endif

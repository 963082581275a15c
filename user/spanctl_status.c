/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_status.c - `spanctl status`: health first, then what was seen, then what was lost.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "spanctl.h"

#define LABEL 13 /* columns of the labels on the left */

static void label(FILE *f, const char *text)
{
	fprintf(f, "%-*s", LABEL, text);
}

/* A line that must not be missed; in red on a terminal. */
static void loud(FILE *f, const char *text)
{
	bool tty = isatty(fileno(f));

	fprintf(f, "%s!! %s%s\n", tty ? "\033[1;31m" : "", text, tty ? "\033[0m" : "");
}

static void print_agent(FILE *f, json_t *status)
{
	uint64_t up = ctl_u64(status, "agent.uptime");
	json_t *reasons = ctl_get(status, "agent.reasons"), *one;
	char a[160], b[64], c[32];
	size_t i;

	label(f, "agent");
	fprintf(f, "%s (%s), spand %s, up %s\n",
		ctl_printable(ctl_str(status, "agent.status"), b, sizeof(b)),
		ctl_printable(ctl_str(status, "agent.name"), a, sizeof(a)),
		ctl_printable(ctl_str(status, "agent.version"), c, sizeof(c)),
		ctl_duration(up * 1000000000, (char[24]){ 0 }, 24));
	json_array_foreach (reasons, i, one) {
		const char *s = json_string_value(one);

		loud(f, ctl_printable(s ? s : "", a, sizeof(a)));
	}
}

static void print_ebpf(FILE *f, json_t *status)
{
	char a[96], b[32], c[24], d[24];

	label(f, "ebpf");
	fprintf(f, "%" PRIu64 " programs, %" PRIu64 " maps, %s hooks, kernel %s\n",
		ctl_u64(status, "ebpf.programs_loaded"), ctl_u64(status, "ebpf.maps"),
		ctl_printable(ctl_str(status, "ebpf.hooks"), b, sizeof(b)),
		ctl_printable(ctl_str(status, "ebpf.kernel"), a, sizeof(a)));
	label(f, "");
	fprintf(f, "maps take %s, ring %s of %s used, %" PRIu64 " connections\n",
		ctl_size(ctl_u64(status, "ebpf.map_memory"), a, sizeof(a)),
		ctl_size(ctl_u64(status, "ebpf.ring_used"), c, sizeof(c)),
		ctl_size(ctl_u64(status, "ebpf.ring_size"), d, sizeof(d)),
		ctl_u64(status, "ebpf.connections"));
	if (ctl_u64(status, "ebpf.recursion_misses")) {
		snprintf(a, sizeof(a), "the kernel skipped %" PRIu64 " program runs",
			 ctl_u64(status, "ebpf.recursion_misses"));
		loud(f, a);
	}
}

static void print_senders(FILE *f, json_t *status)
{
	json_t *queues = ctl_get(status, "sender.queues"), *q;
	char name[64], kind[32], size[24], error[128];
	size_t i;

	json_array_foreach (queues, i, q) {
		label(f, i ? "" : "senders");
		fprintf(f, "%s %s: %" PRIu64 " written (%s), %" PRIu64 " waiting\n",
			ctl_printable(ctl_str(q, "kind"), kind, sizeof(kind)),
			ctl_printable(ctl_str(q, "name"), name, sizeof(name)),
			ctl_u64(q, "written"), ctl_size(ctl_u64(q, "bytes"), size, sizeof(size)),
			ctl_u64(q, "queued"));
		if (ctl_u64(q, "dropped") || ctl_u64(q, "failed")) {
			snprintf(error, sizeof(error),
				 "sender %s lost spans: %" PRIu64 " queue full, %" PRIu64 " failed",
				 name, ctl_u64(q, "dropped"), ctl_u64(q, "failed"));
			loud(f, error);
		}
	}
}

/* The reasons of a kind that are not zero, by the beginning of their names; their sum. */
static uint64_t reasons(FILE *f, json_t *ledger, const char *const *prefixes, const char *title)
{
	const char *key;
	json_t *value;
	uint64_t sum = 0, n;
	char name[64];

	json_object_foreach (ledger, key, value) {
		bool take = false;

		for (const char *const *p = prefixes; *p; p++)
			take |= !strncmp(key, *p, strlen(*p));
		if (!take || !json_is_integer(value) || json_integer_value(value) <= 0)
			continue;
		n = (uint64_t)json_integer_value(value);
		label(f, sum ? "" : title);
		fprintf(f, "%-24s %" PRIu64 "\n", ctl_printable(key, name, sizeof(name)), n);
		sum += n;
	}
	return sum;
}

static void print_balance(FILE *f, json_t *ledger)
{
	static const char *const what[] = { "requests", "responses", "bytes" };
	bool settled = json_is_true(json_object_get(ledger, "settled"));
	json_t *balance = json_object_get(ledger, "balance");
	json_int_t gap;
	bool even = true;
	char text[128];

	for (size_t i = 0; i < 3; i++) {
		gap = json_integer_value(json_object_get(balance, what[i]));
		even &= !gap;
		if (gap && settled) {
			snprintf(text, sizeof(text),
				 "the books do not balance: %" JSON_INTEGER_FORMAT
				 " %s are unaccounted for",
				 gap, what[i]);
			loud(f, text);
		}
	}
	label(f, "balance");
	if (even)
		fputs("exact: every request, response and byte is accounted for\n", f);
	else if (settled)
		fputs("WRONG, see above\n", f);
	else
		fputs("not known: traffic moved while it was read\n", f);
}

static void print_ledger(FILE *f, json_t *status)
{
	static const char *const req[] = { "req_lost_", NULL };
	static const char *const resp[] = { "resp_", "req_sampled", NULL };
	static const char *const bytes[] = { "bytes", NULL };
	static const char *const events[] = { "gaps",	  "desync",   "healed",	  "early", "conn",
					      "io_uring", "filtered", "settings", NULL };
	json_t *ledger = ctl_get(status, "ledger");
	uint64_t lost;
	char text[128];

	if (!json_is_object(ledger)) {
		loud(f, "the ledger can't be read");
		return;
	}
	label(f, "requests");
	fprintf(f,
		"%" PRIu64 " = %" PRIu64 " spans + %" PRIu64 " unanswered + %" PRIu64
		" one-way + %" PRIu64 " open + lost or left out\n",
		ctl_u64(ledger, "requests"), ctl_u64(ledger, "spans"),
		ctl_u64(ledger, "no_response"), ctl_u64(ledger, "oneway"), ctl_u64(ledger, "open"));
	label(f, "responses");
	fprintf(f, "%" PRIu64 ", %" PRIu64 " of them pushed\n", ctl_u64(ledger, "responses"),
		ctl_u64(ledger, "pushed"));
	lost = reasons(f, ledger, req, "lost");
	reasons(f, ledger, resp, "without span");
	reasons(f, ledger, bytes, "bytes");
	reasons(f, ledger, events, "events");
	if (lost) {
		snprintf(text, sizeof(text), "%" PRIu64 " requests did not become spans", lost);
		loud(f, text);
	}
	print_balance(f, ledger);
}

void ctl_print_status(FILE *f, json_t *status)
{
	json_t *rate = ctl_get(status, "correlation.correlation_rate");
	char text[64];

	print_agent(f, status);
	print_ebpf(f, status);
	label(f, "spans");
	fprintf(f, "%" PRIu64 " collected, %.1f/s\n", ctl_u64(status, "collection.spans_collected"),
		json_number_value(ctl_get(status, "collection.spans_per_second")));
	if (ctl_u64(status, "collection.bad_records")) {
		snprintf(text, sizeof(text), "%" PRIu64 " records could not be read",
			 ctl_u64(status, "collection.bad_records"));
		loud(f, text);
	}
	print_senders(f, status);
	if (json_is_number(rate)) {
		label(f, "traces");
		fprintf(f, "%" PRIu64 " by %s, %.1f%% of spans linked\n",
			ctl_u64(status, "correlation.traces_generated"),
			ctl_printable(ctl_str(status, "correlation.algorithm"), text, sizeof(text)),
			json_number_value(rate) * 100);
	}
	print_ledger(f, status);
}

int ctl_cmd_status(struct ctl_http *h, const struct ctl_options *opt)
{
	json_t *status;
	int ret = ctl_http_get(h, "/status", &status);

	if (ret)
		return ret;
	if (opt->json)
		ret = ctl_print_json(stdout, status, true);
	else
		ctl_print_status(stdout, status);
	json_decref(status);
	return ret;
}

static int processes_table(json_t *list)
{
	static const struct ctl_column columns[] = {
		{ "PID", true },   { "NAME", false },	   { "STATUS", false },
		{ "SPANS", true }, { "CONTAINER", false }, { "COMMAND", false },
	};
	struct ctl_table *t = ctl_table_new(columns, 6);
	char pid[24], spans[24], container[16];
	unsigned width, height;
	json_t *p;
	size_t i;
	int ret = t ? 0 : -1;

	json_array_foreach (list, i, p) {
		const char *command = ctl_str(p, "cmdline");
		const char *cells[] = {
			pid,   ctl_str(p, "name"), ctl_str(p, "status"),
			spans, container,	   *command ? command : ctl_str(p, "exe")
		};

		snprintf(pid, sizeof(pid), "%" PRIu64, ctl_u64(p, "pid"));
		snprintf(spans, sizeof(spans), "%" PRIu64, ctl_u64(p, "spans_collected"));
		/* Twelve digits of an id, as people know them from their tools. */
		snprintf(container, sizeof(container), "%.12s", ctl_str(p, "container"));
		if (!ret)
			ret = ctl_table_row(t, cells);
	}
	if (!ret) {
		ctl_terminal(stdout, &width, &height);
		ctl_table_print(t, stdout, width);
	}
	ctl_table_free(t);
	return ret ? CTL_INTERNAL : CTL_OK;
}

int ctl_cmd_processes(struct ctl_http *h, const struct ctl_options *opt)
{
	json_t *answer;
	int ret = ctl_http_get(h, "/processes", &answer);

	if (ret)
		return ret;
	if (opt->json)
		ret = ctl_print_json(stdout, answer, true);
	else
		ret = processes_table(json_object_get(answer, "processes"));
	json_decref(answer);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "stats.h"
#include "text.h"

static const char *const kinds[] = { [SPAN_SERVER] = "server", [SPAN_CLIENT] = "client" };
static const char *const statuses[] = { "ok", "error", "no_response" };
_Static_assert(sizeof(statuses) / sizeof(statuses[0]) == STATS_STATUSES, "one name a status");

void metrics_label(FILE *f, const char *s)
{
	size_t left = strlen(s);
	unsigned n;

	while (left) {
		n = text_utf8(s, left);
		if (*s == '\\' || *s == '"')
			fprintf(f, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", f);
		else if (n)
			fwrite(s, 1, n, f);
		else
			fputc('?', f);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP spand_%s %s\n# TYPE spand_%s %s\n", name, help, name, type);
}

static void one_u64(FILE *f, const char *name, const char *type, const char *help, uint64_t v)
{
	head(f, name, type, help);
	fprintf(f, "spand_%s %" PRIu64 "\n", name, v);
}

static void one_real(FILE *f, const char *name, const char *type, const char *help, double v)
{
	head(f, name, type, help);
	fprintf(f, "spand_%s %.6g\n", name, isfinite(v) ? v : 0.0);
}

static void build_info(FILE *f, const struct stats_tracer *t)
{
	head(f, "build_info", "gauge", "Always 1; what is running.");
	fputs("spand_build_info{version=\"" SPAND_VERSION "\",kernel=\"", f);
	metrics_label(f, t->info.kernel);
	fputs("\",hooks=\"", f);
	metrics_label(f, t->info.hooks ? t->info.hooks : "");
	fputs("\"} 1\n", f);
}

/* Resident bytes and seconds of processor time of this process. */
static void own_process(FILE *f, const struct daemon *d)
{
	unsigned long pages = 0;
	struct timespec ts;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm) {
		if (fscanf(statm, "%*u %lu", &pages) == 1)
			one_u64(f, "process_resident_memory_bytes", "gauge",
				"Resident memory of the daemon.",
				(uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE));
		fclose(statm);
	}
	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts)) {
		head(f, "process_cpu_seconds_total", "counter", "Processor time of the daemon.");
		fprintf(f, "spand_process_cpu_seconds_total %.3f\n", ts.tv_sec + ts.tv_nsec / 1e9);
	}
	head(f, "process_start_time_seconds", "gauge", "Unix time at which the daemon started.");
	fprintf(f, "spand_process_start_time_seconds %.3f\n", d->started_unix / 1e9);
}

static void span_counts(FILE *f)
{
	struct stats_series s;

	head(f, "spans_total", "counter", "Spans read from the kernel.");
	for (unsigned p = 1; p < PROTO_MAX; p++) {
		for (unsigned k = 0; k < 2 && !stats_get(p, k, &s); k++) {
			for (unsigned i = 0; i < STATS_STATUSES; i++) {
				fputs("spand_spans_total{protocol=\"", f);
				metrics_label(f, stats_proto_label(p));
				fprintf(f, "\",kind=\"%s\",status=\"%s\"} %" PRIu64 "\n", kinds[k],
					statuses[i], s.by_status[i]);
			}
		}
	}
}

static void series_head(FILE *f, const char *suffix, unsigned p, unsigned k)
{
	fprintf(f, "spand_span_duration_seconds%s{protocol=\"", suffix);
	metrics_label(f, stats_proto_label(p));
	fprintf(f, "\",kind=\"%s\"", kinds[k]);
}

/* Only of what was seen: a series is 16 lines. */
static void span_durations(FILE *f)
{
	struct stats_series s;
	uint64_t sum;

	head(f, "span_duration_seconds", "histogram",
	     "First byte of the request to last byte of the response.");
	for (unsigned p = 1; p < PROTO_MAX; p++) {
		for (unsigned k = 0; k < 2 && !stats_get(p, k, &s); k++) {
			sum = 0;
			for (unsigned i = 0; i < STATS_BUCKETS; i++)
				sum += s.bucket[i];
			if (!sum)
				continue;
			sum = 0;
			for (unsigned i = 0; i < STATS_BUCKETS; i++) {
				sum += s.bucket[i];
				series_head(f, "_bucket", p, k);
				if (i < STATS_BUCKETS - 1)
					fprintf(f, ",le=\"%g\"", stats_bucket_ns[i] / 1e9);
				else
					fputs(",le=\"+Inf\"", f);
				fprintf(f, "} %" PRIu64 "\n", sum);
			}
			series_head(f, "_sum", p, k);
			fprintf(f, "} %.9f\n", s.duration_ns / 1e9);
			series_head(f, "_count", p, k);
			fprintf(f, "} %" PRIu64 "\n", sum);
		}
	}
}

static void tracer(FILE *f, const struct stats_tracer *t)
{
	const struct tracer_info *i = &t->info;

	one_u64(f, "programs_attached", "gauge", "BPF programs attached.", i->programs);
	one_u64(f, "maps", "gauge", "BPF maps.", i->maps);
	one_u64(f, "map_memory_bytes", "gauge", "Memory of the BPF maps.", i->map_memory);
	one_u64(f, "ring_size_bytes", "gauge", "Size of the ring buffer.", i->ring_size);
	one_u64(f, "ring_used_bytes", "gauge", "Unread bytes in the ring buffer.", i->ring_used);
	one_u64(f, "recursion_misses_total", "counter",
		"Runs of BPF programs that the kernel skipped.", i->recursion_misses);
	one_u64(f, "connections", "gauge", "Connections with state in the kernel.", i->conns);
	one_u64(f, "open_requests", "gauge", "Requests that wait for a response.", i->open);
}

static void ledger(FILE *f, const struct stats_tracer *t)
{
	const uint64_t *l = t->ledger;

	head(f, "ledger_total", "counter",
	     "Messages, bytes and events that the hooks saw, by what became of them.");
	for (int i = 0; i < LG_MAX; i++) {
		fputs("spand_ledger_total{reason=\"", f);
		metrics_label(f, ledger_name(i));
		fprintf(f, "\"} %" PRIu64 "\n", l[i]);
	}
	head(f, "ledger_gap", "gauge",
	     "What the ledger can't account for: 0, but for what moved while it was read.");
	fprintf(f, "spand_ledger_gap{of=\"requests\"} %" PRId64 "\n",
		ledger_requests_gap(l, t->info.open));
	fprintf(f, "spand_ledger_gap{of=\"responses\"} %" PRId64 "\n", ledger_responses_gap(l));
	fprintf(f, "spand_ledger_gap{of=\"bytes\"} %" PRId64 "\n", ledger_bytes_gap(l));
}

static const struct {
	const char *name, *type, *help;
	size_t off;
} sender_fields[] = {
	{ "sender_queued_spans", "gauge", "Spans that wait in a sender's queue.",
	  offsetof(struct sink_stats, queued) },
	{ "sender_written_total", "counter", "Spans handed to a sender's target.",
	  offsetof(struct sink_stats, written) },
	{ "sender_dropped_total", "counter", "Spans lost because a sender's queue was full.",
	  offsetof(struct sink_stats, dropped) },
	{ "sender_failed_total", "counter", "Spans lost to write errors.",
	  offsetof(struct sink_stats, failed) },
	{ "sender_bytes_total", "counter", "Bytes written by a sender.",
	  offsetof(struct sink_stats, bytes) },
};

/* Each metric's lines must be together: once over the senders for each. */
static void senders(FILE *f, struct daemon *d)
{
	struct sink_stats st;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < sizeof(sender_fields) / sizeof(sender_fields[0]); i++) {
		head(f, sender_fields[i].name, sender_fields[i].type, sender_fields[i].help);
		for (size_t s = 0; s < d->n_sinks; s++) {
			sink_stats(d->sinks[s], &st);
			fprintf(f, "spand_%s{sender=\"", sender_fields[i].name);
			metrics_label(f, sink_name(d->sinks[s]));
			fputs("\",kind=\"", f);
			metrics_label(f, sink_kind(d->sinks[s]));
			fprintf(f, "\"} %" PRIu64 "\n",
				*(const uint64_t *)((const char *)&st + sender_fields[i].off));
		}
	}
	pthread_mutex_unlock(&d->lock);
}

int metrics_text(struct daemon *d, char **out, size_t *len)
{
	struct stats_tracer t;
	char *text = NULL;
	size_t n = 0;
	int failed;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return -ENOMEM;
	stats_tracer(d, &t);
	build_info(f, &t);
	own_process(f, d);
	one_u64(f, "bad_records_total", "counter", "Malformed records from the ring.",
		atomic_load(&d->bad_records));
	one_u64(f, "spans_collected_total", "counter", "Well-formed spans read from the ring.",
		atomic_load(&d->spans));
	one_real(f, "spans_per_second", "gauge", "Spans in the last second.",
		 atomic_load(&d->spans_per_second));
	span_counts(f);
	span_durations(f);
	one_u64(f, "up", "gauge", "1 while BPF programs are attached.", t.running);
	if (t.running)
		tracer(f, &t);
	if (t.ledger_ok)
		ledger(f, &t);
	senders(f, d);
	failed = ferror(f);
	if (fclose(f) || failed) {
		free(text);
		return -ENOMEM;
	}
	*out = text;
	*len = n;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /status: is it healthy, what has it seen, what was lost and why.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "api_internal.h"
#include "stats.h"

static json_t *u64(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static uint64_t uptime_s(const struct daemon *d)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	return now > d->started_unix ? (now - d->started_unix) / 1000000000ULL : 0;
}

static json_t *ebpf_json(const struct stats_tracer *t)
{
	const struct tracer_info *i = &t->info;

	return json_pack("{s:i, s:i, s:o, s:s?, s:o, s:o, s:o, s:o, s:o}", "programs_loaded",
			 (int)i->programs, "maps", (int)i->maps, "kernel",
			 api_string(i->kernel, strnlen(i->kernel, sizeof(i->kernel))), "hooks",
			 i->hooks, "map_memory", u64(i->map_memory), "ring_size", u64(i->ring_size),
			 "ring_used", u64(i->ring_used), "recursion_misses",
			 u64(i->recursion_misses), "connections", u64(i->conns));
}

/* null when it could not be read: no number is better than a wrong one. */
static json_t *ledger_json(const struct stats_tracer *t)
{
	const uint64_t *l = t->ledger;
	json_t *v;

	if (!t->ledger_ok)
		return json_null();
	v = json_object();
	for (int i = 0; v && i < LG_MAX; i++) {
		if (json_object_set_new(v, ledger_name(i), u64(l[i]))) {
			json_decref(v);
			return NULL;
		}
	}
	if (v && (json_object_set_new(v, "open", u64(t->info.open)) ||
		  json_object_set_new(v, "settled", json_boolean(t->settled)) ||
		  json_object_set_new(v, "balance",
				      json_pack("{s:I, s:I, s:I}", "requests",
						(json_int_t)ledger_requests_gap(l, t->info.open),
						"responses", (json_int_t)ledger_responses_gap(l),
						"bytes", (json_int_t)ledger_bytes_gap(l))))) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

/* Notes why the agent is degraded. */
static int reason(json_t *reasons, const char *text, const char *what)
{
	return json_array_append_new(reasons, json_sprintf("%s%s", text, what));
}

static json_t *sender_json(struct daemon *d, json_t *reasons)
{
	json_t *queues = json_array(), *v = NULL;
	uint64_t waiting = 0;
	struct sink_stats st;
	int r = queues ? 0 : -1;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_sinks && !r; i++) {
		const char *name = sink_name(d->sinks[i]);

		sink_stats(d->sinks[i], &st);
		waiting += st.queued;
		r = json_array_append_new(
			queues,
			json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s?}", "name",
				  api_string(name, strlen(name)), "kind", sink_kind(d->sinks[i]),
				  "queued", u64(st.queued), "written", u64(st.written), "dropped",
				  u64(st.dropped), "failed", u64(st.failed), "bytes", u64(st.bytes),
				  "last_error",
				  st.last_errno ? strerrordesc_np(st.last_errno) : NULL));
		if (!r && st.last_errno)
			r = reason(reasons, "last write failed: sender ", name);
	}
	pthread_mutex_unlock(&d->lock);
	if (!r)
		v = json_pack("{s:o, s:O}", "retry_queue_size", u64(waiting), "queues", queues);
	json_decref(queues);
	return v;
}

static json_t *agent_json(struct daemon *d, json_t *reasons)
{
	json_t *name;

	pthread_mutex_lock(&d->lock);
	name = api_string(d->cfg->agent_name, strlen(d->cfg->agent_name));
	pthread_mutex_unlock(&d->lock);
	return json_pack("{s:s, s:o, s:s, s:o, s:O}", "status",
			 json_array_size(reasons) ? "degraded" : "running", "name", name, "version",
			 SPAND_VERSION, "uptime", u64(uptime_s(d)), "reasons", reasons);
}

void api_get_status(struct daemon *d, const struct api_request *req, struct api_response *res,
		    struct api_stream **stream)
{
	uint64_t spans = atomic_load(&d->spans);
	double rate = atomic_load(&d->spans_per_second);
	json_t *reasons = json_array(), *sender, *agent;
	struct stats_tracer t;

	(void)req;
	(void)stream;
	stats_tracer(d, &t);
	if (!t.running)
		reason(reasons, "no BPF programs are attached", "");
	else if (!t.ledger_ok)
		reason(reasons, "the ledger can't be read", "");
	if (atomic_load(&d->bad_records))
		reason(reasons, "malformed records came from the ring", "");
	sender = sender_json(d, reasons);
	agent = agent_json(d, reasons);
	json_decref(reasons);
	/* Parents come from the link today; assembling traces is not done here yet. */
	api_json(res, 200,
		 json_pack("{s:o, s:o, s:{s:o, s:f, s:o}, s:o, s:o, s:{s:s, s:o, s:i, s:n}}",
			   "agent", agent, "ebpf", ebpf_json(&t), "collection", "spans_collected",
			   u64(spans), "spans_per_second", isfinite(rate) ? rate : 0.0,
			   "bad_records", u64(atomic_load(&d->bad_records)), "ledger",
			   ledger_json(&t), "sender", sender, "correlation", "algorithm", "link",
			   "spans_processed", u64(spans), "traces_generated", 0,
			   "correlation_rate"));
}

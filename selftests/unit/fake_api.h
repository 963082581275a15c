/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fake_api.h - a daemon for the API's tests: real but for the kernel side. Defines every function
 * of tracer.h, so include it once in a program.
 */
#ifndef FAKE_API_H
#define FAKE_API_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api_internal.h"
#include "log.h"
#include "stats.h"

#define UNUSED __attribute__((unused))

/* The kernel side: answers what the test put here. */
struct tracer {
	struct tracer_info info;
	uint64_t ledger[LG_MAX];
	int info_error, ledger_error, apply_error;
	const char *apply_text;
	unsigned applied;
	unsigned moving; /* this many ledger reads see LG_BYTES grow */
};

static struct tracer fake_tracer;

enum tracer_error tracer_new(const struct config *cfg UNUSED, const char *pin_dir UNUSED,
			     tracer_record_fn fn UNUSED, void *arg UNUSED, struct tracer **out,
			     char *err UNUSED, size_t errlen UNUSED)
{
	*out = &fake_tracer;
	return TRACER_OK;
}

void tracer_free(struct tracer *t UNUSED)
{
}

int tracer_apply(struct tracer *t, const struct config *cfg UNUSED, char *err, size_t errlen)
{
	if (t->apply_error) {
		snprintf(err, errlen, "%s", t->apply_text);
		return t->apply_error;
	}
	t->applied++;
	return 0;
}

int tracer_poll(struct tracer *t UNUSED, int timeout_ms UNUSED)
{
	return 0;
}

void tracer_detach(struct tracer *t UNUSED)
{
}

int tracer_sweep(struct tracer *t UNUSED)
{
	return 0;
}

int tracer_info(struct tracer *t, struct tracer_info *out)
{
	if (!t->info_error)
		*out = t->info;
	return t->info_error;
}

int tracer_ledger(struct tracer *t, uint64_t out[LG_MAX])
{
	if (t->ledger_error)
		return t->ledger_error;
	if (t->moving) {
		t->moving--;
		t->ledger[LG_BYTES]++;
	}
	memcpy(out, t->ledger, sizeof(t->ledger));
	return 0;
}

/* ---- the daemon ---- */

static struct daemon fake_daemon;

static void set_string(char **s, const char *value) UNUSED;
static void set_string(char **s, const char *value)
{
	free(*s);
	*s = value ? strdup(value) : NULL;
}

static void set_list(struct strlist *l, const char *value) UNUSED;
static void set_list(struct strlist *l, const char *value)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->n = value ? 1 : 0;
	l->v = value ? calloc(1, sizeof(l->v[0])) : NULL;
	if (value)
		l->v[0] = strdup(value);
}

static int fake_setup(void **state UNUSED)
{
	struct config_errors errors = {};
	struct config *cfg = NULL;

	log_level = LOG_ERROR;
	assert_int_equal(config_load(NULL, &cfg, &errors), 0);
	set_string(&cfg->api.address, "127.0.0.1");
	set_string(&cfg->agent_name, "unit");
	set_string(&cfg->ebpf.log_level, "error");
	assert_int_equal(daemon_init(&fake_daemon, cfg, 0), 0);
	fake_tracer = (struct tracer){
		.info = { .programs = 7,
			  .maps = 9,
			  .hooks = "socket",
			  .kernel = "6.1.0-test",
			  .ring_size = 16777216,
			  .ring_used = 4096,
			  .map_memory = 50000000,
			  .conns = 3,
			  .open = 2,
			  .recursion_misses = 1 },
	};
	fake_daemon.tracer = &fake_tracer;
	return 0;
}

static int fake_teardown(void **state UNUSED)
{
	fake_daemon.tracer = NULL;
	daemon_destroy(&fake_daemon);
	return 0;
}

/* ---- spans ---- */

struct fake_span {
	unsigned status, kind, tgid;
	uint64_t start_ns, dur_ns;
	const char *name, *comm;
	size_t captured; /* bytes of prefix, each of which needs escaping */
};

/* Adds one span of the first protocol to the store, as the reader would; its seq. */
static uint64_t add_span(const struct fake_span *f) UNUSED;
static uint64_t add_span(const struct fake_span *f)
{
	char buf[SPAND_REC_MAX] = {};
	struct span_rec rec = { .type = REC_SPAN, .proto = 1, .family = SPAND_AF_INET };
	uint64_t seq = atomic_fetch_add(&fake_daemon.spans, 1) + 1;
	const char *name = f->name ? f->name : "GET /";
	struct span *s;

	rec.status = f->status;
	rec.kind = f->kind;
	rec.tgid = rec.tid = f->tgid ? f->tgid : 1;
	rec.start_ns = f->start_ns;
	rec.dur_ns = f->dur_ns;
	rec.span_id = rec.link = seq;
	memcpy(rec.comm, f->comm ? f->comm : "curl", strlen(f->comm ? f->comm : "curl"));
	rec.name_len = strlen(name);
	rec.req_cap = rec.resp_cap = f->captured;
	rec.len = sizeof(rec) + rec.name_len + 2 * f->captured;
	memcpy(buf, &rec, sizeof(rec));
	memcpy(buf + sizeof(rec), name, rec.name_len);
	memset(buf + sizeof(rec) + rec.name_len, '\1', 2 * f->captured);
	s = span_new(buf, rec.len, seq, 0, NULL);
	assert_non_null(s);
	store_add(fake_daemon.store, s);
	span_put(s);
	return seq;
}

/* ---- requests ---- */

/* "a=1&b=2", not decoded, as a request's parameters. */
static const char *fake_arg_at(const char *query, size_t i, bool value)
{
	static char out[2][16][256]; /* names, and values: these must outlive the request */
	static unsigned next[2];
	char *o = out[value][next[value]++ % 16], *eq;

	for (; i && query; i--)
		query = strchr(query, '&') ? strchr(query, '&') + 1 : NULL;
	if (!query || !*query)
		return NULL;
	snprintf(o, sizeof(out[0][0]), "%.*s", (int)strcspn(query, "&"), query);
	eq = strchr(o, '=');
	if (!eq)
		return value ? "" : o;
	*eq = '\0';
	return value ? eq + 1 : o;
}

static const char *fake_arg_name(const void *ctx, size_t i)
{
	return fake_arg_at(ctx, i, false);
}

static const char *fake_arg(const void *ctx, const char *key)
{
	const char *name;

	for (size_t i = 0; (name = fake_arg_at(ctx, i, false)); i++)
		if (!strcmp(name, key))
			return fake_arg_at(ctx, i, true);
	return NULL;
}

/* The answer's JSON (new reference; NULL if it is none); its status to *status. */
static json_t *ask_full(const struct api_request *req, unsigned *status, char allow[32]) UNUSED;
static json_t *ask_full(const struct api_request *req, unsigned *status, char allow[32])
{
	struct api_response res;
	json_t *v;

	memset(&res, 0xa5, sizeof(res)); /* "always fills res" */
	api_handle(&fake_daemon, req, &res);
	*status = res.status;
	if (allow)
		snprintf(allow, 32, "%s", res.allow ? res.allow : "");
	assert_non_null(res.body);
	v = json_loadb(res.body, res.len, JSON_REJECT_DUPLICATES, NULL);
	if (v)
		assert_string_equal(res.type, "application/json");
	free(res.body);
	return v;
}

static json_t *ask(const char *method, const char *path, const char *query,
		   unsigned *status) UNUSED;
static json_t *ask(const char *method, const char *path, const char *query, unsigned *status)
{
	struct api_request req = { .method = method,
				   .path = path,
				   .arg = fake_arg,
				   .arg_name = fake_arg_name,
				   .ctx = query ? query : "" };

	return ask_full(&req, status, NULL);
}

/* Asserts that the answer is an error with that status and field. */
static void assert_refused(json_t *v, unsigned got, unsigned status, const char *field) UNUSED;
static void assert_refused(json_t *v, unsigned got, unsigned status, const char *field)
{
	assert_int_equal(got, status);
	assert_non_null(v);
	assert_true(json_string_length(json_object_get(v, "error")) > 0);
	assert_string_equal(json_string_value(json_object_get(v, "field")), field);
	json_decref(v);
}

/* The value at a path of keys, "a.b"; borrowed. */
static json_t *at(json_t *v, const char *path) UNUSED;
static json_t *at(json_t *v, const char *path)
{
	char key[64];
	size_t n;

	for (; v && *path; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		v = json_object_get(v, key);
	}
	return v;
}

#define assert_number(v, path, want)                                     \
	do {                                                             \
		assert_true(json_is_integer(at(v, path)));               \
		assert_int_equal(json_integer_value(at(v, path)), want); \
	} while (0)
#define assert_text(v, path, want) assert_string_equal(json_string_value(at(v, path)), want)

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon.c - the running configuration: sinks by name, and exchanging all of it while spans flow.
 */
#include "daemon.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define STOP_MS	  5000 /* a sink gets this long to write what it holds */
#define PROCESSES 4096

struct sinkset {
	struct sink **v;
	size_t n;
};

static bool same_file_sender(const struct config_file_sender *a, const struct config_file_sender *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->path, b->path) && a->rotate == b->rotate &&
	       a->max_size == b->max_size && a->max_age == b->max_age &&
	       a->rotate_time == b->rotate_time && !strcmp(a->data_format, b->data_format);
}

/* name is "NAME", or "KIND.NAME" with the given kind. */
static bool names(const char *name, const char *kind, const char *what)
{
	size_t n = strlen(kind);

	if (!strncmp(name, kind, n) && name[n] == '.' && !strcmp(name + n + 1, what))
		return true;
	return !strcmp(name, what);
}

static const struct config_file_sender *find_file(const struct config *cfg, const char *name)
{
	for (size_t i = 0; cfg && i < cfg->sender.n_file; i++)
		if (names(name, "file", cfg->sender.file[i].name))
			return &cfg->sender.file[i];
	return NULL;
}

static bool is_elastic(const struct config *cfg, const char *name)
{
	const char *key;
	json_t *value;

	if (!json_is_object(cfg->sender.elastic))
		return false;
	json_object_foreach (cfg->sender.elastic, key, value)
		if (names(name, "elastic", key))
			return true;
	return false;
}

static bool is_file_sink(const struct sink *s, const char *name)
{
	return !strcmp(sink_kind(s), "file") && names(sink_name(s), "file", name);
}

static bool holds(const struct sinkset *set, const struct sink *s)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i] == s)
			return true;
	return false;
}

/* The running sink that already does what want asks for. */
static struct sink *running(const struct daemon *d, const struct config_file_sender *want)
{
	const struct config_file_sender *have = find_file(d->cfg, want->name);

	if (!have || !same_file_sender(have, want))
		return NULL;
	for (size_t i = 0; i < d->n_sinks; i++)
		if (is_file_sink(d->sinks[i], want->name))
			return d->sinks[i];
	return NULL;
}

/* Stops those of set that keep does not hold, and frees the list. */
static void stop_others(struct sinkset *set, const struct sinkset *keep)
{
	for (size_t i = 0; i < set->n; i++)
		if (!keep || !holds(keep, set->v[i]))
			sink_stop(set->v[i], STOP_MS);
	free(set->v);
	*set = (struct sinkset){ 0 };
}

/* Adds the sink for one entry of trace.sender, unless it is there already. */
static int add_sender(struct daemon *d, const struct config *next, const char *name,
		      struct sinkset *set, char *err, size_t errlen)
{
	const struct config_file_sender *want = find_file(next, name);
	char why[256] = "";
	struct sink *s;
	int ret;

	if (!want) {
		if (is_elastic(next, name)) {
			log_warn("sender %s: this release does not write to Elasticsearch", name);
			return 0;
		}
		snprintf(err, errlen, "trace.sender: there is no sender \"%s\"", name);
		return -EINVAL;
	}
	for (size_t i = 0; i < set->n; i++)
		if (is_file_sink(set->v[i], want->name))
			return 0;
	s = running(d, want);
	if (!s) {
		ret = sink_file_new(want, &s, why, sizeof(why));
		if (ret) {
			snprintf(err, errlen, "sender.file.%s.path: %s", want->name,
				 *why ? why : strerror(-ret));
			return ret == -ENOMEM ? ret : -EINVAL;
		}
	}
	set->v[set->n++] = s;
	return 0;
}

/* The sinks of next: those that run already and new ones. On failure only new ones are stopped. */
static int build_sinks(struct daemon *d, const struct config *next, struct sink *live,
		       struct sinkset *out, char *err, size_t errlen)
{
	struct sinkset old = { d->sinks, d->n_sinks };
	struct sinkset set = { 0 };
	int ret = 0;

	set.v = calloc(next->trace.sender.n + d->n_sinks + 1, sizeof(*set.v));
	if (!set.v) {
		snprintf(err, errlen, "trace.sender: out of memory");
		return -ENOMEM;
	}
	if (live)
		set.v[set.n++] = live;
	/* Sinks that the configuration does not speak of (the terminal) stay. */
	for (size_t i = 0; i < d->n_sinks; i++)
		if (strcmp(sink_kind(d->sinks[i]), "file"))
			set.v[set.n++] = d->sinks[i];
	for (size_t i = 0; i < next->trace.sender.n && !ret; i++)
		ret = add_sender(d, next, next->trace.sender.v[i], &set, err, errlen);
	if (ret) {
		for (size_t i = 0; i < set.n; i++)
			if (set.v[i] != live && !holds(&old, set.v[i]))
				sink_stop(set.v[i], STOP_MS);
		free(set.v);
		return ret;
	}
	*out = set;
	return 0;
}

/* Exchanges what the reader pushes to; afterwards it can't reach an old sink any more. */
static struct sinkset swap_sinks(struct daemon *d, const struct sinkset *set)
{
	struct sinkset old = { d->sinks, d->n_sinks };

	pthread_mutex_lock(&d->reader_lock);
	d->sinks = set->v;
	d->n_sinks = set->n;
	pthread_mutex_unlock(&d->reader_lock);
	return old;
}

static int make_mask(const struct config *cfg, struct span_mask **out, char *err, size_t errlen)
{
	size_t bad = 0;
	int ret = span_mask_new(cfg->capture.mask_patterns.v, cfg->capture.mask_patterns.n, out,
				&bad);

	if (ret == -EINVAL)
		snprintf(err, errlen, "capture.mask_patterns: not a regular expression: %s",
			 cfg->capture.mask_patterns.v[bad]);
	else if (ret)
		snprintf(err, errlen, "capture.mask_patterns: %s", strerror(-ret));
	return ret;
}

/* Gives the store its new size; -errno with err. */
static int resize(struct daemon *d, uint32_t spans, char *err, size_t errlen)
{
	int ret = store_resize(d->store, spans);

	if (ret)
		snprintf(err, errlen, "trace.span.memory_spans: %s", strerror(-ret));
	return ret;
}

/* The steps that can fail; each is undone when a later one does. */
static int apply_steps(struct daemon *d, struct config *next, char *err, size_t errlen)
{
	uint32_t have = d->cfg->trace.memory_spans, want = next->trace.memory_spans;
	struct span_mask *fresh = NULL, *back = NULL;
	char why[128];
	int ret;

	ret = make_mask(next, &fresh, err, errlen);
	if (!ret)
		ret = make_mask(d->cfg, &back, err, errlen);
	/* Growing loses nothing when it is undone, shrinking would: before and after the rest. */
	if (!ret && want > have)
		ret = resize(d, want, err, errlen);
	if (ret)
		goto free_masks;
	/* Before the programs capture what it is to hide. */
	span_mask_use(fresh);
	fresh = NULL;
	if (d->tracer)
		ret = tracer_apply(d->tracer, next, err, errlen);
	if (ret)
		goto undo;
	if (want < have) {
		ret = resize(d, want, err, errlen);
		if (ret) {
			if (d->tracer && tracer_apply(d->tracer, d->cfg, why, sizeof(why)))
				log_error("going back to the old configuration: %s", why);
			goto undo;
		}
	}
	goto free_masks;

undo:
	span_mask_use(back);
	back = NULL;
	if (want > have && store_resize(d->store, have))
		log_warn("the memory for %u spans could not be given back", want - have);
free_masks:
	span_mask_free(fresh);
	span_mask_free(back);
	return ret;
}

int daemon_apply(struct daemon *d, struct config *next, char *err, size_t errlen)
{
	struct sinkset set = { 0 }, old = { 0 };
	struct config *old_cfg;
	const char *field = NULL;
	int ret;

	if (errlen)
		*err = '\0';
	pthread_mutex_lock(&d->lock);
	if (atomic_load(&d->busy)) {
		snprintf(err, errlen, "the daemon is starting or stopping");
		ret = -EAGAIN;
		goto unlock;
	}
	if (config_needs_restart(d->cfg, next, &field)) {
		snprintf(err, errlen, "%s: can't change without a restart", field);
		ret = -EINVAL;
		goto unlock;
	}
	ret = build_sinks(d, next, NULL, &set, err, errlen);
	if (ret)
		goto unlock;
	ret = apply_steps(d, next, err, errlen);
	if (ret) {
		struct sinkset now = { d->sinks, d->n_sinks };

		stop_others(&set, &now);
		goto unlock;
	}
	old = swap_sinks(d, &set);
	old_cfg = d->cfg;
	d->cfg = next;
	log_level = daemon_log_level(next, d->verbosity);
	stop_others(&old, &set);
	config_free(old_cfg);
	malloc_trim(0);
unlock:
	pthread_mutex_unlock(&d->lock);
	return ret;
}

int daemon_open_sinks(struct daemon *d, struct sink *live, char *err, size_t errlen)
{
	struct sinkset set = { 0 }, old;
	int ret;

	pthread_mutex_lock(&d->lock);
	ret = build_sinks(d, d->cfg, live, &set, err, errlen);
	if (!ret) {
		old = swap_sinks(d, &set);
		free(old.v);
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

void daemon_close_sinks(struct daemon *d)
{
	struct sinkset none = { 0 }, old;

	pthread_mutex_lock(&d->lock);
	old = swap_sinks(d, &none);
	stop_others(&old, NULL);
	pthread_mutex_unlock(&d->lock);
}

int daemon_init(struct daemon *d, struct config *cfg, unsigned verbosity)
{
	pthread_mutexattr_t attr;
	struct span_mask *mask = NULL;
	char err[256];

	memset(d, 0, sizeof(*d));
	/* The API holds the lock around read, change, apply. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&d->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_init(&d->reader_lock, NULL);
	d->store = store_new(cfg->trace.memory_spans);
	d->enrich = enrich_new("/proc", PROCESSES);
	if (!d->store || !d->enrich || make_mask(cfg, &mask, err, sizeof(err))) {
		daemon_destroy(d);
		return -ENOMEM;
	}
	span_mask_use(mask);
	d->cfg = cfg;
	d->verbosity = verbosity;
	daemon_tick_clock(d);
	d->started_unix = atomic_load(&d->mono_to_unix) + daemon_mono_ns();
	return 0;
}

void daemon_destroy(struct daemon *d)
{
	daemon_close_sinks(d);
	if (d->store)
		store_free(d->store);
	if (d->enrich)
		enrich_free(d->enrich);
	if (d->cfg)
		config_free(d->cfg);
	span_mask_use(NULL);
	pthread_mutex_destroy(&d->reader_lock);
	pthread_mutex_destroy(&d->lock);
	memset(d, 0, sizeof(*d));
}

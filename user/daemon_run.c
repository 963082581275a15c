/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon_run.c - the daemon's life: start in an order that lets every failure leave nothing
 * behind, run until a signal, drain.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "daemon.h"
#include "lock.h"
#include "log.h"
#include "notify.h"

#define POLL_MS		 50 /* longest time that a span waits for the reader when few arrive */
#define NS_PER_S	 1000000000ULL
#define TRIM_S		 60 /* between attempts to give freed memory back when little is to do */
#define IDLE_SPANS_PER_S 1000

struct run {
	struct daemon d;
	const struct daemon_options *opt;
	struct lock lock;
	struct api *api;
	pthread_t reader;
	bool have_daemon, have_reader;
	atomic_bool stop;	 /* the reader is to end */
	atomic_int reader_error; /* why it ended by itself */
};

static void print_errors(const struct config_errors *errors, bool logged)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->v[i];
		char line[1024];

		snprintf(line, sizeof(line), "%s%s%s%s%s", e->where, *e->where ? ": " : "",
			 e->field, *e->field ? ": " : "", e->text);
		if (logged)
			log_error("%s", line);
		else
			fprintf(stderr, "%s\n", line);
	}
}

static struct config *load_config(const struct daemon_options *opt, bool logged)
{
	const char *path = daemon_config_path(opt);
	struct config_errors errors = { 0 };
	struct config *cfg = NULL;
	int ret = config_load(path, &cfg, &errors);

	if (ret && !errors.n)
		log_error("%s: %s", path ? path : "configuration", strerror(-ret));
	print_errors(&errors, logged);
	config_errors_free(&errors);
	return ret ? NULL : cfg;
}

/* One instance a host: pid file in /run; where that can't be written, in memory. */
static int take_lock(struct run *r)
{
	const char *paths[] = { "/run/spand.pid", "/dev/shm/spand.pid", NULL };
	pid_t owner = 0;
	int ret;

	if (r->opt->pid_file) {
		paths[0] = r->opt->pid_file;
		paths[1] = NULL;
	}
	ret = lock_take(paths, &r->lock, &owner);
	if (ret == -EBUSY && owner)
		log_error("another spand is running, pid %d", (int)owner);
	else if (ret == -EBUSY)
		log_error("another spand is running");
	else if (ret)
		log_error("%s: can't be locked: %s", paths[0], strerror(-ret));
	return ret == -EBUSY ? EXIT_SECOND : ret ? EXIT_INTERNAL : 0;
}

static int open_sinks(struct run *r)
{
	struct sink *live = NULL;
	char err[256] = "";
	const char *term;
	int ret, colour;

	if (r->opt->live) {
		term = getenv("TERM");
		colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term &&
			 strcmp(term, "dumb");
		ret = sink_terminal_new(STDOUT_FILENO, colour, &live);
		if (ret) {
			log_error("standard output: %s", strerror(-ret));
			return EXIT_SINK;
		}
	}
	ret = daemon_open_sinks(&r->d, live, err, sizeof(err));
	if (!ret)
		return 0;
	if (live)
		sink_stop(live, 0);
	log_error("%s", *err ? err : strerror(-ret));
	return EXIT_SINK;
}

static void *read_ring(void *arg)
{
	struct run *r = arg;
	int n;

	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		n = tracer_poll(r->d.tracer, POLL_MS);
		if (n < 0 && n != -EINTR) {
			atomic_store(&r->reader_error, -n);
			kill(getpid(), SIGTERM);
			break;
		}
	}
	return NULL;
}

static int start(struct run *r, struct config *cfg)
{
	struct tracer *t = NULL;
	char err[512] = "";
	int ret;

	ret = daemon_init(&r->d, cfg, r->opt->verbosity);
	if (ret) {
		config_free(cfg);
		log_error("%s", strerror(-ret));
		return EXIT_INTERNAL;
	}
	r->have_daemon = true;
	/* The API answers from now on, but changes have to wait. */
	atomic_store(&r->d.busy, true);
	ret = open_sinks(r);
	if (ret)
		return ret;
	ret = api_start(&r->d, &r->api, err, sizeof(err));
	if (ret) {
		log_error("%s", *err ? err : strerror(-ret));
		return EXIT_PORT;
	}
	ret = tracer_new(cfg, r->opt->pin_dir, daemon_record, &r->d, &t, err, sizeof(err));
	if (ret != TRACER_OK) {
		log_error("%s", err);
		return ret; /* enum tracer_error is the exit status */
	}
	pthread_mutex_lock(&r->d.lock);
	r->d.tracer = t;
	pthread_mutex_unlock(&r->d.lock);
	ret = pthread_create(&r->reader, NULL, read_ring, r);
	if (ret) {
		log_error("the reader's thread: %s", strerror(ret));
		return EXIT_INTERNAL;
	}
	r->have_reader = true;
	return 0;
}

/* Detaches, reads the ring to its end, writes what the sinks hold, unpins. Any part may be missing.
 */
static void finish(struct run *r)
{
	int n;

	atomic_store(&r->d.busy, true);
	/* First, so that no answer speaks of a daemon in pieces. */
	if (r->api)
		api_stop(r->api);
	if (r->d.tracer)
		tracer_detach(r->d.tracer);
	atomic_store(&r->stop, true);
	if (r->have_reader) {
		pthread_join(r->reader, NULL);
		/* Nothing is added any more, so this ends. */
		do
			n = tracer_poll(r->d.tracer, 0);
		while (n > 0 || n == -EINTR);
	}
	if (r->have_daemon)
		daemon_close_sinks(&r->d);
	if (r->d.tracer)
		tracer_free(r->d.tracer);
	r->d.tracer = NULL;
	if (r->have_daemon)
		daemon_destroy(&r->d);
	lock_release(&r->lock);
}

static void reload(struct run *r)
{
	struct config *next;
	char err[256] = "", state[64];
	int ret;

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)daemon_mono_ns() / 1000);
	notify_send(state);
	next = load_config(r->opt, true);
	ret = next ? daemon_apply(&r->d, next, err, sizeof(err)) : -EINVAL;
	if (!ret) {
		log_info("configuration read again");
	} else {
		if (next)
			log_error("%s", *err ? err : strerror(-ret));
		log_error("the old configuration stays");
		config_free(next);
	}
	notify_send("READY=1");
}

/* What is due once a second and every cleanup_interval. */
struct ticks {
	uint64_t rate_ns, sweep_ns, trim_ns; /* when each was last done */
	unsigned long long spans;
	bool sweep_failed;
};

static void sweep(struct run *r, struct ticks *t, uint64_t now)
{
	uint64_t every;
	int ret = 0;

	/* Under the lock, so that the tracer isn't reconfigured meanwhile. */
	pthread_mutex_lock(&r->d.lock);
	every = r->d.cfg->trace.cleanup_interval * NS_PER_S;
	if (every && now - t->sweep_ns >= every) {
		ret = tracer_sweep(r->d.tracer);
		enrich_expire(r->d.enrich);
		t->sweep_ns = now;
		if (ret < 0 && !t->sweep_failed)
			log_warn("idle connections could not be looked at: %s", strerror(-ret));
		t->sweep_failed = ret < 0;
	}
	pthread_mutex_unlock(&r->d.lock);
}

static void tick(struct run *r, struct ticks *t)
{
	uint64_t now = daemon_mono_ns(), dt = now - t->rate_ns;
	unsigned long long spans;
	double rate;

	if (dt >= NS_PER_S) {
		spans = atomic_load(&r->d.spans);
		rate = (double)(spans - t->spans) * NS_PER_S / dt;
		atomic_store(&r->d.spans_per_second, rate);
		daemon_tick_clock(&r->d);
		t->spans = spans;
		t->rate_ns = now;
		if (now - t->trim_ns >= TRIM_S * NS_PER_S && rate < IDLE_SPANS_PER_S) {
			malloc_trim(0);
			t->trim_ns = now;
		}
	}
	sweep(r, t, now);
}

static void serve(struct run *r, const sigset_t *signals)
{
	uint64_t now = daemon_mono_ns();
	struct ticks t = { .rate_ns = now, .sweep_ns = now, .trim_ns = now };
	uint64_t next = now + NS_PER_S, wait;
	struct timespec ts;
	int sig;

	for (;;) {
		now = daemon_mono_ns();
		wait = now < next ? next - now : 0;
		ts = (struct timespec){ .tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S };
		sig = sigtimedwait(signals, NULL, &ts);
		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGHUP)
			reload(r);
		if (daemon_mono_ns() < next)
			continue;
		tick(r, &t);
		next = daemon_mono_ns() + NS_PER_S;
	}
}

static void print_ready(const struct config *cfg, unsigned port)
{
	bool v6 = strchr(cfg->api.address, ':');

	fprintf(stderr, "spand: tracing; API http://%s%s%s:%u\n", v6 ? "[" : "", cfg->api.address,
		v6 ? "]" : "", port);
}

int daemon_run(const struct daemon_options *opt)
{
	struct run r = { .opt = opt, .lock = LOCK_NONE };
	sigset_t signals, interrupt;
	struct config *cfg;
	int ret;

	cfg = load_config(opt, false);
	if (!cfg)
		return EXIT_CONFIG;
	log_level = daemon_log_level(cfg, opt->verbosity);
	if (opt->check_config) {
		const char *path = daemon_config_path(opt);

		printf("%s: ok\n", path ? path : "built-in defaults");
		config_free(cfg);
		return 0;
	}
	if (geteuid()) {
		log_error("tracing needs root: try sudo spand");
		config_free(cfg);
		return EXIT_NO_ROOT;
	}
	ret = take_lock(&r);
	if (ret) {
		config_free(cfg);
		return ret;
	}
	/* Few threads allocate: arenas of their own would only keep memory from the others. */
	mallopt(M_ARENA_MAX, 2);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by every thread */

	ret = start(&r, cfg);
	if (!ret) {
		malloc_trim(0); /* loading programs took memory that is not needed again */
		print_ready(cfg, api_port(r.api));
		atomic_store(&r.d.busy, false); /* from here on cfg may be exchanged */
		notify_send("READY=1");
		serve(&r, &signals);
		/* A second Ctrl-C does not wait for the drain; the next start cleans up. */
		sigemptyset(&interrupt);
		sigaddset(&interrupt, SIGINT);
		signal(SIGINT, SIG_DFL);
		pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
		notify_send("STOPPING=1");
		ret = atomic_load(&r.reader_error);
		if (ret) {
			log_error("reading spans: %s", strerror(ret));
			ret = EXIT_INTERNAL;
		}
	}
	finish(&r);
	return ret;
}

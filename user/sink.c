/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink.c - the queue and the thread that every sink has.
 *
 * Waking a thread costs more than handing over a span, so the thread is woken by the first span
 * after a pause and then lets more of them gather for a moment.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "sink.h"

#define BATCH	  512
#define GATHER_NS 10000000ULL	/* that spans wait for company */
#define FLUSH_NS  200000000ULL	/* between flushes while there is always more to write */
#define IDLE_NS	  1000000000ULL /* between flushes when there is nothing to do */

enum nap {
	AWAKE,
	GATHERING, /* wake me when there is a batch */
	IDLE,	   /* wake me when there is anything */
};

struct sink {
	char *name;
	const struct sink_ops *ops;
	void *ctx;
	pthread_t thread;
	atomic_int users; /* the owner, the thread */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* for the thread */
	pthread_cond_t done; /* for the owner: opened, ended */
	bool opened, stopping, ended;
	int open_error;
	enum nap nap;
	uint64_t deadline; /* once stopping: when to give up, CLOCK_MONOTONIC ns */
	struct span **queue;
	size_t size, head, n;
	uint64_t taken;	  /* spans given to ops->write */
	uint64_t refused; /* of these, spans of failed writes; for sinks without ops->progress */
	struct sink_stats stats;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	return pthread_cond_timedwait(cond, lock, &ts);
}

static void sink_put(struct sink *s)
{
	if (!s || atomic_fetch_sub(&s->users, 1) != 1)
		return;
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->done);
	pthread_mutex_destroy(&s->lock);
	free(s->queue);
	free(s->name);
	free(s);
}

/* With the lock: sleeps until there is a batch, time to flush, or the end. */
static void wait_for_spans(struct sink *s)
{
	if (!s->n && !s->stopping) {
		s->nap = IDLE;
		wait_until(&s->wake, &s->lock, now_ns() + IDLE_NS);
	}
	if (s->n && s->n < BATCH && !s->stopping) {
		uint64_t until = now_ns() + GATHER_NS;

		s->nap = GATHERING;
		while (s->n < BATCH && !s->stopping && !wait_until(&s->wake, &s->lock, until))
			;
	}
	s->nap = AWAKE;
}

/* With the lock: what the target has, by its own account if it keeps one. */
static void update_stats(struct sink *s, int ret)
{
	struct sink_progress p = { .lost = s->refused };

	if (s->ops->progress)
		s->ops->progress(s->ctx, &p);
	s->stats.written = s->taken - p.pending - p.lost;
	s->stats.failed = p.lost;
	s->stats.bytes = p.bytes;
	s->stats.queued = p.pending;
	if (ret)
		s->stats.last_errno = -ret;
}

/* Without the lock; flushes if asked to or due. */
static int write_batch(struct sink *s, struct span **batch, size_t n, bool flush, uint64_t *flushed)
{
	int ret = 0, err;
	uint64_t now;
	size_t i;

	if (n) {
		ret = s->ops->write(s->ctx, batch, n);
		s->taken += n;
		if (ret)
			s->refused += n;
		for (i = 0; i < n; i++)
			span_put(batch[i]);
	}
	now = now_ns();
	if (s->ops->flush && (flush || now - *flushed >= FLUSH_NS)) {
		*flushed = now;
		err = s->ops->flush(s->ctx);
		if (!ret)
			ret = err;
	}
	return ret;
}

static void run(struct sink *s)
{
	struct span *batch[BATCH];
	uint64_t flushed = now_ns();
	bool last;
	size_t i, n;
	int ret;

	pthread_mutex_lock(&s->lock);
	do {
		wait_for_spans(s);
		if (s->stopping && now_ns() >= s->deadline)
			break;
		n = s->n < BATCH ? s->n : BATCH;
		for (i = 0; i < n; i++)
			batch[i] = s->queue[(s->head + i) % s->size];
		s->head = (s->head + n) % s->size;
		s->n -= n;
		last = !s->n;
		/* What is in our hands still counts as queued. */
		s->stats.queued += n;
		pthread_mutex_unlock(&s->lock);

		ret = write_batch(s, batch, n, last, &flushed);

		pthread_mutex_lock(&s->lock);
		update_stats(s, ret);
	} while (s->n || !s->stopping);

	/* Out of time: what is left is lost, and says so. */
	s->stats.dropped += s->n;
	for (; s->n; s->n--) {
		span_put(s->queue[s->head]);
		s->head = (s->head + 1) % s->size;
	}
	pthread_mutex_unlock(&s->lock);
}

static void *sink_thread(void *arg)
{
	struct sink *s = arg;
	int ret = s->ops->open ? s->ops->open(s->ctx) : 0;

	pthread_mutex_lock(&s->lock);
	s->opened = true;
	s->open_error = ret;
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	if (!ret)
		run(s);
	if (s->ops->close)
		s->ops->close(s->ctx);
	s->ctx = NULL;

	pthread_mutex_lock(&s->lock);
	s->ended = true;
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	sink_put(s);
	return NULL;
}

/* Signals are for the main thread; SIGXFSZ and SIGPIPE are to come as errors of write(). */
static int start_thread(struct sink *s)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&s->thread, NULL, sink_thread, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return -ret;
	pthread_detach(s->thread);
	return 0;
}

int sink_start(const char *name, const struct sink_ops *ops, void *ctx, size_t queue_spans,
	       struct sink **out)
{
	pthread_condattr_t attr;
	struct sink *s = calloc(1, sizeof(*s));
	int ret = -ENOMEM;

	if (!s)
		goto err_ctx;
	s->name = strdup(name);
	s->size = queue_spans;
	s->queue = calloc(queue_spans, sizeof(*s->queue));
	s->ops = ops;
	s->ctx = ctx;
	atomic_init(&s->users, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_cond_init(&s->done, &attr);
	pthread_condattr_destroy(&attr);
	if (!s->name || !s->queue)
		goto err_sink;

	atomic_store(&s->users, 2);
	ret = start_thread(s);
	if (ret) {
		atomic_store(&s->users, 1);
		goto err_sink;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->opened)
		pthread_cond_wait(&s->done, &s->lock);
	ret = s->open_error;
	pthread_mutex_unlock(&s->lock);
	if (ret) {
		sink_put(s); /* the thread has closed ctx or is about to */
		return ret;
	}
	*out = s;
	return 0;

err_sink:
	sink_put(s);
err_ctx:
	if (ops->close)
		ops->close(ctx);
	return ret;
}

void sink_push(struct sink *s, struct span *span)
{
	bool wake = false, full;

	pthread_mutex_lock(&s->lock);
	full = s->n == s->size || s->stopping;
	if (full) {
		s->stats.dropped++;
	} else {
		s->queue[(s->head + s->n++) % s->size] = span_get(span);
		wake = s->nap == IDLE || (s->nap == GATHERING && s->n >= BATCH);
		if (wake)
			s->nap = AWAKE; /* once is enough */
	}
	pthread_mutex_unlock(&s->lock);
	if (wake)
		pthread_cond_signal(&s->wake);
}

/*
 * A target that hangs in a system call can't be hurried: after the time is up the thread is left
 * to itself, and frees what it uses when it comes back.
 */
void sink_stop(struct sink *s, int timeout_ms)
{
	uint64_t deadline = now_ns() + (timeout_ms > 0 ? timeout_ms : 0) * 1000000ULL;
	unsigned long long lost;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	s->deadline = deadline;
	pthread_cond_signal(&s->wake);
	/* The last batch may have begun just before the deadline. */
	while (!s->ended && !wait_until(&s->done, &s->lock, deadline + FLUSH_NS))
		;
	lost = s->stats.dropped + s->stats.failed + s->stats.queued + s->n;
	pthread_mutex_unlock(&s->lock);
	if (lost)
		log_warn("sender %s: %llu spans were not written", s->name, lost);
	sink_put(s);
}

void sink_stats(struct sink *s, struct sink_stats *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	out->queued += s->n;
	pthread_mutex_unlock(&s->lock);
}

const char *sink_name(const struct sink *s)
{
	return s->name;
}

const char *sink_kind(const struct sink *s)
{
	return s->ops->kind;
}

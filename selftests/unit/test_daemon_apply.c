/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon_apply(): all or nothing, and no span lost. Configuration, sinks and store are the real
 * ones; the tracer, which needs a kernel, is played here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon.h"
#include "log.h"

struct tracer {
	int applied;
	int fail; /* what tracer_apply() answers */
	const struct config *last;
};

static struct tracer tracer;

int tracer_apply(struct tracer *t, const struct config *cfg, char *err, size_t errlen)
{
	if (t->fail) {
		snprintf(err, errlen, "trace.ports: the kernel refuses");
		return t->fail;
	}
	t->applied++;
	t->last = cfg;
	return 0;
}

enum tracer_error tracer_new(const struct config *cfg, const char *pin_dir, tracer_record_fn fn,
			     void *arg, struct tracer **out, char *err, size_t errlen)
{
	(void)cfg;
	(void)pin_dir;
	(void)fn;
	(void)arg;
	(void)out;
	(void)err;
	(void)errlen;
	return TRACER_BPF_REFUSED;
}

void tracer_free(struct tracer *t)
{
	(void)t;
}

int tracer_poll(struct tracer *t, int timeout_ms)
{
	(void)t;
	(void)timeout_ms;
	return 0;
}

void tracer_detach(struct tracer *t)
{
	(void)t;
}

int tracer_sweep(struct tracer *t)
{
	(void)t;
	return 0;
}

int tracer_info(struct tracer *t, struct tracer_info *out)
{
	(void)t;
	memset(out, 0, sizeof(*out));
	return 0;
}

int tracer_ledger(struct tracer *t, uint64_t out[LG_MAX])
{
	(void)t;
	memset(out, 0, LG_MAX * sizeof(*out));
	return 0;
}

static char dir[] = "/tmp/spand-apply-XXXXXX";
static struct daemon d;
static char err[256];

static const char *in_dir(const char *name)
{
	static char path[4][96];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* A configuration with senders a and b, of which those in `senders` get spans. */
static struct config *make(const char *senders, const char *more)
{
	struct config_errors errors = { 0 };
	struct config *cfg = NULL;
	FILE *f = fopen(in_dir("conf.toml"), "w");

	fprintf(f,
		"%s\ntrace.sender = [%s]\n[sender.file.a]\npath = \"%s\"\n[sender.file.b]\n"
		"path = \"%s\"\n[sender.file.nowhere]\npath = \"%s\"\n",
		more, senders, in_dir("a.jsonl"), in_dir("b.jsonl"), in_dir("conf.toml/x"));
	fclose(f);
	if (config_load(in_dir("conf.toml"), &cfg, &errors))
		fail_msg("%s: %s", errors.v[0].field, errors.v[0].text);
	config_errors_free(&errors);
	return cfg;
}

static size_t lines(const char *name)
{
	FILE *f = fopen(in_dir(name), "r");
	size_t n = 0;
	int c;

	while (f && (c = fgetc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* One record as the programs make it. */
static void feed(void)
{
	char buf[sizeof(struct span_rec) + 8] = { 0 };
	struct span_rec *r = (struct span_rec *)buf;

	r->type = REC_SPAN;
	r->proto = 1;
	r->family = SPAND_AF_INET;
	r->start_ns = 5;
	r->ttfb_ns = 1;
	r->dur_ns = 2;
	r->span_id = 9;
	r->tgid = getpid();
	r->name_len = 5;
	r->len = sizeof(*r) + 5;
	memcpy(r->comm, "test", 5);
	memcpy(buf + sizeof(*r), "GET /", 5);
	daemon_record(&d, buf, r->len);
}

static size_t stored(void)
{
	struct store_query q = { .limit = 1000 };
	struct span *v[1000];
	size_t n = store_find(d.store, &q, v);

	for (size_t i = 0; i < n; i++)
		span_put(v[i]);
	return n;
}

static bool has_sink(const char *name)
{
	for (size_t i = 0; i < d.n_sinks; i++)
		if (!strcmp(sink_name(d.sinks[i]), name))
			return true;
	return false;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/spand-apply-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	memset(&tracer, 0, sizeof(tracer));
	*err = '\0';
	log_level = LOG_ERROR;
	assert_int_equal(daemon_init(&d, make("\"a\"", "trace.span.memory_spans = 20"), 0), 0);
	d.tracer = &tracer;
	assert_int_equal(daemon_open_sinks(&d, NULL, err, sizeof(err)), 0);
	assert_int_equal(d.n_sinks, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	daemon_destroy(&d);
	unlink(in_dir("a.jsonl"));
	unlink(in_dir("b.jsonl"));
	unlink(in_dir("conf.toml"));
	return rmdir(dir);
}

static void applies_all(void **state)
{
	struct config *next = make("\"file.a\", \"b\", \"a\"",
				   "ebpf.trace.log_level = \"warn\"\ntrace.span.memory_spans = 50");
	struct sink *a = d.sinks[0];

	(void)state;
	for (int i = 0; i < 30; i++)
		feed();
	assert_int_equal(stored(), 20);
	assert_int_equal(daemon_apply(&d, next, err, sizeof(err)), 0);
	assert_ptr_equal(d.cfg, next);
	assert_int_equal(tracer.applied, 1);
	assert_ptr_equal(tracer.last, next);
	assert_int_equal(log_level, LOG_WARN);
	assert_int_equal(d.n_sinks, 2);	 /* "a" is there once */
	assert_ptr_equal(d.sinks[0], a); /* and went on */
	assert_true(has_sink("b"));
	for (int i = 0; i < 30; i++)
		feed();
	assert_int_equal(stored(), 50);
	daemon_close_sinks(&d);
	assert_int_equal(d.n_sinks, 0);
	assert_int_equal(lines("a.jsonl"), 60);
	assert_int_equal(lines("b.jsonl"), 30);
}

static void removes_and_shrinks(void **state)
{
	struct config *next = make("\"b\"", "trace.span.memory_spans = 5");

	(void)state;
	for (int i = 0; i < 10; i++)
		feed();
	assert_int_equal(daemon_apply(&d, next, err, sizeof(err)), 0);
	/* The old sender was stopped, and had time to write. */
	assert_int_equal(lines("a.jsonl"), 10);
	assert_int_equal(d.n_sinks, 1);
	assert_true(has_sink("b"));
	assert_int_equal(stored(), 5);
}

/* A sender with the same name and other settings is another one. */
static void replaces_changed(void **state)
{
	struct config *next = make("\"a\"", "trace.span.memory_spans = 20");

	(void)state;
	free(next->sender.file[0].path);
	next->sender.file[0].path = strdup(in_dir("b.jsonl"));
	feed();
	assert_int_equal(daemon_apply(&d, next, err, sizeof(err)), 0);
	feed();
	feed();
	daemon_close_sinks(&d);
	assert_int_equal(lines("a.jsonl"), 1);
	assert_int_equal(lines("b.jsonl"), 2);
}

/* What was in force before a failed attempt, and still has to be. */
static void nothing_changed(struct config *next, int expected, const char *field)
{
	struct config *cfg = d.cfg;
	struct sink *a = d.sinks[0], **list = d.sinks;

	for (int i = 0; i < 30; i++)
		feed();
	assert_int_equal(daemon_apply(&d, next, err, sizeof(err)), expected);
	if (strncmp(err, field, strlen(field)))
		fail_msg("said \"%s\"", err);
	assert_ptr_equal(d.cfg, cfg);
	assert_ptr_equal(d.sinks, list);
	assert_int_equal(d.n_sinks, 1);
	assert_ptr_equal(d.sinks[0], a);
	assert_int_equal(log_level, LOG_ERROR);
	for (int i = 0; i < 30; i++)
		feed();
	assert_int_equal(stored(), 20);
	daemon_close_sinks(&d);
	assert_int_equal(lines("a.jsonl"), 60);
	assert_int_equal(lines("b.jsonl"), 0);
	/* next stayed the caller's. */
	config_free(next);
}

static void tracer_refuses(void **state)
{
	(void)state;
	tracer.fail = -EIO;
	nothing_changed(make("\"b\"",
			     "ebpf.trace.log_level = \"debug\"\ntrace.span.memory_spans = 50"),
			-EIO, "trace.ports: ");
}

static void tracer_refuses_shrinking(void **state)
{
	(void)state;
	tracer.fail = -EIO;
	nothing_changed(make("\"a\", \"b\"", "trace.span.memory_spans = 5"), -EIO, "trace.ports: ");
}

static void sender_cannot_be_opened(void **state)
{
	(void)state;
	nothing_changed(make("\"b\", \"nowhere\"", "trace.span.memory_spans = 50"), -EINVAL,
			"sender.file.nowhere.path: ");
	assert_int_equal(tracer.applied, 0);
}

static void unknown_sender(void **state)
{
	struct config *next = make("\"b\"", "");

	(void)state;
	/* The configuration's own check would not let it pass. */
	free(next->trace.sender.v[0]);
	next->trace.sender.v[0] = strdup("file.other");
	nothing_changed(next, -EINVAL, "trace.sender: ");
}

static void needs_restart(void **state)
{
	(void)state;
	nothing_changed(make("\"b\"", "api.port = 4"), -EINVAL, "api.port: ");
	assert_int_equal(tracer.applied, 0);
}

static void bad_mask(void **state)
{
	struct config *next = make("\"a\"", "");

	(void)state;
	next->capture.mask_patterns.v = calloc(1, sizeof(char *));
	next->capture.mask_patterns.v[0] = strdup("(");
	next->capture.mask_patterns.n = 1;
	nothing_changed(next, -EINVAL, "capture.mask_patterns: ");
	assert_int_equal(tracer.applied, 0);
}

static void not_while_starting(void **state)
{
	(void)state;
	atomic_store(&d.busy, true);
	nothing_changed(make("\"b\"", ""), -EAGAIN, "the daemon is starting");
	atomic_store(&d.busy, false);
}

/* The API calls it with the lock held. */
static void lock_may_be_held(void **state)
{
	struct config *next = make("\"a\"", "");

	(void)state;
	pthread_mutex_lock(&d.lock);
	assert_int_equal(daemon_apply(&d, next, err, sizeof(err)), 0);
	pthread_mutex_unlock(&d.lock);
	assert_ptr_equal(d.cfg, next);
}

static void terminal_stays(void **state)
{
	struct sink *live;

	(void)state;
	daemon_close_sinks(&d);
	assert_int_equal(sink_null_new(&live), 0);
	assert_int_equal(daemon_open_sinks(&d, live, err, sizeof(err)), 0);
	assert_int_equal(d.n_sinks, 2);
	assert_int_equal(daemon_apply(&d, make("", ""), err, sizeof(err)), 0);
	assert_int_equal(d.n_sinks, 1);
	assert_ptr_equal(d.sinks[0], live);
}

static atomic_bool enough;

static void *reader(void *arg)
{
	unsigned long *n = arg;

	/* Slowly enough that queues hold it: what is lost here would be lost by the exchange. */
	while (!atomic_load(&enough)) {
		feed();
		if (++*n % 50 == 0)
			usleep(1000);
	}
	return NULL;
}

static void no_span_lost(void **state)
{
	struct sink_stats st;
	unsigned long fed = 0;
	pthread_t thread;

	(void)state;
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&thread, NULL, reader, &fed), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(daemon_apply(&d, make(i % 2 ? "\"a\"" : "\"a\", \"b\"", ""), err,
					      sizeof(err)),
				 0);
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	assert_true(fed > 0);
	assert_int_equal(d.n_sinks, 1);
	sink_stats(d.sinks[0], &st);
	assert_int_equal(st.dropped + st.failed, 0);
	daemon_close_sinks(&d);
	assert_int_equal(atomic_load(&d.spans), fed);
	assert_int_equal(lines("a.jsonl"), fed);
	assert_true(lines("b.jsonl") <= fed);
}

static atomic_bool done;

static void *record_one(void *arg)
{
	(void)arg;
	feed();
	atomic_store(&done, true);
	return NULL;
}

/* While sinks are exchanged the reader must not touch them. */
static void reader_waits(void **state)
{
	pthread_t thread;

	(void)state;
	atomic_store(&done, false);
	pthread_mutex_lock(&d.reader_lock);
	assert_int_equal(pthread_create(&thread, NULL, record_one, NULL), 0);
	usleep(50000);
	assert_false(atomic_load(&done));
	pthread_mutex_unlock(&d.reader_lock);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&done));
}

static void *apply_one(void *arg)
{
	atomic_store(&done, !daemon_apply(&d, arg, err, sizeof(err)));
	return NULL;
}

/* And while the reader is at work, no sink must go. */
static void exchange_waits(void **state)
{
	struct sink **list = d.sinks;
	pthread_t thread;

	(void)state;
	atomic_store(&done, false);
	pthread_mutex_lock(&d.reader_lock);
	assert_int_equal(pthread_create(&thread, NULL, apply_one, make("\"b\"", "")), 0);
	usleep(50000);
	assert_false(atomic_load(&done));
	assert_ptr_equal(d.sinks, list);
	pthread_mutex_unlock(&d.reader_lock);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&done));
	assert_true(has_sink("b"));
}

static void bad_records(void **state)
{
	char rubbish[64] = { 1 };
	struct span_rec r = { .type = REC_SPAN, .proto = 255, .len = sizeof(r) };

	(void)state;
	daemon_record(&d, rubbish, sizeof(rubbish));
	daemon_record(&d, rubbish, 0);
	daemon_record(&d, &r, sizeof(r));
	assert_int_equal(atomic_load(&d.bad_records), 3);
	assert_int_equal(atomic_load(&d.spans), 0);
	/* Numbers have no holes: clients count what they missed by them. */
	feed();
	assert_int_equal(atomic_load(&d.spans), 1);
	assert_int_equal(stored(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(applies_all),	TEST(removes_and_shrinks),
		TEST(replaces_changed), TEST(tracer_refuses),
		TEST(unknown_sender),	TEST(tracer_refuses_shrinking),
		TEST(needs_restart),	TEST(sender_cannot_be_opened),
		TEST(bad_mask),		TEST(not_while_starting),
		TEST(lock_may_be_held), TEST(terminal_stays),
		TEST(no_span_lost),	TEST(bad_records),
		TEST(reader_waits),	TEST(exchange_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

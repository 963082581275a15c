/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes out of a /proc made by the test.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>

#include "fake_proc.h"
#include "span.h"

static struct process *look(struct enrich *e, unsigned pid, const char *comm)
{
	char name[16] = "";
	struct process *p;

	memcpy(name, comm, strlen(comm));
	p = enrich_lookup(e, pid, name, 0);
	assert_non_null(p);
	assert_int_equal(p->tgid, pid);
	return p;
}

static void reads_a_process(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *again;
	char json[4096];
	json_t *v;

	(void)state;
	make_process(10, "a) (b", 777, "/usr/bin/a\xff\"x (deleted)");
	write_cgroup(10, "0::/system.slice/docker-" ID1 ".scope\n");
	p = look(e, 10, "worker");
	assert_true(p->start_ticks == 777);
	assert_string_equal(p->comm, "a) (b");
	assert_string_equal(p->exe, "/usr/bin/a\\xff\"x");
	assert_string_equal(p->cmdline, "a) (b -x");
	assert_string_equal(p->container, ID1);
	snprintf(json, sizeof(json), "{%.*s}", (int)p->json_len - 1, p->json);
	v = json_loads(json, 0, NULL);
	assert_non_null(v);
	assert_int_equal(json_object_size(v), 3);
	assert_string_equal(json_string_value(json_object_get(v, "process.executable.path")),
			    p->exe);
	assert_string_equal(json_string_value(json_object_get(v, "process.command_line")),
			    p->cmdline);
	assert_string_equal(json_string_value(json_object_get(v, "container.id")), ID1);
	json_decref(v);

	again = look(e, 10, "worker");
	assert_ptr_equal(again, p);
	assert_int_equal(atomic_load(&p->spans), 2);
	assert_int_equal(atomic_load(&p->refs), 3);
	process_put(again);
	enrich_free(e);
	/* what a span holds outlives the cache */
	assert_string_equal(p->container, ID1);
	process_put(p);
}

static void long_texts_are_cut(void **state)
{
	static char big[100000];
	char link[3000];
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p;

	(void)state;
	memset(big, '\xe2', sizeof(big));
	make_process(10, "x", 1, "/x");
	write_file(10, "cmdline", big, sizeof(big));
	memset(link, 'y', sizeof(link));
	link[0] = '/';
	link[sizeof(link) - 1] = '\0';
	write_exe(10, link);
	p = look(e, 10, "x");
	assert_int_equal(strlen(p->cmdline), 256);
	assert_string_equal(p->cmdline + 252, "\\xe2");
	assert_int_equal(strlen(p->exe), 1024);
	process_put(p);

	/* two bytes a character: the cut is between two of them */
	make_process(11, "x", 1, "/x");
	memset(big, 'a', sizeof(big));
	for (unsigned i = 1; i < 600; i += 2)
		memcpy(big + i, "\xc3\xa4", 2);
	write_file(11, "cmdline", big, sizeof(big));
	p = look(e, 11, "x");
	assert_int_equal(strlen(p->cmdline), 255);
	process_put(p);
	enrich_free(e);
}

static void use_masks(char *pattern)
{
	struct span_mask *m = NULL;
	size_t bad;

	assert_int_equal(span_mask_new(&pattern, 1, &m, &bad), 0);
	span_mask_use(m);
}

/* A secret on a command line is masked before it is kept, also when the masks change later. */
static void command_lines_are_masked(void **state)
{
	static const char args[] = "db\0--password=hunter2\0-v";
	char cut[300];
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *old;

	(void)state;
	make_process(10, "db", 1, "/bin/db");
	write_file(10, "cmdline", args, sizeof(args));
	old = look(e, 10, "db");
	assert_string_equal(old->cmdline, "db --password=hunter2 -v");
	use_masks("password=[^ ]*");
	p = look(e, 10, "db");
	assert_string_equal(p->cmdline, "db --**************** -v");
	assert_null(memmem(p->json, p->json_len, "hunter2", 7));
	assert_int_equal(atomic_load(&p->spans), 2);
	/* what others hold is theirs */
	assert_string_equal(old->cmdline, "db --password=hunter2 -v");
	process_put(old);
	old = look(e, 10, "db");
	assert_ptr_equal(old, p);
	process_put(old);
	process_put(p);

	/* it is gone when the masks change: better nothing than too much */
	end_process(10);
	use_masks("hunter[0-9]");
	p = look(e, 10, "db");
	assert_null(p->cmdline);
	assert_int_equal(atomic_load(&p->spans), 4);
	process_put(p);

	/* what is kept ends within a match */
	memset(cut, 'x', sizeof(cut));
	memcpy(cut + 250, "hunter2", 7);
	make_process(11, "db", 1, "/bin/db");
	write_file(11, "cmdline", cut, sizeof(cut));
	p = look(e, 11, "db");
	assert_string_equal(p->cmdline + 248, "xx******");
	process_put(p);
	span_mask_use(NULL);
	enrich_free(e);
}

static void a_process_that_is_gone(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *q;

	(void)state;
	p = look(e, 10, "curl");
	assert_string_equal(p->comm, "curl");
	assert_null(p->exe);
	assert_null(p->cmdline);
	assert_null(p->container);
	assert_null(p->json);
	/* remembered: /proc is not asked again at once */
	make_process(10, "other", 5, "/bin/other");
	q = look(e, 10, "curl");
	assert_ptr_equal(p, q);
	process_put(q);
	/* but after a second */
	now += 1000000000;
	q = look(e, 10, "curl");
	assert_string_equal(q->comm, "other");
	process_put(q);
	process_put(p);
	enrich_free(e);
}

static void a_reused_pid(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *q;

	(void)state;
	make_process(10, "one", 100, "/bin/one");
	p = look(e, 10, "one");
	end_process(10);
	now += 5000000000;
	q = look(e, 10, "one"); /* late spans of it */
	assert_ptr_equal(p, q);
	process_put(q);
	make_process(10, "one", 200, "/bin/uno");
	q = look(e, 10, "one"); /* the same second: not noticed yet */
	assert_ptr_equal(p, q);
	process_put(q);
	now += 1000000000;
	q = look(e, 10, "one");
	assert_string_equal(q->exe, "/bin/uno");
	assert_int_equal(atomic_load(&q->spans), 1);
	assert_string_equal(p->exe, "/bin/one");
	process_put(p);
	process_put(q);
	enrich_free(e);
}

static void an_exec(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *q;
	unsigned i;

	(void)state;
	make_process(10, "sh", 100, "/bin/sh");
	p = look(e, 10, "sh");
	make_process(10, "curl", 100, "/bin/curl");
	q = look(e, 10, "curl"); /* the new name shows it at once */
	assert_string_equal(q->exe, "/bin/curl");
	assert_int_equal(atomic_load(&q->spans), 2);
	process_put(p);
	/* names of threads come and go: none makes another process of it */
	for (i = 0; i < 500; i++) {
		char comm[16];

		snprintf(comm, sizeof(comm), "thread-%u", i % 300);
		p = look(e, 10, comm);
		assert_ptr_equal(p, q);
		process_put(p);
	}
	/* so many that /proc is not asked for each of them */
	make_process(10, "wget", 100, "/bin/wget");
	p = look(e, 10, "yet-another");
	assert_ptr_equal(p, q);
	process_put(p);
	now += 1000000000;
	p = look(e, 10, "yet-another");
	assert_string_equal(p->exe, "/bin/wget");
	process_put(p);
	process_put(q);
	enrich_free(e);
}

struct seen {
	unsigned n;
	uint64_t tgids, spans;
};

static void see(const struct process *p, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->tgids += p->tgid;
	s->spans += atomic_load(&p->spans);
}

static struct seen each(struct enrich *e)
{
	struct seen s = { 0 };

	enrich_each(e, see, &s);
	return s;
}

static void bounded_by_last_use(void **state)
{
	struct enrich *e = enrich_new(procfs, 4);
	struct seen s;
	unsigned pid;

	(void)state;
	for (pid = 1; pid <= 4; pid++)
		process_put(look(e, pid, "x"));
	process_put(look(e, 1, "x"));
	process_put(look(e, 5, "x")); /* 2 goes */
	s = each(e);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.tgids, 1 + 3 + 4 + 5);
	assert_int_equal(s.spans, 5);
	for (pid = 1; pid <= 20000; pid++)
		process_put(look(e, pid, "x"));
	s = each(e);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.tgids, 19997 + 19998 + 19999 + 20000);
	enrich_free(e);
}

static void expiry(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *held;
	struct seen s;

	(void)state;
	make_process(1, "lives", 1, "/x");
	make_process(2, "ends", 1, "/x");
	make_process(3, "held", 1, "/x");
	make_process(4, "reused", 1, "/x");
	process_put(look(e, 1, "lives"));
	process_put(look(e, 2, "ends"));
	held = look(e, 3, "held");
	process_put(look(e, 4, "reused"));
	process_put(look(e, 5, "never there"));
	end_process(2);
	end_process(3);
	write_stat(4, "reused", 2);
	enrich_expire(e);
	s = each(e);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.tgids, 1 + 3);
	process_put(held);
	enrich_expire(e);
	assert_int_equal(each(e).tgids, 1);
	enrich_free(e);
}

static void container_by_cgroup_id(void **state)
{
	struct enrich *e = enrich_new(procfs, 8);
	struct process *p, *q;

	(void)state;
	make_process(10, "server", 1, "/x");
	write_cgroup(10, "0::/docker/" ID1 "\n");
	p = enrich_lookup(e, 10, "server\0\0\0\0\0\0\0\0\0", 4711);
	q = enrich_lookup(e, 11, "gone\0\0\0\0\0\0\0\0\0\0\0", 4711);
	assert_string_equal(q->container, ID1);
	process_put(q);
	q = enrich_lookup(e, 12, "gone\0\0\0\0\0\0\0\0\0\0\0", 4711 + 256);
	assert_null(q->container);
	process_put(q);
	process_put(p);
	enrich_free(e);
}

static void the_real_proc(void **state)
{
	struct enrich *e = enrich_new("/proc", 8);
	struct process *p = look(e, getpid(), "x");
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	(void)state;
	assert_true(n > 0);
	exe[n] = '\0';
	assert_string_equal(p->exe, exe);
	assert_true(p->start_ticks > 0);
	assert_non_null(p->cmdline);
	process_put(p);
	enrich_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_a_process),
		TEST(long_texts_are_cut),
		TEST(command_lines_are_masked),
		TEST(a_process_that_is_gone),
		TEST(a_reused_pid),
		TEST(an_exec),
		TEST(bounded_by_last_use),
		TEST(expiry),
		TEST(container_by_cgroup_id),
		TEST(the_real_proc),
	};

	return cmocka_run_group_tests_name("enrich", tests, NULL, NULL);
}

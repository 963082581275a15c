/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* GET /processes over a tree made like /proc. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_api.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char root[] = "/tmp/spand-procfs-XXXXXX";

static void put(unsigned pid, const char *file, const char *text, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u", root, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%u/%s", root, pid, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void put_stat(unsigned pid, const char *comm, unsigned long flags, unsigned start)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%u (%s) S 1 %u %u 0 -1 %lu 100 0 0 0 1 2 3 4 20 0 1 0 %u 1000 200 "
		 "18446744073709551615\n",
		 pid, comm, pid, pid, flags, start);
	put(pid, "stat", text, strlen(text));
}

static void put_text(unsigned pid, const char *file, const char *text)
{
	put(pid, file, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
		      struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int setup(void **state)
{
	static const char cmdline[] = "nginx: master\0-g\0daemon off;\0";
	char link[256];

	strcpy(root + strlen(root) - 6, "XXXXXX");
	assert_non_null(mkdtemp(root));
	put_stat(10, "nginx", 0x400000, 500);
	put(10, "cmdline", cmdline, sizeof(cmdline) - 1);
	put_text(10, "cgroup", "0::/system.slice/docker-" ID ".scope\n");
	snprintf(link, sizeof(link), "%s/10/exe", root);
	assert_int_equal(symlink("/usr/sbin/nginx", link), 0);
	put_stat(11, "odd) (na\xe9me", 0, 501);
	put_text(11, "cmdline", "");
	put_text(11, "cgroup", "0::/user.slice\n");
	put_stat(12, "kworker/0:1", 0x208060, 20); /* PF_KTHREAD */
	put_text(13, "stat", "13 broken");
	put_text(14, "cmdline", "no stat: just gone");
	put_stat(getpid(), "spand", 0, 600);
	mkdir(strcat(strcpy(link, root), "/sys"), 0700);
	api_procfs = root;
	fake_setup(state);
	enrich_free(fake_daemon.enrich);
	fake_daemon.enrich = enrich_new(root, 16);
	assert_non_null(fake_daemon.enrich);
	return 0;
}

static int teardown(void **state)
{
	api_procfs = "/proc";
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return fake_teardown(state);
}

static json_t *get(void)
{
	unsigned status;
	json_t *v = ask("GET", "/processes", NULL, &status);

	assert_int_equal(status, 200);
	assert_true(json_is_array(at(v, "processes")));
	return v;
}

static json_t *find(json_t *v, unsigned pid)
{
	json_t *list = at(v, "processes");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_integer_value(at(json_array_get(list, i), "pid")) == pid)
			return json_array_get(list, i);
	return NULL;
}

/* m: "10" is monitored, else excluded; likewise n and 11. We are always excluded. */
static void assert_monitored(bool m, bool n)
{
	json_t *v = get();

	assert_text(find(v, 10), "status", m ? "monitored" : "excluded");
	assert_text(find(v, 11), "status", n ? "monitored" : "excluded");
	assert_text(find(v, getpid()), "status", "excluded");
	json_decref(v);
}

static void test_fields(void **state UNUSED)
{
	json_t *v = get();

	assert_int_equal(json_array_size(at(v, "processes")), 3);
	assert_text(find(v, 10), "name", "nginx");
	assert_text(find(v, 10), "exe", "/usr/sbin/nginx");
	assert_text(find(v, 10), "cmdline", "nginx: master -g daemon off;");
	assert_text(find(v, 10), "container", ID);
	assert_number(find(v, 10), "spans_collected", 0);
	assert_text(find(v, 11), "name", "odd) (na?me");
	assert_text(find(v, 11), "cmdline", "");
	assert_true(json_is_null(at(find(v, 11), "exe")));
	assert_true(json_is_null(at(find(v, 11), "container")));
	json_decref(v);
	assert_monitored(true, true);
}

static void test_masks(void **state UNUSED)
{
	static char *const patterns[] = { "-g daemon [a-z]*" };
	struct span_mask *m = NULL;
	size_t bad;
	json_t *v;

	assert_int_equal(span_mask_new(patterns, 1, &m, &bad), 0);
	span_mask_use(m);
	v = get();
	assert_text(find(v, 10), "cmdline", "nginx: master *************;");
	json_decref(v);
}

static void test_span_counts(void **state UNUSED)
{
	static const char comm[16] = "nginx";
	struct process *p = enrich_lookup(fake_daemon.enrich, 10, comm, 0);
	unsigned long long n;
	json_t *v;

	assert_non_null(p);
	atomic_fetch_add(&p->spans, 5);
	n = atomic_load(&p->spans);
	process_put(p);
	v = get();
	assert_number(find(v, 10), "spans_collected", n);
	assert_number(find(v, 11), "spans_collected", 0);
	json_decref(v);
	put_stat(10, "nginx", 0, 99999); /* the number belongs to another process now */
	v = get();
	assert_number(find(v, 10), "spans_collected", 0);
	json_decref(v);
}

static void test_pids(void **state UNUSED)
{
	struct config *cfg = fake_daemon.cfg;

	cfg->ebpf.pids_set = true;
	assert_monitored(false, false); /* pids = [] */
	cfg->ebpf.pids = calloc(2, sizeof(cfg->ebpf.pids[0]));
	cfg->ebpf.pids[0] = 11;
	cfg->ebpf.pids[1] = getpid();
	cfg->ebpf.n_pids = 2;
	assert_monitored(false, true);
}

static void test_names(void **state UNUSED)
{
	struct config *cfg = fake_daemon.cfg;

	set_list(&cfg->trace.include_processes, "nginx");
	assert_monitored(true, false);
	set_list(&cfg->trace.exclude_processes, "nginx");
	assert_monitored(false, false);
	set_list(&cfg->trace.include_processes, NULL);
	assert_monitored(false, true);
	set_list(&cfg->trace.exclude_processes, "ngin");
	assert_monitored(true, true);
}

static void test_containers(void **state UNUSED)
{
	set_list(&fake_daemon.cfg->trace.monitor_containers, "0123456789ab");
	assert_monitored(true, false);
	set_list(&fake_daemon.cfg->trace.monitor_containers, "1123456789ab");
	assert_monitored(false, false);
}

static void test_no_procfs(void **state UNUSED)
{
	unsigned status;
	json_t *v;

	api_procfs = "/nonexistent";
	v = ask("GET", "/processes", NULL, &status);
	assert_refused(v, status, 500, "");
}

/* The real /proc, with whatever it holds. */
static void test_real_procfs(void **state UNUSED)
{
	json_t *v;

	api_procfs = "/proc";
	v = get();
	assert_text(find(v, getpid()), "status", "excluded");
	assert_true(json_string_length(at(find(v, getpid()), "exe")) > 0);
	json_decref(v);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fields),    TEST(test_masks),	      TEST(test_span_counts),
		TEST(test_pids),      TEST(test_names),	      TEST(test_containers),
		TEST(test_no_procfs), TEST(test_real_procfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tracer_sweep.c - what the programs can't see by themselves (kern/sweep.bpf.h), and figures
 * about them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "log.h"
#include "spand.skel.h"
#include "tracer_priv.h"

/* Runs mark_unix over the sockets of the network namespace that this thread is in. */
static int mark_here(struct tracer *t)
{
	struct bpf_link *link = bpf_program__attach_iter(t->bpf->progs.mark_unix, NULL);
	char buf[256];
	int fd, ret = 0;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		ret = -errno;
	} else {
		while ((ret = read(fd, buf, sizeof(buf))) > 0 || (ret < 0 && errno == EAGAIN))
			;
		if (ret < 0)
			ret = -errno;
		close(fd);
	}
	bpf_link__destroy(link);
	return ret;
}

struct netns_list {
	ino_t *inode;
	size_t n, room;
};

/* 1 if inode is new to the list, 0 if it is not, -ENOMEM. */
static int netns_add(struct netns_list *l, ino_t inode)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->inode[i] == inode)
			return 0;
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 16;
		ino_t *p = realloc(l->inode, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->inode = p;
		l->room = room;
	}
	l->inode[l->n++] = inode;
	return 1;
}

struct mark_job {
	struct tracer *t;
	int ret;
};

/* In a thread of its own, because it moves between network namespaces. */
static void *mark_all(void *arg)
{
	struct mark_job *job = arg;
	struct netns_list seen = {};
	struct dirent *e;
	struct stat st;
	DIR *proc;

	if (!stat("/proc/thread-self/ns/net", &st))
		netns_add(&seen, st.st_ino);
	job->ret = mark_here(job->t);
	proc = opendir("/proc");
	while (!job->ret && proc && (e = readdir(proc))) {
		char path[64];
		int fd;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", e->d_name);
		if (stat(path, &st) || netns_add(&seen, st.st_ino) != 1)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* A namespace that can't be entered or is gone has no sockets for us. */
		if (!setns(fd, CLONE_NEWNET))
			job->ret = mark_here(job->t);
		close(fd);
	}
	if (proc)
		closedir(proc);
	free(seen.inode);
	return NULL;
}

int tracer_mark_unix(struct tracer *t)
{
	struct mark_job job = { .t = t };
	pthread_t thread;
	int ret;

	/* 0 is what a state has that was never marked; 1 is only used at the start. */
	t->mark = t->mark == 255 ? 2 : t->mark + 1;
	t->bpf->bss->sweep_mark = t->mark;
	ret = pthread_create(&thread, NULL, mark_all, &job);
	if (ret)
		return -ret;
	pthread_join(thread, NULL);
	return job.ret;
}

int tracer_sweep(struct tracer *t)
{
	struct sweep_args args = {};
	/* A syscall program's context is written back to where it came from. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
	struct timespec ts;
	int ret;

	tracer_containers(t);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	args.marked_ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	ret = tracer_mark_unix(t);
	if (ret) {
		/* Nothing may be taken for dead then. */
		args.marked_ns = 0;
		log_debug("cannot list AF_UNIX sockets: %s", strerror(-ret));
	}
	do {
		ret = bpf_prog_test_run_opts(bpf_program__fd(t->bpf->progs.sweep), &opts);
		if (ret)
			return log_err_r(-errno, "sweep: %s", strerror(errno));
	} while (args.closed >= SWEEP_DEAD_MAX);
	return 0;
}

int tracer_ledger(struct tracer *t, uint64_t out[LG_MAX])
{
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(t->bpf->maps.ledger);
	struct ledger_values *values;
	uint64_t sum[LG_MAX] = {};
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, values)) {
		int ret = -errno;

		free(values);
		return ret;
	}
	for (int cpu = 0; cpu < cpus; cpu++)
		for (uint32_t i = 0; i < LG_MAX; i++)
			sum[i] += ((uint64_t *)&values[cpu])[i];
	free(values);
	memcpy(out, sum, sizeof(sum));
	return 0;
}

/* The kernel's account of a map's memory, bytes. */
static uint64_t map_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

/* Bytes that wait in the ring: its first two pages hold the reader's and the writers' place. */
static uint64_t ring_used(struct tracer *t)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(t->bpf->maps.spans);
	unsigned long *cons, *prod;
	uint64_t used = 0;

	cons = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	prod = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);
	if (cons != MAP_FAILED && prod != MAP_FAILED)
		used = __atomic_load_n(prod, __ATOMIC_ACQUIRE) -
		       __atomic_load_n(cons, __ATOMIC_ACQUIRE);
	if (cons != MAP_FAILED)
		munmap(cons, page);
	if (prod != MAP_FAILED)
		munmap(prod, page);
	return used;
}

/* Counts states and open requests over conns. */
static void count_conns(struct tracer *t, struct tracer_info *info)
{
	int fd = bpf_map__fd(t->bpf->maps.conns);
	uint64_t key, next;
	void *prev = NULL;
	struct conn c;

	while (!bpf_map_get_next_key(fd, prev, &next)) {
		if (!bpf_map_lookup_elem(fd, &next, &c)) {
			info->conns++;
			info->open += (uint32_t)(c.tail - c.head - c.expired);
		}
		key = next;
		prev = &key;
		if (info->conns > 2ULL * bpf_map__max_entries(t->bpf->maps.conns))
			break;
	}
}

int tracer_info(struct tracer *t, struct tracer_info *out)
{
	struct tracer_info info = { .hooks = t->socket_hooks ? "socket" : "syscall" };
	struct bpf_program *prog;
	struct utsname uts;
	struct bpf_map *map;

	if (!uname(&uts))
		snprintf(info.kernel, sizeof(info.kernel), "%s", uts.release);
	bpf_object__for_each_map (map, t->bpf->obj) {
		if (bpf_map__fd(map) < 0)
			continue;
		info.maps++;
		info.map_memory += map_memory(bpf_map__fd(map));
	}
	bpf_object__for_each_program (prog, t->bpf->obj) {
		struct bpf_prog_info pi = {};
		uint32_t len = sizeof(pi);
		int fd = bpf_program__fd(prog);

		if (fd < 0)
			continue;
		info.programs++;
		if (!bpf_obj_get_info_by_fd(fd, &pi, &len))
			info.recursion_misses += pi.recursion_misses;
	}
	info.ring_size = bpf_map__max_entries(t->bpf->maps.spans);
	info.ring_used = ring_used(t);
	count_conns(t, &info);
	*out = info;
	return 0;
}

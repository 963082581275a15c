/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /processes: every user process of /proc, whether the filters let it be traced, and how
 * many spans it has made.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_internal.h"
#include "container.h"
#include "procfs.h"

#define PROCESSES_MAX 65536
#define CMDLINE_MAX   256
#define COMM_MAX      15
#define PF_KTHREAD    0x00200000 /* include/linux/sched.h */

/* A process with spans, as enrich.h knows it. */
struct counted {
	uint32_t tgid;
	uint64_t start_ticks, spans;
};

struct counts {
	struct counted *v;
	size_t n, size;
	bool failed;
};

/* The filters, copied: reading all of /proc is too long to hold the lock for it. */
struct filters {
	bool pids_set;
	uint32_t *pids;
	size_t n_pids;
	json_t *include, *exclude, *containers; /* arrays of strings */
};

struct proc {
	uint32_t pid;
	char comm[COMM_MAX + 1];
	unsigned long flags;
	uint64_t start_ticks;
	char container[CONTAINER_ID_LEN + 1]; /* "": none */
};

static void add_count(const struct process *p, void *arg)
{
	struct counts *c = arg;
	struct counted *v;

	if (c->n == c->size) {
		v = c->failed ? NULL : reallocarray(c->v, c->size ? c->size * 2 : 256, sizeof(*v));
		if (!v) {
			c->failed = true;
			return;
		}
		c->v = v;
		c->size = c->size ? c->size * 2 : 256;
	}
	c->v[c->n++] = (struct counted){ p->tgid, p->start_ticks, atomic_load(&p->spans) };
}

static int by_tgid(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

static uint64_t spans_of(const struct counts *c, const struct proc *p)
{
	struct counted key = { .tgid = p->pid }, *hit;
	uint64_t sum = 0;

	hit = c->n ? bsearch(&key, c->v, c->n, sizeof(key), by_tgid) : NULL;
	if (!hit)
		return 0;
	while (hit > c->v && hit[-1].tgid == p->pid)
		hit--;
	for (; hit < c->v + c->n && hit->tgid == p->pid; hit++)
		if (hit->start_ticks == p->start_ticks) /* else an earlier owner of the number */
			sum += hit->spans;
	return sum;
}

static json_t *copy_list(const struct strlist *list)
{
	json_t *v = json_array();

	for (size_t i = 0; v && i < list->n; i++) {
		if (json_array_append_new(v, api_string(list->v[i], strlen(list->v[i])))) {
			json_decref(v);
			return NULL;
		}
	}
	return v;
}

static void filters_free(struct filters *f)
{
	free(f->pids);
	json_decref(f->include);
	json_decref(f->exclude);
	json_decref(f->containers);
}

static int filters_copy(struct daemon *d, struct filters *f)
{
	const struct config *cfg;
	size_t n;

	memset(f, 0, sizeof(*f));
	pthread_mutex_lock(&d->lock);
	cfg = d->cfg;
	n = cfg->ebpf.n_pids;
	f->pids_set = cfg->ebpf.pids_set;
	f->pids = calloc(n ? n : 1, sizeof(f->pids[0]));
	if (f->pids && n)
		memcpy(f->pids, cfg->ebpf.pids, n * sizeof(f->pids[0]));
	f->n_pids = n;
	f->include = copy_list(&cfg->trace.include_processes);
	f->exclude = copy_list(&cfg->trace.exclude_processes);
	f->containers = copy_list(&cfg->trace.monitor_containers);
	pthread_mutex_unlock(&d->lock);
	if (f->pids && f->include && f->exclude && f->containers)
		return 0;
	filters_free(f);
	return -ENOMEM;
}

/* Names are compared as the kernel keeps them, cut to 15 bytes. */
static bool has_comm(const json_t *list, const char *comm)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strncmp(json_string_value(json_array_get(list, i)), comm, COMM_MAX))
			return true;
	return false;
}

static bool has_prefix(const json_t *list, const char *id)
{
	const char *prefix;

	for (size_t i = 0; i < json_array_size(list); i++) {
		prefix = json_string_value(json_array_get(list, i));
		if (*id && !strncmp(id, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

static bool has_pid(const struct filters *f, uint32_t pid)
{
	for (size_t i = 0; i < f->n_pids; i++)
		if (f->pids[i] == pid)
			return true;
	return false;
}

/* The kernel's filters by process, in its order: itself, exclusions, then every inclusion. */
static bool monitored(const struct filters *f, const struct proc *p)
{
	if (p->pid == (uint32_t)getpid() || has_comm(f->exclude, p->comm))
		return false;
	if (f->pids_set && !has_pid(f, p->pid))
		return false;
	if (json_array_size(f->include) && !has_comm(f->include, p->comm))
		return false;
	return !json_array_size(f->containers) || has_prefix(f->containers, p->container);
}

/* proc(5), /proc/PID/stat: "pid (comm) state ppid ... flags(9) ... starttime(22)". */
static int parse_stat(const char *s, struct proc *p)
{
	const char *open = strchr(s, '('), *close = strrchr(s, ')');
	size_t n;

	if (!open || !close || close < open)
		return -EBADMSG;
	n = close - open - 1;
	n = n < COMM_MAX ? n : COMM_MAX;
	memcpy(p->comm, open + 1, n);
	p->comm[n] = '\0';
	if (sscanf(close + 1,
		   " %*c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &p->flags, &p->start_ticks) != 2)
		return -EBADMSG;
	return 0;
}

/* NULL when the process is gone or a kernel thread; *failed when memory is. */
static json_t *process_json(uint32_t pid, const struct filters *f, const struct counts *c,
			    bool *failed)
{
	char buf[PROCFS_TEXT_MAX], exe[PATH_MAX];
	struct proc p = { .pid = pid };
	ssize_t n, exe_len;
	const char *id, *path;
	size_t path_len;
	json_t *v;

	if (procfs_read(api_procfs, pid, "stat", buf, sizeof(buf)) < 0 || parse_stat(buf, &p) ||
	    p.flags & PF_KTHREAD)
		return NULL;
	if (procfs_read(api_procfs, pid, "cgroup", buf, sizeof(buf)) >= 0) {
		id = container_in_cgroups(buf, &path, &path_len);
		if (id)
			memcpy(p.container, id, CONTAINER_ID_LEN);
	}
	exe_len = procfs_link(api_procfs, pid, "exe", exe, sizeof(exe));
	n = procfs_read(api_procfs, pid, "cmdline", buf, SPAND_CAPTURE_MAX);
	while (n > 0 && !buf[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		buf[i] = buf[i] ? buf[i] : ' ';
	if (n > 0)
		span_mask_text(buf, n);
	v = json_pack("{s:I, s:o, s:s, s:I, s:o, s:o, s:s?}", "pid", (json_int_t)pid, "name",
		      api_string(p.comm, strlen(p.comm)), "status",
		      monitored(f, &p) ? "monitored" : "excluded", "spans_collected",
		      (json_int_t)spans_of(c, &p), "exe",
		      exe_len > 0 ? api_string(exe, exe_len) : json_null(), "cmdline",
		      n >= 0 ? api_string(buf, n < CMDLINE_MAX ? n : CMDLINE_MAX) : json_null(),
		      "container", *p.container ? p.container : NULL);
	*failed = !v;
	return v;
}

/* One process at a time to text: a tree of all of them would be several times as large. */
static int list(FILE *out, DIR *procfs, const struct filters *f, const struct counts *c)
{
	const struct dirent *e;
	bool failed = false;
	unsigned long pid;
	size_t n = 0;
	json_t *v;
	char *end;

	fputs("{\"processes\":[", out);
	while (n < PROCESSES_MAX && (e = readdir(procfs))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		pid = strtoul(e->d_name, &end, 10);
		if (*end || pid > UINT32_MAX)
			continue;
		v = process_json(pid, f, c, &failed);
		if (failed)
			return -ENOMEM;
		if (!v)
			continue;
		if (n++)
			fputc(',', out);
		failed = json_dumpf(v, out, JSON_COMPACT);
		json_decref(v);
		if (failed)
			return -ENOMEM;
	}
	fputs("]}\n", out);
	return ferror(out) ? -ENOMEM : 0;
}

void api_get_processes(struct daemon *d, const struct api_request *req, struct api_response *res,
		       struct api_stream **stream)
{
	struct counts counts = {};
	struct filters filters;
	DIR *procfs = opendir(api_procfs);
	FILE *out = NULL;
	int r = -ENOMEM;

	(void)req;
	(void)stream;
	if (!procfs) {
		api_error(res, 500, "", "%s: %s", api_procfs, strerror(errno));
		return;
	}
	if (filters_copy(d, &filters))
		goto out;
	enrich_each(d->enrich, add_count, &counts);
	if (counts.n)
		qsort(counts.v, counts.n, sizeof(counts.v[0]), by_tgid);
	out = counts.failed ? NULL : open_memstream(&res->body, &res->len);
	if (out) {
		r = list(out, procfs, &filters, &counts);
		if (fclose(out))
			r = -ENOMEM;
	}
	filters_free(&filters);
	free(counts.v);
out:
	closedir(procfs);
	if (r) {
		free(res->body);
		api_json(res, 500, NULL);
		return;
	}
	res->status = 200;
	res->type = "application/json";
}

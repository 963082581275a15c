/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * enrich.c - a cache of processes by tgid, least recently used out first.
 *
 * A hit costs a hash look-up. Once a second for each process that has spans, and when a thread
 * name turns up that was not seen before (exec gives a new one), /proc tells whether the pid is
 * still the same process and program.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "container.h"
#include "enrich.h"
#include "procfs.h"
#include "span.h"
#include "text.h"

#define CHECK_NS     1000000000ULL
#define COMMS	     4	  /* thread names remembered for a process */
#define COMM_CHECKS  16	  /* checks between two regular ones that new thread names can cause */
#define EXE_TEXT_MAX 1024 /* bytes kept */
#define CMDLINE_MAX  256
#define CGROUPS	     256 /* containers remembered by cgroup, a power of two */

struct entry {
	struct entry *hash_next;
	struct entry *newer, *older; /* by last use */
	struct process *proc;
	uint64_t checked; /* CLOCK_MONOTONIC ns */
	uint32_t comm_checks;
	uint8_t n_comms; /* ever seen; the array is used in turns */
	char comms[COMMS][16];
};

/* For processes that were gone before /proc was asked: what others in their cgroup run in. */
struct cgroup {
	uint64_t id;
	char container[CONTAINER_ID_LEN + 1];
};

struct enrich {
	pthread_mutex_t lock;
	char *procfs;
	size_t capacity, n;
	struct entry **hash;
	size_t hash_mask;
	struct entry *newest, *oldest;
	struct cgroup cgroups[CGROUPS];
};

static uint64_t coarse_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t (*enrich_clock)(void) = coarse_clock;

struct process *process_get(struct process *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void process_put(struct process *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(p->exe);
	free(p->cmdline);
	free(p->container);
	free(p->json);
	free(p);
}

/* n bytes as printable text of at most max bytes, cut before a character that does not fit. */
static char *printable(const char *s, size_t n, size_t max)
{
	char buf[EXE_TEXT_MAX];
	struct text_out o;
	size_t i, len;

	text_init(&o, buf, max < sizeof(buf) ? max : sizeof(buf));
	for (i = 0; i < n && !o.full; i += len) {
		char *start = o.p;

		len = text_utf8(s + i, n - i);
		len = len ? len : 1;
		text_printable(&o, s + i, len);
		if (o.full)
			o.p = start;
	}
	return strndup(buf, o.p - buf);
}

static void read_exe(const struct enrich *e, struct process *p)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t n = procfs_link(e->procfs, p->tgid, "exe", path, sizeof(path));

	if (n <= 0)
		return;
	if ((size_t)n > sizeof(deleted) - 1 &&
	    !strcmp(path + n - (sizeof(deleted) - 1),
		    deleted)) /* proc(5): replaced while running */
		n -= sizeof(deleted) - 1;
	p->exe = printable(path, n, EXE_TEXT_MAX);
}

static void read_cmdline(const struct enrich *e, struct process *p)
{
	char buf[SPAND_CAPTURE_MAX]; /* more than is kept: a match may end beyond it */
	ssize_t i, n = procfs_read(e->procfs, p->tgid, "cmdline", buf, sizeof(buf));

	while (n > 0 && !buf[n - 1])
		n--;
	if (n <= 0)
		return;
	for (i = 0; i < n; i++) {
		if (!buf[i])
			buf[i] = ' ';
	}
	span_mask_text(buf, n);
	p->cmdline = printable(buf, n, CMDLINE_MAX);
}

static void read_container(struct enrich *e, struct process *p, uint64_t cgroup_id)
{
	struct cgroup *c = &e->cgroups[cgroup_id & (CGROUPS - 1)];
	char text[PROCFS_TEXT_MAX];
	const char *id, *path;
	size_t len;

	if (procfs_read(e->procfs, p->tgid, "cgroup", text, sizeof(text)) < 0) {
		if (cgroup_id && c->id == cgroup_id)
			p->container = strdup(c->container);
		return;
	}
	id = container_in_cgroups(text, &path, &len);
	if (!id)
		return;
	p->container = strndup(id, CONTAINER_ID_LEN);
	if (cgroup_id) {
		c->id = cgroup_id;
		memcpy(c->container, id, CONTAINER_ID_LEN);
	}
}

/* What every span of the process repeats. */
static void make_json(struct process *p)
{
	char buf[2 * (EXE_TEXT_MAX + CMDLINE_MAX + CONTAINER_ID_LEN) + 128];
	struct text_out o;

	text_init(&o, buf, sizeof(buf));
	if (p->exe)
		text_member(&o, "process.executable.path", p->exe, strlen(p->exe));
	if (p->cmdline)
		text_member(&o, "process.command_line", p->cmdline, strlen(p->cmdline));
	if (p->container)
		text_member(&o, "container.id", p->container, strlen(p->container));
	if (o.full || o.p == buf)
		return;
	p->json = malloc(o.p - buf);
	if (!p->json)
		return;
	p->json_len = o.p - buf;
	memcpy(p->json, buf, p->json_len);
}

/* Reads /proc; what it does not tell stays empty, the name is then the kernel's. */
static struct process *process_new(struct enrich *e, uint32_t tgid, const char comm[16],
				   uint64_t cgroup_id)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_init(&p->refs, 1);
	p->tgid = tgid;
	p->masks = span_mask_changes();
	if (procfs_stat(e->procfs, tgid, p->comm, &p->start_ticks)) {
		memcpy(p->comm, comm, sizeof(p->comm) - 1);
	} else {
		read_exe(e, p);
		read_cmdline(e, p);
	}
	read_container(e, p, cgroup_id);
	make_json(p);
	return p;
}

struct enrich *enrich_new(const char *procfs, size_t capacity)
{
	struct enrich *e = calloc(1, sizeof(*e));
	size_t buckets = 16;

	if (!e)
		return NULL;
	while (buckets < capacity)
		buckets *= 2;
	e->procfs = strdup(procfs);
	e->hash = calloc(buckets, sizeof(*e->hash));
	if (!e->procfs || !e->hash) {
		free(e->procfs);
		free(e->hash);
		free(e);
		return NULL;
	}
	e->hash_mask = buckets - 1;
	e->capacity = capacity ? capacity : 1;
	pthread_mutex_init(&e->lock, NULL);
	return e;
}

static void unlink_use(struct enrich *e, struct entry *n)
{
	*(n->newer ? &n->newer->older : &e->newest) = n->older;
	*(n->older ? &n->older->newer : &e->oldest) = n->newer;
}

static void link_newest(struct enrich *e, struct entry *n)
{
	n->newer = NULL;
	n->older = e->newest;
	*(e->newest ? &e->newest->newer : &e->oldest) = n;
	e->newest = n;
}

static struct entry **bucket(struct enrich *e, uint32_t tgid)
{
	return &e->hash[(tgid * 2654435761u >> 7) & e->hash_mask];
}

static void drop(struct enrich *e, struct entry *n)
{
	struct entry **at = bucket(e, n->proc->tgid);

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	unlink_use(e, n);
	e->n--;
	process_put(n->proc);
	free(n);
}

void enrich_free(struct enrich *e)
{
	if (!e)
		return;
	while (e->oldest)
		drop(e, e->oldest);
	pthread_mutex_destroy(&e->lock);
	free(e->hash);
	free(e->procfs);
	free(e);
}

/* Is a thread's name known? If not, remembers it. */
static bool knows_comm(struct entry *n, const char comm[16])
{
	unsigned i, known = n->n_comms < COMMS ? n->n_comms : COMMS;

	for (i = 0; i < known; i++) {
		if (!memcmp(n->comms[i], comm, 16))
			return true;
	}
	memcpy(n->comms[n->n_comms % COMMS], comm, 16);
	n->n_comms = n->n_comms == 255 ? 252 : n->n_comms + 1;
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/*
 * Asks /proc whether n is still what is cached. A process that is gone stays as it is: its last
 * spans come late. A new program in an old process keeps the count of its spans.
 */
static void check(struct enrich *e, struct entry *n, const char comm[16], uint64_t cgroup_id)
{
	struct process *old = n->proc, *p;
	char now_comm[16];
	uint64_t start;
	bool same_process;

	if (procfs_stat(e->procfs, old->tgid, now_comm, &start))
		return;
	same_process = start == old->start_ticks;
	if (same_process && !memcmp(now_comm, old->comm, 16))
		return;
	p = process_new(e, old->tgid, comm, cgroup_id);
	if (!p)
		return;
	/* Gone in this instant: the old facts are better than none. */
	if (!p->start_ticks ||
	    (same_process && !memcmp(p->comm, old->comm, 16) && same_text(p->exe, old->exe))) {
		process_put(p);
		return;
	}
	if (p->start_ticks == old->start_ticks)
		atomic_init(&p->spans, atomic_load(&old->spans));
	n->proc = p;
	process_put(old);
}

/* Other masks count now. Of a process that is gone its command line can't be read again. */
static void remask(struct enrich *e, struct entry *n, const char comm[16], uint64_t cgroup_id)
{
	struct process *old = n->proc, *p = process_new(e, old->tgid, comm, cgroup_id);

	if (!p)
		return;
	if (!p->start_ticks || p->start_ticks == old->start_ticks)
		atomic_init(&p->spans, atomic_load(&old->spans));
	n->proc = p;
	process_put(old);
}

static struct entry *insert(struct enrich *e, uint32_t tgid, const char comm[16],
			    uint64_t cgroup_id)
{
	struct entry *n = calloc(1, sizeof(*n)), **at;

	if (!n)
		return NULL;
	n->proc = process_new(e, tgid, comm, cgroup_id);
	if (!n->proc) {
		free(n);
		return NULL;
	}
	if (e->n >= e->capacity)
		drop(e, e->oldest);
	at = bucket(e, tgid);
	n->hash_next = *at;
	*at = n;
	link_newest(e, n);
	e->n++;
	n->checked = enrich_clock();
	knows_comm(n, comm);
	return n;
}

struct process *enrich_lookup(struct enrich *e, uint32_t tgid, const char kernel_comm[16],
			      uint64_t cgroup_id)
{
	char comm[16] = { 0 }; /* names are compared as 16 bytes */
	struct process *p = NULL;
	struct entry *n;
	uint64_t now;

	memcpy(comm, kernel_comm, strnlen(kernel_comm, sizeof(comm) - 1));
	pthread_mutex_lock(&e->lock);
	for (n = *bucket(e, tgid); n && n->proc->tgid != tgid;)
		n = n->hash_next;
	if (!n) {
		n = insert(e, tgid, comm, cgroup_id);
	} else {
		now = enrich_clock();
		if (n->proc->masks != span_mask_changes())
			remask(e, n, comm, cgroup_id);
		if (now - n->checked >= CHECK_NS) {
			n->checked = now;
			n->comm_checks = 0;
			knows_comm(n, comm);
			check(e, n, comm, cgroup_id);
		} else if (!knows_comm(n, comm) && n->comm_checks < COMM_CHECKS) {
			n->comm_checks++;
			check(e, n, comm, cgroup_id);
		}
		if (e->newest != n) {
			unlink_use(e, n);
			link_newest(e, n);
		}
	}
	if (n) {
		atomic_fetch_add_explicit(&n->proc->spans, 1, memory_order_relaxed);
		p = process_get(n->proc);
	}
	pthread_mutex_unlock(&e->lock);
	return p;
}

void enrich_each(struct enrich *e, void (*fn)(const struct process *, void *), void *arg)
{
	struct entry *n;

	pthread_mutex_lock(&e->lock);
	for (n = e->newest; n; n = n->older)
		fn(n->proc, arg);
	pthread_mutex_unlock(&e->lock);
}

struct suspect {
	uint32_t tgid;
	uint64_t start;
};

/* /proc is asked without the lock, so that the reader does not wait for it. */
void enrich_expire(struct enrich *e)
{
	struct suspect *v;
	struct entry *n;
	size_t i, count = 0, gone = 0;
	char comm[16];
	uint64_t start;

	pthread_mutex_lock(&e->lock);
	v = calloc(e->n ? e->n : 1, sizeof(*v));
	for (n = e->newest; v && n; n = n->older) {
		if (atomic_load(&n->proc->refs) == 1)
			v[count++] = (struct suspect){ n->proc->tgid, n->proc->start_ticks };
	}
	pthread_mutex_unlock(&e->lock);

	for (i = 0; i < count; i++) {
		if (procfs_stat(e->procfs, v[i].tgid, comm, &start) || start != v[i].start)
			v[gone++] = v[i];
	}

	pthread_mutex_lock(&e->lock);
	for (i = 0; i < gone; i++) {
		for (n = *bucket(e, v[i].tgid); n && n->proc->tgid != v[i].tgid;)
			n = n->hash_next;
		if (n && n->proc->start_ticks == v[i].start && atomic_load(&n->proc->refs) == 1)
			drop(e, n);
	}
	pthread_mutex_unlock(&e->lock);
	free(v);
}

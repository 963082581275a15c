// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tracer.c - the life of the BPF side: open, size, load, attach, pin, poll, and back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/magic.h>
#include <bpf/bpf.h>

#include "log.h"
#include "spand.skel.h"
#include "tracer_priv.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

/* The ring holds this many bytes for each of max_buffered_events. */
#define RING_BYTES_PER_EVENT 256
#define RING_MIN	     (64u << 10)
#define RING_MAX	     (1u << 30)

/* How long the reader may sleep: spans show after this at the latest. */
#define WAIT_MIN_MS 2
#define WAIT_MAX_MS 20

#define PIN_TRIES 100

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t n;

	/* What libbpf calls a warning is said in one line of our own: the details are for -v. */
	if (log_level < LOG_DEBUG || (level == LIBBPF_DEBUG && !getenv("SPAND_LIBBPF_DEBUG")))
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	n = strlen(line);
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	log_debug("%s", line);
	return 0;
}

static bool has_tracepoint(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

/* bpffs is not mounted everywhere that has it. */
static int mount_bpffs(const char *dir)
{
	struct statfs fs;

	if (!strncmp(dir, "/sys/fs/bpf", 11) && !statfs("/sys/fs/bpf", &fs) &&
	    fs.f_type != BPF_FS_MAGIC && mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
		return -errno;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * Makes the folder and locks it, whatever name it goes by: 0, -EBUSY when another instance has it,
 * -EMEDIUMTYPE when it is not in a BPF file system, -errno. The kernel drops the lock with its owner, so what a killed daemon left is no obstacle.
 */
static int take_pins(struct tracer *t)
{
	struct stat a, b;
	struct statfs fs;
	int fd, ret;

	for (int i = 0;; i++) {
		ret = mount_bpffs(t->pin_dir);
		if (ret)
			return ret;
		fd = open(t->pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* It may go between the two, but not for ever: a link to nowhere. */
		if (fd < 0 && errno == ENOENT && i < PIN_TRIES)
			continue;
		if (fd < 0)
			return -errno;
		/* What is in it will be removed: nobody's files. */
		if (fstatfs(fd, &fs) || fs.f_type != BPF_FS_MAGIC) {
			close(fd);
			return -EMEDIUMTYPE;
		}
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
			close(fd);
			return ret;
		}
		/* Its owner may have removed it meanwhile. */
		if (!fstat(fd, &a) && !stat(t->pin_dir, &b) && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			break;
		close(fd);
		if (i >= PIN_TRIES)
			return -EAGAIN;
	}
	t->pin_lock = fd;
	return 0;
}

/* Removes pins, those of an instance that was killed too. Only with the lock. */
static void unpin_all(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(fd, e->d_name, 0);
	closedir(d);
}

static enum tracer_error pin(struct tracer *t, char *err, size_t errlen)
{
	struct bpf_map *map;
	char path[512];
	int ret;

	ret = take_pins(t);
	if (ret == -EBUSY) {
		snprintf(err, errlen, "another spand is running: it has its maps in %s",
			 t->pin_dir);
		return TRACER_SECOND;
	}
	if (ret == -EMEDIUMTYPE) {
		snprintf(err, errlen, "cannot pin maps in %s: it is not in a BPF file system",
			 t->pin_dir);
		return TRACER_BPF_REFUSED;
	}
	if (ret) {
		snprintf(err, errlen, "cannot make %s for pinned maps: %s", t->pin_dir,
			 strerror(-ret));
		return TRACER_BPF_REFUSED;
	}
	unpin_all(t->pin_lock);
	bpf_object__for_each_map (map, t->bpf->obj) {
		/* .rodata, .bss and the like are no use to readers. */
		if (strchr(bpf_map__name(map), '.') || bpf_map__fd(map) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", t->pin_dir, bpf_map__name(map));
		ret = bpf_map__pin(map, path);
		if (ret) {
			snprintf(err, errlen, "cannot pin %s: %s", path, strerror(-ret));
			return TRACER_BPF_REFUSED;
		}
	}
	return TRACER_OK;
}

static uint32_t ring_bytes(uint32_t events)
{
	uint64_t want = (uint64_t)events * RING_BYTES_PER_EVENT, n = RING_MIN;

	while (n < want && n < RING_MAX)
		n <<= 1;
	return n;
}

static void set_sizes(struct spand_bpf *b, const struct config *cfg)
{
	uint32_t pages = cfg->trace.max_inflight / REQ_PAGE;

	bpf_map__set_max_entries(b->maps.spans, ring_bytes(cfg->ebpf.max_buffered_events));
	bpf_map__set_max_entries(b->maps.conns, cfg->trace.max_sockets);
	bpf_map__set_max_entries(b->maps.req_pages, pages ? pages : 1);
}

static enum tracer_error choose_hooks(struct tracer *t, const struct config *cfg, char *err,
				      size_t errlen)
{
	bool socket = has_tracepoint("sock_send_length") && has_tracepoint("sock_recv_length");

	if (cfg->ebpf.hooks == HOOKS_SOCKET && !socket) {
		snprintf(err, errlen,
			 "ebpf.trace.hooks = \"socket\": this kernel has no tracepoint "
			 "sock_send_length (it came with 6.3); use \"auto\"");
		return TRACER_BPF_REFUSED;
	}
	t->socket_hooks = cfg->ebpf.hooks == HOOKS_SYSCALL ? false : socket;
	bpf_program__set_autoload(t->bpf->progs.on_send, t->socket_hooks);
	bpf_program__set_autoload(t->bpf->progs.on_recv, t->socket_hooks);
	bpf_program__set_autoload(t->bpf->progs.on_splice, t->socket_hooks);
	bpf_program__set_autoload(t->bpf->progs.on_enter, !t->socket_hooks);
	bpf_program__set_autoload(t->bpf->progs.on_exit, !t->socket_hooks);
	/* Only on_enter and on_exit use it. */
	bpf_map__set_autocreate(t->bpf->maps.entered, !t->socket_hooks);
	return TRACER_OK;
}

static int on_record(void *arg, void *data, size_t len);

struct reader {
	tracer_record_fn fn;
	void *arg;
};

/*
 * Since 6.19 tracepoints no longer turn preemption off. From the release, because nothing in BTF
 * tells.
 */
static bool kernel_preempts(void)
{
	struct utsname uts;
	int major, minor;

	if (uname(&uts) || sscanf(uts.release, "%d.%d", &major, &minor) != 2)
		return true;
	return major > 6 || (major == 6 && minor >= 19);
}

static enum tracer_error load(struct tracer *t, const struct config *cfg, char *err, size_t errlen)
{
	enum tracer_error e;
	int ret;

	if (access(VMLINUX_BTF, R_OK)) {
		snprintf(err, errlen,
			 "%s is missing: this kernel was built without CONFIG_DEBUG_INFO_BTF",
			 VMLINUX_BTF);
		return TRACER_NO_BTF;
	}
	t->bpf = spand_bpf__open();
	if (!t->bpf) {
		snprintf(err, errlen, "cannot open the BPF object: %s", strerror(errno));
		return TRACER_BPF_REFUSED;
	}
	set_sizes(t->bpf, cfg);
	t->bpf->rodata->preemptible = kernel_preempts();
	e = choose_hooks(t, cfg, err, errlen);
	if (e)
		return e;
	ret = spand_bpf__load(t->bpf);
	if (ret) {
		snprintf(err, errlen,
			 "the kernel refused the BPF programs: %s (run with -v for its reasons)",
			 strerror(-ret));
		return TRACER_BPF_REFUSED;
	}
	return TRACER_OK;
}

static enum tracer_error attach(struct tracer *t, char *err, size_t errlen)
{
	struct {
		struct bpf_program *prog;
		struct bpf_link **link;
		bool wanted;
	} hooks[] = {
		{ t->bpf->progs.on_destroy, &t->bpf->links.on_destroy, true },
		{ t->bpf->progs.on_state, &t->bpf->links.on_state, true },
		{ t->bpf->progs.on_send, &t->bpf->links.on_send, t->socket_hooks },
		{ t->bpf->progs.on_recv, &t->bpf->links.on_recv, t->socket_hooks },
		{ t->bpf->progs.on_splice, &t->bpf->links.on_splice, t->socket_hooks },
		{ t->bpf->progs.on_enter, &t->bpf->links.on_enter, !t->socket_hooks },
		{ t->bpf->progs.on_exit, &t->bpf->links.on_exit, !t->socket_hooks },
	};

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (!hooks[i].wanted)
			continue;
		*hooks[i].link = bpf_program__attach(hooks[i].prog);
		if (!*hooks[i].link) {
			snprintf(err, errlen, "cannot attach %s: %s",
				 bpf_program__name(hooks[i].prog), strerror(errno));
			return TRACER_BPF_REFUSED;
		}
	}
	t->attached = true;
	return TRACER_OK;
}

enum tracer_error tracer_new(const struct config *cfg, const char *pin_dir, tracer_record_fn fn,
			     void *arg, struct tracer **out, char *err, size_t errlen)
{
	enum tracer_error e = TRACER_BPF_REFUSED;
	struct reader *reader = NULL;
	struct tracer *t;
	int ret;

	if (geteuid() != 0) {
		snprintf(err, errlen, "must run as root (or be started by root's service manager)");
		return TRACER_NO_ROOT;
	}
	libbpf_set_print(print_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	t = calloc(1, sizeof(*t));
	reader = calloc(1, sizeof(*reader));
	if (!t || !reader || !(t->pin_dir = strdup(pin_dir))) {
		snprintf(err, errlen, "out of memory");
		free(reader);
		free(t);
		return TRACER_BPF_REFUSED;
	}
	pthread_mutex_init(&t->lock, NULL);
	t->wait_ms = WAIT_MIN_MS;
	t->pin_lock = -1;
	e = load(t, cfg, err, errlen);
	if (e)
		goto fail;
	e = TRACER_BPF_REFUSED;
	reader->fn = fn;
	reader->arg = arg;
	t->ring = ring_buffer__new(bpf_map__fd(t->bpf->maps.spans), on_record, reader, NULL);
	if (!t->ring) {
		snprintf(err, errlen, "cannot map the ring buffer: %s", strerror(errno));
		goto fail;
	}
	t->reader = reader;
	reader = NULL;
	ret = tracer_settings(t, cfg, err, errlen);
	if (ret)
		goto fail;
	e = pin(t, err, errlen);
	if (e)
		goto fail;
	e = TRACER_BPF_REFUSED;
	/* Sockets that are there already must be known as such before a byte is seen on them. */
	ret = tracer_mark_unix(t);
	if (ret)
		log_warn("cannot list AF_UNIX sockets: %s; requests on those that exist now may "
			 "be taken for new connections",
			 strerror(-ret));
	e = attach(t, err, errlen);
	if (e)
		goto fail;
	*out = t;
	return TRACER_OK;
fail:
	free(reader);
	tracer_free(t);
	return e;
}

void tracer_detach(struct tracer *t)
{
	if (t->bpf)
		spand_bpf__detach(t->bpf);
	t->attached = false;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	if (t->bpf && t->attached)
		tracer_detach(t);
	if (t->ring)
		ring_buffer__free(t->ring);
	if (t->pin_lock >= 0) {
		unpin_all(t->pin_lock);
		rmdir(t->pin_dir);
		close(t->pin_lock);
	}
	if (t->bpf)
		spand_bpf__destroy(t->bpf);
	for (size_t i = 0; i < t->containers.n; i++)
		free(t->containers.v[i]);
	free(t->containers.v);
	pthread_mutex_destroy(&t->lock);
	free(t->reader);
	free(t->pin_dir);
	free(t);
}

static int on_record(void *arg, void *data, size_t len)
{
	struct reader *r = arg;

	r->fn(r->arg, data, len);
	return 0;
}

int tracer_poll(struct tracer *t, int timeout_ms)
{
	int n, wait = t->wait_ms < timeout_ms ? t->wait_ms : timeout_ms;

	/* The programs wake us only when much has gathered. */
	n = ring_buffer__poll(t->ring, wait);
	if (n == -EINTR)
		return n;
	if (n <= 0) {
		int more = ring_buffer__consume(t->ring);

		n = more < 0 ? more : more + (n > 0 ? n : 0);
	}
	if (n > 0)
		t->wait_ms = WAIT_MIN_MS;
	else if (t->wait_ms < WAIT_MAX_MS)
		t->wait_ms *= 2;
	return n;
}

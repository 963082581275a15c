/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The vectors through the parsers in the kernel: each call must give what the host's build of the
 * same parser gives, to the last bit, and the messages must be those that the vector expects.
 */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../progs/parsers.h"
#include "../vectors/vec_host.h"
#include "../vectors/vec_cuts.h"
#include "parsers.test.skel.h"

#define BOTH	 (DETECT_REQUEST | DETECT_RESPONSE)
/* Seconds for all vectors: an emulated machine is slow, and gets fewer cuts. */
#define PATIENCE 60

struct kernel {
	struct parsers_test_bpf *skel;
	struct parsers_io *io;
	size_t size;
	int fd;
	__u32 proto;
	unsigned long calls;
	char error[512];
};

static int kernel_run(struct kernel *k)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(k->fd, &opts);

	k->calls++;
	return err ? err : opts.retval ? -EINVAL : 0;
}

/* drive_parse_fn: both; the kernel's answer goes on. */
static int kernel_parse(void *ctx, int dir, const struct pwin *w, struct pstate *s, struct pmsg *m)
{
	struct kernel *k = ctx;
	struct pstate hs = *s;
	struct pmsg hm = *m;
	int host = vec_host_parse(&k->proto, dir, w, &hs, &hm), err;

	k->io->op = dir ? PARSERS_RESPONSE : PARSERS_REQUEST;
	k->io->proto = k->proto;
	k->io->w = *w;
	k->io->s = *s;
	k->io->m = *m;
	err = kernel_run(k);
	if (err) {
		snprintf(k->error, sizeof(k->error), "test run: %s", strerror(-err));
		return PARSE_BAD;
	}
	if (host != k->io->result)
		snprintf(k->error, sizeof(k->error), "result %d, on the host %d", k->io->result,
			 host);
	else if (host != PARSE_BAD && memcmp(&hs, &k->io->s, sizeof(hs)))
		snprintf(k->error, sizeof(k->error), "another state than on the host");
	else if (host == PARSE_OK && memcmp(&hm, &k->io->m, sizeof(hm)))
		snprintf(k->error, sizeof(k->error), "another message than on the host");
	*s = k->io->s;
	*m = k->io->m;
	return k->io->result;
}

/* Beginnings of a direction through the chain of detectors, as on the host. */
static int kernel_detect(struct kernel *k, const struct vec_stream *st)
{
	__u32 n, dirs, proto;
	struct pwin w;
	int result;

	for (n = 1; n <= st->len && n <= PWIN_ENOUGH; n += n < 32 ? 1 : 16) {
		for (dirs = 1; dirs <= BOTH; dirs++) {
			vec_window(&w, st, n);
			proto = proto_detect(&w, dirs, &result);
			k->io->op = PARSERS_DETECT;
			k->io->dirs = dirs;
			k->io->w = w;
			if (kernel_run(k) || k->io->proto != proto || k->io->result != result) {
				snprintf(k->error, sizeof(k->error),
					 "%u bytes: detected %u (%d), on the host %u (%d)", n,
					 k->io->proto, k->io->result, proto, result);
				return -1;
			}
		}
	}
	return 0;
}

static int run_case(struct kernel *k, const struct vec_case *c, int quick)
{
	struct cuts x = { .c = c, .parse = kernel_parse, .ctx = k };

	x.quick = quick || c->dir[0].len > CUTS_ALL || c->dir[1].len > CUTS_ALL;
	k->proto = vec_proto(c->proto);
	k->error[0] = '\0';
	if (kernel_detect(k, &c->dir[0]) || kernel_detect(k, &c->dir[1]))
		goto failed;
	if (k->proto && (cuts_all(&x) || k->error[0]))
		goto failed;
	return 0;
failed:
	printf("FAIL %s: %s: %s %s\n", c->path, c->title, k->error, x.error);
	return -1;
}

static int kernel_open(struct kernel *k)
{
	int err;

	memset(k, 0, sizeof(*k));
	k->skel = parsers_test_bpf__open_and_load();
	if (!k->skel)
		return -errno;
	k->fd = bpf_program__fd(k->skel->progs.parsers_run);
	k->size = (sizeof(*k->io) + 4095) & ~4095UL;
	k->io = mmap(NULL, k->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(k->skel->maps.io_map), 0);
	if (k->io != MAP_FAILED)
		return 0;
	err = -errno;
	parsers_test_bpf__destroy(k->skel);
	return err;
}

int main(void)
{
	const char *dir = getenv("SPAND_VECTORS");
	unsigned passed = 0, failed = 0;
	time_t start = time(NULL);
	struct vec_set set;
	struct kernel k;
	int err;
	size_t i;

	if (vec_load(&set, dir ? dir : VEC_DIR))
		return 1;
	err = kernel_open(&k);
	if (err == -EPERM || err == -EACCES) {
		printf("SKIP kernel-parsers: BPF is not allowed here\n");
		printf("kernel-parsers: 0 passed, 0 failed, 1 skipped\n");
		vec_free(&set);
		return 0;
	}
	if (err) {
		printf("FAIL kernel-parsers: the parsers don't load: %s\n", strerror(-err));
		printf("kernel-parsers: 0 passed, 1 failed, 0 skipped\n");
		vec_free(&set);
		return 1;
	}
	for (i = 0; i < set.cases.n; i++) {
		if (run_case(&k, vec_at(&set.cases, struct vec_case, i),
			     time(NULL) - start > PATIENCE))
			failed++;
		else
			passed++;
	}
	printf("%lu calls\n", k.calls);
	printf("kernel-parsers: %u passed, %u failed, 0 skipped\n", passed, failed);
	munmap(k.io, k.size);
	parsers_test_bpf__destroy(k.skel);
	vec_free(&set);
	return failed ? 1 : 0;
}

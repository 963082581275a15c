/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * floor - attaches empty programs on command, so that the benchmark can switch them in a moment.
 *
 *	floor floor.bpf.o HOOK...	HOOK: tp_btf/NAME or tracepoint/CATEGORY/NAME
 *
 * Reads "on" and "off" from stdin and answers each with the same word once it is done; ends with
 * stdin. A hook that this kernel does not have ends it with status 1 and a line on stderr.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOKS_MAX 64

struct floor {
	struct bpf_object *obj;
	int n;
	struct {
		const char *name; /* as on the command line */
		struct bpf_program *prog;
		struct bpf_link *link;
	} hook[HOOKS_MAX];
};

/* Gives each tp_btf hook a program of its own and leaves the rest of them unloaded. */
static int floor_open(struct floor *f, const char *path, int n, char **hooks)
{
	struct bpf_program *prog;
	int i, err, used = 0;

	if (n > HOOKS_MAX)
		return -E2BIG;
	f->obj = bpf_object__open_file(path, NULL);
	if (!f->obj)
		return -errno;
	bpf_object__for_each_program (prog, f->obj)
		bpf_program__set_autoload(prog, false);
	for (i = 0; i < n; i++) {
		char name[32] = "floor_tp";

		if (!strncmp(hooks[i], "tp_btf/", 7))
			snprintf(name, sizeof(name), "floor_btf_%d", used++);
		prog = bpf_object__find_program_by_name(f->obj, name);
		if (!prog)
			return -E2BIG;
		if (name[6] == 'b') {
			err = bpf_program__set_attach_target(prog, 0, hooks[i] + 7);
			if (err) {
				fprintf(stderr, "floor: no tracepoint %s\n", hooks[i] + 7);
				return err;
			}
		}
		bpf_program__set_autoload(prog, true);
		f->hook[f->n].name = hooks[i];
		f->hook[f->n++].prog = prog;
	}
	return bpf_object__load(f->obj);
}

static void floor_detach(struct floor *f)
{
	for (int i = 0; i < f->n; i++) {
		bpf_link__destroy(f->hook[i].link);
		f->hook[i].link = NULL;
	}
}

static int floor_attach(struct floor *f)
{
	for (int i = 0; i < f->n; i++) {
		char category[64], name[64];
		struct bpf_link *link;

		if (sscanf(f->hook[i].name, "tracepoint/%63[^/]/%63s", category, name) == 2)
			link = bpf_program__attach_tracepoint(f->hook[i].prog, category, name);
		else
			link = bpf_program__attach(f->hook[i].prog);
		if (!link) {
			int err = -errno;

			fprintf(stderr, "floor: %s: %s\n", f->hook[i].name, strerror(-err));
			floor_detach(f);
			return err;
		}
		f->hook[i].link = link;
	}
	return 0;
}

static int floor_serve(struct floor *f)
{
	char line[16];
	int err;

	while (fgets(line, sizeof(line), stdin)) {
		floor_detach(f);
		if (!strcmp(line, "on\n")) {
			err = floor_attach(f);
			if (err)
				return err;
		}
		fputs(line, stdout);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct floor f = {};
	int err;

	if (argc < 3) {
		fprintf(stderr, "usage: floor floor.bpf.o HOOK...\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	err = floor_open(&f, argv[1], argc - 2, argv + 2);
	if (err)
		fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(-err));
	else
		err = floor_serve(&f);
	floor_detach(&f);
	bpf_object__close(f.obj);
	return err ? 1 : 0;
}

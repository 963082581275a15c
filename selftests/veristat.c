/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * veristat OBJECT... - loads every program of BPF object files, each alone, and prints as CSV how
 * many instructions the running kernel's verifier processed:
 *
 *	object,program,insns	the program with all that it calls; what the verifier limits
 *	object,name(),insns	of that, one global function; the most of all its callers
 *
 * A program that this kernel cannot load has "-" and its reason on stderr.
 * veristat -p only tells whether BPF can be used here: exit status 0, or 1 and why on stdout.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* Level 2 lists every instruction that is visited. Pages of the log exist once written. */
#define LOG_LEVEL    2
#define LOG_SIZE     (512u << 20)
#define FUNCS_MAX    512
#define NAME_MAX_LEN 128

struct func {
	char name[NAME_MAX_LEN];
	unsigned int insns;
};

static struct func funcs[FUNCS_MAX];
static size_t n_funcs;
static char *verifier_log;
static char complaint[512];

/* Keeps what libbpf said first of a program, else first: the cause; the rest follows from it. */
static int keep_complaint(enum libbpf_print_level level, const char *fmt, va_list args)
{
	static const char of_prog[] = "libbpf: prog '";
	char text[sizeof(complaint)];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	if (!complaint[0] || (strncmp(complaint, of_prog, strlen(of_prog)) &&
			      !strncmp(text, of_prog, strlen(of_prog))))
		memcpy(complaint, text, sizeof(text));
	return 0;
}

/* The verifier's objection, if there is one: the line above its figures. */
static void keep_objection(void)
{
	char *end = strstr(verifier_log, "\nprocessed "), *start = end;

	if (!end)
		return;
	while (start > verifier_log && start[-1] != '\n')
		start--;
	snprintf(complaint, sizeof(complaint), "%.*s", (int)(end - start), start);
}

static void func_note(const char *name, size_t len, unsigned int insns)
{
	size_t i;

	if (len >= NAME_MAX_LEN)
		len = NAME_MAX_LEN - 1;
	for (i = 0; i < n_funcs; i++) {
		if (strlen(funcs[i].name) == len && !memcmp(funcs[i].name, name, len))
			break;
	}
	if (i == FUNCS_MAX)
		return;
	if (i == n_funcs) {
		memcpy(funcs[i].name, name, len);
		funcs[i].name[len] = '\0';
		n_funcs++;
	}
	if (funcs[i].insns < insns)
		funcs[i].insns = insns;
}

/* An instruction that was processed: "12: (bf) r1 = r2", or one where a known state was met. */
static int is_insn(const char *line, size_t len)
{
	static const char known[] = ": safe";
	size_t i = 0;

	if (len >= sizeof(known) - 1 &&
	    !memcmp(line + len - (sizeof(known) - 1), known, sizeof(known) - 1))
		return 1;
	while (i < len && isdigit((unsigned char)line[i]))
		i++;
	return i && len - i > 3 && !memcmp(line + i, ": (", 3);
}

/* Counts the instructions of each global function, which the log sets off by two lines. */
static void funcs_count(const char *text)
{
	/* "Func#2 ('f') is global and assumed valid" is said of others in between. */
	static const char begin[] = "Validating ", end[] = "Func#", safe[] = "is safe for";
	const char *name = NULL, *line, *eol, *paren;
	unsigned int insns = 0;
	size_t name_len = 0;

	for (line = text; *line; line = eol + 1) {
		eol = strchr(line, '\n');
		if (!eol)
			break;
		if (!strncmp(line, begin, sizeof(begin) - 1)) {
			name = line + sizeof(begin) - 1;
			paren = memchr(name, '(', eol - name);
			name_len = paren ? paren - name : eol - name;
			insns = 0;
		} else if (name && !strncmp(line, end, sizeof(end) - 1) &&
			   memmem(line, eol - line, safe, sizeof(safe) - 1)) {
			func_note(name, name_len, insns);
			name = NULL;
		} else if (is_insn(line, eol - line)) {
			insns++;
		}
	}
}

static long verified_insns(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	return info.verified_insns;
}

/*
 * Loads program number index of the file alone, with the verifier's log at level: 0, where the log
 * is of a failure, or LOG_LEVEL. Returns the instructions processed, or -errno; -ENOENT when there
 * is no such program. *name is set for all but -ENOENT, to be freed.
 */
static long program_load(const char *path, int index, int level, char **name)
{
	struct bpf_program *prog, *wanted = NULL;
	struct bpf_object *obj;
	struct bpf_map *map;
	long ret;
	int n = 0;

	obj = bpf_object__open_file(path, NULL);
	if (!obj)
		return -ENOENT;
	bpf_object__for_each_program (prog, obj) {
		bpf_program__set_autoload(prog, n == index);
		if (n++ == index)
			wanted = prog;
	}
	/* A running daemon's pinned maps are not ours to use. */
	bpf_object__for_each_map (map, obj)
		bpf_map__set_pin_path(map, NULL);
	ret = -ENOENT;
	if (!wanted)
		goto out;
	free(*name);
	*name = strdup(bpf_program__name(wanted));
	bpf_program__set_log_buf(wanted, verifier_log, LOG_SIZE);
	bpf_program__set_log_level(wanted, level);
	ret = bpf_object__load(obj);
	if (!ret)
		ret = verified_insns(bpf_program__fd(wanted));
	else if (ret == -ENOENT)
		ret = -ESRCH;
out:
	bpf_object__close(obj);
	return ret;
}

static int object_print(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	int len = strcspn(base, "."), index;
	size_t i;

	n_funcs = 0;
	for (index = 0;; index++) {
		char *name = NULL;
		long insns;

		complaint[0] = verifier_log[0] = '\0';
		insns = program_load(path, index, 0, &name);
		if (insns == -ENOENT)
			break;
		if (insns >= 0) {
			printf("%.*s,%s,%ld\n", len, base, name, insns);
			if (program_load(path, index, LOG_LEVEL, &name) == insns)
				funcs_count(verifier_log);
		} else {
			keep_objection();
			printf("%.*s,%s,-\n", len, base, name);
			fprintf(stderr, "%.*s,%s: %s (%s)\n", len, base, name, strerror(-insns),
				complaint);
		}
		fflush(stdout);
		free(name);
	}
	for (i = 0; i < n_funcs; i++)
		printf("%.*s,%s(),%u\n", len, base, funcs[i].name, funcs[i].insns);
	memset(funcs, 0, sizeof(funcs));
	if (index)
		return 0;
	fprintf(stderr, "veristat: %s: %s\n", path, complaint[0] ? complaint : "no programs");
	return -EINVAL;
}

/* A tracepoint program that returns 0, a ring buffer, the kernel's BTF: what spand cannot miss. */
static int probe(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct btf *btf;
	int fd;

	fd = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "probe", "GPL", insns, 2, NULL);
	if (fd < 0) {
		printf("the kernel refuses BPF programs: %s\n", strerror(errno));
		return 1;
	}
	close(fd);
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0, 4096, NULL);
	if (fd < 0) {
		printf("the kernel refuses a BPF ring buffer: %s\n", strerror(errno));
		return 1;
	}
	close(fd);
	btf = btf__load_vmlinux_btf();
	if (!btf) {
		printf("the kernel has no BTF: %s\n", strerror(errno));
		return 1;
	}
	btf__free(btf);
	return 0;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(keep_complaint);
	if (argc == 2 && !strcmp(argv[1], "-p"))
		return probe();
	if (argc < 2) {
		fprintf(stderr, "usage: veristat OBJECT... | veristat -p\n");
		return 2;
	}
	verifier_log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (verifier_log == MAP_FAILED) {
		perror("veristat");
		return 1;
	}
	printf("object,program,insns\n");
	for (i = 1; i < argc; i++)
		failed |= object_print(argv[i]) < 0;
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "container.h"
#include "fake_proc.h"

static void container_paths(void **state)
{
	static const struct {
		const char *path, *id;
	} t[] = {
		/* Docker: cgroupfs, systemd */
		{ "/docker/" ID1, ID1 },
		{ "/system.slice/docker-" ID1 ".scope", ID1 },
		{ "/system.slice/docker-" ID1 ".scope/init.scope", ID1 },
		/* Kubernetes: containerd and CRI-O, both namings */
		{ "/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/" ID1, ID1 },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2c48913c_b29f_"
		  "11e7_9350_020968147796.slice/cri-containerd-" ID1 ".scope",
		  ID1 },
		{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-" ID1
		  ".scope/container",
		  ID1 },
		{ "/kubepods-burstable-pod1.slice:cri-containerd:" ID1, ID1 },
		/* podman */
		{ "/machine.slice/libpod-" ID1 ".scope/container", ID1 },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1 ".scope",
		  ID1 },
		{ "/libpod_parent/libpod-" ID1, ID1 },
		/* nested: the inner one */
		{ "/docker/" ID1 "/docker/" ID3, ID3 },
		/* none */
		{ "/machine.slice/libpod-conmon-" ID1 ".scope", NULL },
		{ "/kubepods.slice/crio-conmon-" ID1 ".scope", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ "/user.slice/user-1000.slice/session-2.scope", NULL },
		{ "/docker/" ID1 "a", NULL },
		{ "/docker/x" ID1, NULL },
		{ "/docker/0123456789abcdef", NULL },
		{ "/docker/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
		  NULL },
	};
	const char *id;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		id = container_in_path(t[i].path, strlen(t[i].path));
		if (!t[i].id)
			assert_null(id);
		else
			assert_memory_equal(id, t[i].id, CONTAINER_ID_LEN);
	}
}

static void container_hierarchies(void **state)
{
	const char *path = (void *)1, *id;
	size_t len;

	(void)state;
	/* cgroup1 alone: an id, but no cgroup2 path */
	id = container_in_cgroups("5:cpu,cpuacct:/docker/" ID1 "\n1:name=systemd:/\n0::/\n", &path,
				  &len);
	assert_memory_equal(id, ID1, CONTAINER_ID_LEN);
	assert_null(path);
	/* cgroup2 is preferred; the path may hold colons */
	id = container_in_cgroups("5:cpu:/docker/" ID1 "\n0::/k:containerd:" ID3, &path, &len);
	assert_memory_equal(id, ID3, CONTAINER_ID_LEN);
	assert_memory_equal(path, "/k:containerd:" ID3, len);
	assert_null(container_in_cgroups("", &path, &len));
	assert_null(container_in_cgroups("garbage\n::\n:\n\n0::\n", &path, &len));
	assert_null(path);
}

static uint64_t make_cgroup(const char *path)
{
	char full[512], *p;
	struct stat st;

	snprintf(full, sizeof(full), "%s/sys/fs/cgroup%s", root, path);
	for (p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	mkdir(full, 0755);
	assert_int_equal(stat(full, &st), 0);
	return st.st_ino;
}

static void container_to_cgroup(void **state)
{
	uint64_t id = 1, ino1, ino3;

	(void)state;
	ino1 = make_cgroup("/docker/" ID1);
	ino3 = make_cgroup("/machine.slice/libpod-" ID3 ".scope/container");
	make_cgroup("/machine.slice/libpod-" ID3 ".scope/container/later");
	make_process(100, "init", 1, "/x");
	write_cgroup(200, "0::/docker/" ID1 "\n");
	write_cgroup(201, "0::/docker/" ID1 "\n");
	write_cgroup(300, "0::/machine.slice/libpod-" ID3 ".scope/container\n");
	write_cgroup(301, "0::/machine.slice/libpod-" ID3 ".scope/container/later\n");
	assert_int_equal(enrich_container_cgroup(procfs, "0123", &id), 0);
	assert_true(id == ino1);
	assert_int_equal(enrich_container_cgroup(procfs, ID3, &id), 0);
	assert_true(id == ino3);
	assert_int_equal(enrich_container_cgroup(procfs, "012X", &id), -ENOENT);
	assert_int_equal(enrich_container_cgroup(procfs, "", &id), -ENOENT);
	assert_int_equal(enrich_container_cgroup(procfs, ID1 "0", &id), -ENOENT);
	assert_true(id == ino3);

	make_cgroup("/docker/" ID2);
	write_cgroup(202, "0::/docker/" ID2 "\n");
	assert_int_equal(enrich_container_cgroup(procfs, "0123", &id), -ENOTUNIQ);
	assert_true(id == ino3);
	assert_int_equal(enrich_container_cgroup(procfs, ID1, &id), 0);
	assert_true(id == ino1);
	/* a hierarchy that is mounted beside cgroup1 */
	ino1 = make_cgroup("/unified/docker/" ID1);
	assert_int_equal(enrich_container_cgroup(procfs, ID1, &id), 0);
	assert_true(id == ino1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(container_paths),
		TEST(container_hierarchies),
		TEST(container_to_cgroup),
	};

	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}

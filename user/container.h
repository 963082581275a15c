/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * container.h - container ids in cgroup paths.
 */
#ifndef SPAND_CONTAINER_H
#define SPAND_CONTAINER_H

#include <stddef.h>

#define CONTAINER_ID_LEN 64

/*
 * container_in_path - the container id (64 hexadecimal digits) of a cgroup path of len bytes, the
 * innermost if there are several; NULL: none. Not zero-terminated.
 *
 * Docker, containerd (CRI, nerdctl), CRI-O and podman end the name of a container's cgroup with
 * its id: ".../<id>" under the cgroupfs driver, ".../<runtime>-<id>.scope" under systemd, and
 * ".../<slice>:<runtime>:<id>" where containerd is given a systemd name without that driver.
 */
const char *container_in_path(const char *path, size_t len);

/*
 * container_in_cgroups - the same in the text of /proc/PID/cgroup (cgroups(7)); the line of
 * cgroup2 is preferred. *path, *path_len: the cgroup2 path if id is in it, else NULL.
 */
const char *container_in_cgroups(const char *text, const char **path, size_t *path_len);

#endif

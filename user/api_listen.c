/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The API's listening socket, made here and not by libmicrohttpd so that a failure has a reason.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_internal.h"

#define BACKLOG 64

/* address: numeric, or "localhost". 0 and *len, or -EINVAL. */
static int parse_address(const char *address, uint16_t port, struct sockaddr_storage *ss,
			 socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (!strcasecmp(address, "localhost"))
		address = "127.0.0.1";
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
		return 0;
	}
	return -EINVAL;
}

/* Binds and listens; the port that it got, host order, goes to *got. The socket, or -errno. */
static int open_socket(const struct sockaddr_storage *ss, socklen_t len, uint16_t *got)
{
	struct sockaddr_storage name;
	socklen_t name_len = sizeof(name);
	int one = 1, zero = 0, err, fd;

	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ss->ss_family == AF_INET6) /* "::" takes IPv4 too, whatever the system's default */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (const struct sockaddr *)ss, len) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&name, &name_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	if (ss->ss_family == AF_INET6)
		*got = ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
	else
		*got = ntohs(((struct sockaddr_in *)&name)->sin_port);
	return fd;
}

int api_listen(const char *address, uint16_t port, uint16_t *got, char *err, size_t errlen)
{
	bool v6 = strchr(address, ':');
	struct sockaddr_storage ss;
	const char *why;
	socklen_t len;
	int fd;

	if (parse_address(address, port, &ss, &len)) {
		snprintf(err, errlen, "api: api.address: \"%s\" is not an IP address", address);
		return -EINVAL;
	}
	fd = open_socket(&ss, len, got);
	if (fd >= 0)
		return fd;
	why = fd == -EADDRINUSE	     ? "is in use"
	      : fd == -EADDRNOTAVAIL ? "is not an address of this host"
				     : strerror(-fd);
	snprintf(err, errlen, "api: %s%s%s:%u%s %s", v6 ? "[" : "", address, v6 ? "]" : "", port,
		 fd == -EADDRINUSE || fd == -EADDRNOTAVAIL ? "" : ":", why);
	return fd;
}

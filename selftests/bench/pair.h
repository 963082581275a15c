/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.h - two connected stream sockets in one process, made with connect() and accept() so that
 * it is known who is the client; and the messages that go through them.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct pair {
	int client;
	int server;
};

struct message {
	const char *data;
	size_t len;
};

#define MESSAGE(s) ((struct message){ s, sizeof(s) - 1 })

/* What redis-benchmark sends for GET, and a small answer. */
#define REDIS_REQUEST  "*2\r\n$3\r\nGET\r\n$16\r\nkey:__rand_int__\r\n"
#define REDIS_RESPONSE "$3\r\nxxx\r\n"

/* family: AF_INET (loopback) or AF_UNIX (abstract address). 0 or -errno. */
static inline int pair_make(int family, struct pair *p)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un un = { .sun_family =
					  AF_UNIX }; /* bound without a name: the kernel's choice */
	struct sockaddr_storage got;
	socklen_t len = family == AF_UNIX ? sizeof(un.sun_family) : sizeof(in);
	struct sockaddr *addr = family == AF_UNIX ? (void *)&un : (void *)&in;
	int listener, client = -1, server = -1, one = 1, err = 0;

	listener = socket(family, SOCK_STREAM, 0);
	if (listener < 0)
		return -errno;
	if (bind(listener, addr, len) || listen(listener, 1))
		goto fail;
	len = sizeof(got);
	if (getsockname(listener, (void *)&got, &len))
		goto fail;
	client = socket(family, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (void *)&got, len))
		goto fail;
	server = accept(listener, NULL, NULL);
	if (server < 0)
		goto fail;
	if (family == AF_INET && (setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
				  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))))
		goto fail;
	close(listener);
	p->client = client;
	p->server = server;
	return 0;
fail:
	err = -errno;
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
	close(listener);
	return err;
}

#endif

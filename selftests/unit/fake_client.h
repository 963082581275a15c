/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fake_client.h - the API on a free port, and a small HTTP client on plain sockets that says and
 * hears exactly what a test wants.
 */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include <arpa/inet.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fake_api.h"

static struct api *server;

static void start(void)
{
	char err[256] = "";

	if (api_start(&fake_daemon, &server, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_not_equal(api_port(server), 0);
	fake_daemon.cfg->api.port = api_port(server); /* 0 is nothing that an update may keep */
}

static int setup(void **state)
{
	api_first_s = api_timeout_s = 60;
	fake_setup(state);
	fake_daemon.cfg->api.port = 0; /* any that is free */
	fake_daemon.cfg->api.max_body = 4096;
	set_string(&fake_daemon.cfg->api.ident, "unit-ident");
	return 0;
}

static int teardown(void **state)
{
	api_stop(server);
	server = NULL;
	return fake_teardown(state);
}

/* A connection to the server. The receive timeout only keeps a broken test from hanging. */
static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(api_port(server)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval guard = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

struct answer {
	unsigned status;
	char head[4096]; /* status line and header lines */
	char *body;
	size_t len;
};

static bool read_byte(int fd, char *c)
{
	return recv(fd, c, 1, 0) == 1;
}

static bool read_line(int fd, char *line, size_t size)
{
	size_t n = 0;
	char c;

	while (read_byte(fd, &c)) {
		if (c == '\n') {
			line[n && line[n - 1] == '\r' ? n - 1 : n] = '\0';
			return true;
		}
		assert_true(n < size - 1);
		line[n++] = c;
	}
	return false;
}

static const char *header(const struct answer *a, const char *name)
{
	static char value[256];
	size_t n = strlen(name);

	for (const char *line = a->head; *line; line += strcspn(line, "\n") + 1) {
		if (!strncasecmp(line, name, n) && line[n] == ':') {
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + n + 2, "\n"),
				 line + n + 2);
			return value;
		}
	}
	return NULL;
}

static void add_body(int fd, struct answer *a, size_t n)
{
	ssize_t r;

	a->body = realloc(a->body, a->len + n + 1);
	while (n) {
		r = recv(fd, a->body + a->len, n, 0);
		assert_true(r > 0);
		a->len += r;
		n -= r;
	}
	a->body[a->len] = '\0';
}

static void read_body(int fd, struct answer *a)
{
	char line[64], c;
	size_t n;

	add_body(fd, a, 0);
	if (header(a, "Content-Length")) {
		add_body(fd, a, strtoul(header(a, "Content-Length"), NULL, 10));
	} else if (header(a, "Transfer-Encoding")) {
		do {
			assert_true(read_line(fd, line, sizeof(line)));
			n = strtoul(line, NULL, 16);
			add_body(fd, a, n);
			assert_true(read_line(fd, line, sizeof(line)));
		} while (n);
	} else {
		while (read_byte(fd, &c)) {
			a->body = realloc(a->body, a->len + 2);
			a->body[a->len++] = c;
			a->body[a->len] = '\0';
		}
	}
}

/* Reads one answer; false if the connection ended instead. */
static bool hear(int fd, struct answer *a, bool head_only)
{
	char line[1024];
	size_t n = 0;

	memset(a, 0, sizeof(*a));
	do {
		if (!read_line(fd, line, sizeof(line)))
			return false;
		n += snprintf(a->head + n, sizeof(a->head) - n, "%s\n", line);
		assert_true(n < sizeof(a->head));
	} while (*line);
	a->head[n - 1] = '\0';
	assert_int_equal(sscanf(a->head, "HTTP/1.%*1[01] %u ", &a->status), 1);
	if (!head_only)
		read_body(fd, a);
	return true;
}

/* One request on a connection of its own; the status. The error's JSON is checked. */
static unsigned once(const char *text, struct answer *out)
{
	struct answer a;
	unsigned status;
	json_t *v;
	int fd = dial();

	say(fd, text);
	assert_true(hear(fd, &a, false));
	close(fd);
	status = a.status;
	if (status >= 400) {
		v = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(json_string_value(at(v, "error")));
		json_decref(v);
	}
	if (out)
		*out = a;
	else
		free(a.body);
	return status;
}

/* Nothing more comes: the server has closed. Late bytes of ours may have it reset. */
static bool is_closed(int fd) UNUSED;
static bool is_closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	return !n || (n < 0 && errno == ECONNRESET);
}

#define H	  "Host: localhost\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define POST	  "POST /api/config/update HTTP/1.1\r\n" H
/* The body of a good update, with its length. */
#define BODY	  "Content-Length: 31\r\n\r\n{\"trace\": {\"sampling_rate\": 3}}"

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The client against a server that says what a test wants: exit statuses and what is told.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "spanctl.h"

static int listener, port;
static char request[8192]; /* what the client sent last */

struct answer {
	const char *status; /* NULL: hangs up without a word */
	const char *body;
};

static void *serve(void *arg)
{
	const struct answer *a = arg;
	int fd = accept(listener, NULL, NULL);
	size_t n = 0, want = 0;
	char *end = NULL;
	ssize_t r;

	while ((!end || n < want) && (r = read(fd, request + n, sizeof(request) - 1 - n)) > 0) {
		n += r;
		request[n] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end && !want) {
			const char *len = strstr(request, "Content-Length: ");

			want = end + 4 - request + (len ? atoi(len + 16) : 0);
		}
	}
	if (a->status)
		dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			a->status, strlen(a->body), a->body);
	close(fd);
	return NULL;
}

/* Standard error of the call goes here. */
static char said[1024];
static FILE *capture;
static int real_stderr;

static void hush(void)
{
	fflush(stderr);
	capture = tmpfile();
	real_stderr = dup(2);
	dup2(fileno(capture), 2);
}

static void unhush(void)
{
	size_t n;

	fflush(stderr);
	dup2(real_stderr, 2);
	close(real_stderr);
	rewind(capture);
	n = fread(said, 1, sizeof(said) - 1, capture);
	said[n] = '\0';
	fclose(capture);
}

static struct ctl_http *client(const char *address, const char *token)
{
	struct ctl_options o = { .address = address, .token = token };
	struct ctl_http *h = NULL;

	assert_int_equal(ctl_http_new(&o, &h), CTL_OK);
	return h;
}

static int get(const struct answer *a, const char *token, const json_t *post, json_t **out)
{
	char address[32];
	struct ctl_http *h;
	pthread_t thread;
	int ret;

	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	h = client(address, token);
	assert_int_equal(pthread_create(&thread, NULL, serve, (void *)a), 0);
	hush();
	ret = post ? ctl_http_post(h, "/path?x=1", post, out) : ctl_http_get(h, "/path?x=1", out);
	unhush();
	pthread_join(thread, NULL);
	ctl_http_free(h);
	return ret;
}

static void good(void **state)
{
	struct answer a = { "200 OK", "{\"a\": 5}" };
	json_t *v = NULL;

	(void)state;
	assert_int_equal(get(&a, NULL, NULL, &v), CTL_OK);
	assert_int_equal(ctl_u64(v, "a"), 5);
	assert_string_equal(said, "");
	assert_int_equal(strncmp(request, "GET /path?x=1 HTTP/1.1\r\n", 24), 0);
	assert_null(strstr(request, "Authorization"));
	json_decref(v);
}

static void posts_with_token(void **state)
{
	struct answer a = { "200 OK", "{}" };
	json_t *v = NULL, *body = json_pack("{s:{s:i}}", "trace", "sampling_rate", 7);

	(void)state;
	assert_int_equal(get(&a, "secret", body, &v), CTL_OK);
	assert_int_equal(strncmp(request, "POST /path?x=1 HTTP/1.1\r\n", 25), 0);
	assert_non_null(strstr(request, "\r\nAuthorization: Bearer secret\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(request, "\r\n\r\n{\"trace\":{\"sampling_rate\":7}}"));
	json_decref(body);
	json_decref(v);
}

/* A token must not travel to whatever the environment names. */
static void no_proxy(void **state)
{
	struct answer a = { "200 OK", "{}" };
	json_t *v = NULL;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	assert_int_equal(get(&a, "secret", NULL, &v), CTL_OK);
	unsetenv("http_proxy");
	json_decref(v);
}

static void bad_answers(void **state)
{
	static const struct {
		struct answer a;
		int ret;
		const char *said;
	} cases[] = {
		{ { "404 Not Found", "{\"error\": \"no such path\", \"field\": \"\"}" },
		  CTL_API,
		  "spanctl: no such path\n" },
		{ { "400 Bad Request", "{\"error\": \"too big\", \"field\": \"trace.ports\"}" },
		  CTL_API,
		  "spanctl: trace.ports: too big\n" },
		{ { "503 Busy", "later" }, CTL_API, "spanctl: the API answered with status 503\n" },
		{ { "302 Found", "" }, CTL_API, "spanctl: the API answered with status 302\n" },
		{ { "200 OK", "<html>" }, CTL_API, "does not answer as spand does" },
		{ { "200 OK", "" }, CTL_API, "does not answer as spand does" },
		{ { NULL, NULL }, CTL_CONNECT, "(connection lost)" },
	};
	json_t *v = (json_t *)&cases;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(get(&cases[i].a, NULL, NULL, &v), cases[i].ret);
		if (!strstr(said, cases[i].said))
			fail_msg("case %zu said: %s", i, said);
		/* One line, and the output is left alone. */
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		assert_ptr_equal(v, (json_t *)&cases);
	}
}

static void nobody_there(void **state)
{
	struct ctl_http *h = client("127.0.0.1:1", NULL);
	json_t *v = NULL;
	int ret;

	(void)state;
	hush();
	ret = ctl_http_get(h, "/status", &v);
	unhush();
	assert_int_equal(ret, CTL_CONNECT);
	assert_string_equal(said, "spanctl: no spand at 127.0.0.1:1 (connection refused)\n");
	hush();
	ret = ctl_http_try(h, "/status", &v);
	unhush();
	assert_int_equal(ret, CTL_CONNECT);
	assert_string_equal(said, "");
	assert_null(v);
	ctl_http_free(h);
}

/* The kernel takes the connection for a daemon that is stopped. */
static void no_answer(void **state)
{
	char address[32], want[128];
	struct ctl_http *h;
	json_t *v = NULL;
	int ret, fd;

	(void)state;
	assert_int_equal(ctl_answer_ms, 5000);
	ctl_answer_ms = 250;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	h = client(address, NULL);
	hush();
	ret = ctl_http_get(h, "/status", &v);
	unhush();
	assert_int_equal(ret, CTL_CONNECT);
	snprintf(want, sizeof(want), "spanctl: spand at %s does not answer (waited 0.25 s)\n",
		 address);
	assert_string_equal(said, want);
	hush();
	ret = ctl_http_try(h, "/status", &v);
	unhush();
	assert_int_equal(ret, CTL_CONNECT);
	assert_string_equal(said, "");
	assert_null(v);
	ctl_http_free(h);
	ctl_answer_ms = 5000;
	/* The connections stay in the queue. */
	for (int i = 0; i < 2; i++) {
		fd = accept(listener, NULL, NULL);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void bad_options(void **state)
{
	struct ctl_options o = { .address = "a b" };
	struct ctl_http *h = NULL;

	(void)state;
	hush();
	assert_int_equal(ctl_http_new(&o, &h), CTL_USAGE);
	o = (struct ctl_options){ .address = "localhost", .token = "a\r\nX: y" };
	assert_int_equal(ctl_http_new(&o, &h), CTL_USAGE);
	unhush();
	assert_non_null(strstr(said, "not an address"));
	assert_non_null(strstr(said, "the token"));
	assert_null(h);
}

static int setup(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sa, sizeof(sa)) || listen(listener, 5) ||
	    getsockname(listener, (struct sockaddr *)&sa, &len))
		return -1;
	port = ntohs(sa.sin_port);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),		cmocka_unit_test(posts_with_token),
		cmocka_unit_test(no_proxy),	cmocka_unit_test(bad_answers),
		cmocka_unit_test(nobody_there), cmocka_unit_test(no_answer),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

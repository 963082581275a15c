/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The API over real sockets on the loopback: requests and answers. */
#include "fake_client.h"

static void test_get(void **state UNUSED)
{
	struct answer a;

	start();
	assert_int_equal(once(GET("/health"), &a), 200);
	assert_string_equal(a.body, "{\"status\":\"ok\"}\n");
	assert_string_equal(header(&a, "Content-Type"), "application/json");
	assert_string_equal(header(&a, "Cache-Control"), "no-store");
	assert_string_equal(header(&a, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(header(&a, "Server"), "unit-ident");
	free(a.body);
	assert_int_equal(once(GET("/status"), NULL), 200);
	assert_int_equal(once(GET("/metrics"), &a), 200);
	assert_string_equal(header(&a, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
	free(a.body);
	assert_int_equal(once(GET("/api/traces"), NULL), 404);
	assert_int_equal(once("GET http://localhost/health HTTP/1.1\r\n" H "\r\n", NULL), 404);
	assert_int_equal(once("DELETE /health HTTP/1.1\r\n" H "\r\n", &a), 405);
	assert_string_equal(header(&a, "Allow"), "GET, HEAD");
	free(a.body);
}

static void test_head(void **state UNUSED)
{
	struct answer a;
	char length[64];
	int fd;

	add_span(&(struct fake_span){});
	start();
	assert_int_equal(once("GET /api/spans HTTP/1.0\r\n\r\n", &a), 200);
	snprintf(length, sizeof(length), "%zu", a.len);
	free(a.body);
	fd = dial();
	/* If HEAD had a body, the second answer would not begin where it must. */
	say(fd, "HEAD /health HTTP/1.1\r\n" H "\r\n"
		"HEAD /api/spans HTTP/1.1\r\n" H "\r\n" GET("/health"));
	assert_true(hear(fd, &a, true));
	assert_int_equal(a.status, 200);
	assert_string_equal(header(&a, "Content-Length"), "16");
	assert_true(hear(fd, &a, true));
	assert_int_equal(a.status, 200);
	assert_string_equal(header(&a, "Content-Length"), length);
	assert_true(hear(fd, &a, false));
	assert_string_equal(a.body, "{\"status\":\"ok\"}\n");
	free(a.body);
	close(fd);
}

static void test_pipelined(void **state UNUSED)
{
	struct answer a;
	int fd;

	start();
	fd = dial();
	say(fd, GET("/health") GET("/nowhere") POST
	    "Content-Length: 31\r\n\r\n{\"trace\": {\"sampling_rate\": 7}}" GET("/config"));
	for (int i = 0; i < 4; i++) {
		assert_true(hear(fd, &a, false));
		assert_int_equal(a.status, i == 1 ? 404 : 200);
		if (i == 3)
			assert_non_null(strstr(a.body, "\"sampling_rate\":7"));
		free(a.body);
	}
	close(fd);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 7);
}

static void test_split_request(void **state UNUSED)
{
	static const char text[] =
		POST "Content-Length: 31\r\n\r\n{\"trace\": {\"sampling_rate\": 8}}";
	char one[2] = "";
	struct answer a;
	int fd;

	start();
	fd = dial();
	for (const char *c = text; *c; c++) {
		*one = *c;
		say(fd, one);
	}
	assert_true(hear(fd, &a, false));
	assert_int_equal(a.status, 200);
	free(a.body);
	close(fd);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 8);
}

static void test_host(void **state UNUSED)
{
	start();
	assert_int_equal(once("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", NULL), 403);
	assert_int_equal(once("GET /health HTTP/1.1\r\n" H "Host: evil.example\r\n\r\n", NULL),
			 400);
	assert_int_equal(once("GET /health HTTP/1.1\r\n\r\n", NULL), 400);
	assert_int_equal(once("GET /health HTTP/1.0\r\n\r\n", NULL), 200);
	assert_int_equal(once("GET /health HTTP/1.1\r\nHost: 127.0.0.1:7899\r\n\r\n", NULL), 200);
	assert_int_equal(once(POST "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
			      NULL),
			 403);
}

static void test_query(void **state UNUSED)
{
	char text[1024] = "GET /api/spans?";
	struct answer a;

	start();
	add_span(&(struct fake_span){ .name = "GET /a b" });
	add_span(&(struct fake_span){ .name = "GET /c" });
	assert_int_equal(once(GET("/api/spans?name=%2Fa+b&limit=%31"), &a), 200);
	assert_non_null(strstr(a.body, "GET /a b"));
	assert_null(strstr(a.body, "GET /c"));
	free(a.body);
	assert_int_equal(once(GET("/api/spans?limit=0"), &a), 400);
	assert_non_null(strstr(a.body, "\"field\":\"limit\""));
	free(a.body);
	assert_int_equal(once(GET("/api/spans?name=a%00b"), NULL), 400);
	assert_int_equal(once(GET("/api/spans?limit"), NULL), 400);
	for (int i = 0; i <= API_PARAMS_MAX; i++)
		sprintf(text + strlen(text), "a%d=1&", i);
	strcat(text, " HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(once(text, NULL), 400);
}

static void test_token(void **state UNUSED)
{
	struct answer a;

	set_string(&fake_daemon.cfg->api.token, "open-sesame");
	start();
	assert_int_equal(once(POST BODY, &a), 401);
	assert_string_equal(header(&a, "WWW-Authenticate"), "Bearer");
	free(a.body);
	assert_int_equal(once(POST "Authorization: Bearer close-sesame\r\n" BODY, NULL), 401);
	assert_int_equal(once(POST "Authorization: Basic open-sesame\r\n" BODY, NULL), 401);
	assert_int_equal(once(POST "Authorization: Bearer x\r\n"
				   "Authorization: Bearer open-sesame\r\n" BODY,
			      NULL),
			 400);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 1);
	assert_int_equal(once(POST "Authorization: bearer  open-sesame\r\n" BODY, NULL), 200);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 3);
}

static void test_workers(void **state UNUSED)
{
	struct answer a;
	int fd[12];

	fake_daemon.cfg->api.workers = 3;
	start();
	for (int i = 0; i < 12; i++)
		fd[i] = dial();
	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < 12; i++)
			say(fd[i], i % 3 ? GET("/status") GET("/config") GET("/metrics")
					 : POST BODY GET("/health"));
		for (int i = 0; i < 12; i++) {
			for (int n = i % 3 ? 3 : 2; n; n--) {
				assert_true(hear(fd[i], &a, false));
				assert_int_equal(a.status, 200);
				free(a.body);
			}
		}
	}
	for (int i = 0; i < 12; i++)
		close(fd[i]);
	assert_int_equal(fake_tracer.applied, 25 * 4);
}

static void test_port_in_use(void **state UNUSED)
{
	struct api *second = NULL;
	char err[256] = "", want[64];
	struct answer a;
	int fd;

	start();
	assert_int_equal(api_start(&fake_daemon, &second, err, sizeof(err)), -EADDRINUSE);
	assert_null(second);
	snprintf(want, sizeof(want), "api: 127.0.0.1:%u is in use", api_port(server));
	assert_string_equal(err, want);
	/* A restart takes the port over at once, though a connection that we closed lingers. */
	fd = dial();
	say(fd, "GET /health HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	assert_true(hear(fd, &a, false));
	free(a.body);
	assert_true(is_closed(fd));
	close(fd);
	api_stop(server);
	start();
	assert_int_equal(api_port(server), fake_daemon.cfg->api.port);
}

static void test_bad_address(void **state UNUSED)
{
	struct api *a = NULL;
	char err[256] = "";

	set_string(&fake_daemon.cfg->api.address, "nowhere.example");
	assert_int_equal(api_start(&fake_daemon, &a, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "api.address"));
	set_string(&fake_daemon.cfg->api.address, "192.0.2.1"); /* RFC 5737: nobody's */
	assert_int_equal(api_start(&fake_daemon, &a, err, sizeof(err)), -EADDRNOTAVAIL);
	assert_string_equal(err, "api: 192.0.2.1:0 is not an address of this host");
	assert_null(a);
}

static void test_ipv6(void **state UNUSED)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct answer a;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		skip(); /* no IPv6 here */
	close(fd);
	set_string(&fake_daemon.cfg->api.address, "::1");
	start();
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin6_port = htons(api_port(server));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	say(fd, "GET /health HTTP/1.1\r\nHost: [::1]:7899\r\n\r\n");
	assert_true(hear(fd, &a, false));
	assert_int_equal(a.status, 200);
	free(a.body);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),		  TEST(test_head),    TEST(test_pipelined),
		TEST(test_split_request), TEST(test_host),    TEST(test_query),
		TEST(test_token),	  TEST(test_workers), TEST(test_port_in_use),
		TEST(test_bad_address),	  TEST(test_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The API over real sockets: clients that send too much, too slowly, too many, or nonsense. */
#include "fake_client.h"

/* n bytes of JSON that are a good update, padded with blanks. */
static void post_sized(char *text, size_t n)
{
	static const char body[] = "{\"trace\": {\"sampling_rate\": 9}}";
	size_t head = sprintf(text, POST "Content-Length: %zu\r\n\r\n%s", n, body);

	memset(text + head, ' ', n - strlen(body));
	text[head + n - strlen(body)] = '\0';
}

static void test_body_limit(void **state UNUSED)
{
	char text[8192];
	struct answer a;
	int fd;

	start();
	post_sized(text, 4096);
	assert_int_equal(once(text, NULL), 200);
	/* One byte more is refused by its length alone: the body is not waited for. */
	assert_int_equal(once(POST "Content-Length: 4097\r\n\r\n", &a), 413);
	assert_string_equal(header(&a, "Connection"), "close");
	free(a.body);
	assert_int_equal(once(POST "Content-Length: 18446744073709551615\r\n\r\n", NULL), 413);
	assert_int_equal(once("GET /health HTTP/1.1\r\n" H "Content-Length: 4097\r\n\r\n", NULL),
			 413);
	assert_int_equal(once(POST "Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n", NULL),
			 413);
	assert_int_equal(once(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", NULL),
			 400);
	/* Chunked, the length shows only while the body comes. */
	fd = dial();
	say(fd, POST "Transfer-Encoding: chunked\r\n\r\n");
	memset(text, ' ', 1000);
	text[1000] = '\0';
	for (int i = 0; i < 5; i++) {
		say(fd, "3e8\r\n");
		say(fd, text);
		say(fd, "\r\n");
	}
	say(fd, "0\r\n\r\n");
	assert_true(hear(fd, &a, false));
	assert_int_equal(a.status, 413);
	free(a.body);
	close(fd);
	assert_int_equal(once(POST "Transfer-Encoding: chunked\r\n\r\n1f\r\n"
				   "{\"trace\": {\"sampling_rate\": 4}}\r\n0\r\n\r\n",
			      NULL),
			 200);
	assert_int_equal(fake_daemon.cfg->trace.sampling_rate, 4);
}

/* A chunked body without end is not read for ever. */
static void test_endless_body(void **state UNUSED)
{
	char chunk[4096 + 16];
	size_t n, sent = 0;
	int fd;

	start();
	n = sprintf(chunk, "1000\r\n");
	memset(chunk + n, ' ', 4096);
	memcpy(chunk + n + 4096, "\r\n", 2);
	fd = dial();
	say(fd, POST "Transfer-Encoding: chunked\r\n\r\n");
	while (sent < (64 << 20) && send(fd, chunk, n + 4098, MSG_NOSIGNAL) > 0)
		sent += n + 4098;
	assert_true(sent < (64 << 20));
	assert_true(is_closed(fd));
	close(fd);
	assert_int_equal(once(GET("/health"), NULL), 200);
}

static void test_slow_client(void **state UNUSED)
{
	int quiet, half, body;

	api_first_s = 1;
	start();
	quiet = dial();
	half = dial();
	body = dial();
	say(half, "GET /health HT");
	say(body, POST "Content-Length: 31\r\n\r\n{\"trace\"");
	/* They keep nobody else waiting ... */
	assert_int_equal(once(GET("/health"), NULL), 200);
	/* ... and are not waited for without end. */
	assert_true(is_closed(quiet));
	assert_true(is_closed(half));
	assert_true(is_closed(body));
	close(quiet);
	close(half);
	close(body);
	assert_int_equal(fake_tracer.applied, 0);
}

/* Those who take every place and ask nothing soon make room. */
static void test_idle_clients(void **state UNUSED)
{
	int fd[4];

	api_first_s = 1;
	api_timeout_s = 600;
	fake_daemon.cfg->api.max_conns = 4;
	start();
	for (int i = 0; i < 4; i++)
		fd[i] = dial();
	say(fd[3], "GET /health HTTP/1.1\r\nHost:");
	assert_int_equal(once(GET("/health"), NULL), 200);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

/* A client that has asked once may think about its next question for longer. */
static void test_keep_alive(void **state UNUSED)
{
	struct answer a;
	int fd;

	api_first_s = 1;
	start();
	fd = dial();
	for (int i = 0; i < 2; i++) {
		say(fd, GET("/health"));
		assert_true(hear(fd, &a, false));
		assert_int_equal(a.status, 200);
		free(a.body);
		if (!i)
			sleep(3);
	}
	close(fd);
}

/* With two places taken a third client is served only after one of the two has gone. */
static void test_connection_limit(void **state UNUSED)
{
	bool turned_away = false; /* which would be as good */
	struct answer a;
	int fd[3];
	char c;

	api_timeout_s = 1;
	fake_daemon.cfg->api.max_conns = 2;
	start();
	for (int i = 0; i < 3; i++) {
		fd[i] = dial();
		say(fd[i], GET("/health"));
		turned_away = !hear(fd[i], &a, false);
		assert_true(!turned_away || i == 2);
		if (!turned_away)
			assert_int_equal(a.status, 200);
		free(a.body);
	}
	assert_true(turned_away || !recv(fd[0], &c, 1, MSG_DONTWAIT) ||
		    !recv(fd[1], &c, 1, MSG_DONTWAIT));
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

static void test_garbage(void **state UNUSED)
{
	static const char *const bad[] = { "\x16\x03\x01\x02\x01\x01",
					   "GET\r\n\r\n",
					   "\r\n\r\n\r\n",
					   "GET /health HTTP/9.9\r\n" H "\r\n",
					   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
					   POST "Content-Length: -1\r\n\r\n",
					   POST "Content-Length: 1x\r\n\r\n",
					   POST "Transfer-Encoding: chunked\r\n\r\nzz\r\n" };
	char *long_header = malloc(100001);
	int fd;

	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = dial();
		say(fd, bad[i]);
		shutdown(fd, SHUT_WR);
		close(fd);
		assert_int_equal(once(GET("/health"), NULL), 200);
	}
	memset(long_header, 'a', 100000);
	memcpy(long_header, "GET /health HTTP/1.1\r\nX: ", 25);
	long_header[100000] = '\0';
	fd = dial();
	send(fd, long_header, 100000, MSG_NOSIGNAL); /* may be cut off: that is the point */
	close(fd);
	free(long_header);
	assert_int_equal(once(GET("/health"), NULL), 200);
	assert_int_equal(fake_tracer.applied, 0);
}

static void test_spans_stream(void **state UNUSED)
{
	struct answer a;
	json_t *v;
	int fd;

	for (unsigned i = 0; i < API_SPANS_MAX; i++)
		add_span(&(struct fake_span){ .captured = i % 16 });
	start();
	assert_int_equal(once(GET("/api/spans?limit=10000"), &a), 200);
	assert_string_equal(header(&a, "Transfer-Encoding"), "chunked");
	v = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_array_size(at(v, "spans")), API_SPANS_MAX);
	assert_number(json_array_get(at(v, "spans"), 9999), "seq", 1);
	json_decref(v);
	free(a.body);
	assert_int_equal(once("GET /api/spans?limit=20 HTTP/1.0\r\n\r\n", &a), 200);
	v = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_array_size(at(v, "spans")), 20);
	json_decref(v);
	free(a.body);
	/* Readers that give up give everything back: ten of them are more than the bound. */
	for (int i = 0; i < 10; i++) {
		fd = dial();
		say(fd, GET("/api/spans?limit=10000"));
		assert_true(hear(fd, &a, true));
		assert_true(a.status == 200 || a.status == 503);
		close(fd);
	}
	do
		free((once(GET("/api/spans?limit=10000"), &a), a.body));
	while (a.status == 503); /* until the server has seen the last of them go */
	assert_int_equal(a.status, 200);
}

static void test_stop_with_clients(void **state UNUSED)
{
	int idle, half;

	start();
	idle = dial();
	half = dial();
	say(half, POST "Content-Length: 31\r\n\r\n{\"trace\"");
	assert_int_equal(once(GET("/health"), NULL), 200);
	api_stop(server);
	server = NULL;
	assert_true(is_closed(idle));
	assert_true(is_closed(half));
	close(idle);
	close(half);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_body_limit),	 TEST(test_endless_body), TEST(test_slow_client),
		TEST(test_idle_clients), TEST(test_keep_alive),	  TEST(test_connection_limit),
		TEST(test_garbage),	 TEST(test_spans_stream), TEST(test_stop_with_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

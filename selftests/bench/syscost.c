/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * syscost - times one system call.
 *
 *	syscost CALL TRAFFIC EXCHANGES
 *
 * TRAFFIC redis, http, unknown, unix: one thread holds both ends of a connection (loopback TCP;
 * unix: AF_UNIX carrying Redis) and makes EXCHANGES exchanges of one request and one response.
 * An exchange is four calls: client sends, server receives, server sends, client receives. CALL
 * is used for both sends or both receives and these two alone are timed, each by itself; the
 * other two are a plain write or read. So the figure belongs to CALL, and it is the average over
 * a request and a response, which cost a tracer different work. CALL "exchange" times the whole
 * run of plain write and read instead and divides by four: the mean with nothing left out.
 * TRAFFIC other: CALL write to /dev/null, read from /dev/zero, or getppid, in batches, because
 * they are about as short as reading the clock.
 *
 * Prints one JSON object, ns per call: "ns" is the mean without the slowest 1 % (interrupts,
 * preemption), "median", "mean", and "request" and "response" apart. Then waits for the end of
 * stdin, so that the tracer still finds the process when it is asked what it saw.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <fcntl.h>
#include <time.h>

#include "pair.h"

#define WARM_UP 500 /* exchanges before timing: caches, the tracer's verdict */
#define BATCH	256

static uint64_t ticks(void)
{
#if defined(__x86_64__)
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(v)::"memory");
	return v;
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
#endif
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "syscost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The ten calls, by number, so that the C library adds nothing to one of them and not another. */
static long do_read(int fd, struct iovec *v)
{
	return syscall(SYS_read, fd, v->iov_base, v->iov_len);
}

static long do_readv(int fd, struct iovec *v)
{
	return syscall(SYS_readv, fd, v, 1);
}

static long do_recvfrom(int fd, struct iovec *v)
{
	return syscall(SYS_recvfrom, fd, v->iov_base, v->iov_len, 0, NULL, NULL);
}

static long do_recvmsg(int fd, struct iovec *v)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 1 };

	return syscall(SYS_recvmsg, fd, &m, 0);
}

static long do_recvmmsg(int fd, struct iovec *v)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } };

	return syscall(SYS_recvmmsg, fd, &m, 1, 0, NULL) == 1 ? (long)m.msg_len : -1;
}

static long do_write(int fd, struct iovec *v)
{
	return syscall(SYS_write, fd, v->iov_base, v->iov_len);
}

static long do_writev(int fd, struct iovec *v)
{
	return syscall(SYS_writev, fd, v, 1);
}

static long do_sendto(int fd, struct iovec *v)
{
	return syscall(SYS_sendto, fd, v->iov_base, v->iov_len, 0, NULL, 0);
}

static long do_sendmsg(int fd, struct iovec *v)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 1 };

	return syscall(SYS_sendmsg, fd, &m, 0);
}

static long do_sendmmsg(int fd, struct iovec *v)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } };

	return syscall(SYS_sendmmsg, fd, &m, 1, 0) == 1 ? (long)m.msg_len : -1;
}

static long do_getppid(int fd, struct iovec *v)
{
	(void)fd;
	(void)v;
	return syscall(SYS_getppid);
}

enum side { SIDE_NONE, SIDE_SEND, SIDE_RECV };

static const struct call {
	const char *name;
	long (*fn)(int fd, struct iovec *v);
	enum side side;
} calls[] = {
	{ "read", do_read, SIDE_RECV },		{ "readv", do_readv, SIDE_RECV },
	{ "recvfrom", do_recvfrom, SIDE_RECV }, { "recvmsg", do_recvmsg, SIDE_RECV },
	{ "recvmmsg", do_recvmmsg, SIDE_RECV }, { "write", do_write, SIDE_SEND },
	{ "writev", do_writev, SIDE_SEND },	{ "sendto", do_sendto, SIDE_SEND },
	{ "sendmsg", do_sendmsg, SIDE_SEND },	{ "sendmmsg", do_sendmmsg, SIDE_SEND },
	{ "getppid", do_getppid, SIDE_NONE },	{ "exchange", NULL, SIDE_NONE },
};

/* Headers as curl and nginx write them, and nginx's index.html in size. */
static char http_response[256 + 612];
static const char http_request[] = "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
				   "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
static const char http_head[] =
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
	"Content-Type: text/html\r\nContent-Length: 612\r\n"
	"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\n"
	"ETag: \"6592008a-264\"\r\nAccept-Ranges: bytes\r\n\r\n";
_Static_assert(sizeof(http_head) <= 256, "room for the head");

/* No protocol begins like this: a zero, then high bytes. */
static char unknown[64];

static void traffic_init(const char *traffic, struct message *req, struct message *resp)
{
	if (!strcmp(traffic, "redis") || !strcmp(traffic, "unix")) {
		*req = MESSAGE(REDIS_REQUEST);
		*resp = MESSAGE(REDIS_RESPONSE);
	} else if (!strcmp(traffic, "http")) {
		size_t head = sizeof(http_head) - 1;

		memcpy(http_response, http_head, head);
		memset(http_response + head, 'x', 612);
		*req = MESSAGE(http_request);
		*resp = (struct message){ http_response, head + 612 };
	} else if (!strcmp(traffic, "unknown")) {
		for (size_t i = 1; i < sizeof(unknown); i++)
			unknown[i] = (char)(0x80 + i * 37 % 128);
		*req = *resp = (struct message){ unknown, sizeof(unknown) };
	} else {
		errno = EINVAL;
		die(traffic);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts t[0..n) and returns the mean of its lowest 99 %. */
static double trimmed(uint64_t *t, size_t n)
{
	size_t keep = n - n / 100;
	double sum = 0;

	qsort(t, n, sizeof(*t), compare);
	for (size_t i = 0; i < keep; i++)
		sum += t[i];
	return sum / keep;
}

static double mean(const uint64_t *t, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += t[i];
	return sum / n;
}

/* Ticks that taking the time takes. */
static double clock_cost(void)
{
	uint64_t t[1001];

	for (size_t i = 0; i < 1001; i++) {
		uint64_t start = ticks();

		t[i] = ticks() - start;
	}
	qsort(t, 1001, sizeof(*t), compare);
	return t[500];
}

static uint64_t started_ns, started_ticks;

static double ns_per_tick(void)
{
	uint64_t t = ticks();

	return (double)(now_ns() - started_ns) / (t - started_ticks);
}

static void move(long (*fn)(int, struct iovec *), int fd, const struct message *m, char *buf,
		 uint64_t *took)
{
	struct iovec v = { buf ? buf : (char *)m->data, buf ? 4096 : m->len };
	uint64_t start = ticks();
	long n = fn(fd, &v);

	*took = ticks() - start;
	if (n != (long)m->len)
		die("short call");
}

/* t[0][i], t[1][i]: ticks of the timed call for request and response of exchange i. */
static void run_exchanges(const struct call *call, const struct pair *p, const struct message *req,
			  const struct message *resp, size_t n, uint64_t *t[2])
{
	long (*send)(int, struct iovec *) = call->side == SIDE_SEND ? call->fn : do_write;
	long (*recv)(int, struct iovec *) = call->side == SIDE_RECV ? call->fn : do_read;
	int timed = call->side == SIDE_RECV;
	char buf[4096];
	uint64_t took[2];

	for (size_t i = 0; i < n; i++) {
		move(send, p->client, req, NULL, &took[0]);
		move(recv, p->server, req, buf, &took[1]);
		t[0][i] = took[timed];
		move(send, p->server, resp, NULL, &took[0]);
		move(recv, p->client, resp, buf, &took[1]);
		t[1][i] = took[timed];
	}
}

static void *alloc(size_t n)
{
	uint64_t *t = malloc(n * sizeof(*t));

	if (!t)
		die("malloc");
	memset(t, 0, n * sizeof(*t)); /* touched now, not while timing */
	return t;
}

static void time_messages(const struct call *call, const char *traffic, size_t n)
{
	uint64_t *t[2] = { alloc(2 * n), NULL }, begin, end;
	struct message req, resp;
	double cost, scale, part[2], avg, all;
	struct pair p;
	int err;

	t[1] = t[0] + n;
	traffic_init(traffic, &req, &resp);
	err = pair_make(!strcmp(traffic, "unix") ? AF_UNIX : AF_INET, &p);
	if (err) {
		errno = -err;
		die("socket pair");
	}
	for (size_t done = 0; done < WARM_UP; done++)
		run_exchanges(call, &p, &req, &resp, 1, t);
	begin = ticks();
	run_exchanges(call, &p, &req, &resp, n, t);
	end = ticks();
	scale = ns_per_tick();
	cost = clock_cost();
	printf("{\"exchanges\": %zu, ", n + WARM_UP);
	if (!call->fn) {
		printf("\"ns\": %.1f}\n", ((double)(end - begin) / n / 4 - 2 * cost) * scale);
		return;
	}
	avg = mean(t[0], 2 * n);
	part[0] = trimmed(t[0], n);
	part[1] = trimmed(t[1], n);
	all = trimmed(t[0], 2 * n); /* sorts both together: after the parts */
	printf("\"ns\": %.1f, \"median\": %.1f, \"mean\": %.1f, \"request\": %.1f, "
	       "\"response\": %.1f}\n",
	       (all - cost) * scale, (t[0][n] - cost) * scale, (avg - cost) * scale,
	       (part[0] - cost) * scale, (part[1] - cost) * scale);
}

static void time_batches(const struct call *call, size_t n)
{
	size_t batches = (n + BATCH - 1) / BATCH;
	uint64_t *t = alloc(batches);
	struct iovec v = { NULL, 64 };
	char buf[64] = {};
	double scale, cost, all, avg;
	int fd;

	v.iov_base = buf;
	fd = open(call->side == SIDE_RECV ? "/dev/zero" : "/dev/null", O_RDWR);
	if (fd < 0)
		die("/dev/null");
	for (size_t b = 0; b < batches + 2; b++) {
		uint64_t start = ticks();

		for (size_t i = 0; i < BATCH; i++)
			if (call->fn(fd, &v) < 0)
				die(call->name);
		if (b >= 2)
			t[b - 2] = ticks() - start;
	}
	scale = ns_per_tick() / BATCH;
	cost = clock_cost();
	avg = mean(t, batches);
	all = trimmed(t, batches);
	printf("{\"exchanges\": 0, \"ns\": %.1f, \"median\": %.1f, \"mean\": %.1f}\n",
	       (all - cost) * scale, (t[batches / 2] - cost) * scale, (avg - cost) * scale);
}

int main(int argc, char **argv)
{
	const struct call *call = NULL;
	long n = argc == 4 ? atol(argv[3]) : 0;
	char c;

	for (size_t i = 0; argc == 4 && i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(argv[1], calls[i].name))
			call = &calls[i];
	if (!call || n < 1 || n > 10000000) {
		fprintf(stderr, "usage: syscost CALL TRAFFIC EXCHANGES\n");
		return 2;
	}
	started_ns = now_ns();
	started_ticks = ticks();
	if (strcmp(argv[2], "other"))
		time_messages(call, argv[2], n);
	else if (call->fn)
		time_batches(call, n);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spangen - makes spans at a given rate: pipelined Redis GETs between two ends of a connection
 * in one process, so that every exchange is two spans (client and server).
 *
 *	spangen SPANS_PER_SECOND SECONDS BATCH
 *
 * BATCH requests go out in one write, and BATCH responses come back in one. Rate 0: as fast as it
 * can. Prints one JSON object with the spans made and the seconds taken, then waits for the end of
 * stdin, as syscost does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "pair.h"

#define BATCH_MAX 64

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Sends m n times in one write and reads all of it at the other end. 0 or -1. */
static int pass(int from, int to, const char *data, size_t len)
{
	static char buf[65536];
	size_t got = 0;

	if (write(from, data, len) != (ssize_t)len)
		return -1;
	while (got < len) {
		ssize_t n = read(to, buf, sizeof(buf));

		if (n <= 0)
			return -1;
		got += n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char req[BATCH_MAX * sizeof(REDIS_REQUEST)],
		resp[BATCH_MAX * sizeof(REDIS_RESPONSE)];
	double rate, seconds, start, now, owed = 0, last;
	size_t req_len, resp_len;
	uint64_t spans = 0;
	struct pair p;
	int batch, err;
	char c;

	if (argc != 4 || (batch = atoi(argv[3])) < 1 || batch > BATCH_MAX) {
		fprintf(stderr, "usage: spangen SPANS_PER_SECOND SECONDS BATCH\n");
		return 2;
	}
	rate = atof(argv[1]);
	seconds = atof(argv[2]);
	for (int i = 0; i < batch; i++) {
		strcat(req, REDIS_REQUEST);
		strcat(resp, REDIS_RESPONSE);
	}
	req_len = strlen(req);
	resp_len = strlen(resp);
	err = pair_make(AF_INET, &p);
	if (err) {
		fprintf(stderr, "spangen: %s\n", strerror(-err));
		return 1;
	}
	for (start = last = now = now_s(); now - start < seconds; now = now_s()) {
		owed += (now - last) * rate;
		last = now;
		if (rate > 0 && owed < 2 * batch)
			continue; /* spins: it has a CPU of its own, and sleeping makes bursts */
		if (pass(p.client, p.server, req, req_len) ||
		    pass(p.server, p.client, resp, resp_len)) {
			perror("spangen");
			return 1;
		}
		spans += 2 * batch;
		owed -= 2 * batch;
		if (owed > rate / 100)
			owed = rate /
			       100; /* it can't keep up: 10 ms of debt is no reason for a burst */
	}
	printf("{\"spans\": %llu, \"seconds\": %.6f}\n", (unsigned long long)spans, now - start);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * uring.c - a client that talks through io_uring: PORT COUNT REQUEST RESPONSE_LENGTH [PLAIN].
 * Sends REQUEST COUNT times on one connection and reads each answer, by SEND/RECV and
 * WRITE/READ in turn; then PLAIN times with system calls. Exits with 77 when refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_sqe *sqes;
	unsigned *sq_tail, *sq_mask, *sq_array;
	unsigned *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
};

static void *map(int fd, size_t len, off_t off)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, off);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static void ring_open(struct ring *r)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	r->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0) {
		printf("io_uring_setup: %s\n", strerror(errno));
		exit(77);
	}
	sq = map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	r->sqes = map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned *)(sq + p.sq_off.array);
	r->cq_head = (unsigned *)(cq + p.cq_off.head);
	r->cq_tail = (unsigned *)(cq + p.cq_off.tail);
	r->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

/* One operation, waited for; its result. */
static int ring_do(struct ring *r, int op, int fd, void *buf, unsigned len)
{
	unsigned tail = *r->sq_tail, slot = tail & *r->sq_mask, head;
	struct io_uring_sqe *sqe = &r->sqes[slot];
	int res;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (unsigned long)buf;
	sqe->len = len;
	if (op == IORING_OP_READ || op == IORING_OP_WRITE)
		sqe->off = -1; /* no position */
	r->sq_array[slot] = slot;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
		if (errno != EINTR) {
			perror("io_uring_enter");
			exit(1);
		}
	}
	head = *r->cq_head;
	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) {
		fprintf(stderr, "no completion\n");
		exit(1);
	}
	res = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return res;
}

static void move(struct ring *r, int op, int fd, char *buf, size_t len)
{
	while (len) {
		int n = ring_do(r, op, fd, buf, len);

		if (n <= 0) {
			fprintf(stderr, "operation %d: %s\n", op, n ? strerror(-n) : "end");
			exit(n == -EINVAL ? 77 : 1);
		}
		buf += n;
		len -= n;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	size_t req_len, res_len;
	struct ring r;
	char *buf;
	int fd;

	if (argc < 5) {
		fprintf(stderr, "usage: uring PORT COUNT REQUEST RESPONSE_LENGTH [PLAIN]\n");
		return 1;
	}
	to.sin_port = htons(atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	req_len = strlen(argv[3]);
	res_len = strtoul(argv[4], NULL, 10);
	buf = malloc(res_len + 1);
	ring_open(&r);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!buf || fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		perror("connect");
		return 1;
	}
	for (int i = 0; i < atoi(argv[2]); i++) {
		move(&r, i % 2 ? IORING_OP_WRITE : IORING_OP_SEND, fd, argv[3], req_len);
		move(&r, i % 2 ? IORING_OP_READ : IORING_OP_RECV, fd, buf, res_len);
	}
	for (int i = 0; argc > 5 && i < atoi(argv[5]); i++) {
		if (write(fd, argv[3], req_len) != (ssize_t)req_len)
			return 1;
		for (size_t got = 0; got < res_len;) {
			ssize_t n = read(fd, buf + got, res_len - got);

			if (n <= 0)
				return 1;
			got += n;
		}
	}
	free(buf);
	close(fd);
	return 0;
}

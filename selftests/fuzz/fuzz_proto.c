/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One parser, FUZZ_PROTO, under libFuzzer. Input: a seed of cuts (2 bytes), the length of the
 * request direction (2 bytes, little endian), its bytes, the response direction's bytes.
 *
 * Every call is held to the contract in proto.h (vec_drive.h), and the messages that come out must
 * not depend on how the bytes were cut. The detector is held to its own contract.
 */
#include "../vectors/vec_host.h"
#include "../vectors/vec_drive.h"

#define FUZZ_STR_(x) #x
#define FUZZ_STR(x)  FUZZ_STR_(x)

static void fuzz_fail(const char *how, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", FUZZ_STR(FUZZ_PROTO), how, why);
	abort();
}

static void fuzz_run(struct drive *d, const struct vec_case *c, __u32 *proto, __u64 seed,
		     __u64 most)
{
	__u64 at, n;
	int dir;

	drive_init(d, c, vec_host_parse, proto);
	for (dir = 0; dir < 2; dir++) {
		for (at = 0; at < c->dir[dir].len; at += n) {
			n = most ? 1 + spand_mix64(seed + at) % most : c->dir[dir].len;
			if (n > c->dir[dir].len - at)
				n = c->dir[dir].len - at;
			drive_feed(d, dir, at, n);
		}
	}
}

/* The messages of the first run are what the others have to give. */
static void fuzz_same(struct drive *d, const char *how)
{
	if (drive_check(d))
		fuzz_fail(how, d->error);
	drive_free(d);
}

static void fuzz_detect(__u32 proto, const struct vec_stream *st)
{
	__u32 dirs, n, bits = DETECT_REQUEST | DETECT_RESPONSE;
	struct pwin w;
	int r;

	for (dirs = 0; dirs <= bits; dirs++) {
		for (n = 0; n <= st->len && n <= PWIN_SIZE; n += n < 40 ? 1 : 101) {
			vec_window(&w, st, n);
			r = vec_host_detect(proto, &w, dirs);
			if (r & ~(bits | DETECT_MORE) || r & bits & ~dirs)
				fuzz_fail("detect", "a direction that was not asked for");
			if (r & DETECT_MORE && n >= PWIN_ENOUGH)
				fuzz_fail("detect", "more than enough is wanted");
		}
	}
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	struct vec_case c = { .title = "fuzz" };
	struct vec_piece piece[2] = {};
	__u32 proto = vec_proto(FUZZ_STR(FUZZ_PROTO));
	static struct drive d, first;
	size_t n;
	int dir;

	if (size < 4 || size > 16384)
		return 0;
	n = data[2] | data[3] << 8;
	if (n > size - 4)
		n = size - 4;
	piece[0].len = n;
	piece[1].len = size - 4 - n;
	for (dir = 0; dir < 2; dir++) {
		piece[dir].data = (unsigned char *)data + 4 + (dir ? n : 0);
		piece[dir].count = 1;
		c.dir[dir].pieces.items = &piece[dir];
		c.dir[dir].pieces.n = 1;
		c.dir[dir].len = piece[dir].len;
		fuzz_detect(proto, &c.dir[dir]);
	}
	fuzz_run(&first, &c, &proto, 0, 0);
	drive_settle(&first);
	if (first.error[0])
		fuzz_fail("whole", first.error);
	for (dir = 0; dir < 2; dir++)
		c.dir[dir].msgs = first.dir[dir].msgs;
	fuzz_run(&d, &c, &proto, 0, 1);
	fuzz_same(&d, "single bytes");
	fuzz_run(&d, &c, &proto, data[0], 1 + data[1]);
	fuzz_same(&d, "cut");
	fuzz_run(&d, &c, &proto, data[0], 400);
	fuzz_same(&d, "cut in pieces of up to 400");
	drive_free(&first);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every vector of selftests/vectors through its parser, cut in every way, and through every
 * protocol's detector.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../vectors/vec_host.h"
#include "../vectors/vec_cuts.h"

#define BOTH (DETECT_REQUEST | DETECT_RESPONSE)

static struct vec_set set;

static void run_case(void **state)
{
	const struct vec_case *c = *state;
	__u32 proto = vec_proto(c->proto);
	struct cuts x = { .c = c, .parse = vec_host_parse, .ctx = &proto };

	if (cuts_all(&x))
		fail_msg("%s: %s: %s", c->path, c->title, x.error);
}

/* The direction's first bytes, as far as there are any, must say what they are. */
static void check_own(const struct vec_case *c, __u32 proto, int dir)
{
	__u32 bit = dir ? DETECT_RESPONSE : DETECT_REQUEST, n, dirs;
	const struct vec_stream *st = &c->dir[dir];
	int r, sure = 0;
	struct pwin w;

	if (!st->len || c->options & VEC_UNDETECTED || (dir && c->options & VEC_UNANSWERED))
		return;
	vec_window(&w, st, PWIN_SIZE);
	r = vec_host_detect(proto, &w, bit);
	if (r != (int)bit)
		fail_msg("%s: %s: direction %d: detected %d", c->path, c->title, dir, r);
	/* Beginnings may be too short, but never say no, nor the other direction. */
	for (n = 1; n <= w.len && n <= PWIN_ENOUGH; n++) {
		vec_window(&w, st, n);
		for (dirs = bit; dirs <= BOTH; dirs += BOTH - bit) {
			r = vec_host_detect(proto, &w, dirs);
			if (r == (int)bit)
				sure = 1;
			else if (r & (BOTH & ~bit) || (dirs == bit && (r != DETECT_MORE || sure)))
				fail_msg("%s: %s: direction %d: %u bytes detected as %d", c->path,
					 c->title, dir, n, r);
			if (r & DETECT_MORE && n >= PWIN_ENOUGH)
				fail_msg("%s: %s: more than %u bytes wanted", c->path, c->title, n);
		}
	}
}

static void detect_own(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < set.cases.n; i++) {
		const struct vec_case *c = vec_at(&set.cases, struct vec_case, i);
		__u32 proto = vec_proto(c->proto);

		if (proto) {
			check_own(c, proto, 0);
			check_own(c, proto, 1);
		}
	}
}

/* Nothing is taken for another protocol, whichever direction it comes from. */
static void detect_others(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < set.cases.n; i++) {
		const struct vec_case *c = vec_at(&set.cases, struct vec_case, i);
		__u32 own = vec_proto(c->proto), proto, n;
		struct pwin w;
		int dir, r;

		for (dir = 0; dir < 2; dir++) {
			for (proto = 1; proto < PROTO_MAX; proto++) {
				if (proto == own)
					continue;
				for (n = 0; n <= c->dir[dir].len && n <= PWIN_ENOUGH; n++) {
					vec_window(&w, &c->dir[dir],
						   n == PWIN_ENOUGH ? PWIN_SIZE : n);
					r = vec_host_detect(proto, &w, BOTH);
					if (r & BOTH)
						fail_msg("%s: %s: %u bytes are %s (%d)", c->path,
							 c->title, n, vec_proto_names[proto], r);
				}
			}
		}
	}
}

/* Random bytes, and random text, are no protocol: one in many may look like one by chance. */
static void detect_noise(void **state)
{
	__u32 round, i, taken = 0;
	struct pwin w = {};
	__u64 seed = 1;
	int result;

	(void)state;
	for (round = 0; round < 20000; round++) {
		w.len = 300;
		for (i = 0; i < w.len; i++) {
			seed = spand_mix64(seed + 0x9e3779b97f4a7c15ULL);
			w.data[i] = round & 1 ? seed : ' ' + (seed & 0x3f) + (seed >> 6 & 1) * 0x1f;
		}
		taken += proto_detect(&w, BOTH, &result) != PROTO_UNKNOWN;
	}
	assert_true(taken <= 2);
}

/* Each protocol has vectors, and each folder of vectors a protocol. */
static void every_proto_has_vectors(void **state)
{
	unsigned count[PROTO_MAX] = {};
	size_t i;

	(void)state;
	for (i = 0; i < set.cases.n; i++) {
		const struct vec_case *c = vec_at(&set.cases, struct vec_case, i);

		if (strcmp(c->proto, "foreign"))
			assert_int_not_equal(vec_proto(c->proto), PROTO_UNKNOWN);
		count[vec_proto(c->proto)]++;
	}
	for (i = 1; i < PROTO_MAX; i++)
		assert_true(count[i] > 0);
}

static void null_arguments(void **state)
{
	struct pwin w = {};
	struct pstate s = {};
	struct pmsg m = {};
	__u32 i;

	(void)state;
	for (i = 1; i < PROTO_MAX; i++) {
		assert_int_equal(proto_request(i, NULL, &s, &m), PARSE_BAD);
		assert_int_equal(proto_request(i, &w, NULL, &m), PARSE_BAD);
		assert_int_equal(proto_response(i, &w, &s, NULL), PARSE_BAD);
		assert_int_equal(vec_host_detect(i, NULL, BOTH), 0);
		/* An empty window decides nothing. */
		assert_int_equal(proto_request(i, &w, &s, &m), PARSE_MORE);
		assert_int_equal(proto_response(i, &w, &s, &m), PARSE_MORE);
		assert_int_equal(vec_host_detect(i, &w, BOTH), DETECT_MORE);
	}
}

int main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(every_proto_has_vectors), cmocka_unit_test(detect_own),
		cmocka_unit_test(detect_others),	   cmocka_unit_test(detect_noise),
		cmocka_unit_test(null_arguments),
	};
	const size_t n_fixed = sizeof(fixed) / sizeof(fixed[0]);
	const char *dir = getenv("SPAND_VECTORS");
	struct CMUnitTest *tests;
	size_t i, n = 0;
	int r;

	if (vec_load(&set, dir ? dir : VEC_DIR))
		return 1;
	tests = calloc(set.cases.n + n_fixed, sizeof(*tests));
	for (i = 0; i < set.cases.n; i++) {
		struct vec_case *c = vec_at(&set.cases, struct vec_case, i);

		if (!vec_proto(c->proto))
			continue;
		tests[n].name = c->title;
		tests[n].test_func = run_case;
		tests[n++].initial_state = c;
	}
	memcpy(tests + n, fixed, sizeof(fixed));
	n += n_fixed;
	r = _cmocka_run_group_tests("vectors", tests, n, NULL, NULL);
	free(tests);
	vec_free(&set);
	return r;
}

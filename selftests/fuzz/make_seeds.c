/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* make_seeds OUT PROTO: writes each vector of PROTO as a seed for fuzz_proto.c. */
#include "../vectors/vec_load.h"

#define SEED_MAX 2048

int main(int argc, char **argv)
{
	unsigned char seed[4 + 2 * SEED_MAX];
	struct vec_set set;
	char path[512];
	size_t i;

	if (argc != 3 || vec_load(&set, VEC_DIR))
		return 1;
	for (i = 0; i < set.cases.n; i++) {
		struct vec_case *c = vec_at(&set.cases, struct vec_case, i);
		size_t a = c->dir[0].len < SEED_MAX ? c->dir[0].len : SEED_MAX;
		size_t b = c->dir[1].len < SEED_MAX ? c->dir[1].len : SEED_MAX;
		FILE *f;

		if (strcmp(c->proto, argv[2]))
			continue;
		seed[0] = i;
		seed[1] = i * 7;
		seed[2] = a;
		seed[3] = a >> 8;
		vec_read(&c->dir[0], 0, seed + 4, a);
		vec_read(&c->dir[1], 0, seed + 4 + a, b);
		snprintf(path, sizeof(path), "%s/%zu", argv[1], i);
		f = fopen(path, "w");
		if (!f || fwrite(seed, 1, 4 + a + b, f) != 4 + a + b || fclose(f))
			return 1;
	}
	vec_free(&set);
	return 0;
}

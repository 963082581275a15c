/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vec_host.h - the parsers as the host's compiler made them, for vec_drive.h. */
#ifndef SPAND_VEC_HOST_H
#define SPAND_VEC_HOST_H

#include "proto.h"
#include "dispatch_gen.h"
#include "vec_drive.h"

#define VEC_NAME(up, low, label) #low,
static const char *const vec_proto_names[] = { "unknown", PROTO_LIST(VEC_NAME) };

/* A protocol's number by its name; PROTO_UNKNOWN for another. */
static __u32 vec_proto(const char *name)
{
	__u32 i;

	for (i = 1; i < PROTO_MAX; i++) {
		if (!strcmp(name, vec_proto_names[i]))
			return i;
	}
	return PROTO_UNKNOWN;
}

/* drive_parse_fn; ctx points to a protocol's number. */
__attribute__((unused)) static int vec_host_parse(void *ctx, int dir, const struct pwin *w,
						  struct pstate *s, struct pmsg *m)
{
	__u32 proto = *(__u32 *)ctx;

	return dir ? proto_response(proto, w, s, m) : proto_request(proto, w, s, m);
}

/* One protocol's verdict: enum detect_result. */
__attribute__((unused)) static int vec_host_detect(__u32 proto, const struct pwin *w, __u32 dirs)
{
#define VEC_DETECT(up, low, label) \
	if (proto == PROTO_##up)   \
		return low##_detect(w, dirs);
	PROTO_LIST(VEC_DETECT)
	return 0;
}

/* A window on the first bytes of a direction, no more than n; what lies behind looks like text. */
__attribute__((unused)) static void vec_window(struct pwin *w, const struct vec_stream *st, __u64 n)
{
	if (n > st->len)
		n = st->len;
	if (n > PWIN_SIZE)
		n = PWIN_SIZE;
	memset(w, '\n', sizeof(*w));
	vec_read(st, 0, w->data, n);
	w->off = 0;
	w->len = n;
}

#endif

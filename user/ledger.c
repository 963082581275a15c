/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger.c - names of the ledger's entries and its equations (include/abi.h).
 */
#include "tracer.h"

#define NAME(upper, lower) [LG_##upper] = #lower,
static const char *const names[] = { LEDGER_LIST(NAME) };
_Static_assert(sizeof(names) / sizeof(names[0]) == LG_MAX, "a name for each ledger entry");

/* The equations take the reasons by range, so the ranges must be without strangers. */
_Static_assert(LG_REQ_LOST_RING_FULL == LG_PUSHED + 1, "reasons for requests");
_Static_assert(LG_RESP_RING_FULL == LG_REQ_SAMPLED + 1, "reasons for responses follow");
_Static_assert(LG_BYTES == LG_RESP_SAMPLED + 1, "bytes follow");
_Static_assert(LG_GAPS > LG_BYTES_MESSAGE, "events follow");

const char *ledger_name(enum ledger l)
{
	return (unsigned)l < LG_MAX ? names[l] : NULL;
}

static uint64_t sum(const uint64_t l[LG_MAX], enum ledger from, enum ledger to)
{
	uint64_t total = 0;
	unsigned i;

	for (i = from; i <= (unsigned)to; i++)
		total += l[i];
	return total;
}

/* Unsigned arithmetic wraps, so that the difference is right whichever side is larger. */
int64_t ledger_requests_gap(const uint64_t l[LG_MAX], uint64_t open)
{
	return (int64_t)(l[LG_REQUESTS] - l[LG_SPANS] - l[LG_NO_RESPONSE] - l[LG_ONEWAY] - open -
			 sum(l, LG_REQ_LOST_RING_FULL, LG_REQ_SAMPLED));
}

int64_t ledger_responses_gap(const uint64_t l[LG_MAX])
{
	return (int64_t)(l[LG_RESPONSES] - l[LG_SPANS] - l[LG_PUSHED] -
			 sum(l, LG_RESP_RING_FULL, LG_RESP_SAMPLED));
}

int64_t ledger_bytes_gap(const uint64_t l[LG_MAX])
{
	return (int64_t)(l[LG_BYTES] - sum(l, LG_BYTES_MESSAGE, LG_GAPS - 1));
}

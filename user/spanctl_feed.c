/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_feed.c - spans as they come, by their numbers: what `spans` and `top` ask for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "spanctl.h"

void ctl_feed_init(struct ctl_feed *f, const struct ctl_options *opt, unsigned limit)
{
	struct timespec ts;
	uint64_t now;

	memset(f, 0, sizeof(*f));
	f->opt = opt;
	f->limit = limit;
	f->filtered = opt->protocol || opt->process || opt->status || opt->name || opt->since ||
		      opt->min_duration;
	if (opt->since) {
		clock_gettime(CLOCK_REALTIME, &ts);
		now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
		f->since = now > opt->since ? now - opt->since : 1;
	}
}

/* "&key=value" with everything escaped that is not unreserved (RFC 3986, section 2.3). */
static int add_text(char *buf, size_t size, const char *key, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	size_t n = strlen(buf), need = strlen(key) + 3 * strlen(value) + 3;

	if (size - n < need)
		return -ENOSPC;
	n += sprintf(buf + n, "&%s=", key);
	for (; *value; value++) {
		if (strchr(plain, *value))
			buf[n++] = *value;
		else
			n += sprintf(buf + n, "%%%02X", (unsigned char)*value);
	}
	buf[n] = '\0';
	return 0;
}

static int add_number(char *buf, size_t size, const char *key, uint64_t value)
{
	char text[24];

	if (!value)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return add_text(buf, size, key, text);
}

int ctl_feed_path(const struct ctl_feed *f, char *buf, size_t size)
{
	const struct ctl_options *o = f->opt;

	if ((size_t)snprintf(buf, size, "/api/spans?limit=%u", f->limit) >= size)
		return -ENOSPC;
	if ((o->protocol && add_text(buf, size, "protocol", o->protocol)) ||
	    (o->process && add_text(buf, size, "process", o->process)) ||
	    (o->status && add_text(buf, size, "status", o->status)) ||
	    (o->name && add_text(buf, size, "name", o->name)) ||
	    add_number(buf, size, "since", f->since) ||
	    add_number(buf, size, "min_duration", o->min_duration) ||
	    add_number(buf, size, "after_seq", f->last))
		return -ENOSPC;
	return 0;
}

json_t *ctl_feed_take(struct ctl_feed *f, json_t *answer)
{
	json_t *spans = json_object_get(answer, "spans");
	size_t n = json_array_size(spans);
	uint64_t first, last;

	if (!n)
		return spans;
	last = ctl_u64(json_array_get(spans, 0), "seq");
	first = ctl_u64(json_array_get(spans, n - 1), "seq");
	if (f->last) {
		/* Without filters the numbers have no holes but those of spans that are gone. */
		if (!f->filtered && first > f->last + 1)
			f->missed += first - f->last - 1;
		if (f->filtered && n == f->limit)
			f->maybe_missed = true;
	}
	if (last > f->last)
		f->last = last;
	return spans;
}

/* A daemon that was started anew counts from 1 again: then nothing would ever be new. */
static int check_restart(struct ctl_feed *f, struct ctl_http *h)
{
	json_t *answer = NULL;
	int ret = ctl_http_get(h, "/api/spans?limit=1", &answer);

	if (!ret && ctl_u64(json_array_get(json_object_get(answer, "spans"), 0), "seq") < f->last)
		f->last = 0;
	json_decref(answer);
	return ret;
}

int ctl_feed_poll(struct ctl_feed *f, struct ctl_http *h, json_t **spans)
{
	json_t *answer = NULL, *list;
	char path[3072];
	int ret;

	if (ctl_feed_path(f, path, sizeof(path))) {
		ctl_error("the filters are too long");
		return CTL_USAGE;
	}
	ret = ctl_http_get(h, path, &answer);
	if (ret)
		return ret;
	list = ctl_feed_take(f, answer);
	if (!json_is_array(list)) {
		ctl_error("the API's answer holds no spans");
		ret = CTL_API;
	} else if (!json_array_size(list) && f->last) {
		ret = check_restart(f, h);
	}
	if (!ret)
		*spans = json_incref(list);
	json_decref(answer);
	return ret;
}

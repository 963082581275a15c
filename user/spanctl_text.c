/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_text.c - small things about text and numbers.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "spanctl.h"
#include "text.h"

void ctl_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("spanctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static uint64_t unit_ns(const char *s, size_t *len)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\302\265s", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60000000000 },
		{ "h", 3600000000000 },
		{ "d", 86400000000000 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		*len = strlen(units[i].name);
		/* The unit is a whole word: "m" is not the beginning of "ms". */
		if (!strncmp(s, units[i].name, *len) &&
		    (!s[*len] || isdigit((unsigned char)s[*len])))
			return units[i].ns;
	}
	return 0;
}

/* One number with its unit; moves *p past it. */
static int duration_part(const char **p, uint64_t *ns)
{
	const char *s = *p, *frac = NULL;
	uint64_t whole = 0, unit, scale, part;
	size_t digits = strspn(s, "0123456789"), nfrac = 0, len;

	if (!digits)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, s[i] - '0', &whole))
			return -ERANGE;
	s += digits;
	if (*s == '.') {
		frac = s + 1;
		nfrac = strspn(frac, "0123456789");
		if (!nfrac)
			return -EINVAL;
		s = frac + nfrac;
	}
	unit = unit_ns(s, &len);
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &part))
		return -ERANGE;
	/* Digit by digit: exact, and what is below a nanosecond is cut off. */
	scale = unit;
	for (size_t i = 0; i < nfrac && scale; i++) {
		uint64_t digit = frac[i] - '0';

		if (__builtin_add_overflow(part, digit * scale / 10, &part))
			return -ERANGE;
		scale /= 10;
	}
	if (__builtin_add_overflow(*ns, part, ns))
		return -ERANGE;
	*p = s + len;
	return 0;
}

int ctl_parse_duration(const char *s, uint64_t *ns)
{
	uint64_t sum = 0;
	int ret;

	do {
		ret = duration_part(&s, &sum);
		if (ret)
			return ret;
	} while (*s);
	*ns = sum;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void ctl_sort(uint64_t *v, size_t n)
{
	if (n)
		qsort(v, n, sizeof(*v), compare);
}

uint64_t ctl_percentile(const uint64_t *sorted, size_t n, unsigned percent)
{
	size_t rank = (n * percent + 99) / 100;

	return sorted[rank ? rank - 1 : 0];
}

/* What stands between http:// and the path; only what can be in a host and a port. */
static bool is_authority(const char *s)
{
	return *s && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789.-_:[]%")];
}

int ctl_base_url(const char *address, char *out, size_t size)
{
	const char *scheme = "http://", *colon, *open = "", *close = "", *port = "";
	char host[256];
	size_t n;
	int len;

	if (!strncmp(address, "http://", 7)) {
		address += 7;
	} else if (!strncmp(address, "https://", 8)) {
		scheme = "https://";
		address += 8;
	}
	n = strlen(address);
	if (n && address[n - 1] == '/')
		n--;
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, address, n);
	host[n] = '\0';
	if (!is_authority(host))
		return -EINVAL;
	colon = strchr(host, ':');
	if (host[0] == '[') {
		const char *end = strchr(host, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		if (!end[1])
			port = ":7899";
	} else if (!colon) {
		port = ":7899";
	} else if (strchr(colon + 1, ':')) { /* a bare IPv6 address */
		open = "[";
		close = "]";
		port = ":7899";
	} else if (colon == host) {
		open = "127.0.0.1";
	}
	colon = strrchr(host, ':');
	if (!*port && (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")] ||
		       strlen(colon + 1) > 5 || atoi(colon + 1) > 65535 || !atoi(colon + 1)))
		return -EINVAL;
	len = snprintf(out, size, "%s%s%s%s%s", scheme, open, host, close, port);
	return len < 0 || (size_t)len >= size ? -EINVAL : 0;
}

json_t *ctl_get(json_t *v, const char *path)
{
	char key[128];
	size_t n;

	while (v && *path) {
		n = strcspn(path, ".");
		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		v = json_object_get(v, key);
		path += n + (path[n] == '.');
	}
	return v;
}

const char *ctl_str(json_t *v, const char *path)
{
	const char *s = json_string_value(ctl_get(v, path));

	return s ? s : "";
}

uint64_t ctl_u64(json_t *v, const char *path)
{
	json_t *n = ctl_get(v, path);
	json_int_t i;

	if (json_is_real(n))
		return json_real_value(n) > 0 ? (uint64_t)json_real_value(n) : 0;
	i = json_integer_value(n);
	return i > 0 ? (uint64_t)i : 0;
}

const char *ctl_duration(uint64_t ns, char *buf, size_t size)
{
	struct text_out o;

	text_init(&o, buf, size);
	text_duration(&o, ns);
	text_end(&o);
	return buf;
}

const char *ctl_size(uint64_t bytes, char *buf, size_t size)
{
	struct text_out o;

	text_init(&o, buf, size);
	text_size(&o, bytes);
	text_end(&o);
	return buf;
}

const char *ctl_printable(const char *s, char *buf, size_t size)
{
	struct text_out o;
	unsigned len;

	text_init(&o, buf, size - 1);
	/* Character by character: text_out leaves out whole what does not fit. */
	while (*s && !o.full) {
		len = text_utf8(s, strnlen(s, 4));
		if (!len)
			len = 1;
		text_printable(&o, s, len);
		s += len;
	}
	*o.p = '\0';
	return buf;
}

int ctl_print_json(FILE *f, const json_t *v, bool pretty)
{
	int flags = JSON_PRESERVE_ORDER | JSON_ENCODE_ANY;

	if (json_dumpf(v, f, flags | (pretty ? JSON_INDENT(2) : JSON_COMPACT)) ||
	    fputc('\n', f) == EOF)
		return CTL_INTERNAL;
	fflush(f);
	return CTL_OK;
}

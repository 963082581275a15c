// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* config_check.c - what single values must look like, and other forms that are accepted. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_priv.h"
#include "proto_gen.h"

static const char *const probe_names[] = {
	[PROBE_READ] = "read",	       [PROBE_READV] = "readv",	      [PROBE_RECVFROM] = "recvfrom",
	[PROBE_RECVMSG] = "recvmsg",   [PROBE_RECVMMSG] = "recvmmsg", [PROBE_WRITE] = "write",
	[PROBE_WRITEV] = "writev",     [PROBE_SENDTO] = "sendto",     [PROBE_SENDMSG] = "sendmsg",
	[PROBE_SENDMMSG] = "sendmmsg", [PROBE_SOCKET] = "socket",     [PROBE_CONNECT] = "connect",
	[PROBE_ACCEPT] = "accept",     [PROBE_ACCEPT4] = "accept4",   [PROBE_CLOSE] = "close",
	[PROBE_SENDFILE] = "sendfile", [PROBE_SPLICE] = "splice",     [PROBE_OTHER] = "other",
};
_Static_assert(sizeof(probe_names) / sizeof(probe_names[0]) == PROBE_MAX, "one name a probe");

const char *config_probe_name(enum probe_id p)
{
	return (unsigned)p < PROBE_MAX ? probe_names[p] : NULL;
}

int cfg_probe_parse(const char *s)
{
	if (strncmp(s, "sys_enter_", 10) == 0)
		s += 10;
	else if (strncmp(s, "sys_exit_", 9) == 0)
		s += 9;
	else
		return -1;
	if (strcmp(s, "sendfile64") == 0) /* the tracepoint's name */
		return PROBE_SENDFILE;
	for (int i = 0; i < PROBE_OTHER; i++)
		if (strcmp(s, probe_names[i]) == 0)
			return i;
	return -1;
}

const char *cfg_check_probe(const char *s, char *buf)
{
	unsigned best = 3;
	char name[64];

	if (cfg_probe_parse(s) >= 0)
		return NULL;
	snprintf(buf, 160, "sys_enter_X or sys_exit_X for a traced system call");
	for (int i = 0; i < 2 * PROBE_OTHER; i++) {
		snprintf(name, sizeof(name), "sys_%s_%s", i & 1 ? "exit" : "enter",
			 probe_names[i / 2]);
		if (cfg_distance(s, name) < best) {
			best = cfg_distance(s, name);
			snprintf(buf, 160, "a traced system call (did you mean \"%s\"?)", name);
		}
	}
	return buf;
}

int cfg_adapt_lower(struct toml *val)
{
	if (val->type == TOML_STRING)
		for (size_t i = 0; i < val->str.len; i++)
			val->str.s[i] = tolower((unsigned char)val->str.s[i]);
	return 0;
}

static int become_string(struct toml *val, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		return -ENOMEM;
	if (val->type == TOML_STRING)
		free(val->str.s);
	val->type = TOML_STRING;
	val->str.s = copy;
	val->str.len = strlen(copy);
	return 0;
}

/* DeepTrace's is a mask for the BPF verifier's log: 0 off, 1 debug, 3 verbose, 4 statistics. */
int cfg_adapt_log_level(struct toml *val)
{
	if (val->type == TOML_INTEGER && val->i >= 0 && val->i <= 7)
		return become_string(val, val->i ? "debug" : "info");
	return cfg_adapt_lower(val);
}

/* A share of the requests, 0.1, is one in ten. */
int cfg_adapt_sampling(struct toml *val)
{
	if (val->type == TOML_FLOAT && val->f >= 1e-6 && val->f <= 1) {
		val->type = TOML_INTEGER;
		val->i = llround(1 / val->f);
	}
	return 0;
}

int cfg_adapt_bool(struct toml *val)
{
	bool yes;

	if (val->type != TOML_STRING)
		return 0;
	yes = strcmp(val->str.s, "true") == 0;
	if (yes || strcmp(val->str.s, "false") == 0) {
		free(val->str.s);
		val->type = TOML_BOOL;
		val->b = yes;
	}
	return 0;
}

int cfg_adapt_address(struct toml *val)
{
	if (val->type == TOML_STRING && strcmp(val->str.s, "localhost") == 0)
		return become_string(val, "127.0.0.1");
	return 0;
}

/* DeepTrace's is a date pattern for file names ("%Y%m%d"); what is written is JSON lines. */
int cfg_adapt_format(struct toml *val)
{
	if (val->type == TOML_STRING && val->str.s[0] == '%')
		return become_string(val, "json");
	return cfg_adapt_lower(val);
}

const char *cfg_check_address(const char *s, char *buf)
{
	struct in6_addr a;

	(void)buf;
	if (inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1)
		return NULL;
	return "an IPv4 or IPv6 address";
}

const char *cfg_check_comm(const char *s, char *buf)
{
	if (strlen(s) < SPAND_COMM_LEN)
		return NULL;
	snprintf(buf, 160, "a process name as the kernel has it, at most %d bytes (\"%.*s\")",
		 SPAND_COMM_LEN - 1, SPAND_COMM_LEN - 1, s);
	return buf;
}

const char *cfg_check_container(const char *s, char *buf)
{
	(void)buf;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return "a container id or the beginning of one";
	return NULL;
}

const char *cfg_check_protocol(const char *s, char *buf)
{
#define LABEL(NAME, name, label) label,
	static const char *const labels[] = { PROTO_LIST(LABEL) };
#undef LABEL
	size_t len = 0;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcasecmp(s, labels[i]) == 0)
			return NULL;
	len += snprintf(buf, 160, "a protocol:");
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]) && len < 159; i++)
		len += snprintf(buf + len, 160 - len, " %s", labels[i]);
	return buf;
}

/* RFC 9110, section 5.6.2: a field name is a token. */
const char *cfg_check_header(const char *s, char *buf)
{
	(void)buf;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return "the name of a header";
	return NULL;
}

const char *cfg_check_regex(const char *s, char *buf)
{
	char why[100];
	regex_t re;
	int err = regcomp(&re, s, REG_EXTENDED);

	if (!err) {
		regfree(&re);
		return NULL;
	}
	regerror(err, &re, why, sizeof(why));
	snprintf(buf, 160, "a POSIX extended regular expression (%s)", why);
	return buf;
}

/* It goes into an Authorization header: RFC 6750, section 2.1. */
const char *cfg_check_token(const char *s, char *buf)
{
	(void)buf;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return "printable ASCII without spaces";
	return NULL;
}

const char *cfg_check_url(const char *s, char *buf)
{
	const char *host = strstr(s, "://");

	(void)buf;
	if (!host || (strncasecmp(s, "http://", 7) && strncasecmp(s, "https://", 8)) || !host[3] ||
	    host[3] == '/' || strchr(s, ' '))
		return "a URL as in http://host:9200";
	host += 3;
	/* It would be shown with the configuration; there are keys for it, which are masked. */
	if (memchr(host, '@', strcspn(host, "/")))
		return "a URL without credentials (use username and password)";
	return NULL;
}

unsigned cfg_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned d[41][41];

	if (la > 40 || lb > 40)
		return 9;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb] < 9 ? d[la][lb] : 9;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_args.c - the command line of spanctl.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "spanctl.h"

enum {
	OPT_TOKEN = 256,
	OPT_JSON,
	OPT_PROTOCOL,
	OPT_PROCESS,
	OPT_STATUS,
	OPT_NAME,
	OPT_SINCE,
	OPT_MIN_DURATION,
	OPT_ONCE,
	OPT_VERSION,
	OPT_END,
};

static const struct option longopts[] = {
	{ "address", required_argument, NULL, 'a' },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "follow", no_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'n' },
	{ "protocol", required_argument, NULL, OPT_PROTOCOL },
	{ "process", required_argument, NULL, OPT_PROCESS },
	{ "status", required_argument, NULL, OPT_STATUS },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "min-duration", required_argument, NULL, OPT_MIN_DURATION },
	{ "delay", required_argument, NULL, 'd' },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* Which commands take an option that not all of them take. */
enum { CMD_SPANS = 1, CMD_TOP = 2, CMD_OTHER = 4 };

static const struct {
	const char *name;
	int bit;
	int min_args, max_args; /* -1: any number */
} commands[] = {
	{ "status", CMD_OTHER, 0, 0 },	  { "spans", CMD_SPANS, 0, 0 },
	{ "top", CMD_TOP, 0, 0 },	  { "config", CMD_OTHER, 1, -1 },
	{ "processes", CMD_OTHER, 0, 0 }, { "version", CMD_OTHER, 0, 0 },
};

static int takers(int opt)
{
	switch (opt) {
	case 'f':
	case OPT_PROTOCOL:
	case OPT_PROCESS:
	case OPT_STATUS:
	case OPT_NAME:
	case OPT_SINCE:
	case OPT_MIN_DURATION:
		return CMD_SPANS;
	case 'n':
		return CMD_SPANS | CMD_TOP;
	case 'd':
	case OPT_ONCE:
		return CMD_TOP;
	}
	return CMD_SPANS | CMD_TOP | CMD_OTHER;
}

void ctl_usage(FILE *f)
{
	fputs("usage: spanctl [-a ADDR] [--token TOKEN] [--json] COMMAND\n\n"
	      "  status                 what spand has seen, what was lost and why\n"
	      "  spans [filters]        the newest spans, oldest of them first\n"
	      "    -f                     go on as they come\n"
	      "    -n N                   so many at most (default 20)\n"
	      "    --protocol P --process NAME|PID --status ok|error|no_response\n"
	      "    --name TEXT            part of the name\n"
	      "    --since 5m             started in the last five minutes\n"
	      "    --min-duration 10ms    at least this slow\n"
	      "  top                    rate, errors and latency by process, protocol and name\n"
	      "    -n ROWS -d SECONDS     rows (default: what fits), refresh (default 2)\n"
	      "    --once                 one table, then end\n"
	      "  config get [KEY]       the effective configuration\n"
	      "  config set KEY=VALUE ...   change it at once, all keys or none\n"
	      "  processes              who is traced\n"
	      "  version                of spanctl and of spand\n\n"
	      "  -a, --address ADDR     HOST:PORT of the API (default $SPAND_API or 127.0.0.1:7899)\n"
	      "      --token TOKEN      for changes where the API asks for one (default $SPAND_TOKEN)\n"
	      "      --json             JSON: one document, with -f one span a line, from top one\n"
	      "                         document a refresh\n"
	      "  -h, --help             this\n\n"
	      "Exit status: 0 good, 1 usage, 2 no spand at that address, 3 it answered with an\n"
	      "error, 4 anything else.\n",
	      f);
}

static int fail(char *err, size_t errlen, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_count(const char *s, unsigned *out)
{
	unsigned long v;

	if (!*s || s[strspn(s, "0123456789")] || strlen(s) > 9)
		return -EINVAL;
	v = strtoul(s, NULL, 10);
	if (v < 1 || v > CTL_SPANS_MAX)
		return -EINVAL;
	*out = v;
	return 0;
}

/* Seconds, with a fraction if you like; a unit is allowed too. */
static int parse_delay(const char *s, uint64_t *out)
{
	char buf[32];
	uint64_t ns;
	size_t n = strlen(s);

	if (!n || n > sizeof(buf) - 2)
		return -EINVAL;
	memcpy(buf, s, n + 1);
	if (!s[strspn(s, "0123456789.")])
		strcpy(buf + n, "s");
	if (ctl_parse_duration(buf, &ns) || ns < 100000000 || ns > 3600000000000)
		return -EINVAL;
	*out = ns;
	return 0;
}

static int one_option(int c, struct ctl_options *o, char *err, size_t errlen)
{
	switch (c) {
	case 'a':
		o->address = optarg;
		return 0;
	case OPT_TOKEN:
		o->token = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case 'f':
		o->follow = true;
		return 0;
	case 'n':
		if (parse_count(optarg, &o->count))
			return fail(err, errlen, "-n: expected a number from 1 to %d, not \"%s\"",
				    CTL_SPANS_MAX, optarg);
		return 0;
	case 'd':
		if (parse_delay(optarg, &o->delay))
			return fail(err, errlen, "-d: expected 0.1 to 3600 seconds, not \"%s\"",
				    optarg);
		return 0;
	case OPT_PROTOCOL:
		o->protocol = optarg;
		return 0;
	case OPT_PROCESS:
		o->process = optarg;
		return 0;
	case OPT_STATUS:
		if (strcmp(optarg, "ok") && strcmp(optarg, "error") &&
		    strcmp(optarg, "no_response"))
			return fail(err, errlen,
				    "--status: expected ok, error or no_response, not \"%s\"",
				    optarg);
		o->status = optarg;
		return 0;
	case OPT_NAME:
		o->name = optarg;
		return 0;
	case OPT_SINCE:
		if (ctl_parse_duration(optarg, &o->since) || !o->since)
			return fail(err, errlen, "--since: expected a time like 5m, not \"%s\"",
				    optarg);
		return 0;
	case OPT_MIN_DURATION:
		if (ctl_parse_duration(optarg, &o->min_duration))
			return fail(err, errlen,
				    "--min-duration: expected a time like 10ms, not \"%s\"",
				    optarg);
		return 0;
	case OPT_ONCE:
		o->once = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	}
	return -EINVAL;
}

/* "-f" or "--once" for an option's value. */
static const char *option_name(int c, char *buf, size_t size)
{
	for (const struct option *l = longopts; c >= 256 && l->name; l++)
		if (l->val == c) {
			snprintf(buf, size, "--%s", l->name);
			return buf;
		}
	snprintf(buf, size, "-%c", c);
	return buf;
}

static int check_command(const struct ctl_options *o, const bool *used, char *err, size_t errlen)
{
	char name[32];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(o->command, commands[i].name))
			continue;
		for (int c = 0; c < OPT_END; c++)
			if (used[c] && !(takers(c) & commands[i].bit))
				return fail(err, errlen, "%s does not take %s", o->command,
					    option_name(c, name, sizeof(name)));
		if (o->n_args < commands[i].min_args)
			return fail(err, errlen, "%s needs a word: get or set", o->command);
		if (commands[i].max_args >= 0 && o->n_args > commands[i].max_args)
			return fail(err, errlen, "unexpected argument %s", o->args[0]);
		return 0;
	}
	return fail(err, errlen, "no such command: %s", o->command);
}

static int check_config(const struct ctl_options *o, char *err, size_t errlen)
{
	if (strcmp(o->command, "config"))
		return 0;
	if (!strcmp(o->args[0], "get"))
		return o->n_args <= 2 ? 0 : fail(err, errlen, "config get takes one key");
	if (strcmp(o->args[0], "set"))
		return fail(err, errlen, "config: expected get or set, not %s", o->args[0]);
	return o->n_args >= 2 ? 0 : fail(err, errlen, "config set needs KEY=VALUE");
}

int ctl_parse(int argc, char **argv, struct ctl_options *out, char *err, size_t errlen)
{
	struct ctl_options o = {
		.address = getenv("SPAND_API"),
		.token = getenv("SPAND_TOKEN"),
		.delay = 2000000000,
	};
	bool used[OPT_END] = { false };
	int c, ret;

	if (!o.address || !*o.address)
		o.address = "127.0.0.1:7899";
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":a:fn:d:h", longopts, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (c == ':')
			return fail(err, errlen, "option %s needs a value", word);
		if (c == '?' && optopt > 0 && optopt < 256)
			return fail(err, errlen, "unknown option -%c", optopt);
		if (c == '?')
			return fail(err, errlen, "%s option %s",
				    optopt ? "no value is taken by" : "unknown", word);
		ret = one_option(c, &o, err, errlen);
		if (ret)
			return ret;
		used[c] = true;
	}
	o.args = argv + optind;
	o.n_args = argc - optind;
	if (!o.help && !o.version) {
		if (!o.n_args)
			return fail(err, errlen, "no command given");
		o.command = o.args[0];
		o.args++;
		o.n_args--;
		ret = check_command(&o, used, err, errlen);
		if (!ret)
			ret = check_config(&o, err, errlen);
		if (ret)
			return ret;
	}
	*out = o;
	return 0;
}

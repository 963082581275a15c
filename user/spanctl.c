/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl.c - asks a running spand what it sees, and changes its configuration.
 */
#include "spanctl.h"

#include <string.h>

#include "version.h"

static const struct {
	const char *name;
	int (*run)(struct ctl_http *h, const struct ctl_options *opt);
} commands[] = {
	{ "status", ctl_cmd_status },
	{ "spans", ctl_cmd_spans },
	{ "top", ctl_cmd_top },
	{ "config", ctl_cmd_config },
	{ "processes", ctl_cmd_processes },
	{ "version", ctl_cmd_version },
};

int main(int argc, char **argv)
{
	struct ctl_options opt;
	struct ctl_http *h;
	char err[256];
	int ret;

	if (ctl_parse(argc, argv, &opt, err, sizeof(err))) {
		ctl_error("%s (spanctl --help tells more)", err);
		return CTL_USAGE;
	}
	if (opt.help) {
		ctl_usage(stdout);
		return CTL_OK;
	}
	if (opt.version) {
		printf("spanctl %s\n", SPAND_VERSION);
		return CTL_OK;
	}
	ret = ctl_http_new(&opt, &h);
	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(opt.command, commands[i].name))
			ret = commands[i].run(h, &opt);
	ctl_http_free(h);
	if (fflush(stdout) || ferror(stdout)) {
		ctl_error("standard output can't be written");
		return ret ? ret : CTL_INTERNAL;
	}
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - spand's entry: what the command line asks for.
 */
#include <stdio.h>

#include "daemon.h"

int main(int argc, char **argv)
{
	struct daemon_options opt;
	char err[256];

	if (daemon_parse_options(argc, argv, &opt, err, sizeof(err))) {
		fprintf(stderr, "spand: %s (spand --help tells more)\n", err);
		return EXIT_USAGE;
	}
	if (opt.help) {
		daemon_usage();
		return 0;
	}
	if (opt.version) {
		printf("spand %s\n", SPAND_VERSION);
		return 0;
	}
	return daemon_run(&opt);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon_options.c - the command line of spand.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

enum { OPT_CHECK = 256, OPT_VERSION, OPT_LIVE, OPT_PIN_DIR, OPT_PID_FILE };

static const struct option longopts[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "pin-dir", required_argument, NULL, OPT_PIN_DIR },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

void daemon_usage(void)
{
	printf("usage: spand [options]\n"
	       "Turns the requests and responses on this host into spans.\n\n"
	       "  -c, --config FILE    configuration (default: " SPAND_CONFIG_PATH
	       " if it is there)\n"
	       "      --check-config   check the configuration and exit\n"
	       "      --live           show spans on standard output\n"
	       "  -v, --verbose        log more; may be given more than once\n"
	       "      --pin-dir DIR    pin maps here (default: " SPAND_PIN_DIR ")\n"
	       "      --pid-file FILE  lock this file (default: /run/spand.pid)\n"
	       "      --version        print the version\n"
	       "  -h, --help           this\n\n"
	       "SIGHUP reads the configuration again; SIGTERM and SIGINT end it after what was\n"
	       "recorded is written.\n\n"
	       "Exit status: 0 ended by a signal, %d usage, %d configuration, %d not root,\n"
	       "%d kernel without BTF, %d BPF refused, %d API address, %d already running,\n"
	       "%d sender, %d anything else.\n",
	       EXIT_USAGE, EXIT_CONFIG, EXIT_NO_ROOT, EXIT_NO_BTF, EXIT_BPF, EXIT_PORT, EXIT_SECOND,
	       EXIT_SINK, EXIT_INTERNAL);
}

int daemon_parse_options(int argc, char **argv, struct daemon_options *out, char *err,
			 size_t errlen)
{
	struct daemon_options opt = { .pin_dir = SPAND_PIN_DIR };
	int c;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:vh", longopts, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt.config = optarg;
			break;
		case OPT_CHECK:
			opt.check_config = true;
			break;
		case OPT_LIVE:
			opt.live = true;
			break;
		case 'v':
			opt.verbosity++;
			break;
		case OPT_VERSION:
			opt.version = true;
			break;
		case OPT_PIN_DIR:
			opt.pin_dir = optarg;
			break;
		case OPT_PID_FILE:
			opt.pid_file = optarg;
			break;
		case 'h':
			opt.help = true;
			break;
		case ':':
			snprintf(err, errlen, "option %s needs a value", argv[optind - 1]);
			return -EINVAL;
		default:
			/* A short option may stand inside a group, a long one is a word. */
			if (optopt > 0 && optopt < 256)
				snprintf(err, errlen, "unknown option -%c", optopt);
			else
				snprintf(err, errlen, "%s option %s",
					 optopt ? "no value is taken by" : "unknown",
					 argv[optind - 1]);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		snprintf(err, errlen, "unexpected argument %s", argv[optind]);
		return -EINVAL;
	}
	if (opt.config && !*opt.config) {
		snprintf(err, errlen, "option -c needs the name of a file");
		return -EINVAL;
	}
	*out = opt;
	return 0;
}

const char *daemon_config_path(const struct daemon_options *opt)
{
	if (opt->config)
		return opt->config;
	return access(SPAND_CONFIG_PATH, F_OK) ? NULL : SPAND_CONFIG_PATH;
}

int daemon_log_level(const struct config *cfg, unsigned verbosity)
{
	int level = cfg->ebpf.log_level ? log_level_parse(cfg->ebpf.log_level) : LOG_INFO;

	if (level < 0)
		level = LOG_INFO;
	return verbosity > (unsigned)(LOG_DEBUG - level) ? LOG_DEBUG : level + (int)verbosity;
}

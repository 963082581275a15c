/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * daemon.h - the running daemon: what main() makes and the API looks at.
 */
#ifndef SPAND_DAEMON_H
#define SPAND_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>

#include "config.h"
#include "enrich.h"
#include "sink.h"
#include "store.h"
#include "tracer.h"
#include "version.h"

/* Exit statuses; 3..5 and 7 are enum tracer_error. */
enum exit_status {
	EXIT_USAGE = 1,
	EXIT_CONFIG = 2,
	EXIT_NO_ROOT = 3,
	EXIT_NO_BTF = 4,
	EXIT_BPF = 5,
	EXIT_PORT = 6,
	EXIT_SECOND = 7, /* another instance runs */
	EXIT_SINK = 8,	 /* a sender can't be opened */
	EXIT_INTERNAL = 9,
};

struct daemon {
	pthread_mutex_t lock; /* guards cfg, sinks, n_sinks and every daemon_apply() */
	struct config *cfg;
	struct tracer *tracer; /* NULL in unit tests */
	struct enrich *enrich;
	struct store *store;
	struct sink **sinks;
	size_t n_sinks;
	uint64_t started_unix; /* ns */
	atomic_ullong spans;   /* read from the ring */
	atomic_ullong bad_records;
	_Atomic double spans_per_second; /* over the last second */
	/*
	 * Held by the reader for one record at a time, so always free for it but when sinks are
	 * being exchanged: to write sinks or n_sinks takes lock and this one, to read either.
	 */
	pthread_mutex_t reader_lock;
	atomic_ullong mono_to_unix; /* ns to add to CLOCK_MONOTONIC */
	atomic_bool busy;	    /* starting or stopping: daemon_apply() refuses */
	unsigned verbosity;	    /* levels above the configured one; -v */
};

/*
 * daemon_apply - makes next the running configuration: filters, sinks, log level, probes.
 * All or nothing; takes over next on success. 0, or -errno with err naming the field.
 * -EINVAL: a key that needs a restart, or a sender that can't be opened (err is "key: reason");
 * -EAGAIN: the daemon is starting or stopping. May be called with d->lock held.
 */
int daemon_apply(struct daemon *d, struct config *next, char *err, size_t errlen);

/*
 * daemon_init - an empty daemon with its locks, clock and, from cfg, its store and cache of
 * processes. Takes over cfg on success. 0 or -ENOMEM; daemon_destroy() frees what is left in it.
 */
int daemon_init(struct daemon *d, struct config *cfg, unsigned verbosity);
void daemon_destroy(struct daemon *d);

/*
 * daemon_open_sinks - starts the sinks that d->cfg names, and before them live (may be NULL; taken
 * over on success). 0, or -errno with err as daemon_apply() fills it in.
 */
int daemon_open_sinks(struct daemon *d, struct sink *live, char *err, size_t errlen);
/* Takes the sinks from the reader, writes what they hold and stops them. */
void daemon_close_sinks(struct daemon *d);

/* A tracer_record_fn; arg is the struct daemon. Called by one thread only. */
void daemon_record(void *arg, const void *data, size_t len);

/* CLOCK_MONOTONIC, ns. */
uint64_t daemon_mono_ns(void);

/* Reads both clocks and refreshes d->mono_to_unix. */
void daemon_tick_clock(struct daemon *d);

/* The level that cfg asks for, raised by verbosity. */
int daemon_log_level(const struct config *cfg, unsigned verbosity);

struct daemon_options {
	const char *config;   /* -c; NULL: the default file if it exists */
	const char *pin_dir;  /* default SPAND_PIN_DIR */
	const char *pid_file; /* NULL: the default places */
	unsigned verbosity;
	bool live, check_config, version, help;
};

#define SPAND_CONFIG_PATH "/etc/spand/spand.toml"

/* Parses the command line. 0, or -EINVAL with one line in err. */
int daemon_parse_options(int argc, char **argv, struct daemon_options *out, char *err,
			 size_t errlen);
void daemon_usage(void);

/* The file to read: -c, else the default file if it is there, else NULL (all defaults). */
const char *daemon_config_path(const struct daemon_options *opt);

/* Runs until a signal ends it. Returns an exit status; errors are already printed. */
int daemon_run(const struct daemon_options *opt);

#endif

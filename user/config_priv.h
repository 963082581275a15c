/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_priv.h - what the files of the configuration share. File, update and output all go by
 * the tables of config_schema.c; an update is merged into the running configuration's tree and
 * that tree is then read like a file's.
 */
#ifndef SPAND_CONFIG_PRIV_H
#define SPAND_CONFIG_PRIV_H

#include "config.h"
#include "toml.h"

#define CFG_MASK	"********" /* shown for a secret; in an update: leave it as it is */
#define CFG_PATH_MAX	256	   /* bytes of a dotted key */
#define CFG_MAX_ERRORS	64
#define CFG_MAX_SENDERS 32 /* of each kind */

enum cfg_type {
	CFG_BOOL,
	CFG_U16,
	CFG_U32,
	CFG_U64,
	CFG_STR,
	CFG_STRLIST,
	CFG_PIDS,    /* ebpf.pids, n_pids, pids_set */
	CFG_PORTS,   /* trace.ports, n_ports */
	CFG_PROBES,  /* ebpf.probes */
	CFG_HOOKS,   /* ebpf.hooks */
	CFG_SENDERS, /* a table of tables, read by its own function */
	CFG_IGNORED, /* DeepTrace has it, spand has no use for it */
};

enum cfg_flags {
	CFG_RESTART = 1 << 0, /* can't change while running */
	CFG_SECRET = 1 << 1,
	CFG_ONE = 1 << 2, /* a list may be written as its only string */
	CFG_REQUIRED = 1 << 3,
};

struct cfg_key {
	const char *path; /* dotted */
	enum cfg_type type;
	unsigned flags;
	size_t off;	     /* of the value in its struct */
	uint64_t min, max;   /* of an integer; of the bytes in a string */
	size_t max_items;    /* of a list */
	uint64_t def;	     /* default of booleans and integers */
	const char *sdef;    /* default of strings; of a list: separated by spaces */
	const char *choices; /* "a|b": the only strings there are */
	/* Turns another accepted form of the value into the usual one, in place. */
	int (*adapt)(struct toml *val);
	/* Says what was expected when a string is not acceptable, else NULL; buf: 160 bytes. */
	const char *(*check)(const char *s, char *buf);
};

extern const struct cfg_key cfg_keys[], cfg_file_keys[], cfg_elastic_keys[]; /* end: path NULL */

struct cfg_report {
	unsigned line;
	struct config_error e;
};

/* One reading of a tree. */
struct cfg_ctx {
	const char *file; /* NULL: an update */
	struct config *cfg;
	struct cfg_report errors[CFG_MAX_ERRORS];
	size_t n_errors;
	bool oom;
};

/* Records an error at a line (0: none) about a dotted key. */
void cfg_error(struct cfg_ctx *c, unsigned line, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Moves the errors, sorted by line, to out; frees what is left of c. */
void cfg_errors_finish(struct cfg_ctx *c, struct config_errors *out);

/* config_schema.c */
const struct cfg_key *cfg_find(const struct cfg_key *keys, const char *path);
/* True if keys lie below path: it is a table. */
bool cfg_is_table(const struct cfg_key *keys, const char *path);
/* Whether a key of this name (without its table) is a secret anywhere. */
bool cfg_is_secret(const char *name);

/* config_value.c: one value between tree, struct and JSON */
bool cfg_check(struct cfg_ctx *c, const struct cfg_key *k, struct toml *val, const char *field);
int cfg_store(const struct cfg_key *k, void *base, const struct toml *val);
int cfg_store_default(const struct cfg_key *k, void *base);
json_t *cfg_value_json(const struct cfg_key *k, const void *base);
void cfg_release(const struct cfg_key *k, void *base);
void cfg_strlist_free(struct strlist *l);

/* config_check.c: adapt and check functions of the tables */
int cfg_adapt_lower(struct toml *val);
int cfg_adapt_log_level(struct toml *val);
int cfg_adapt_sampling(struct toml *val);
int cfg_adapt_bool(struct toml *val);
int cfg_adapt_address(struct toml *val);
int cfg_adapt_format(struct toml *val);
const char *cfg_check_address(const char *s, char *buf);
const char *cfg_check_comm(const char *s, char *buf);
const char *cfg_check_container(const char *s, char *buf);
const char *cfg_check_protocol(const char *s, char *buf);
const char *cfg_check_header(const char *s, char *buf);
const char *cfg_check_regex(const char *s, char *buf);
const char *cfg_check_token(const char *s, char *buf);
const char *cfg_check_url(const char *s, char *buf);
const char *cfg_check_probe(const char *s, char *buf);
/* enum probe_id of "sys_enter_read" or "sys_exit_read", or -1. */
int cfg_probe_parse(const char *s);
/* Edit distance (insert, delete, replace, swap neighbours), at most 9. */
unsigned cfg_distance(const char *a, const char *b);

/* config_read.c: what the tree says into c->cfg, which holds the defaults */
void cfg_read(struct cfg_ctx *c, struct toml *root, bool cross_checks);
int cfg_defaults(struct config **out);

/* config_alias.c: DeepTrace's other spellings and shorthands into ours */
int cfg_normalise(struct cfg_ctx *c, struct toml *root);

/* config_update.c */
json_t *cfg_tree_json(const struct toml *t);

#endif

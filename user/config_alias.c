// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * config_alias.c - other forms of the configuration into the one that the tables describe:
 *	capture = true			-> [capture] enabled = true
 *	[trace] pids			-> [ebpf.trace] pids
 *	[sender.elastic] node_url ...	-> [sender.elastic.trace] node_url ...
 *	node_url			-> node_urls
 * The last three are DeepTrace's, in files of older releases and in its server's updates.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_priv.h"

/* The table under key, made if there is none; NULL with *err 0 when it is no table. */
static struct toml *subtable(struct toml *table, const char *key, unsigned line, int *err)
{
	struct toml *t = toml_get(table, key);

	*err = 0;
	if (t)
		return t->type == TOML_TABLE ? t : NULL;
	t = toml_new(TOML_TABLE, line, 1);
	if (!t || toml_set(table, key, strlen(key), t)) {
		*err = -ENOMEM;
		return NULL;
	}
	return t;
}

/* Moves from[key] to to[name], unless that is there too, which is an error. */
static int move(struct cfg_ctx *c, struct toml *from, const char *key, struct toml *to,
		const char *name, const char *field)
{
	struct toml_pair *pair = toml_find(from, key, strlen(key));
	unsigned line = pair->line;
	int err;

	if (toml_get(to, name)) {
		cfg_error(c, line, field, "given twice: '%s' is another name of it", key);
		toml_free(toml_take(from, key));
		return 0;
	}
	err = toml_set(to, name, strlen(name), toml_take(from, key));
	if (!err)
		toml_find(to, name, strlen(name))->line = line;
	return err;
}

static int capture_switch(struct toml *root)
{
	struct toml *val = toml_get(root, "capture"), *table;

	if (!val || val->type != TOML_BOOL)
		return 0;
	table = toml_new(TOML_TABLE, val->line, val->col);
	if (!table)
		return -ENOMEM;
	val = toml_take(root, "capture");
	if (toml_set(table, "enabled", 7, val)) {
		toml_free(table);
		return -ENOMEM;
	}
	return toml_set(root, "capture", 7, table);
}

static int trace_pids(struct cfg_ctx *c, struct toml *root)
{
	struct toml *trace = toml_get(root, "trace"), *val, *ebpf;
	int err = 0;

	val = trace && trace->type == TOML_TABLE ? toml_get(trace, "pids") : NULL;
	if (!val)
		return 0;
	ebpf = subtable(root, "ebpf", val->line, &err);
	if (ebpf)
		ebpf = subtable(ebpf, "trace", val->line, &err);
	return ebpf ? move(c, trace, "pids", ebpf, "pids", "ebpf.trace.pids") : err;
}

/* Moves a key that stands right in [sender.elastic] to the sender that DeepTrace calls trace. */
static int flat_key(struct cfg_ctx *c, struct toml *elastic, const char *key, const char *name)
{
	struct toml_pair *pair = toml_find(elastic, key, strlen(key));
	char field[64];
	struct toml *trace;
	int err;

	/* A table would be a sender of that name. */
	if (!pair || pair->val->type == TOML_TABLE)
		return 0;
	trace = subtable(elastic, "trace", pair->line, &err);
	if (!trace)
		return err;
	snprintf(field, sizeof(field), "sender.elastic.trace.%s", name);
	return move(c, elastic, key, trace, name, field);
}

static int flat_elastic(struct cfg_ctx *c, struct toml *elastic)
{
	int err = flat_key(c, elastic, "node_url", "node_urls");

	for (const struct cfg_key *k = cfg_elastic_keys; k->path && !err; k++)
		err = flat_key(c, elastic, k->path, k->path);
	return err;
}

static int elastic_names(struct cfg_ctx *c, struct toml *elastic)
{
	char field[CFG_PATH_MAX];
	int err = 0;

	for (size_t i = 0; i < elastic->table.n && !err; i++) {
		struct toml_pair *pair = &elastic->table.v[i];

		if (pair->val->type != TOML_TABLE || !toml_get(pair->val, "node_url"))
			continue;
		snprintf(field, sizeof(field), "sender.elastic.%.64s.node_urls", pair->key);
		err = move(c, pair->val, "node_url", pair->val, "node_urls", field);
	}
	return err;
}

int cfg_normalise(struct cfg_ctx *c, struct toml *root)
{
	struct toml *t = toml_get(root, "sender");
	int err;

	err = capture_switch(root);
	if (!err)
		err = trace_pids(c, root);
	t = t && t->type == TOML_TABLE ? toml_get(t, "elastic") : NULL;
	if (err || !t || t->type != TOML_TABLE)
		return err;
	err = flat_elastic(c, t);
	return err ? err : elastic_names(c, t);
}

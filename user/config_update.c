// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* config_update.c - the configuration as JSON, and updates that come as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

#define JSON_DEPTH 16 /* more than any key needs */

/* cfg_tree_json - a tree as JSON; dates, which no key takes, are left out. NULL: no memory. */
json_t *cfg_tree_json(const struct toml *t)
{
	json_t *j;

	switch (t->type) {
	case TOML_STRING:
		return json_stringn(t->str.s, t->str.len);
	case TOML_INTEGER:
		return json_integer(t->i);
	case TOML_FLOAT:
		return json_real(t->f);
	case TOML_BOOL:
		return json_boolean(t->b);
	case TOML_ARRAY:
		j = json_array();
		for (size_t i = 0; j && i < t->array.n; i++)
			json_array_append_new(j, cfg_tree_json(t->array.v[i]));
		return j;
	case TOML_TABLE:
		j = json_object();
		for (size_t i = 0; j && i < t->table.n; i++)
			json_object_set_new(j, t->table.v[i].key, cfg_tree_json(t->table.v[i].val));
		return j;
	default:
		return json_null();
	}
}

static struct toml *from_json(struct cfg_ctx *c, const json_t *j, unsigned depth);

static int add_member(struct cfg_ctx *c, struct toml *table, const char *key, const json_t *j,
		      unsigned depth)
{
	struct toml *val = from_json(c, j, depth);

	return val ? toml_set(table, key, strlen(key), val) : -ENOMEM;
}

static bool list_of_objects(const json_t *j)
{
	const json_t *v;
	size_t i;

	json_array_foreach (j, i, v)
		if (!json_is_object(v))
			return false;
	return json_array_size(j) > 0;
}

static struct toml *from_container(struct cfg_ctx *c, const json_t *j, unsigned depth)
{
	/* DeepTrace writes some tables as lists of single-key objects. No key of ours is one. */
	bool split = list_of_objects(j), table = split || json_is_object(j);
	struct toml *t = toml_new(table ? TOML_TABLE : TOML_ARRAY, 0, 0), *val;
	const char *key;
	json_t *v, *member;
	int err = t ? 0 : -ENOMEM;
	size_t i;

	if (json_is_object(j)) {
		json_object_foreach ((json_t *)j, key, v)
			if (!err)
				err = add_member(c, t, key, v, depth);
	} else {
		json_array_foreach (j, i, v) {
			if (err)
				break;
			if (!split) {
				val = from_json(c, v, depth);
				err = val ? toml_push(t, val) : -ENOMEM;
				continue;
			}
			json_object_foreach (v, key, member)
				if (!err)
					err = add_member(c, t, key, member, depth);
		}
	}
	if (err) {
		toml_free(t);
		return NULL;
	}
	return t;
}

/* A tree from JSON. What is nested too deeply is an error and becomes null. NULL: no memory. */
static struct toml *from_json(struct cfg_ctx *c, const json_t *j, unsigned depth)
{
	struct toml *t;

	if (json_is_string(j))
		return toml_new_string(json_string_value(j), json_string_length(j), 0, 0);
	if (json_is_object(j) || json_is_array(j)) {
		if (depth < JSON_DEPTH)
			return from_container(c, j, depth + 1);
		cfg_error(c, 0, "", "nested deeper than %d", JSON_DEPTH);
	}
	t = toml_new(TOML_NULL, 0, 0);
	if (!t)
		return NULL;
	if (json_is_integer(j)) {
		t->type = TOML_INTEGER;
		t->i = json_integer_value(j);
	} else if (json_is_real(j)) {
		t->type = TOML_FLOAT;
		t->f = json_real_value(j);
	} else if (json_is_boolean(j)) {
		t->type = TOML_BOOL;
		t->b = json_is_true(j);
	}
	return t;
}

/*
 * Merges patch into base and takes values out of it: tables merge, null removes (the default is
 * what is left then), a shown mask leaves a secret as it is, everything else replaces.
 */
static int merge(struct toml *base, struct toml *patch)
{
	for (size_t i = 0; i < patch->table.n; i++) {
		struct toml_pair *pair = &patch->table.v[i];
		struct toml_pair *old = toml_find(base, pair->key, pair->len);
		struct toml *val = pair->val;
		bool keep = false;
		int err;

		if (old && val->type == TOML_TABLE && old->val->type == TOML_TABLE) {
			err = merge(old->val, val);
			if (err)
				return err;
			keep = true;
		} else if (old && val->type == TOML_NULL) {
			toml_free(toml_take(base, pair->key));
			keep = true;
		} else if (old && val->type == TOML_STRING && cfg_is_secret(pair->key)) {
			keep = strcmp(val->str.s, CFG_MASK) == 0;
		}
		if (keep)
			continue;
		pair->val = NULL; /* base's now, or freed */
		if (toml_set(base, pair->key, pair->len, val))
			return -ENOMEM;
	}
	return 0;
}

int config_update(const struct config *old, json_t *patch, struct config **out,
		  struct config_errors *errors)
{
	struct cfg_ctx *c = calloc(1, sizeof(*c));
	struct toml *base = NULL, *change = NULL;
	json_t *now = NULL;
	int err = -ENOMEM;

	*errors = (struct config_errors){};
	if (!c || cfg_defaults(&c->cfg))
		goto out;
	if (!json_is_object(patch)) {
		cfg_error(c, 0, "", "expected a JSON object");
		goto report;
	}
	now = config_json(old, false);
	base = now ? from_json(c, now, 0) : NULL;
	change = from_json(c, patch, 0);
	if (!base || !change || cfg_normalise(c, change) || merge(base, change))
		goto out;
	cfg_read(c, base, !c->n_errors);
	if (c->oom)
		goto out;
report:
	err = c->n_errors ? -EINVAL : 0;
	if (!err) {
		*out = c->cfg;
		c->cfg = NULL;
	}
out:
	if (c)
		cfg_errors_finish(c, errors);
	json_decref(now);
	toml_free(base);
	toml_free(change);
	free(c);
	return err;
}

/* Puts val under a dotted path of nested objects. Takes over val. */
static int put(json_t *root, const char *path, json_t *val)
{
	const char *dot;
	char name[64];
	json_t *next;

	while ((dot = strchr(path, '.'))) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		next = json_object_get(root, name);
		if (!next) {
			next = json_object();
			if (json_object_set_new(root, name, next)) {
				json_decref(val);
				return -ENOMEM;
			}
		}
		root = next;
		path = dot + 1;
	}
	return json_object_set_new(root, path, val) ? -ENOMEM : 0;
}

static json_t *masked(const struct cfg_key *k, json_t *val, bool mask)
{
	if (!mask || !(k->flags & CFG_SECRET) || !json_is_string(val))
		return val;
	json_decref(val);
	return json_string(CFG_MASK);
}

static json_t *files_json(const struct config *cfg)
{
	json_t *all = json_object(), *one;

	for (size_t i = 0; i < cfg->sender.n_file; i++) {
		const struct config_file_sender *f = &cfg->sender.file[i];

		one = json_object();
		for (const struct cfg_key *k = cfg_file_keys; k->path; k++)
			json_object_set_new(one, k->path, cfg_value_json(k, f));
		json_object_set_new(all, f->name, one);
	}
	return all;
}

static json_t *elastic_json(const struct config *cfg, bool mask)
{
	json_t *all = json_deep_copy(cfg->sender.elastic), *one;
	const char *name;

	json_object_foreach (all, name, one)
		for (const struct cfg_key *k = cfg_elastic_keys; mask && k->path; k++)
			if (k->flags & CFG_SECRET && json_object_get(one, k->path))
				json_object_set_new(one, k->path, json_string(CFG_MASK));
	return all;
}

json_t *config_json(const struct config *cfg, bool mask)
{
	json_t *root = json_object();
	int err = root ? 0 : -ENOMEM;

	for (const struct cfg_key *k = cfg_keys; k->path && !err; k++) {
		if (k->type == CFG_IGNORED)
			continue;
		if (k->type != CFG_SENDERS)
			err = put(root, k->path, masked(k, cfg_value_json(k, cfg), mask));
		else if (strcmp(k->path, "sender.file") == 0)
			err = put(root, k->path, files_json(cfg));
		else
			err = put(root, k->path, elastic_json(cfg, mask));
	}
	if (err) {
		json_decref(root);
		return NULL;
	}
	return root;
}

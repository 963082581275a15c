// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* config_read.c - from a tree, of a file or an update, into the struct. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

/* Where a table is read: rel is what of the dotted path the keys know. */
struct scope {
	const struct cfg_key *keys;
	void *base;
	char path[CFG_PATH_MAX];
	size_t rel;
};

/* Appends ".key" to the scope's path; its length before, or -1 when no key can be that. */
static int enter(struct scope *s, const struct toml_pair *pair)
{
	size_t len = strlen(s->path);

	if (!pair->len || len + pair->len + 2 > sizeof(s->path))
		return -1;
	for (size_t i = 0; i < pair->len; i++) {
		unsigned char ch = pair->key[i];

		if (ch <= ' ' || ch == '.' || ch > '~')
			return -1;
	}
	snprintf(s->path + len, sizeof(s->path) - len, "%s%s", len ? "." : "", pair->key);
	return len;
}

/* The key that the user may have meant, or NULL; dotted only if it is of another table. */
static const char *suggest(const struct scope *s, const char *name, char buf[CFG_PATH_MAX])
{
	unsigned best = strlen(name) < 4 ? 2 : 3;
	size_t prefix = strlen(s->path) - strlen(name);
	const char *found = NULL;

	prefix = prefix > s->rel ? prefix - s->rel : 0;
	for (const struct cfg_key *k = s->keys; k->path; k++) {
		if (strncmp(k->path, s->path + s->rel, prefix) || k->type == CFG_IGNORED)
			continue;
		char word[64];
		size_t n = strcspn(k->path + prefix, ".");

		snprintf(word, sizeof(word), "%.*s", (int)n, k->path + prefix);
		if (cfg_distance(name, word) < best) {
			best = cfg_distance(name, word);
			snprintf(buf, CFG_PATH_MAX, "%s", word);
			found = buf;
		}
	}
	if (found || s->keys != cfg_keys)
		return found;
	for (const struct cfg_key *k = cfg_keys; k->path; k++) {
		const char *dot = strrchr(k->path, '.');

		if (dot && strcmp(dot + 1, name) == 0 && k->type != CFG_IGNORED)
			return k->path;
	}
	return NULL;
}

static void unknown(struct cfg_ctx *c, const struct scope *s, const struct toml_pair *pair)
{
	char buf[CFG_PATH_MAX];
	const char *close = suggest(s, pair->key, buf);

	if (close)
		cfg_error(c, pair->line, s->path, "unknown key; did you mean '%s'?", close);
	else
		cfg_error(c, pair->line, s->path, "unknown key");
}

/* A key that can't be appended to the path: shown cut, with what can't be printed as '?'. */
static void unspeakable(struct cfg_ctx *c, const struct scope *s, const struct toml_pair *pair)
{
	char key[64], path[CFG_PATH_MAX + 80];

	snprintf(key, sizeof(key), "%s", pair->key);
	for (unsigned char *p = (unsigned char *)key; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	snprintf(path, sizeof(path), "%s%s\"%s\"", s->path, *s->path ? "." : "", key);
	cfg_error(c, pair->line, path, "unknown key");
}

static void set(struct cfg_ctx *c, const struct scope *s, const struct cfg_key *k, struct toml *val)
{
	if (k->type == CFG_IGNORED || val->type == TOML_NULL)
		return;
	if (cfg_check(c, k, val, s->path) && s->base && cfg_store(k, s->base, val))
		c->oom = true;
}

static bool valid_name(const char *name)
{
	if (!*name || strlen(name) > 64)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
			return false;
	return true;
}

static void read_table(struct cfg_ctx *c, struct scope *s, struct toml *table);

/* Reads the table of one sender; false when it has errors. */
static bool read_sender(struct cfg_ctx *c, const struct scope *parent, const struct cfg_key *keys,
			void *base, struct toml_pair *pair)
{
	struct scope s = { .keys = keys, .base = base };
	size_t before = c->n_errors;

	snprintf(s.path, sizeof(s.path), "%s", parent->path);
	if (enter(&s, pair) < 0 || !valid_name(pair->key)) {
		cfg_error(c, pair->line, parent->path,
			  "a sender's name has up to 64 letters, digits, '_' and '-'");
		return false;
	}
	if (pair->val->type != TOML_TABLE) {
		cfg_error(c, pair->line, s.path, "expected a table, found %s",
			  toml_type_name(pair->val->type));
		return false;
	}
	s.rel = strlen(s.path) + 1;
	read_table(c, &s, pair->val);
	for (const struct cfg_key *k = keys; k->path; k++)
		if (k->flags & CFG_REQUIRED && !toml_get(pair->val, k->path))
			cfg_error(c, pair->line, s.path, "the key '%s' is missing", k->path);
	return c->n_errors == before && !c->oom;
}

static int add_file(struct cfg_ctx *c, const struct scope *s, struct toml_pair *pair)
{
	struct config *cfg = c->cfg;
	struct config_file_sender *f, *v;
	int err = 0;

	v = reallocarray(cfg->sender.file, cfg->sender.n_file + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	cfg->sender.file = v;
	f = &v[cfg->sender.n_file++];
	*f = (struct config_file_sender){ .name = strdup(pair->key) };
	for (const struct cfg_key *k = cfg_file_keys; k->path && !err; k++)
		err = cfg_store_default(k, f);
	if (err || !f->name)
		return -ENOMEM;
	read_sender(c, s, cfg_file_keys, f, pair);
	return 0;
}

static int add_elastic(struct cfg_ctx *c, const struct scope *s, struct toml_pair *pair)
{
	json_t *j, *urls, *list;

	if (!read_sender(c, s, cfg_elastic_keys, NULL, pair))
		return c->oom ? -ENOMEM : 0;
	j = cfg_tree_json(pair->val);
	urls = json_object_get(j, "node_urls");
	if (json_is_string(urls)) {
		list = json_pack("[O]", urls);
		if (!list || json_object_set_new(j, "node_urls", list)) {
			json_decref(j);
			return -ENOMEM;
		}
	}
	return j && !json_object_set_new(c->cfg->sender.elastic, pair->key, j) ? 0 : -ENOMEM;
}

static void read_senders(struct cfg_ctx *c, const struct scope *s, struct toml *table)
{
	bool file = strcmp(s->path, "sender.file") == 0;
	int n = 0;

	for (size_t i = 0; i < table->table.n; i++) {
		struct toml_pair *pair = &table->table.v[i];

		if (pair->val->type == TOML_NULL)
			continue;
		if (++n > CFG_MAX_SENDERS) {
			cfg_error(c, pair->line, s->path, "more than %d senders", CFG_MAX_SENDERS);
			return;
		}
		if (file ? add_file(c, s, pair) : add_elastic(c, s, pair)) {
			c->oom = true;
			return;
		}
	}
}

static void read_table(struct cfg_ctx *c, struct scope *s, struct toml *table)
{
	for (size_t i = 0; i < table->table.n && !c->oom; i++) {
		struct toml_pair *pair = &table->table.v[i];
		const struct cfg_key *k;
		int len = enter(s, pair);

		if (len < 0) {
			unspeakable(c, s, pair);
			continue;
		}
		k = cfg_find(s->keys, s->path + s->rel);
		if (k && k->type != CFG_SENDERS)
			set(c, s, k, pair->val);
		else if (!k && !cfg_is_table(s->keys, s->path + s->rel))
			unknown(c, s, pair);
		else if (pair->val->type == TOML_NULL)
			; /* the defaults, which are there already */
		else if (pair->val->type != TOML_TABLE)
			cfg_error(c, pair->line, s->path, "expected a table, found %s",
				  toml_type_name(pair->val->type));
		else if (k)
			read_senders(c, s, pair->val);
		else
			read_table(c, s, pair->val);
		s->path[len] = 0;
	}
}

/* "NAME", "file.NAME" or "elastic.NAME" of a sender that is configured. */
static bool sender_exists(const struct config *cfg, const char *name)
{
	bool file = strncmp(name, "elastic.", 8) != 0, elastic = strncmp(name, "file.", 5) != 0;

	name += !elastic ? 5 : !file ? 8 : 0;
	for (size_t i = 0; file && i < cfg->sender.n_file; i++)
		if (strcmp(cfg->sender.file[i].name, name) == 0)
			return true;
	return elastic && json_object_get(cfg->sender.elastic, name);
}

static void check_senders(struct cfg_ctx *c, const struct toml *table, const char *field)
{
	const struct toml *val =
		table && table->type == TOML_TABLE ? toml_get(table, "sender") : NULL;
	bool list = val && val->type == TOML_ARRAY;

	for (size_t i = 0; val && i < (list ? val->array.n : 1); i++) {
		const struct toml *name = list ? val->array.v[i] : val;

		if (name->type == TOML_STRING && !sender_exists(c->cfg, name->str.s))
			cfg_error(c, name->line, field,
				  "there is no [sender.file.%s] nor "
				  "[sender.elastic.%s]",
				  strncmp(name->str.s, "file.", 5) ? name->str.s : name->str.s + 5,
				  strncmp(name->str.s, "elastic.", 8) ? name->str.s
								      : name->str.s + 8);
	}
}

void cfg_read(struct cfg_ctx *c, struct toml *root, bool cross_checks)
{
	struct scope s = { .keys = cfg_keys, .base = c->cfg };

	read_table(c, &s, root);
	if (!cross_checks || c->oom)
		return;
	check_senders(c, toml_get(root, "trace"), "trace.sender");
	check_senders(c, toml_get(root, "metric"), "metric.sender");
}

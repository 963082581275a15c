// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* config_value.c - one value of the configuration: checked, stored, shown, released. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static bool is_list(enum cfg_type type)
{
	return type == CFG_STRLIST || type == CFG_PIDS || type == CFG_PORTS || type == CFG_PROBES;
}

static bool is_string(enum cfg_type type)
{
	return type == CFG_STR || type == CFG_STRLIST || type == CFG_PROBES || type == CFG_HOOKS;
}

static const char *expected_type(const struct cfg_key *k)
{
	if (k->type == CFG_BOOL)
		return "a boolean";
	if (k->type == CFG_STRLIST && k->flags & CFG_ONE)
		return "a string or a list of strings";
	if (is_list(k->type))
		return is_string(k->type) ? "a list of strings" : "a list of integers";
	return is_string(k->type) ? "a string" : "an integer";
}

/* Position of s among "a|b|c", or -1. */
static int choice(const char *choices, const char *s)
{
	size_t n = strlen(s);

	for (int i = 0; choices; i++) {
		const char *bar = strchr(choices, '|');
		size_t len = bar ? (size_t)(bar - choices) : strlen(choices);

		if (len == n && memcmp(choices, s, n) == 0)
			return i;
		choices = bar ? bar + 1 : NULL;
	}
	return -1;
}

static bool check_string(struct cfg_ctx *c, const struct cfg_key *k, const struct toml *val,
			 const char *field)
{
	const char *why;
	char buf[160];

	for (size_t i = 0; i < val->str.len; i++) {
		unsigned char ch = val->str.s[i];

		if (ch < 0x20 || ch == 0x7f) {
			cfg_error(c, val->line, field, "control character 0x%02x in the string",
				  ch);
			return false;
		}
	}
	if (k->choices) {
		if (choice(k->choices, val->str.s) >= 0)
			return true;
		cfg_error(c, val->line, field, "expected one of %s, found \"%.64s\"", k->choices,
			  val->str.s);
		return false;
	}
	if (val->str.len < k->min || val->str.len > k->max) {
		cfg_error(c, val->line, field,
			  "expected a string of %" PRIu64 " to %" PRIu64 " bytes, found %zu bytes",
			  k->min, k->max, val->str.len);
		return false;
	}
	why = k->check ? k->check(val->str.s, buf) : NULL;
	if (why && k->flags & CFG_SECRET)
		cfg_error(c, val->line, field, "expected %s", why);
	else if (why)
		cfg_error(c, val->line, field, "expected %s, found \"%.64s\"", why, val->str.s);
	return !why;
}

static bool check_one(struct cfg_ctx *c, const struct cfg_key *k, const struct toml *val,
		      const char *field)
{
	enum toml_type want = is_string(k->type)    ? TOML_STRING
			      : k->type == CFG_BOOL ? TOML_BOOL
						    : TOML_INTEGER;

	if (val->type != want) {
		cfg_error(c, val->line, field, "expected %s, found %s%s", expected_type(k),
			  toml_type_name(val->type), is_list(k->type) ? " in the list" : "");
		return false;
	}
	if (want == TOML_STRING)
		return check_string(c, k, val, field);
	if (want == TOML_INTEGER &&
	    (val->i < 0 || (uint64_t)val->i < k->min || (uint64_t)val->i > k->max)) {
		cfg_error(c, val->line, field,
			  "expected an integer from %" PRIu64 " to %" PRIu64 ", found %" PRId64,
			  k->min, k->max, val->i);
		return false;
	}
	return true;
}

/*
 * cfg_check - whether val suits the key; brings it into the usual form. Records all that is
 * wrong with it under field.
 */
bool cfg_check(struct cfg_ctx *c, const struct cfg_key *k, struct toml *val, const char *field)
{
	bool ok = true;

	if (k->adapt && k->adapt(val))
		c->oom = true;
	if (!is_list(k->type) || (k->flags & CFG_ONE && val->type == TOML_STRING))
		return check_one(c, k, val, field);
	if (val->type != TOML_ARRAY) {
		cfg_error(c, val->line, field, "expected %s, found %s", expected_type(k),
			  toml_type_name(val->type));
		return false;
	}
	if (val->array.n > k->max_items) {
		cfg_error(c, val->line, field, "expected at most %zu items, found %zu",
			  k->max_items, val->array.n);
		return false;
	}
	for (size_t i = 0; i < val->array.n; i++)
		ok &= check_one(c, k, val->array.v[i], field);
	return ok;
}

void cfg_strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strlist){};
}

static int strlist_add(struct strlist *l, const char *s, size_t len)
{
	char *copy = strndup(s, len);
	char **v = copy ? reallocarray(l->v, l->n + 1, sizeof(*v)) : NULL;

	if (!v) {
		free(copy);
		return -ENOMEM;
	}
	l->v = v;
	l->v[l->n++] = copy;
	return 0;
}

/* Items of a list, or the one value that stands for it. */
static size_t items(const struct toml *val)
{
	return val->type == TOML_ARRAY ? val->array.n : 1;
}

static const struct toml *item(const struct toml *val, size_t i)
{
	return val->type == TOML_ARRAY ? val->array.v[i] : val;
}

static int store_strlist(struct strlist *out, const struct toml *val)
{
	struct strlist l = {};

	for (size_t i = 0; i < items(val); i++) {
		if (strlist_add(&l, item(val, i)->str.s, item(val, i)->str.len)) {
			cfg_strlist_free(&l);
			return -ENOMEM;
		}
	}
	cfg_strlist_free(out);
	*out = l;
	return 0;
}

static int store_numbers(struct config *cfg, const struct toml *val, bool pids)
{
	size_t n = items(val);
	void *v = calloc(n ? n : 1, pids ? sizeof(uint32_t) : sizeof(uint16_t));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (pids)
			((uint32_t *)v)[i] = item(val, i)->i;
		else
			((uint16_t *)v)[i] = item(val, i)->i;
	}
	if (pids) {
		free(cfg->ebpf.pids);
		cfg->ebpf.pids = v;
		cfg->ebpf.n_pids = n;
		cfg->ebpf.pids_set = true;
	} else {
		free(cfg->trace.ports);
		cfg->trace.ports = v;
		cfg->trace.n_ports = n;
	}
	return 0;
}

/*
 * Either half of a pair turns the call on. What no key can name (io_uring and the like) is
 * watched along with anything else, so that its bytes are never silently missing.
 */
static uint32_t probe_mask(const struct toml *val)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < items(val); i++)
		mask |= 1u << cfg_probe_parse(item(val, i)->str.s);
	return mask ? mask | 1u << PROBE_OTHER : 0;
}

/* cfg_store - puts a checked value into its place in the struct at base. 0 or -ENOMEM. */
int cfg_store(const struct cfg_key *k, void *base, const struct toml *val)
{
	char *at = (char *)base + k->off, *copy;

	switch (k->type) {
	case CFG_BOOL:
		*(bool *)at = val->b;
		return 0;
	case CFG_U16:
		*(uint16_t *)at = val->i;
		return 0;
	case CFG_U32:
		*(uint32_t *)at = val->i;
		return 0;
	case CFG_U64:
		*(uint64_t *)at = val->i;
		return 0;
	case CFG_STR:
		copy = strdup(val->str.s);
		if (!copy)
			return -ENOMEM;
		free(*(char **)at);
		*(char **)at = copy;
		return 0;
	case CFG_STRLIST:
		return store_strlist((struct strlist *)at, val);
	case CFG_PIDS:
	case CFG_PORTS:
		return store_numbers(base, val, k->type == CFG_PIDS);
	case CFG_PROBES:
		((struct config *)base)->ebpf.probes = probe_mask(val);
		return 0;
	case CFG_HOOKS:
		*(enum hooks_mode *)at = choice(k->choices, val->str.s);
		return 0;
	case CFG_SENDERS:
	case CFG_IGNORED:
		break;
	}
	return 0;
}

/* cfg_store_default - as cfg_store(), into a struct that has no value yet. */
int cfg_store_default(const struct cfg_key *k, void *base)
{
	char *at = (char *)base + k->off;

	if (k->type == CFG_BOOL)
		*(bool *)at = k->def;
	else if (k->type == CFG_U16)
		*(uint16_t *)at = k->def;
	else if (k->type == CFG_U32)
		*(uint32_t *)at = k->def;
	else if (k->type == CFG_U64)
		*(uint64_t *)at = k->def;
	else if (k->type == CFG_PROBES)
		((struct config *)base)->ebpf.probes = (1u << PROBE_MAX) - 1;
	else if (k->type == CFG_STR && k->sdef)
		return (*(char **)at = strdup(k->sdef)) ? 0 : -ENOMEM;
	else if (k->type == CFG_STRLIST && k->sdef)
		for (const char *s = k->sdef; *s; s += strspn(s, " ")) {
			if (strlist_add((struct strlist *)at, s, strcspn(s, " ")))
				return -ENOMEM;
			s += strcspn(s, " ");
		}
	return 0;
}

static json_t *probes_json(uint32_t mask)
{
	json_t *j = json_array();
	char name[64];

	for (int i = 0; i < PROBE_OTHER; i++) {
		if (!(mask & 1u << i))
			continue;
		snprintf(name, sizeof(name), "sys_enter_%s", config_probe_name(i));
		json_array_append_new(j, json_string(name));
		snprintf(name, sizeof(name), "sys_exit_%s", config_probe_name(i));
		json_array_append_new(j, json_string(name));
	}
	return j;
}

/* cfg_value_json - the value as JSON; null where nothing is set. A new reference or NULL. */
json_t *cfg_value_json(const struct cfg_key *k, const void *base)
{
	const struct config *cfg = base;
	const char *at = (const char *)base + k->off;
	const struct strlist *l;
	json_t *j;

	switch (k->type) {
	case CFG_BOOL:
		return json_boolean(*(const bool *)at);
	case CFG_U16:
		return json_integer(*(const uint16_t *)at);
	case CFG_U32:
		return json_integer(*(const uint32_t *)at);
	case CFG_U64:
		return json_integer(*(const uint64_t *)at);
	case CFG_STR:
		return *(char *const *)at ? json_string(*(char *const *)at) : json_null();
	case CFG_STRLIST:
		l = (const struct strlist *)at;
		j = json_array();
		for (size_t i = 0; i < l->n; i++)
			json_array_append_new(j, json_string(l->v[i]));
		return j;
	case CFG_PIDS:
		if (!cfg->ebpf.pids_set)
			return json_null();
		j = json_array();
		for (size_t i = 0; i < cfg->ebpf.n_pids; i++)
			json_array_append_new(j, json_integer(cfg->ebpf.pids[i]));
		return j;
	case CFG_PORTS:
		j = json_array();
		for (size_t i = 0; i < cfg->trace.n_ports; i++)
			json_array_append_new(j, json_integer(cfg->trace.ports[i]));
		return j;
	case CFG_PROBES:
		return probes_json(cfg->ebpf.probes);
	case CFG_HOOKS:
		at = *(const enum hooks_mode *)at == HOOKS_AUTO	    ? "auto"
		     : *(const enum hooks_mode *)at == HOOKS_SOCKET ? "socket"
								    : "syscall";
		return json_string(at);
	case CFG_SENDERS:
	case CFG_IGNORED:
		break;
	}
	return NULL;
}

/* Frees what the value at its place in base holds. */
void cfg_release(const struct cfg_key *k, void *base)
{
	char *at = (char *)base + k->off;

	if (k->type == CFG_STR)
		free(*(char **)at);
	else if (k->type == CFG_STRLIST)
		cfg_strlist_free((struct strlist *)at);
	else if (k->type == CFG_PIDS)
		free(((struct config *)base)->ebpf.pids);
	else if (k->type == CFG_PORTS)
		free(((struct config *)base)->trace.ports);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_config.c - `spanctl config` and `spanctl version`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spanctl.h"
#include "version.h"

/* A whole number as JSON knows it; nothing else, so that "1e3" or "0x10" stay text. */
static json_t *integer(const char *s)
{
	const char *digits = s + (*s == '-');
	long long v;

	if (!*digits || digits[strspn(digits, "0123456789")] || (digits[0] == '0' && digits[1]))
		return NULL;
	errno = 0;
	v = strtoll(s, NULL, 10);
	return errno ? NULL : json_integer(v);
}

/* The type that text has by itself; NULL: it is just text. */
static json_t *by_syntax(const char *text)
{
	json_error_t e;

	if (*text == '"' || *text == '[' || *text == '{')
		return json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return json_boolean(*text == 't');
	if (!strcmp(text, "null"))
		return json_null();
	return integer(text);
}

/* "a,b" as a list; its elements are of the type of those that are there now. */
static json_t *list(const char *text, json_t *current)
{
	json_t *out = json_array(), *first = json_array_get(current, 0), *one;
	char *copy = strdup(text), *rest = copy, *word;

	while (out && rest && *text && (word = strsep(&rest, ","))) {
		word += strspn(word, " ");
		one = json_is_string(first) ? NULL : integer(word);
		if (!one)
			one = json_string(word);
		if (!one || json_array_append_new(out, one)) {
			json_decref(out);
			out = NULL;
		}
	}
	free(copy);
	return copy ? out : NULL;
}

json_t *ctl_value(const char *text, json_t *current, char *err, size_t errlen)
{
	bool quoted = *text == '"' || *text == '[' || *text == '{';
	json_t *v = NULL;

	/* A name that happens to look like a number or a flag is still a name. */
	if (!json_is_string(current) || *text == '"' || !strcmp(text, "null"))
		v = by_syntax(text);
	if (!v && quoted && !json_is_string(current)) {
		snprintf(err, errlen, "%s is not JSON", text);
		return NULL;
	}
	if (v && (!json_is_array(current) || json_is_array(v) || json_is_null(v)))
		return v;
	json_decref(v);
	v = json_is_array(current) ? list(text, current) : json_string(text);
	if (!v)
		snprintf(err, errlen, "%s is not UTF-8 text", text);
	return v;
}

int ctl_set(json_t *patch, const char *assignment, json_t *config, char *err, size_t errlen)
{
	const char *eq = strchr(assignment, '='), *p = assignment;
	char path[256], key[128];
	json_t *at = patch, *value, *inner;
	size_t n;

	if (!eq || eq == assignment || (size_t)(eq - assignment) >= sizeof(path)) {
		snprintf(err, errlen, "expected KEY=VALUE, not \"%s\"", assignment);
		return -EINVAL;
	}
	memcpy(path, assignment, eq - assignment);
	path[eq - assignment] = '\0';
	for (p = path;; p += n + 1) {
		n = strcspn(p, ".");
		if (!n || n >= sizeof(key)) {
			snprintf(err, errlen, "not a key: \"%s\"", path);
			return -EINVAL;
		}
		memcpy(key, p, n);
		key[n] = '\0';
		if (!p[n])
			break;
		inner = json_object_get(at, key);
		if (!inner) {
			inner = json_object();
			if (!inner || json_object_set_new(at, key, inner))
				goto no_memory;
		} else if (!json_is_object(inner)) {
			goto twice;
		}
		at = inner;
	}
	if (json_object_get(at, key))
		goto twice;
	value = ctl_value(eq + 1, ctl_get(config, path), err, errlen);
	if (!value)
		return -EINVAL;
	if (json_object_set_new(at, key, value))
		goto no_memory;
	return 0;

twice:
	snprintf(err, errlen, "%s is given twice", path);
	return -EINVAL;
no_memory:
	snprintf(err, errlen, "%s: out of memory or not UTF-8", path);
	return -ENOMEM;
}

/* One line "key = value" for each key below v. */
static void print_flat(const char *prefix, json_t *v)
{
	const char *key;
	json_t *value;
	char path[512], *text;

	if (json_is_object(v) && json_object_size(v)) {
		json_object_foreach (v, key, value) {
			snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
			print_flat(path, value);
		}
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY);
	printf("%s = %s\n", prefix, text ? text : "?");
	free(text);
}

/* A value alone, so that scripts can use it: text without quotes. */
static void print_value(json_t *v)
{
	char *text;

	if (json_is_string(v)) {
		puts(json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY);
	puts(text ? text : "?");
	free(text);
}

static int config_get(const struct ctl_options *opt, json_t *config)
{
	const char *key = opt->n_args > 1 ? opt->args[1] : "";
	json_t *v = ctl_get(config, key);

	if (!v) {
		ctl_error("no such key: %s", key);
		return CTL_USAGE;
	}
	if (opt->json)
		return ctl_print_json(stdout, v, true);
	if (*key && !json_is_object(v))
		print_value(v);
	else
		print_flat(key, v);
	return CTL_OK;
}

static int config_set(struct ctl_http *h, const struct ctl_options *opt, json_t *config)
{
	json_t *patch = json_object(), *result = NULL, *v;
	char err[512], key[256];
	int ret = patch ? CTL_OK : CTL_INTERNAL;

	for (int i = 1; i < opt->n_args && !ret; i++) {
		if (!ctl_set(patch, opt->args[i], config, err, sizeof(err)))
			continue;
		ctl_error("%s", err);
		ret = CTL_USAGE;
	}
	if (!ret)
		ret = ctl_http_post(h, "/api/config/update", patch, &result);
	if (!ret && opt->json)
		ret = ctl_print_json(stdout, result, true);
	for (int i = 1; i < opt->n_args && !ret && !opt->json; i++) {
		snprintf(key, sizeof(key), "%.*s", (int)strcspn(opt->args[i], "="), opt->args[i]);
		v = ctl_get(result, key);
		if (v)
			print_flat(key, v);
	}
	json_decref(patch);
	json_decref(result);
	return ret;
}

int ctl_cmd_config(struct ctl_http *h, const struct ctl_options *opt)
{
	json_t *config;
	int ret = ctl_http_get(h, "/config", &config);

	if (ret)
		return ret;
	ret = !strcmp(opt->args[0], "get") ? config_get(opt, config) : config_set(h, opt, config);
	json_decref(config);
	return ret;
}

int ctl_cmd_version(struct ctl_http *h, const struct ctl_options *opt)
{
	json_t *status = NULL, *doc;
	char version[64];
	bool there = ctl_http_try(h, "/status", &status) == CTL_OK;
	int ret = CTL_OK;

	ctl_printable(ctl_str(status, "agent.version"), version, sizeof(version));
	if (opt->json) {
		doc = json_pack("{s:s, s:s?}", "spanctl", SPAND_VERSION, "spand",
				there ? version : NULL);
		ret = doc ? ctl_print_json(stdout, doc, false) : CTL_INTERNAL;
		json_decref(doc);
	} else {
		printf("spanctl %s\n", SPAND_VERSION);
		printf("spand %s\n", there ? version : "not running");
	}
	json_decref(status);
	return ret;
}

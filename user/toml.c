// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* toml.c - the tree of values, apart from how it is read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toml.h"

static const char *const type_names[] = {
	[TOML_STRING] = "a string",
	[TOML_INTEGER] = "an integer",
	[TOML_FLOAT] = "a float",
	[TOML_BOOL] = "a boolean",
	[TOML_DATETIME] = "a date-time",
	[TOML_LOCAL_DATETIME] = "a local date-time",
	[TOML_LOCAL_DATE] = "a local date",
	[TOML_LOCAL_TIME] = "a local time",
	[TOML_ARRAY] = "an array",
	[TOML_TABLE] = "a table",
	[TOML_NULL] = "null",
};
_Static_assert(sizeof(type_names) / sizeof(type_names[0]) == TOML_NULL + 1, "one name a type");

const char *toml_type_name(enum toml_type type)
{
	return type_names[type];
}

struct toml *toml_new(enum toml_type type, unsigned line, unsigned col)
{
	struct toml *t = calloc(1, sizeof(*t));

	if (t) {
		t->type = type;
		t->line = line;
		t->col = col;
	}
	return t;
}

struct toml *toml_new_string(const char *s, size_t len, unsigned line, unsigned col)
{
	struct toml *t = toml_new(TOML_STRING, line, col);

	if (!t)
		return NULL;
	t->str.s = malloc(len + 1);
	if (!t->str.s) {
		free(t);
		return NULL;
	}
	memcpy(t->str.s, s, len);
	t->str.s[len] = 0;
	t->str.len = len;
	return t;
}

/* Recursion is bounded: TOML_MAX_DEPTH nested values, each with a key of as many parts. */
void toml_free(struct toml *t)
{
	if (!t)
		return;
	if (t->type == TOML_STRING) {
		free(t->str.s);
	} else if (t->type == TOML_ARRAY) {
		for (size_t i = 0; i < t->array.n; i++)
			toml_free(t->array.v[i]);
		free(t->array.v);
	} else if (t->type == TOML_TABLE) {
		for (size_t i = 0; i < t->table.n; i++) {
			free(t->table.v[i].key);
			toml_free(t->table.v[i].val);
		}
		free(t->table.v);
	}
	free(t);
}

struct toml_pair *toml_find(const struct toml *table, const char *key, size_t len)
{
	for (size_t i = 0; i < table->table.n; i++) {
		struct toml_pair *pair = &table->table.v[i];

		if (pair->len == len && memcmp(pair->key, key, len) == 0)
			return pair;
	}
	return NULL;
}

struct toml *toml_get(const struct toml *table, const char *key)
{
	struct toml_pair *pair = toml_find(table, key, strlen(key));

	return pair ? pair->val : NULL;
}

/* Room for one more: capacities are the powers of two, so n alone says when one is used up. */
static void *grow(void *v, size_t n, size_t size)
{
	if (n & (n - 1))
		return v;
	return reallocarray(v, n ? 2 * n : 1, size);
}

int toml_set(struct toml *table, const char *key, size_t len, struct toml *val)
{
	struct toml_pair *pair = toml_find(table, key, len);
	char *copy;
	void *v;

	if (pair) {
		toml_free(pair->val);
		pair->val = val;
		return 0;
	}
	copy = malloc(len + 1);
	v = copy ? grow(table->table.v, table->table.n, sizeof(*pair)) : NULL;
	if (!v) {
		free(copy);
		toml_free(val);
		return -ENOMEM;
	}
	memcpy(copy, key, len);
	copy[len] = 0;
	table->table.v = v;
	pair = &table->table.v[table->table.n++];
	*pair = (struct toml_pair){ copy, len, val->line, val->col, val };
	return 0;
}

int toml_push(struct toml *array, struct toml *val)
{
	void *v = grow(array->array.v, array->array.n, sizeof(*array->array.v));

	if (!v) {
		toml_free(val);
		return -ENOMEM;
	}
	array->array.v = v;
	array->array.v[array->array.n++] = val;
	return 0;
}

struct toml *toml_take(struct toml *table, const char *key)
{
	struct toml_pair *pair = toml_find(table, key, strlen(key));
	struct toml *val;
	size_t i;

	if (!pair)
		return NULL;
	val = pair->val;
	free(pair->key);
	i = pair - table->table.v;
	/* grow() must see each power of two but once: shrinking past one reallocates, harmless. */
	memmove(pair, pair + 1, (table->table.n - i - 1) * sizeof(*pair));
	table->table.n--;
	return val;
}

void toml_time_format(const struct toml *t, char *buf, size_t size)
{
	const struct toml_time *tm = &t->time;
	char *end = buf + size;

	*buf = 0;
	if (t->type != TOML_LOCAL_TIME)
		buf += snprintf(buf, end - buf, "%04d-%02d-%02d", tm->year, tm->month, tm->day);
	if (t->type == TOML_LOCAL_DATE)
		return;
	if (t->type != TOML_LOCAL_TIME)
		buf += snprintf(buf, end - buf, "T");
	buf += snprintf(buf, end - buf, "%02d:%02d:%02d", tm->hour, tm->min, tm->sec);
	if (tm->nsec)
		buf += snprintf(buf, end - buf, ".%09d", tm->nsec);
	if (t->type != TOML_DATETIME)
		return;
	if (tm->offset == 0)
		snprintf(buf, end - buf, "Z");
	else
		snprintf(buf, end - buf, "%c%02d:%02d", tm->offset < 0 ? '-' : '+',
			 abs(tm->offset) / 60, abs(tm->offset) % 60);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * toml.h - TOML 1.0.0 (https://toml.io/en/v1.0.0) into a tree that remembers where each value
 * stood, so that errors of meaning can be reported by line as well as errors of syntax.
 */
#ifndef SPAND_TOML_H
#define SPAND_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_MAX_SIZE	(1024 * 1024) /* bytes of one document */
#define TOML_MAX_DEPTH	64	      /* nested arrays and inline tables; parts of one dotted key */
#define TOML_MAX_VALUES 16384	      /* values in one document; keeps linear look-ups cheap */
#define TOML_MAX_ERRORS 20

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_DATETIME, /* with an offset from UTC */
	TOML_LOCAL_DATETIME,
	TOML_LOCAL_DATE,
	TOML_LOCAL_TIME,
	TOML_ARRAY,
	TOML_TABLE,
	TOML_NULL, /* never parsed: for trees that are made from JSON */
};

struct toml_time {
	int year, month, day;
	int hour, min, sec, nsec;
	int offset; /* minutes east of UTC */
};

struct toml_pair {
	char *key; /* zero-terminated; "\u0000" is allowed inside */
	size_t len;
	unsigned line, col; /* of the key */
	struct toml *val;
};

struct toml {
	enum toml_type type;
	unsigned flags; /* the parser's */
	unsigned line;	/* from 1; 0: not from a file */
	unsigned col;	/* from 1, in characters */
	union {
		struct {
			char *s; /* zero-terminated; "\u0000" is allowed inside */
			size_t len;
		} str;
		int64_t i;
		double f;
		bool b;
		struct toml_time time;
		struct {
			struct toml **v;
			size_t n;
		} array;
		struct {
			struct toml_pair *v; /* in the order of the document */
			size_t n;
		} table;
	};
};

struct toml_error {
	unsigned line, col;
	char text[200];
};

struct toml_errors {
	struct toml_error v[TOML_MAX_ERRORS];
	size_t n; /* up to TOML_MAX_ERRORS; further ones are not looked for */
};

/*
 * toml_parse - reads the document text of len bytes. Fills errors in (n is 0 when it is valid),
 * in the order of the document: after a bad statement it goes on with the next one.
 * Returns the root table, holding what could be read; NULL when out of memory.
 */
struct toml *toml_parse(const char *text, size_t len, struct toml_errors *errors);
void toml_free(struct toml *t);

/* The value of key in a table, or NULL. */
struct toml *toml_get(const struct toml *table, const char *key);
struct toml_pair *toml_find(const struct toml *table, const char *key, size_t len);

/* An empty value of that type, or NULL. */
struct toml *toml_new(enum toml_type type, unsigned line, unsigned col);
struct toml *toml_new_string(const char *s, size_t len, unsigned line, unsigned col);

/*
 * toml_set, toml_push - put val under key into a table (replacing), at the end of an array.
 * Take over val, also on failure. 0 or -ENOMEM.
 */
int toml_set(struct toml *table, const char *key, size_t len, struct toml *val);
int toml_push(struct toml *array, struct toml *val);
/* Takes the value of key out of the table; the caller's then. NULL when there is none. */
struct toml *toml_take(struct toml *table, const char *key);

/* "a string", "an integer", ... */
const char *toml_type_name(enum toml_type type);

/* Makes a message printable: control characters and cut or invalid UTF-8 become '?'. */
void toml_clean(char *text);

/* Writes a date or time as RFC 3339 has it; size: 40 or more. */
void toml_time_format(const struct toml *t, char *buf, size_t size);

#endif

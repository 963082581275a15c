/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vec_load.h - reads the test vectors, selftests/vectors/<protocol>/<name>.vec; the folder
 * "foreign" holds what no parser may take for its own. A file holds cases; a line is one of
 *
 *	# origin: TEXT		where the bytes and the answers come from; stays for the next cases
 *	# ...			comment
 *	case TITLE		begins a case
 *	option undetected	the first bytes are no sign of the protocol, in either direction
 *	option unanswered	the same for the response direction alone
 *	option ordered		an answer depends on what was sent before it: don't merge segments
 *	> ITEM ...		bytes in the request direction
 *	< ITEM ...		bytes in the response direction
 *	= > WORDS		a message that must come out in the request direction, in order
 *	= < WORDS		the same in the response direction
 *
 * An ITEM is "BYTES", or N * "BYTES": the same N times. BYTES in C's notation, of which there are
 * \r \n \t \\ \" \0 and \xNN.
 *
 * WORDS of an expected message: name "TEXT", status N, size BYTES, times N, and flags: oneway,
 * error, leave, interim, open (not ended when the bytes are). `bad` alone: what follows is refused.
 *
 * Lines of one direction in a row are one write. What is expected is written by hand, from the
 * protocol's specification.
 */
#ifndef SPAND_VEC_LOAD_H
#define SPAND_VEC_LOAD_H

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define VEC_DIR "selftests/vectors"

enum vec_flags {
	VEC_ONEWAY = 1 << 0,
	VEC_ERROR = 1 << 1,
	VEC_LEAVE = 1 << 2,
	VEC_INTERIM = 1 << 3,
	VEC_OPEN = 1 << 4,
	VEC_BAD = 1 << 5,
};

static const char *const vec_flag_names[] = {
	"oneway", "error", "leave", "interim", "open", "bad"
};

enum vec_option {
	VEC_UNDETECTED = 1 << 0,
	VEC_UNANSWERED = 1 << 1,
	VEC_ORDERED = 1 << 2,
};

/* len bytes, count times. */
struct vec_piece {
	unsigned char *data;
	size_t len;
	__u64 count;
};

struct vec_seg {
	int dir;   /* 0: request, 1: response */
	__u64 off; /* in its direction's stream */
	__u64 len;
};

struct vec_msg {
	char name[SPAND_NAME_MAX + 1];
	__u64 size;
	__u32 status;
	__u32 flags;
};

struct vec_list {
	void *items;
	size_t n, room;
};

struct vec_stream {
	struct vec_list pieces; /* struct vec_piece */
	struct vec_list msgs;	/* struct vec_msg: expected */
	__u64 len;
};

struct vec_case {
	char path[1024];
	char proto[256];
	char title[128];
	unsigned options;
	int has_origin;
	struct vec_stream dir[2];
	struct vec_list segs; /* struct vec_seg */
};

struct vec_set {
	struct vec_list cases; /* struct vec_case */
};

#define vec_at(list, type, i) (&((type *)(list)->items)[i])

__attribute__((unused)) static void *vec_add(struct vec_list *l, size_t size)
{
	void *item;

	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 8;
		l->items = realloc(l->items, l->room * size);
		if (!l->items)
			abort();
	}
	item = (char *)l->items + l->n++ * size;
	memset(item, 0, size);
	return item;
}

static int vec_hex(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* A string at *p into buf (no longer than the text); *p is moved behind it. Length, or -1. */
static long vec_string(const char **p, unsigned char *buf)
{
	const char *s = *p;
	long n = 0;

	if (*s++ != '"')
		return -1;
	for (; *s && *s != '"'; s++) {
		if (*s != '\\') {
			buf[n++] = *s;
			continue;
		}
		switch (*++s) {
		case 'r':
			buf[n++] = '\r';
			break;
		case 'n':
			buf[n++] = '\n';
			break;
		case 't':
			buf[n++] = '\t';
			break;
		case '0':
			buf[n++] = '\0';
			break;
		case '\\':
		case '"':
			buf[n++] = *s;
			break;
		case 'x':
			if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
				return -1;
			buf[n++] = vec_hex(s[1]) << 4 | vec_hex(s[2]);
			s += 2;
			break;
		default:
			return -1;
		}
	}
	if (*s != '"')
		return -1;
	*p = s + 1;
	return n;
}

static void vec_blanks(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

/* The rest of a '>' or '<' line. */
static int vec_bytes(struct vec_case *c, int dir, const char *p)
{
	struct vec_stream *st = &c->dir[dir];
	struct vec_seg *seg = c->segs.n ? vec_at(&c->segs, struct vec_seg, c->segs.n - 1) : NULL;

	if (!seg || seg->dir != dir) {
		seg = vec_add(&c->segs, sizeof(*seg));
		seg->dir = dir;
		seg->off = st->len;
	}
	for (vec_blanks(&p); *p; vec_blanks(&p)) {
		struct vec_piece *piece = vec_add(&st->pieces, sizeof(*piece));
		long n;

		piece->count = 1;
		if (isdigit((unsigned char)*p)) {
			piece->count = strtoull(p, (char **)&p, 10);
			vec_blanks(&p);
			if (*p++ != '*')
				return -1;
			vec_blanks(&p);
		}
		piece->data = malloc(strlen(p) + 1);
		n = vec_string(&p, piece->data);
		if (n <= 0 || !piece->count)
			return -1;
		piece->len = n;
		st->len += piece->count * n;
		seg->len += piece->count * n;
	}
	return 0;
}

static int vec_number(const char **p, __u64 *v)
{
	vec_blanks(p);
	if (!isdigit((unsigned char)**p))
		return -1;
	*v = strtoull(*p, (char **)p, 10);
	return 0;
}

/* The rest of a '=' line. */
static int vec_expect(struct vec_case *c, const char *p)
{
	struct vec_msg msg = {};
	__u64 times = 1, v;
	char word[16];
	size_t i;
	int dir;

	vec_blanks(&p);
	if (*p != '>' && *p != '<')
		return -1;
	dir = *p++ == '<';
	for (vec_blanks(&p); *p; vec_blanks(&p)) {
		i = strcspn(p, " \t");
		if (i >= sizeof(word))
			return -1;
		memcpy(word, p, i);
		word[i] = '\0';
		p += i;
		if (!strcmp(word, "name")) {
			unsigned char *buf = malloc(strlen(p) + 1);
			long n;

			vec_blanks(&p);
			n = vec_string(&p, buf);
			if (n >= 0 && n <= SPAND_NAME_MAX)
				memcpy(msg.name, buf, n);
			free(buf);
			if (n < 0 || n > SPAND_NAME_MAX)
				return -1;
		} else if (!strcmp(word, "status")) {
			if (vec_number(&p, &v))
				return -1;
			msg.status = v;
		} else if (!strcmp(word, "size")) {
			if (vec_number(&p, &msg.size))
				return -1;
		} else if (!strcmp(word, "times")) {
			if (vec_number(&p, &times))
				return -1;
		} else {
			for (i = 0; i < 6 && strcmp(word, vec_flag_names[i]); i++)
				;
			if (i == 6)
				return -1;
			msg.flags |= 1 << i;
		}
	}
	while (times--)
		memcpy(vec_add(&c->dir[dir].msgs, sizeof(msg)), &msg, sizeof(msg));
	return 0;
}

static int vec_line(struct vec_set *set, const char *proto, const char *path, int *origin,
		    char *line)
{
	struct vec_case *c =
		set->cases.n ? vec_at(&set->cases, struct vec_case, set->cases.n - 1) : NULL;

	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "# origin: ", 10) && line[10])
		*origin = 1;
	if (!line[0] || line[0] == '#')
		return 0;
	if (!strncmp(line, "case ", 5)) {
		c = vec_add(&set->cases, sizeof(*c));
		snprintf(c->path, sizeof(c->path), "%s", path);
		snprintf(c->proto, sizeof(c->proto), "%s", proto);
		snprintf(c->title, sizeof(c->title), "%s", line + 5);
		return *origin ? 0 : -1;
	}
	if (!c)
		return -1;
	if (!strcmp(line, "option undetected"))
		c->options |= VEC_UNDETECTED | VEC_UNANSWERED;
	else if (!strcmp(line, "option unanswered"))
		c->options |= VEC_UNANSWERED;
	else if (!strcmp(line, "option ordered"))
		c->options |= VEC_ORDERED;
	else if (line[0] == '>' || line[0] == '<')
		return vec_bytes(c, line[0] == '<', line + 1);
	else if (line[0] == '=')
		return vec_expect(c, line + 1);
	else
		return -1;
	return 0;
}

static int vec_load_file(struct vec_set *set, const char *proto, const char *path)
{
	int err = 0, no = 0, origin = 0;
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;

	if (!f) {
		perror(path);
		return -1;
	}
	while (!err && getline(&line, &cap, f) > 0) {
		no++;
		err = vec_line(set, proto, path, &origin, line);
		if (err)
			fprintf(stderr, "%s:%d: not understood, or no origin\n", path, no);
	}
	free(line);
	fclose(f);
	return err;
}

__attribute__((unused)) static void vec_free(struct vec_set *set)
{
	size_t i, j, d;

	for (i = 0; i < set->cases.n; i++) {
		struct vec_case *c = vec_at(&set->cases, struct vec_case, i);

		for (d = 0; d < 2; d++) {
			for (j = 0; j < c->dir[d].pieces.n; j++)
				free(vec_at(&c->dir[d].pieces, struct vec_piece, j)->data);
			free(c->dir[d].pieces.items);
			free(c->dir[d].msgs.items);
		}
		free(c->segs.items);
	}
	free(set->cases.items);
	memset(set, 0, sizeof(*set));
}

/* All cases below top: 0, or -1 and a message. */
__attribute__((unused)) static int vec_load(struct vec_set *set, const char *top)
{
	struct dirent **protos, **files;
	int n, m, i, j, err = 0;
	char path[1024];

	memset(set, 0, sizeof(*set));
	n = scandir(top, &protos, NULL, alphasort);
	if (n < 0) {
		perror(top);
		return -1;
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, protos[i]->d_name);
		m = protos[i]->d_type == DT_DIR && protos[i]->d_name[0] != '.'
			    ? scandir(path, &files, NULL, alphasort)
			    : -1;
		for (j = 0; j < m; j++) {
			const char *dot = strrchr(files[j]->d_name, '.');

			snprintf(path, sizeof(path), "%s/%s/%s", top, protos[i]->d_name,
				 files[j]->d_name);
			if (!err && dot && !strcmp(dot, ".vec"))
				err = vec_load_file(set, protos[i]->d_name, path);
			free(files[j]);
		}
		if (m >= 0)
			free(files);
		free(protos[i]);
	}
	free(protos);
	if (err)
		vec_free(set);
	return err;
}

/* Bytes [off, off + n) of a direction's stream. */
__attribute__((unused)) static void vec_read(const struct vec_stream *st, __u64 off,
					     unsigned char *out, size_t n)
{
	size_t i;

	for (i = 0; i < st->pieces.n && n; i++) {
		const struct vec_piece *p = vec_at(&st->pieces, struct vec_piece, i);
		__u64 total = p->len * p->count;

		if (off >= total) {
			off -= total;
			continue;
		}
		for (; n && off < total; n--)
			*out++ = p->data[off++ % p->len];
		off = 0;
	}
}

#endif

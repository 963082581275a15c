/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_table.c - aligned columns. Cells hold text from outside: it is made printable here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "spanctl.h"

#define CELL_MAX 512

struct ctl_table {
	const struct ctl_column *columns;
	size_t n, rows, room;
	char **cells; /* rows * n */
};

struct ctl_table *ctl_table_new(const struct ctl_column *columns, size_t n)
{
	struct ctl_table *t = calloc(1, sizeof(*t));

	if (t) {
		t->columns = columns;
		t->n = n;
	}
	return t;
}

void ctl_table_free(struct ctl_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->rows * t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

int ctl_table_row(struct ctl_table *t, const char *const *cells)
{
	char buf[CELL_MAX], **bigger, **row;
	size_t room;

	if (t->rows == t->room) {
		room = t->room ? t->room * 2 : 32;
		bigger = reallocarray(t->cells, room * t->n, sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		t->cells = bigger;
		t->room = room;
	}
	row = t->cells + t->rows * t->n;
	for (size_t i = 0; i < t->n; i++) {
		row[i] = strdup(ctl_printable(cells[i] ? cells[i] : "", buf, sizeof(buf)));
		if (!row[i]) {
			while (i--)
				free(row[i]);
			return -ENOMEM;
		}
	}
	t->rows++;
	return 0;
}

/* Characters, taking each for one column. */
static unsigned columns_of(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Prints at most max characters of s; returns how many. */
static unsigned put(FILE *f, const char *s, unsigned max)
{
	unsigned n = 0;
	size_t i = 0;

	for (; s[i]; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80 && n++ == max) {
			n--;
			break;
		}
	}
	fwrite(s, 1, i, f);
	return n;
}

static void blanks(FILE *f, unsigned n)
{
	while (n--)
		fputc(' ', f);
}

static void print_line(const struct ctl_table *t, FILE *f, const unsigned *widths,
		       char *const *cells, unsigned width)
{
	unsigned left = width ? width : ~0U, pad, n;

	for (size_t i = 0; i < t->n && left; i++) {
		const char *s = cells ? cells[i] : t->columns[i].title;

		if (i) {
			blanks(f, left < 2 ? left : 2);
			left -= left < 2 ? left : 2;
		}
		pad = widths[i] - columns_of(s);
		if (t->columns[i].right) {
			pad = pad < left ? pad : left;
			blanks(f, pad);
			left -= pad;
			left -= put(f, s, left);
			continue;
		}
		n = put(f, s, left);
		left -= n;
		if (i + 1 < t->n) { /* no blanks at the end of a line */
			pad = pad < left ? pad : left;
			blanks(f, pad);
			left -= pad;
		}
	}
	fputc('\n', f);
}

void ctl_table_print(const struct ctl_table *t, FILE *f, unsigned width)
{
	unsigned widths[t->n], w;

	for (size_t i = 0; i < t->n; i++) {
		widths[i] = columns_of(t->columns[i].title);
		for (size_t r = 0; r < t->rows; r++) {
			w = columns_of(t->cells[r * t->n + i]);
			if (w > widths[i])
				widths[i] = w;
		}
	}
	print_line(t, f, widths, NULL, width);
	for (size_t r = 0; r < t->rows; r++)
		print_line(t, f, widths, t->cells + r * t->n, width);
}

void ctl_terminal(FILE *f, unsigned *width, unsigned *height)
{
	struct winsize ws;

	*width = *height = 0;
	if (!isatty(fileno(f)) || ioctl(fileno(f), TIOCGWINSZ, &ws))
		return;
	*width = ws.ws_col;
	*height = ws.ws_row;
}

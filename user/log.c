/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

enum log_level log_level = LOG_INFO;

static const char *const names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == LOG_DEBUG + 1, "a name for each level");

int log_level_parse(const char *name)
{
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return i;
	}
	return -1;
}

void log_print(enum log_level level, const char *fmt, ...)
{
	char text[1024], line[1280];
	struct text_out o;
	int saved = errno, n;
	ssize_t ret;
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	errno = saved; /* for %m */
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	while (n && text[n - 1] == '\n')
		n--;

	text_init(&o, line, sizeof(line) - 1);
	text_lit(&o, "spand: ");
	text_str(&o, names[level]);
	text_lit(&o, ": ");
	/* Names from outside may hold line ends and escape sequences. */
	text_printable(&o, text, n);
	*o.p++ = '\n';
	/* One write, so that lines of several threads don't mix; a lost message is no error. */
	ret = write(STDERR_FILENO, line, o.p - line);
	(void)ret;
	errno = saved;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics.h - Prometheus text exposition format, version 0.0.4.
 */
#ifndef SPAND_METRICS_H
#define SPAND_METRICS_H

#include <stdio.h>

#include "daemon.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* metrics_text - all metrics of d. 0, *out (malloc) and *len; -ENOMEM. */
int metrics_text(struct daemon *d, char **out, size_t *len);

/* A label's value: backslash, double quote and newline escaped, what is not UTF-8 as '?'. */
void metrics_label(FILE *f, const char *value);

#endif

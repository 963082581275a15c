/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log.h - messages to stderr, one line each: "spand: warn: text".
 */
#ifndef SPAND_LOG_H
#define SPAND_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;

void log_print(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* error, warn, info, debug -> level; -1: none of them. */
int log_level_parse(const char *name);

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

/* Logs at error level and yields ret, for `return log_err_r(-ENOMEM, "...")`. */
#define log_err_r(ret, ...) (log_error(__VA_ARGS__), (ret))

#endif

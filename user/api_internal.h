/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_internal.h - what the files of the API share.
 */
#ifndef SPAND_API_INTERNAL_H
#define SPAND_API_INTERNAL_H

#include <stdarg.h>
#include <sys/types.h>

#include "api.h"

#define API_SPANS_DEFAULT 100
#define API_SPANS_MAX	  10000
#define API_PARAMS_MAX	  16 /* query parameters of one request */

/*
 * Seconds without a byte after which a connection is closed: before its first request is complete,
 * so that idle ones do not keep others out for long, and later. Variables for the tests.
 */
extern unsigned api_first_s, api_timeout_s;
/* Where processes are read from: "/proc"; a variable for the tests. */
extern const char *api_procfs;

/* Answers of one route. A body that is better made while it is sent goes to *stream instead. */
struct api_stream;
typedef void (*api_handler)(struct daemon *d, const struct api_request *req,
			    struct api_response *res, struct api_stream **stream);

void api_get_status(struct daemon *d, const struct api_request *req, struct api_response *res,
		    struct api_stream **stream);
void api_get_processes(struct daemon *d, const struct api_request *req, struct api_response *res,
		       struct api_stream **stream);
void api_get_spans(struct daemon *d, const struct api_request *req, struct api_response *res,
		   struct api_stream **stream);
void api_get_metrics(struct daemon *d, const struct api_request *req, struct api_response *res,
		     struct api_stream **stream);
void api_post_update(struct daemon *d, const struct api_request *req, struct api_response *res,
		     struct api_stream **stream);

/*
 * api_check - everything about a request that is known before its body: Host, Origin, path,
 * method, parameters, content type, token. 0, or -EINVAL with res filled in.
 */
int api_check(struct daemon *d, const struct api_request *req, struct api_response *res);

/* As api_handle(), for callers that can send a stream; api_check() must have passed. */
void api_route(struct daemon *d, const struct api_request *req, struct api_response *res,
	       struct api_stream **stream);

/*
 * api_stream_read - the next bytes of a streamed body, at most max. Returns how many, 0 at the
 * end, -ENOMEM.
 */
ssize_t api_stream_read(struct api_stream *s, char *buf, size_t max);
void api_stream_free(struct api_stream *s);

/*
 * api_listen - a non-blocking listening socket. address: numeric, or "localhost"; port: host
 * order, 0: any, *got is the one it has. Returns the descriptor, or -errno with err filled in.
 */
int api_listen(const char *address, uint16_t port, uint16_t *got, char *err, size_t errlen);

/* Answers {"error": text, "field": field}; text and field may hold bytes that came from outside. */
void api_error(struct api_response *res, unsigned status, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Answers with v, which it takes over; 500 if v is NULL. */
void api_json(struct api_response *res, unsigned status, json_t *v);
/* A JSON string of n bytes; what is not UTF-8 becomes '?'. NULL: out of memory. */
json_t *api_string(const char *s, size_t n);

/* True if name (a numeric address or "localhost") is this host's loopback. */
bool api_is_loopback(const char *name);
/* True if a Host header (name, optional port) names the loopback. */
bool api_host_is_loopback(const char *host);
/* True if an Origin header names the loopback. */
bool api_origin_is_loopback(const char *origin);
/* Compares in a time that does not depend on where a and b differ. */
bool api_token_equal(const char *expected, const char *given);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api.h - the HTTP API (paths and fields: README). Handlers are plain functions from a request
 * to a JSON body, so that tests call them without a socket.
 */
#ifndef SPAND_API_H
#define SPAND_API_H

#include <jansson.h>

#include "daemon.h"

struct api;

struct api_request {
	const char *method;
	const char *path;
	const char *(*arg)(const void *ctx, const char *key); /* query parameter or NULL */
	const char *(*arg_name)(const void *ctx, size_t i);   /* i-th one's name, NULL past them */
	const void *ctx;
	const char *body;
	size_t body_len;
	const char *token;			  /* of "Authorization: Bearer", NULL: none */
	const char *host, *origin, *content_type; /* header values, NULL: not given */
};

struct api_response {
	unsigned status; /* HTTP */
	const char *type;
	char *body; /* malloc */
	size_t len;
	const char *allow; /* with 405: value of Allow, else NULL */
};

/*
 * Routes one request. Always fills res (the body is the caller's to free, NULL without memory);
 * errors are {"error":..., "field":...}, field "" when no field is to blame.
 */
void api_handle(struct daemon *d, const struct api_request *req, struct api_response *res);

/* Starts serving cfg->api; -EADDRINUSE etc. with err filled in. */
int api_start(struct daemon *d, struct api **out, char *err, size_t errlen);
void api_stop(struct api *a);

/* The port it listens on, host order: the one chosen by the kernel if api.port is 0. */
uint16_t api_port(const struct api *a);

#endif

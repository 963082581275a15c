/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a request to a handler: the table of routes, and what holds for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_internal.h"
#include "stats.h"

const char *api_procfs = "/proc";

static void set_body(struct api_response *res, unsigned status, char *body)
{
	res->status = body ? status : 500;
	res->type = "application/json";
	res->body = body;
	res->len = body ? strlen(body) : 0;
}

void api_json(struct api_response *res, unsigned status, json_t *v)
{
	char *line = NULL, *text = v ? json_dumps(v, JSON_COMPACT) : NULL;

	/* The newline is for people who type curl. */
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	if (!line) {
		line = strdup("{\"error\":\"out of memory\",\"field\":\"\"}\n");
		status = 500;
	}
	set_body(res, status, line);
	free(text);
	json_decref(v);
}

json_t *api_string(const char *s, size_t n)
{
	json_t *v = json_stringn(s, n);
	char *copy;

	if (v)
		return v;
	copy = malloc(n + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < n; i++)
		copy[i] = s[i] & 0x80 ? '?' : s[i];
	v = json_stringn(copy, n);
	free(copy);
	return v;
}

void api_error(struct api_response *res, unsigned status, const char *field, const char *fmt, ...)
{
	char text[512];
	json_t *v = json_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (v && (json_object_set_new(v, "error", api_string(text, strlen(text))) ||
		  json_object_set_new(v, "field", api_string(field, strlen(field))))) {
		json_decref(v);
		v = NULL;
	}
	api_json(res, status, v);
}

static void get_health(struct daemon *d, const struct api_request *req, struct api_response *res,
		       struct api_stream **stream)
{
	struct tracer_info info;
	bool attached;

	(void)req;
	(void)stream;
	pthread_mutex_lock(&d->lock);
	attached = d->tracer && !tracer_info(d->tracer, &info) && info.programs;
	pthread_mutex_unlock(&d->lock);
	if (!attached)
		api_error(res, 503, "", "no BPF programs are attached");
	else
		api_json(res, 200, json_pack("{s:s}", "status", "ok"));
}

static void get_config(struct daemon *d, const struct api_request *req, struct api_response *res,
		       struct api_stream **stream)
{
	json_t *v;

	(void)req;
	(void)stream;
	pthread_mutex_lock(&d->lock);
	v = config_json(d->cfg, true);
	pthread_mutex_unlock(&d->lock);
	api_json(res, 200, v);
}

static const char *const no_params[] = { NULL };
static const char *const span_params[] = { "limit",	   "protocol",	"since",
					   "process",	   "status",	"name",
					   "min_duration", "after_seq", NULL };

static const struct route {
	const char *path;
	bool update; /* POST that changes something; else GET and HEAD */
	const char *const *params;
	api_handler fn;
} routes[] = {
	{ "/health", false, no_params, get_health },
	{ "/status", false, no_params, api_get_status },
	{ "/processes", false, no_params, api_get_processes },
	{ "/config", false, no_params, get_config },
	{ "/metrics", false, no_params, api_get_metrics },
	{ "/api/spans", false, span_params, api_get_spans },
	{ "/api/config/update", true, no_params, api_post_update },
};

static const struct route *route_find(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (!strcmp(path, routes[i].path))
			return &routes[i];
	return NULL;
}

static int check_params(const struct route *r, const struct api_request *req,
			struct api_response *res)
{
	const char *name, *const *p;

	if (!req->arg_name)
		return 0;
	for (size_t i = 0; (name = req->arg_name(req->ctx, i)); i++) {
		for (p = r->params; *p && strcmp(*p, name); p++)
			;
		if (!*p) {
			api_error(res, 400, name, "no such query parameter: %.64s", name);
			return -EINVAL;
		}
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(req->arg_name(req->ctx, j), name)) {
				api_error(res, 400, name, "given twice: %s", name);
				return -EINVAL;
			}
		}
	}
	return 0;
}

/* RFC 9110, section 8.3: application/json, or a subtype that ends in +json; then parameters. */
static bool is_json_type(const char *type)
{
	size_t n = strcspn(type, "; \t");

	return (n == 16 && !strncasecmp(type, "application/json", n)) ||
	       (n > 17 && !strncasecmp(type, "application/", 12) &&
		!strncasecmp(type + n - 5, "+json", 5));
}

static int check_update(struct daemon *d, const struct api_request *req, struct api_response *res)
{
	bool loopback, has_token, ok;

	if (req->origin && !api_origin_is_loopback(req->origin)) {
		api_error(res, 403, "", "requests from web pages of other hosts are refused");
		return -EINVAL;
	}
	pthread_mutex_lock(&d->lock);
	loopback = api_is_loopback(d->cfg->api.address);
	has_token = d->cfg->api.token && *d->cfg->api.token;
	ok = has_token && req->token && api_token_equal(d->cfg->api.token, req->token);
	pthread_mutex_unlock(&d->lock);
	if (!loopback && !has_token) {
		api_error(res, 403, "api.token",
			  "updates need a token: api.address is not a loopback address and "
			  "api.token is not set");
		return -EINVAL;
	}
	if (has_token && !ok) {
		api_error(res, 401, "", "%s",
			  req->token ? "wrong token"
				     : "a token is needed: Authorization: Bearer TOKEN");
		return -EINVAL;
	}
	if (req->content_type && !is_json_type(req->content_type)) {
		api_error(res, 415, "", "expected Content-Type: application/json");
		return -EINVAL;
	}
	return 0;
}

int api_check(struct daemon *d, const struct api_request *req, struct api_response *res)
{
	const struct route *r;
	bool loopback, post, get;

	memset(res, 0, sizeof(*res));
	pthread_mutex_lock(&d->lock);
	loopback = api_is_loopback(d->cfg->api.address);
	pthread_mutex_unlock(&d->lock);
	/* A page whose own name was made to resolve to 127.0.0.1 still sends that name. */
	if (loopback && req->host && !api_host_is_loopback(req->host)) {
		api_error(res, 403, "", "the Host header must be localhost, 127.0.0.1 or [::1]");
		return -EINVAL;
	}
	r = route_find(req->path);
	if (!r) {
		api_error(res, 404, "", "no such path: %.128s", req->path);
		return -EINVAL;
	}
	post = !strcmp(req->method, "POST");
	get = !strcmp(req->method, "GET") || !strcmp(req->method, "HEAD");
	if (r->update ? !post : !get) {
		res->allow = r->update ? "POST" : "GET, HEAD";
		api_error(res, 405, "", "%.32s is not allowed here", req->method);
		return -EINVAL;
	}
	if (check_params(r, req, res))
		return -EINVAL;
	return r->update ? check_update(d, req, res) : 0;
}

void api_route(struct daemon *d, const struct api_request *req, struct api_response *res,
	       struct api_stream **stream)
{
	memset(res, 0, sizeof(*res));
	*stream = NULL;
	route_find(req->path)->fn(d, req, res, stream);
}

void api_handle(struct daemon *d, const struct api_request *req, struct api_response *res)
{
	struct api_stream *stream;
	char chunk[4096];
	ssize_t n;
	FILE *f;

	if (api_check(d, req, res))
		return;
	api_route(d, req, res, &stream);
	if (!stream)
		return;
	f = open_memstream(&res->body, &res->len);
	n = f ? 0 : -ENOMEM;
	while (f && (n = api_stream_read(stream, chunk, sizeof(chunk))) > 0)
		fwrite(chunk, 1, n, f);
	api_stream_free(stream);
	if (f && (ferror(f) | fclose(f)))
		n = -ENOMEM;
	if (n) {
		free(res->body);
		api_json(res, 500, NULL);
	}
}

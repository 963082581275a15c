/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP side of the API: libmicrohttpd gathers a request, api.c answers it. What a client can
 * make us hold is bounded: connections, header bytes, body bytes, time without a byte.
 */
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_internal.h"
#include "log.h"

#define BACKLOG	     64
#define CONN_MEMORY  16384 /* request line and headers of one connection */
#define STREAM_BLOCK 16384 /* of a streamed body at once */
/* A chunked body is found to be too large only while it comes: this much more is read over. */
#define DISCARD_MAX  (1 << 20)

unsigned api_first_s = 3;
unsigned api_timeout_s = 10;

struct api {
	struct daemon *d;
	struct MHD_Daemon *mhd;
	char *ident; /* value of the Server header, "": none */
	uint16_t port;
};

/* One request while its body is read. */
struct exchange {
	char *body;
	size_t len, size;
	uint32_t max; /* api.max_body when the request began */
	size_t over;  /* bytes beyond it */
	bool no_memory;
};

/* What MHD knows of a request, as api_request wants it. */
struct params {
	const char *key[API_PARAMS_MAX], *value[API_PARAMS_MAX];
	size_t n;
	bool bad; /* too many, or a zero byte in one */
};

static enum MHD_Result add_param(void *cls, enum MHD_ValueKind kind, const char *key,
				 size_t key_len, const char *value, size_t value_len)
{
	struct params *p = cls;

	(void)kind;
	if (!value) {
		value = "";
		value_len = 0;
	}
	if (p->n == API_PARAMS_MAX || strlen(key) != key_len || strlen(value) != value_len) {
		p->bad = true;
		return MHD_NO;
	}
	p->key[p->n] = key;
	p->value[p->n++] = value;
	return MHD_YES;
}

static const char *param_value(const void *ctx, const char *key)
{
	const struct params *p = ctx;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->key[i], key))
			return p->value[i];
	return NULL;
}

static const char *param_name(const void *ctx, size_t i)
{
	const struct params *p = ctx;

	return i < p->n ? p->key[i] : NULL;
}

/* Headers that change what a request means are counted: two that differ deceive somebody. */
struct header_count {
	const char *name;
	unsigned n;
};

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	struct header_count *c = cls;

	(void)kind;
	(void)value;
	c->n += !strcasecmp(key, c->name);
	return MHD_YES;
}

static unsigned headers_named(struct MHD_Connection *conn, const char *name)
{
	struct header_count c = { .name = name };

	MHD_get_connection_values(conn, MHD_HEADER_KIND, count_header, &c);
	return c.n;
}

static const char *header(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* RFC 6750, section 2.1: "Bearer" and the token; NULL if it is anything else. */
static const char *bearer(const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7))
		return NULL;
	authorization += 7;
	return authorization + strspn(authorization, " ");
}

static void fill_request(struct MHD_Connection *conn, const char *method, const char *url,
			 struct params *params, struct api_request *req)
{
	memset(params, 0, sizeof(*params));
	MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, add_param, params);
	*req = (struct api_request){
		.method = method,
		.path = url,
		.arg = param_value,
		.arg_name = param_name,
		.ctx = params,
		.token = bearer(header(conn, "Authorization")),
		.host = header(conn, "Host"),
		.origin = header(conn, "Origin"),
		.content_type = header(conn, "Content-Type"),
	};
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
	ssize_t n = api_stream_read(cls, buf, max);

	(void)pos;
	return n > 0 ? n : n ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_stream(void *cls)
{
	api_stream_free(cls);
}

/* Length of what is left of a stream, which is read over. */
static uint64_t stream_length(struct api_stream *s)
{
	char buf[4096];
	uint64_t sum = 0;
	ssize_t n;

	while ((n = api_stream_read(s, buf, sizeof(buf))) > 0)
		sum += n;
	return sum;
}

/* Sends res, whose body is taken over, or stream. */
static enum MHD_Result respond(const struct api *a, struct MHD_Connection *conn, const char *method,
			       struct api_response *res, struct api_stream *stream)
{
	uint64_t size = MHD_SIZE_UNKNOWN;
	enum MHD_Result ret;
	struct MHD_Response *r;

	/* Without a length, MHD would end the body that HEAD must not have with an empty chunk. */
	if (stream && !strcmp(method, "HEAD"))
		size = stream_length(stream);
	if (stream)
		r = MHD_create_response_from_callback(size, STREAM_BLOCK, read_stream, stream,
						      free_stream);
	else
		r = MHD_create_response_from_buffer(res->len, res->body, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		api_stream_free(stream);
		free(res->body);
		return MHD_NO;
	}
	MHD_add_response_header(r, "Content-Type", res->type);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (*a->ident)
		MHD_add_response_header(r, "Server", a->ident);
	if (res->allow)
		MHD_add_response_header(r, "Allow", res->allow);
	if (res->status == 401)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
	if (res->status == 503)
		MHD_add_response_header(r, "Retry-After", "1");
	if (res->status == 413)
		MHD_add_response_header(r, "Connection", "close");
	ret = MHD_queue_response(conn, res->status, r);
	MHD_destroy_response(r);
	return ret;
}

static void too_large(struct api_response *res, uint32_t max_body)
{
	api_error(res, 413, "", "the body is larger than %u bytes (api.max_body)", max_body);
}

/* What is wrong with the headers alone, before api_check(): 0, or -EINVAL with res filled in. */
static int check_headers(struct MHD_Connection *conn, const char *version,
			 const struct params *params, uint32_t max_body, struct api_response *res)
{
	const char *length = header(conn, "Content-Length");
	unsigned hosts = headers_named(conn, "Host");

	memset(res, 0, sizeof(*res));
	/* RFC 9112, section 3.2. */
	if (hosts > 1 || (!hosts && strcmp(version, "HTTP/1.0")))
		api_error(res, 400, "", "expected one Host header");
	else if (headers_named(conn, "Authorization") > 1 || headers_named(conn, "Origin") > 1 ||
		 headers_named(conn, "Content-Type") > 1 ||
		 headers_named(conn, "Content-Length") > 1)
		api_error(res, 400, "", "a header is given twice");
	else if (length && header(conn, "Transfer-Encoding"))
		api_error(res, 400, "", "Content-Length and Transfer-Encoding exclude each other");
	else if (params->bad)
		api_error(res, 400, "", "at most %d query parameters, none with a zero byte",
			  API_PARAMS_MAX);
	else if (length && strtoull(length, NULL, 10) > max_body)
		too_large(res, max_body);
	else
		return 0;
	return -EINVAL;
}

/* Keeps a piece of the body. MHD_NO: close the connection. */
static enum MHD_Result take_body(struct exchange *x, const char *data, size_t n)
{
	size_t size;
	char *bigger;

	if (x->over || x->no_memory || n > x->max - x->len) {
		x->over += n;
		return x->over <= DISCARD_MAX ? MHD_YES : MHD_NO;
	}
	if (x->len + n > x->size) {
		size = x->len + n > 2 * x->size ? x->len + n : 2 * x->size;
		bigger = realloc(x->body, size);
		if (!bigger) {
			x->no_memory = true;
			return MHD_YES;
		}
		x->body = bigger;
		x->size = size;
	}
	memcpy(x->body + x->len, data, n);
	x->len += n;
	return MHD_YES;
}

/*
 * The first call for a request: makes room for its body. A refusal here ends the connection, for
 * the body stays unread: it is only for requests that have one.
 */
static enum MHD_Result begin(const struct api *a, struct MHD_Connection *conn, const char *version,
			     const struct params *params, const struct api_request *req,
			     void **con_cls)
{
	struct api_response res;
	struct exchange *x;
	uint32_t max_body;

	pthread_mutex_lock(&a->d->lock);
	max_body = a->d->cfg->api.max_body;
	pthread_mutex_unlock(&a->d->lock);
	if ((header(conn, "Content-Length") || header(conn, "Transfer-Encoding")) &&
	    (check_headers(conn, version, params, max_body, &res) || api_check(a->d, req, &res)))
		return respond(a, conn, req->method, &res, NULL);
	x = calloc(1, sizeof(*x));
	if (!x)
		return MHD_NO;
	x->max = max_body;
	*con_cls = x;
	return MHD_YES;
}

/* MHD calls this when the headers are complete, for each piece of a body, and at the end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **con_cls)
{
	const struct api *a = cls;
	struct exchange *x = *con_cls;
	struct api_stream *stream = NULL;
	struct api_response res;
	struct api_request req;
	struct params params;
	size_t n = *data_len;

	if (x && n) {
		*data_len = 0;
		return take_body(x, data, n);
	}
	fill_request(conn, method, url, &params, &req);
	if (!x)
		return begin(a, conn, version, &params, &req, con_cls);
	/* It has shown what it is here for. */
	MHD_set_connection_option(conn, MHD_CONNECTION_OPTION_TIMEOUT, api_timeout_s);
	req.body = x->body;
	req.body_len = x->len;
	memset(&res, 0, sizeof(res));
	if (x->no_memory)
		api_json(&res, 500, NULL);
	else if (x->over)
		too_large(&res, x->max);
	/* Asked again after the body: the configuration may have changed meanwhile. */
	else if (!check_headers(conn, version, &params, x->max, &res) &&
		 !api_check(a->d, &req, &res))
		api_route(a->d, &req, &res, &stream);
	return respond(a, conn, method, &res, stream);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *con_cls;

	(void)cls;
	(void)conn;
	(void)why;
	if (x)
		free(x->body);
	free(x);
	*con_cls = NULL;
}

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void on_log(void *cls, const char *fmt, va_list ap)
{
	char line[256];

	(void)cls;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("api: %s", line);
}

static struct MHD_Daemon *start_mhd(struct api *a, int fd, unsigned workers, unsigned conns)
{
	struct MHD_OptionItem pool[2] = { { MHD_OPTION_END, 0, NULL },
					  { MHD_OPTION_END, 0, NULL } };
	struct MHD_Daemon *mhd;
	sigset_t all, old;

	if (workers > 1) /* a pool of one is no pool to MHD */
		pool[0] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, workers, NULL };
	/* Its threads take no signal: those are the daemon's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	mhd = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
			       NULL, NULL, on_request, a, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
			       MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
			       conns > workers ? conns : workers, MHD_OPTION_CONNECTION_TIMEOUT,
			       api_first_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_MEMORY,
			       MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
			       pool, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return mhd;
}

int api_start(struct daemon *d, struct api **out, char *err, size_t errlen)
{
	struct api *a = calloc(1, sizeof(*a));
	unsigned workers, conns;
	int r = -ENOMEM;

	if (!a)
		goto out;
	pthread_mutex_lock(&d->lock);
	a->d = d;
	workers = d->cfg->api.workers;
	conns = d->cfg->api.max_conns;
	a->ident = strdup(d->cfg->api.ident ? d->cfg->api.ident : "");
	if (a->ident)
		r = api_listen(d->cfg->api.address, d->cfg->api.port, &a->port, err, errlen);
	pthread_mutex_unlock(&d->lock);
	if (r < 0)
		goto out;
	/* Should MHD fail, the socket may be closed or not; the daemon ends then anyway. */
	a->mhd = start_mhd(a, r, workers, conns);
	r = a->mhd ? 0 : -ENOMEM;
	if (!r)
		*out = a;
out:
	if (r == -ENOMEM)
		snprintf(err, errlen, "api: out of memory, or too few threads or descriptors");
	if (r && a) {
		free(a->ident);
		free(a);
	}
	return r;
}

uint16_t api_port(const struct api *a)
{
	return a->port;
}

void api_stop(struct api *a)
{
	if (!a)
		return;
	MHD_stop_daemon(a->mhd);
	free(a->ident);
	free(a);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spanctl_http.c - requests to the API and what can go wrong with them.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spanctl.h"
#include "version.h"

#define ANSWER_MAX (256U << 20) /* bytes: ten thousand spans with all they can capture */
#define CONNECT_MS 3000L

long ctl_answer_ms = 5000;

struct ctl_http {
	CURL *curl;
	struct curl_slist *headers;
	char base[320];
	char *body;
	size_t len, room;
	bool too_long;
};

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
	struct ctl_http *h = arg;
	size_t room;
	char *bigger;

	n *= size;
	if (n > ANSWER_MAX - h->len) {
		h->too_long = true;
		return 0;
	}
	if (h->len + n > h->room) {
		room = h->room ? h->room : 4096;
		while (room < h->len + n)
			room *= 2;
		bigger = realloc(h->body, room);
		if (!bigger)
			return 0;
		h->body = bigger;
		h->room = room;
	}
	memcpy(h->body + h->len, data, n);
	h->len += n;
	return n;
}

/* Appends a header; false without memory. */
static bool header(struct ctl_http *h, const char *text)
{
	struct curl_slist *more = curl_slist_append(h->headers, text);

	if (more)
		h->headers = more;
	return more;
}

int ctl_http_new(const struct ctl_options *opt, struct ctl_http **out)
{
	struct ctl_http *h = calloc(1, sizeof(*h));
	char auth[1024];
	CURLcode bad;

	if (!h)
		goto no_memory;
	if (ctl_base_url(opt->address, h->base, sizeof(h->base))) {
		ctl_error("not an address: %s (expected HOST:PORT)", opt->address);
		free(h);
		return CTL_USAGE;
	}
	if (opt->token && (strlen(opt->token) > 900 || strpbrk(opt->token, "\r\n"))) {
		ctl_error("the token can't be sent: it is too long or holds a line break");
		free(h);
		return CTL_USAGE;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(h->curl = curl_easy_init()))
		goto no_memory;
	/* No "Expect: 100-continue": its wait would only delay an update. */
	if (!header(h, "Accept: application/json") ||
	    !header(h, "Content-Type: application/json") || !header(h, "Expect:"))
		goto no_memory;
	if (opt->token && *opt->token) {
		snprintf(auth, sizeof(auth), "Authorization: Bearer %s", opt->token);
		if (!header(h, auth))
			goto no_memory;
	}
	bad = curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, h->headers);
	bad |= curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "spanctl/" SPAND_VERSION);
	bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, collect);
	bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
	bad |= curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	bad |= curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, ctl_answer_ms);
	bad |= curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	/* A token is for this address only: no proxy from the environment, no redirects. */
	bad |= curl_easy_setopt(h->curl, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L);
	if (bad)
		goto no_memory;
	*out = h;
	return CTL_OK;

no_memory:
	ctl_error("out of memory");
	if (h)
		ctl_http_free(h);
	return CTL_INTERNAL;
}

void ctl_http_free(struct ctl_http *h)
{
	curl_easy_cleanup(h->curl);
	curl_slist_free_all(h->headers);
	free(h->body);
	free(h);
	curl_global_cleanup();
}

void ctl_api_error(unsigned status, json_t *body, char *buf, size_t size)
{
	const char *error = ctl_str(body, "error"), *field = ctl_str(body, "field");
	json_t *all = json_object_get(body, "errors"), *one;
	char line[512], raw[768];
	size_t i, n = 0;
	bool named;

	if (!*error) {
		snprintf(buf, size, "the API answered with status %u", status);
		return;
	}
	if (json_array_size(all) < 2) {
		/* Some texts begin with their field. */
		named = !*field || !strncmp(error, field, strlen(field));
		snprintf(raw, sizeof(raw), "%s%s%s", named ? "" : field, named ? "" : ": ", error);
		ctl_printable(raw, buf, size);
		return;
	}
	*buf = '\0';
	json_array_foreach (all, i, one) {
		error = ctl_str(one, "error");
		field = ctl_str(one, "field");
		named = !*field || !strncmp(error, field, strlen(field));
		snprintf(raw, sizeof(raw), "%s%s%s", named ? "" : field, named ? "" : ": ", error);
		ctl_printable(raw, line, sizeof(line));
		if (n + strlen(line) + 3 >= size)
			break;
		n += sprintf(buf + n, "%s%s", i ? "; " : "", line);
	}
}

/* What curl's code means, in the words of whoever sits there. */
static const char *why(CURLcode code, long os_errno)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return os_errno == ECONNREFUSED ? "connection refused"
		       : os_errno		? strerror(os_errno)
						: "can't connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "no such host";
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return "connection lost";
	default:
		return curl_easy_strerror(code);
	}
}

static int perform(struct ctl_http *h, const char *path, json_t **out, bool quiet)
{
	const char *host = strstr(h->base, "//") + 2;
	long status = 0, os_errno = 0;
	curl_off_t connected = 0; /* us; 0: it is not */
	json_error_t je;
	char url[4096], text[1024];
	json_t *body;
	CURLcode code;

	if ((size_t)snprintf(url, sizeof(url), "%s%s", h->base, path) >= sizeof(url)) {
		ctl_error("the filters are too long");
		return CTL_USAGE;
	}
	h->len = 0;
	h->too_long = false;
	code = curl_easy_setopt(h->curl, CURLOPT_URL, url);
	if (!code)
		code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h->curl, CURLINFO_OS_ERRNO, &os_errno);
	curl_easy_getinfo(h->curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (code == CURLE_WRITE_ERROR) {
		ctl_error(h->too_long ? "the answer is too long" : "out of memory");
		return h->too_long ? CTL_API : CTL_INTERNAL;
	}
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
	    code == CURLE_HTTP2 || code == CURLE_PARTIAL_FILE) {
		ctl_error("%s does not answer as spand does: %s", host, curl_easy_strerror(code));
		return CTL_API;
	}
	if (code == CURLE_OPERATION_TIMEDOUT && connected > 0) {
		if (!quiet)
			ctl_error("spand at %s does not answer (waited %.3g s)", host,
				  ctl_answer_ms / 1000.0);
		return CTL_CONNECT;
	}
	if (code) {
		if (!quiet)
			ctl_error("no spand at %s (%s)", host, why(code, os_errno));
		return CTL_CONNECT;
	}
	body = json_loadb(h->body ? h->body : "", h->len, 0, &je);
	if (status < 200 || status > 299) {
		ctl_api_error(status, body, text, sizeof(text));
		ctl_error("%s", text);
		json_decref(body);
		return CTL_API;
	}
	if (!body) {
		ctl_error("%s does not answer as spand does: no JSON", host);
		return CTL_API;
	}
	*out = body;
	return CTL_OK;
}

int ctl_http_get(struct ctl_http *h, const char *path, json_t **out)
{
	curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	return perform(h, path, out, false);
}

int ctl_http_try(struct ctl_http *h, const char *path, json_t **out)
{
	curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	return perform(h, path, out, true);
}

int ctl_http_post(struct ctl_http *h, const char *path, const json_t *body, json_t **out)
{
	char *text = json_dumps(body, JSON_COMPACT);
	int ret = CTL_INTERNAL;

	if (text && !curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(text)) &&
	    !curl_easy_setopt(h->curl, CURLOPT_COPYPOSTFIELDS, text))
		ret = perform(h, path, out, false);
	else
		ctl_error("out of memory");
	free(text);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * POST /api/config/update: a partial configuration, applied whole or not at all.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "api_internal.h"
#include "log.h"

/* The first error as usual, and all of them in "errors". */
static void answer_errors(struct api_response *res, const struct config_errors *errors)
{
	json_t *v, *list = json_array(), *one;

	for (size_t i = 0; list && i < errors->n; i++) {
		const struct config_error *e = &errors->v[i];

		one = json_object();
		if (!one ||
		    json_object_set_new(one, "error", api_string(e->text, strlen(e->text))) ||
		    json_object_set_new(one, "field", api_string(e->field, strlen(e->field))) ||
		    json_array_append(list, one)) {
			json_decref(list);
			list = NULL;
		}
		json_decref(one);
	}
	if (list && !json_array_size(list)) {
		json_decref(list);
		api_error(res, 400, "", "the update is not valid");
		return;
	}
	v = list ? json_copy(json_array_get(list, 0)) : NULL;
	if (v && json_object_set(v, "errors", list)) {
		json_decref(v);
		v = NULL;
	}
	json_decref(list);
	api_json(res, 400, v);
}

/* daemon_apply() begins its text with the field that it could not apply: "field: text". */
static void answer_apply(struct api_response *res, int r, const char *err)
{
	char field[64] = "";
	size_t n = 0;

	while (isalnum((unsigned char)err[n]) || (err[n] && strchr("._-", err[n])))
		n++;
	if (n && n < sizeof(field) && err[n] == ':') {
		memcpy(field, err, n);
		field[n] = '\0';
		err += n + 1;
		err += strspn(err, " ");
	}
	api_error(res,
		  r == -ENOMEM	 ? 500
		  : r == -EAGAIN ? 503
				 : 400,
		  field, "%s", *err ? err : strerror(-r));
}

static void update(struct daemon *d, json_t *patch, struct api_response *res)
{
	struct config_errors errors = {};
	struct config *next = NULL;
	char err[256] = "";
	const char *field = "";
	int r;

	r = config_update(d->cfg, patch, &next, &errors);
	if (r) {
		if (r == -ENOMEM)
			api_json(res, 500, NULL);
		else
			answer_errors(res, &errors);
		goto out;
	}
	if (config_needs_restart(d->cfg, next, &field)) {
		api_error(res, 409, field, "can only be changed by a restart");
		goto out;
	}
	r = daemon_apply(d, next, err, sizeof(err));
	if (r) {
		answer_apply(res, r, err);
		goto out;
	}
	next = NULL;
	log_info("api: configuration updated");
	api_json(res, 200, config_json(d->cfg, true));
out:
	config_free(next);
	config_errors_free(&errors);
}

void api_post_update(struct daemon *d, const struct api_request *req, struct api_response *res,
		     struct api_stream **stream)
{
	json_error_t e;
	json_t *patch;

	(void)stream;
	patch = json_loadb(req->body ? req->body : "", req->body_len, JSON_REJECT_DUPLICATES, &e);
	if (!patch) {
		api_error(res, 400, "", "not JSON: line %d, column %d: %s", e.line, e.column,
			  e.text);
		return;
	}
	if (!json_is_object(patch)) {
		api_error(res, 400, "", "expected a JSON object");
	} else {
		pthread_mutex_lock(&d->lock);
		update(d, patch, res);
		pthread_mutex_unlock(&d->lock);
	}
	json_decref(patch);
}

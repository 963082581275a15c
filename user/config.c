// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* config.c - the configuration file, errors about it, and the struct's life. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_priv.h"

void cfg_error(struct cfg_ctx *c, unsigned line, const char *field, const char *fmt, ...)
{
	struct cfg_report *r;
	va_list ap;

	if (c->n_errors == CFG_MAX_ERRORS)
		return;
	r = &c->errors[c->n_errors++];
	r->line = line;
	va_start(ap, fmt);
	if (vasprintf(&r->e.text, fmt, ap) < 0)
		r->e.text = NULL;
	va_end(ap);
	if (r->e.text)
		toml_clean(r->e.text);
	r->e.field = strdup(field);
	if (!c->file)
		r->e.where = strdup("");
	else if (!line)
		r->e.where = strdup(c->file);
	else if (asprintf(&r->e.where, "%s:%u", c->file, line) < 0)
		r->e.where = NULL;
	if (!r->e.text || !r->e.field || !r->e.where)
		c->oom = true;
}

void cfg_errors_finish(struct cfg_ctx *c, struct config_errors *out)
{
	config_free(c->cfg);
	c->cfg = NULL;
	out->v = c->n_errors ? calloc(c->n_errors, sizeof(*out->v)) : NULL;
	out->n = 0;
	/* By line, and in the order they were found where lines are equal. */
	for (size_t i = 1; i < c->n_errors; i++) {
		struct cfg_report r = c->errors[i];
		size_t at = i;

		for (; at && c->errors[at - 1].line > r.line; at--)
			c->errors[at] = c->errors[at - 1];
		c->errors[at] = r;
	}
	for (size_t i = 0; i < c->n_errors; i++) {
		struct config_error *e = &c->errors[i].e;

		if (out->v && e->where && e->field && e->text) {
			out->v[out->n++] = *e;
		} else {
			free(e->where);
			free(e->field);
			free(e->text);
		}
	}
	c->n_errors = 0;
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->v[i].where);
		free(errors->v[i].field);
		free(errors->v[i].text);
	}
	free(errors->v);
	*errors = (struct config_errors){};
}

int cfg_defaults(struct config **out)
{
	struct config *cfg = calloc(1, sizeof(*cfg));
	char host[256] = "";
	int err = 0;

	if (!cfg)
		return -ENOMEM;
	for (const struct cfg_key *k = cfg_keys; k->path && !err; k++)
		err = cfg_store_default(k, cfg);
	if (gethostname(host, sizeof(host) - 1) || !*host)
		strcpy(host, "localhost");
	cfg->agent_name = strdup(host);
	cfg->sender.elastic = json_object();
	if (err || !cfg->agent_name || !cfg->sender.elastic) {
		config_free(cfg);
		return -ENOMEM;
	}
	*out = cfg;
	return 0;
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	for (const struct cfg_key *k = cfg_keys; k->path; k++)
		cfg_release(k, cfg);
	for (size_t i = 0; i < cfg->sender.n_file; i++) {
		for (const struct cfg_key *k = cfg_file_keys; k->path; k++)
			cfg_release(k, &cfg->sender.file[i]);
		free(cfg->sender.file[i].name);
	}
	free(cfg->sender.file);
	json_decref(cfg->sender.elastic);
	free(cfg);
}

/* Reads path, up to one byte more than a document may have. 0 or -errno. */
static int read_file(const char *path, char **out, size_t *out_len)
{
	size_t size = TOML_MAX_SIZE + 1, len = 0;
	char *text = malloc(size);
	int fd, err = 0;

	fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		err = text ? -errno : -ENOMEM;
	while (!err && len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (!n)
			break;
		if (n > 0)
			len += n;
		else if (errno != EINTR)
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	if (err) {
		free(text);
		return err;
	}
	*out = text;
	*out_len = len;
	return 0;
}

static int read_text(struct cfg_ctx *c, const char *text, size_t len)
{
	struct toml_errors *syntax = malloc(sizeof(*syntax));
	struct toml *root = syntax ? toml_parse(text, len, syntax) : NULL;
	int err = root ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < syntax->n; i++)
		cfg_error(c, syntax->v[i].line, "", "column %u: %s", syntax->v[i].col,
			  syntax->v[i].text);
	if (!err)
		err = cfg_normalise(c, root);
	/* What was left out for its syntax must not be missed a second time. */
	if (!err)
		cfg_read(c, root, !syntax->n);
	if (!err && c->oom)
		err = -ENOMEM;
	toml_free(root);
	free(syntax);
	return err;
}

int config_load(const char *path, struct config **out, struct config_errors *errors)
{
	struct cfg_ctx *c = calloc(1, sizeof(*c));
	char *text = NULL;
	size_t len;
	int err = -ENOMEM;

	*errors = (struct config_errors){};
	if (!c || cfg_defaults(&c->cfg))
		goto out;
	c->file = path;
	err = path ? read_file(path, &text, &len) : 0;
	if (err)
		cfg_error(c, 0, "", "can't be read: %s", strerror(-err));
	else if (path)
		err = read_text(c, text, len);
	if (!err && c->n_errors)
		err = -EINVAL;
	if (!err) {
		*out = c->cfg;
		c->cfg = NULL;
	}
out:
	if (c)
		cfg_errors_finish(c, errors);
	free(text);
	free(c);
	return err;
}

bool config_needs_restart(const struct config *a, const struct config *b, const char **field)
{
	for (const struct cfg_key *k = cfg_keys; k->path; k++) {
		json_t *va, *vb;
		bool same;

		if (!(k->flags & CFG_RESTART))
			continue;
		va = cfg_value_json(k, a);
		vb = cfg_value_json(k, b);
		same = va && vb && json_equal(va, vb);
		json_decref(va);
		json_decref(vb);
		if (!same) {
			*field = k->path;
			return true;
		}
	}
	return false;
}

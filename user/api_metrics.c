/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "api_internal.h"
#include "metrics.h"

void api_get_metrics(struct daemon *d, const struct api_request *req, struct api_response *res,
		     struct api_stream **stream)
{
	(void)req;
	(void)stream;
	if (metrics_text(d, &res->body, &res->len)) {
		api_json(res, 500, NULL);
		return;
	}
	res->status = 200;
	res->type = METRICS_TYPE;
}

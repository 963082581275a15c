// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tracer_config.c - the configuration as the programs see it. Filters carry a generation: the
 * new ones are written beside the old, one store makes them count, then the old ones go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "enrich.h"
#include "log.h"
#include "proto_gen.h"
#include "spand.skel.h"
#include "tracer_priv.h"

/* Longer than a program runs. */
#define SETTINGS_GRACE_US 20000

static int filters_fd(struct tracer *t)
{
	return bpf_map__fd(t->bpf->maps.filters);
}

static int filter_add(struct tracer *t, uint32_t gen, uint32_t kind, uint64_t a, uint64_t b,
		      uint8_t value)
{
	struct filter_key key = { .gen = gen, .kind = kind, .a = a, .b = b };

	return bpf_map_update_elem(filters_fd(t), &key, &value, BPF_ANY) ? -errno : 0;
}

/* Removes filters of one generation (or all but it). */
static void filters_clear(struct tracer *t, uint32_t gen, bool others)
{
	struct filter_key key, *prev = NULL, *gone;
	size_t n = 0, max = bpf_map__max_entries(t->bpf->maps.filters);

	gone = calloc(max, sizeof(*gone));
	if (!gone)
		return;
	/* Deleting while walking would start the walk over. */
	while (n < max && !bpf_map_get_next_key(filters_fd(t), prev, &key)) {
		static __thread struct filter_key last;

		if ((key.gen == gen) != others)
			gone[n++] = key;
		last = key;
		prev = &last;
	}
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(filters_fd(t), &gone[i]);
	free(gone);
}

static int add_comms(struct tracer *t, uint32_t gen, const struct strlist *names, uint8_t value)
{
	for (size_t i = 0; i < names->n; i++) {
		uint64_t w[2] = { 0, 0 };
		int ret;

		strncpy((char *)w, names->v[i], SPAND_COMM_LEN - 1);
		ret = filter_add(t, gen, FILTER_BY_COMM, w[0], w[1], value);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_headers(struct tracer *t, uint32_t gen, const struct strlist *names)
{
	for (size_t i = 0; i < names->n; i++) {
		uint32_t h = SPAND_HEADER_HASH_INIT;
		int ret;

		for (const char *p = names->v[i]; *p; p++)
			h = spand_header_hash_step(h, *p);
		ret = filter_add(t, gen, FILTER_BY_HEADER, h, 0, 1);
		if (ret)
			return ret;
	}
	return 0;
}

/* Those containers that run now; the others are looked for at every sweep. */
static int add_containers(struct tracer *t, uint32_t gen, const struct strlist *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		uint64_t cgroup;
		int ret = enrich_container_cgroup("/proc", ids->v[i], &cgroup);

		if (!ret)
			ret = filter_add(t, gen, FILTER_BY_CGROUP, cgroup, 0, 1);
		else if (ret == -ENOTUNIQ)
			log_warn("trace.monitor_containers: \"%s\" names more than one container",
				 ids->v[i]);
		if (ret && ret != -ENOENT && ret != -ENOTUNIQ)
			return ret;
	}
	return 0;
}

static int add_filters(struct tracer *t, uint32_t gen, const struct config *cfg)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < cfg->ebpf.n_pids; i++)
		ret = filter_add(t, gen, FILTER_BY_PID, cfg->ebpf.pids[i], 0, 1);
	for (size_t i = 0; !ret && i < cfg->trace.n_ports; i++)
		ret = filter_add(t, gen, FILTER_BY_PORT, cfg->trace.ports[i], 0, 1);
	if (!ret)
		ret = add_comms(t, gen, &cfg->trace.include_processes, 1);
	/* Later, so that a name in both lists is excluded. */
	if (!ret)
		ret = add_comms(t, gen, &cfg->trace.exclude_processes, 2);
	if (!ret)
		ret = add_headers(t, gen, &cfg->capture.filter_headers);
	if (!ret)
		ret = add_containers(t, gen, &cfg->trace.monitor_containers);
	return ret;
}

_Static_assert(PROTO_MAX <= 32, "capture_mask() has a bit for each protocol");

/* Mask of the protocols that may be captured. */
static uint32_t capture_mask(const struct config *cfg)
{
	static const struct {
		const char *label;
		uint32_t id;
	} protos[] = {
#define X(upper, lower, label) { label, PROTO_##upper },
		PROTO_LIST(X)
#undef X
	};
	uint32_t mask = ~0u;

	for (size_t i = 0; i < cfg->capture.exclude_payloads.n; i++)
		for (size_t j = 0; j < sizeof(protos) / sizeof(protos[0]); j++)
			if (!strcasecmp(cfg->capture.exclude_payloads.v[i], protos[j].label))
				mask &= ~(1u << protos[j].id);
	return mask;
}

static void fill_settings(struct spand_cfg *s, const struct config *cfg, uint32_t gen)
{
	memset(s, 0, sizeof(*s));
	s->gen = gen;
	s->self_tgid = getpid();
	s->sampling = cfg->trace.sampling_rate;
	s->capture_len = cfg->capture.enabled ? cfg->capture.max_payload_size : 0;
	s->syscalls = cfg->ebpf.probes | 1u << PROBE_OTHER;
	s->pids_only = cfg->ebpf.pids_set;
	s->comms = cfg->trace.include_processes.n || cfg->trace.exclude_processes.n;
	s->include_comms = cfg->trace.include_processes.n > 0;
	s->ports_only = cfg->trace.n_ports > 0;
	s->cgroups_only = cfg->trace.monitor_containers.n > 0;
	s->request_timeout_ns = cfg->trace.request_timeout * 1000000000ULL;
	s->capture_protos = capture_mask(cfg);
	s->deny_headers = cfg->capture.filter_headers.n;
}

static int copy_list(struct strlist *dst, const struct strlist *src)
{
	struct strlist l = { .v = calloc(src->n + 1, sizeof(char *)) };

	if (!l.v)
		return -ENOMEM;
	for (size_t i = 0; i < src->n; i++) {
		l.v[i] = strdup(src->v[i]);
		if (!l.v[i]) {
			while (i--)
				free(l.v[i]);
			free(l.v);
			return -ENOMEM;
		}
		l.n++;
	}
	for (size_t i = 0; i < dst->n; i++)
		free(dst->v[i]);
	free(dst->v);
	*dst = l;
	return 0;
}

int tracer_settings(struct tracer *t, const struct config *cfg, char *err, size_t errlen)
{
	uint32_t gen = t->gen + 1 ? t->gen + 1 : 1, slot = !t->slot;
	struct spand_cfg settings;
	int ret;

	ret = add_filters(t, gen, cfg);
	if (ret) {
		snprintf(err, errlen, "trace: %s",
			 ret == -E2BIG ? "too many filters (pids, ports, names, headers)"
				       : strerror(-ret));
		goto undo;
	}
	fill_settings(&settings, cfg, gen);
	if (bpf_map_update_elem(bpf_map__fd(t->bpf->maps.settings), &slot, &settings, BPF_ANY)) {
		ret = -errno;
		snprintf(err, errlen, "cannot write the settings map: %s", strerror(-ret));
		goto undo;
	}
	ret = copy_list(&t->containers, &cfg->trace.monitor_containers);
	if (ret)
		goto undo;
	__atomic_store_n(&t->bpf->bss->cfg_active, slot, __ATOMIC_RELEASE);
	t->gen = gen;
	t->slot = slot;
	/* A call that began under the old settings still asks for their filters. */
	if (t->attached)
		usleep(SETTINGS_GRACE_US);
	filters_clear(t, gen, true);
	return 0;
undo:
	filters_clear(t, gen, false);
	return ret;
}

int tracer_apply(struct tracer *t, const struct config *cfg, char *err, size_t errlen)
{
	int ret;

	pthread_mutex_lock(&t->lock);
	ret = tracer_settings(t, cfg, err, errlen);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

void tracer_containers(struct tracer *t)
{
	pthread_mutex_lock(&t->lock);
	if (t->containers.n)
		add_containers(t, t->gen, &t->containers);
	pthread_mutex_unlock(&t->lock);
}

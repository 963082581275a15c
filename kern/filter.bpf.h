/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * filter.bpf.h - which sockets and processes are traced. A verdict is kept with the connection
 * and asked for again when the configuration or the process that uses the socket changes.
 */
#ifndef SPAND_FILTER_BPF_H
#define SPAND_FILTER_BPF_H

#include "maps.bpf.h"

static __always_inline u8 filter_look(const struct spand_cfg *cfg, u32 kind, u64 a, u64 b)
{
	struct filter_key key = { .gen = cfg->gen, .kind = kind, .a = a, .b = b };
	u8 *v = bpf_map_lookup_elem(&filters, &key);

	return v ? *v : 0;
}

/* True if c's process and ports are to be traced. c->tgid, comm and cgroup_id are current. */
static __always_inline int filter_passes(const struct conn *c, const struct spand_cfg *cfg)
{
	u8 v;

	if (c->tgid == cfg->self_tgid)
		return 0;
	if (cfg->pids_only && filter_look(cfg, FILTER_BY_PID, c->tgid, 0) != 1)
		return 0;
	if (cfg->comms) {
		const u64 *w = (const u64 *)c->comm;

		v = filter_look(cfg, FILTER_BY_COMM, w[0], w[1]);
		if (v == 2 || (cfg->include_comms && v != 1))
			return 0;
	}
	if (cfg->ports_only && !filter_look(cfg, FILTER_BY_PORT, c->sport, 0) &&
	    !filter_look(cfg, FILTER_BY_PORT, c->dport, 0))
		return 0;
	if (cfg->cgroups_only && !filter_look(cfg, FILTER_BY_CGROUP, c->cgroup_id, 0))
		return 0;
	return 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h - the maps, and the ledger's one writer.
 */
#ifndef SPAND_MAPS_BPF_H
#define SPAND_MAPS_BPF_H

#include "abi.h"
#include "proto.h"

/* Sizes marked "set by the loader" follow the configuration. */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* set by the loader */
} spans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ledger_values);
} ledger SEC(".maps");

/* Memory for as many sockets as there are, not for as many as there may be. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768); /* set by the loader */
	__type(key, u64);	    /* struct sock * */
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192); /* set by the loader */
	__type(key, struct req_page_key);
	__type(value, struct req_page);
} req_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct carry_key);
	__type(value, struct carry);
} carries SEC(".maps");

/* Captured prefixes of requests and responses in flight. */
struct capture_key {
	u64 sk;
	u32 no; /* request number */
	u32 dir;
};

struct capture {
	u8 data[SPAND_CAPTURE_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct capture_key);
	__type(value, struct capture);
} captures SEC(".maps");

/* Two configurations; cfg_active tells which one counts, so that a change is one store. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct spand_cfg);
} settings SEC(".maps");

volatile __u32 cfg_active;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct filter_key);
	__type(value, u8);
} filters SEC(".maps");

/* Where a thread is in its recvmmsg or sendmmsg: the hook fires once a message. */
struct mmsg {
	u64 vec;
	u32 next;
	int last; /* what the kernel will have stored in vec[next - 1].msg_len */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64); /* tgid and tid */
	__type(value, struct mmsg);
} mmsgs SEC(".maps");

/* When a thread entered the system call that it is in, if it may send: for on_exit. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} entered SEC(".maps");

/* Bytes read into the window at a time; with a carried header they fit in PWIN_SIZE. */
#define FILL_MAX 512

/* A program's work space: too large for the stack, one a CPU. */
struct walk {
	/* what the hook knows of the call */
	u64 in_use; /* of a WORK_CALL */
	u64 sk;
	u64 n; /* bytes, > 0 */
	u64 arg2;
	u64 arg3;
	u64 entered_ns;	  /* when the call began; 0: not known */
	u64 tcp_first_us; /* tcp_sock.first_tx_mstamp */
	u64 tcp_last_ns;  /* tcp_sock.tcp_wstamp_ns */
	u32 tcp_start;	  /* sequence number of the call's first byte */
	u32 tcp_written;  /* tcp_sock.write_seq */
	u32 tcp_snd_nxt;
	u32 family;
	u32 dir;     /* enum io_dir */
	u32 why;     /* enum ledger: why the bytes can't be read; 0: they can */
	u32 probe;   /* enum probe_id */
	u32 index;   /* in the vector of a recvmmsg or sendmmsg */
	u32 behind;  /* bytes of the same call that come after these */
	u16 syscall; /* number */
	u8 l4;	     /* enum span_l4 */
	u8 tcp;	     /* the tcp_ fields are set */
	u8 all_tx;   /* no byte is sent without this hook */
	u8 fins;     /* enum fin */
	u8 pad[2];
	/* tcp_ids_read() */
	u32 own;  /* sequence number of the first byte sent */
	u32 peer; /* of the first byte received */
	u32 role; /* enum conn_role */
	/* what follows from it */
	u64 now;
	u64 start_ns; /* when its first byte moved */
	u64 op_off;   /* stream offset of its first byte */
	u32 cfg;      /* index in settings */
	u32 capture;  /* spand_cfg.capture_len */
	u32 sampling; /* spand_cfg.sampling */
	u32 partner;  /* requests may be on their way that have not been processed */
	/* where its bytes are */
	u64 iov;      /* user address of the next struct iovec */
	u64 iov_left; /* of them */
	u64 cur;      /* user address of the next byte */
	u64 cur_left; /* bytes from there in this piece */
	u64 left;     /* bytes of the call not yet in the window */
	u32 stop;     /* the walk is over */
	u32 failed;   /* the place is lost; why: the rest's reason */
	struct pmsg m;
	struct resp_info ans; /* the response that emit_span() is to tell of */
	struct req_slot push; /* a one-way message on its way to emit_span() */
	struct pwin w;
	u8 out[2048]; /* a record; SPAND_REC_MAX fits */
};

_Static_assert(SPAND_REC_MAX <= 2048, "records fit in walk.out");

/* One for each kind of program that can interrupt another on its CPU. */
enum work_space {
	WORK_CALL, /* system calls; and as many more as tasks preempt each other in one */
	WORK_CALL_LAST = WORK_CALL + 3,
	WORK_DESTROY, /* also in softirq */
	WORK_SWEEP,   /* can be preempted */
	WORK_STATE,
	WORK_MAX
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WORK_MAX);
	__type(key, u32);
	__type(value, struct walk);
} work SEC(".maps");

/* Programs can be preempted by others on their CPU; set by the loader. */
const volatile bool preemptible;

static __always_inline void lg_add(enum ledger key, u64 n)
{
	u32 zero = 0;
	struct ledger_values *v = bpf_map_lookup_elem(&ledger, &zero);

	if (!v || key >= LG_MAX)
		return;
	if (preemptible)
		__sync_fetch_and_add(&((u64 *)v)[key], n);
	else
		((u64 *)v)[key] += n;
}

static __always_inline void lg_inc(enum ledger key)
{
	lg_add(key, 1);
}

struct text {
	u8 bytes[SPAND_NAME_MAX];
};

/*
 * Copies the words that hold the first n bytes, n <= SPAND_NAME_MAX; the last word is cut to n,
 * so that nothing behind a name goes along (little-endian). For short texts it beats a helper's
 * copy.
 */
__noinline int copy_text(struct text *dst, const struct text *src, u32 n)
{
	u64 *d = (u64 *)dst, w;
	const u64 *s = (const u64 *)src;
	u32 i;

	if (!dst || !src)
		return 0;
	for (i = 0; i < SPAND_NAME_MAX / 8; i++) {
		if (i * 8 >= n)
			break;
		w = s[i];
		if (n - i * 8 < 8)
			w &= ~0ULL >> (64 - (n - i * 8) * 8);
		d[i] = w;
	}
	return 0;
}

static __always_inline struct spand_cfg *cfg_get(void)
{
	u32 i = cfg_active & 1;

	return bpf_map_lookup_elem(&settings, &i);
}

#endif

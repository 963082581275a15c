/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h - what the BPF programs and the daemon share: records, map keys and values,
 * ledger reasons, the configuration block. Both are built from one tree, so the layout
 * may change from build to build; bpftool shows it by name.
 */
#ifndef SPAND_ABI_H
#define SPAND_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#include <stddef.h>
#endif

#define SPAND_COMM_LEN	  16
#define SPAND_NAME_MAX	  128 /* bytes of a span's name that leave the kernel */
#define SPAND_CAPTURE_MAX 512 /* bytes of one message's prefix, with capture on */
#define SPAND_PIN_DIR	  "/sys/fs/bpf/spand"

/* Every record in the ring begins with its type and length. */
enum rec_type {
	REC_SPAN = 1,
};

enum span_kind {
	SPAN_SERVER = 0,
	SPAN_CLIENT = 1,
};

enum span_status {
	SPAN_OK = 0,
	SPAN_ERROR = 1,
	SPAN_NO_RESPONSE = 2,
	SPAN_ONEWAY = 3, /* nobody answers it; shown as ok */
};

enum span_l4 {
	L4_TCP = 0,
	L4_UDP = 1,
	L4_UNIX = 2,
};

/* span_rec.flags */
enum span_flags {
	SPANF_LINK = 1 << 0,	    /* link is valid on both ends (TCP, both ISNs known) */
	SPANF_NAME_CUT = 1 << 1,    /* the name was longer than what was read of it */
	SPANF_REQ_OPEN = 1 << 2,    /* answered before the request's last byte */
	SPANF_LATE_ATTACH = 1 << 3, /* the connection is older than the tracer */
};

/* The family of saddr/daddr; v4-mapped addresses are recorded as AF_INET. */
#define SPAND_AF_UNIX  1
#define SPAND_AF_INET  2
#define SPAND_AF_INET6 10

/*
 * One span. Times are CLOCK_MONOTONIC ns. Addresses are client (src) -> server (dst),
 * network order, IPv4 in the first four bytes. AF_UNIX: both ports are 0 and daddr holds
 * the peers' socket inode numbers, client at [0..7], server at [8..15].
 * After the fixed part: name_len bytes of name, req_cap bytes of the request's prefix,
 * resp_cap of the response's.
 */
struct span_rec {
	__u8 type;	/* REC_SPAN */
	__u8 proto;	/* enum spand_proto */
	__u16 len;	/* of the whole record, bytes */
	__u8 kind;	/* enum span_kind */
	__u8 status;	/* enum span_status */
	__u8 flags;	/* enum span_flags */
	__u8 l4;	/* enum span_l4 */
	__u64 start_ns; /* first byte of the request */
	__u64 ttfb_ns;	/* from start_ns to the first byte of the response */
	__u64 dur_ns;	/* from start_ns to the last byte of the response */
	__u64 link;	/* design: hash(initiator ISN, acceptor ISN, offset) */
	__u64 span_id;
	__u64 parent_span_id; /* 0: none */
	__u64 req_size;	      /* bytes on the wire */
	__u64 resp_size;
	__u64 cgroup_id;
	__u32 req_seq; /* TCP sequence number of the first byte, host order */
	__u32 resp_seq;
	__u32 tgid;
	__u32 tid;
	__u32 status_code;
	__u16 req_syscall; /* number on this architecture; SPAND_SYSCALL_NONE if unknown */
	__u16 resp_syscall;
	__u8 saddr[16];
	__u8 daddr[16];
	__u16 sport; /* host order */
	__u16 dport;
	__u8 family;
	__u8 parent_rule; /* enum parent_rule */
	__u16 name_len;
	__u16 req_cap;
	__u16 resp_cap;
	__u8 comm[SPAND_COMM_LEN]; /* of the process that owns the span */
	__u32 pad;
};

#ifndef __bpf__
_Static_assert(sizeof(struct span_rec) == 168, "span_rec layout");
_Static_assert(offsetof(struct span_rec, saddr) == 104, "span_rec layout");
#endif

#define SPAND_SYSCALL_NONE 0xffff

enum parent_rule {
	PARENT_NONE = 0,
	PARENT_LINK = 1, /* a server span's client half on the same connection */
};

#define SPAND_REC_MAX (sizeof(struct span_rec) + SPAND_NAME_MAX + 2 * SPAND_CAPTURE_MAX)

/*
 * Finaliser of splitmix64 (Steele, Lea, Flood 2014): mixes the 64 bits of x. Ids made from
 * it are the same on both ends of a connection, in the kernel and in user space.
 */
static inline __u64 spand_mix64(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return x;
}

/*
 * link: names one request from either end. initiator/acceptor: sequence number of the
 * first data byte (ISN + 1, host order) that the side which connected / accepted sent;
 * off: stream offset of the request's first byte. Never 0.
 */
static inline __u64 spand_link(__u32 initiator, __u32 acceptor, __u64 off)
{
	__u64 h = spand_mix64(((__u64)initiator << 32 | acceptor) + 0x9e3779b97f4a7c15ULL);

	h = spand_mix64(h ^ (off + 0x9e3779b97f4a7c15ULL));
	return h ? h : 1;
}

/* A span's id from its link: kind is enum span_kind. Never 0. */
static inline __u64 spand_span_id(__u64 link, __u32 kind)
{
	__u64 h = spand_mix64(link + (kind == SPAN_CLIENT ? 'c' : 's'));

	return h ? h : 1;
}

/*
 * The ledger: one per-CPU array of __u64, indexed by this. Messages:
 *
 *	LG_REQUESTS = LG_SPANS + LG_NO_RESPONSE + LG_ONEWAY + open + all LG_REQ_LOST_*
 *	LG_RESPONSES = LG_SPANS + LG_PUSHED + all LG_RESP_*
 *
 * where open is the sum over conns of (tail - head - expired). Bytes, of sockets that pass
 * the filters:
 *
 *	LG_BYTES = LG_BYTES_MESSAGE + all other LG_BYTES_*
 *
 * Names in JSON are in user/ledger.c, tied to this by a static assertion.
 */
/* X(NAME, name): enumerator and field. */
/* clang-format off */
#define LEDGER_LIST(X) \
	X(REQUESTS, requests) /* requests whose first byte was recognised */ \
	X(RESPONSES, responses) /* responses that ended, or were given up */ \
	X(SPANS, spans) /* pairs put into the ring */ \
	X(NO_RESPONSE, no_response) /* requests put into the ring as no_response */ \
	X(ONEWAY, oneway) /* one-way requests put into the ring */ \
	X(PUSHED, pushed) /* one-way responses put into the ring */ \
	X(REQ_LOST_RING_FULL, req_lost_ring_full) /* span complete, no room in the ring */ \
	X(REQ_LOST_INFLIGHT_FULL, req_lost_inflight_full) /* no room to remember the request */ \
	X(REQ_LOST_DESYNC, req_lost_desync) /* open when its connection lost its place */ \
	X(REQ_LOST_MISDETECTED, req_lost_misdetected) /* open when the protocol's verdict fell */ \
	X(REQ_LOST_LATE, req_lost_late) /* sent while requests from before the tracer may be open */ \
	X(REQ_LOST_EVICTED, req_lost_evicted) /* open when its connection began to be filtered out */ \
	X(REQ_SAMPLED, req_sampled) /* left out by trace.sampling_rate */ \
	X(RESP_RING_FULL, resp_ring_full) /* as LG_REQ_LOST_RING_FULL, or a push */ \
	X(RESP_INFLIGHT_FULL, resp_inflight_full) /* answers a request that was not remembered */ \
	X(RESP_LATE_ATTACH, resp_late_attach) /* answers a request from before the tracer, or as unsure */ \
	X(RESP_EXPIRED, resp_expired) /* answers a request after it was reported as no_response */ \
	X(RESP_ORPHAN, resp_orphan) /* answers nothing that was seen */ \
	X(RESP_SAMPLED, resp_sampled) /* answers a request left out by sampling */ \
	X(BYTES, bytes) /* read or written through sockets that pass the filters */ \
	X(BYTES_MESSAGE, bytes_message) /* belong to a recognised message */ \
	X(BYTES_UNCLASSIFIED, bytes_unclassified) /* no protocol recognised (yet) */ \
	X(BYTES_DESYNC, bytes_desync) /* after a connection lost its place, up to the next message */ \
	X(BYTES_PAGE_ABSENT, bytes_page_absent) /* memory could not be read without faulting */ \
	X(BYTES_BUDGET, bytes_budget) /* beyond the bound on work in one call */ \
	X(BYTES_CONN_FULL, bytes_conn_full) /* no room for the connection's state */ \
	X(BYTES_IO_URING, bytes_io_uring) /* moved by io_uring: place known, content unread */ \
	X(BYTES_NO_BUFFER, bytes_no_buffer) /* moved by splice, sendfile, a kernel thread or a foreign ABI */ \
	X(BYTES_UDP, bytes_udp) /* datagrams: no parser yet */ \
	X(BYTES_CONTENDED, bytes_contended) /* two threads in one direction at once, order unknown */ \
	X(BYTES_PROBE_OFF, bytes_probe_off) /* moved by a syscall that enabled_probes leaves out */ \
	X(GAPS, gaps) /* events: stream positions that no hook saw */ \
	X(DESYNC, desync) /* events: a connection lost its place */ \
	X(HEALED, healed) /* events: a verdict fell and detection began again */ \
	X(EARLY, early) /* events: an answer that arrived before its request was processed */ \
	X(CONNS, conns) /* events: connection states made */ \
	X(CONNS_CLOSED, conns_closed) /* events: connection states removed */ \
	X(CONN_FULL, conn_full) /* events: no room for a connection's state */ \
	X(IO_URING, io_uring) /* events: socket calls made by io_uring */ \
	X(FILTERED, filtered) /* events: socket calls of filtered processes or ports */
/* clang-format on */

#define LEDGER_ENUM(upper, lower) LG_##upper,
enum ledger { LEDGER_LIST(LEDGER_ENUM) LG_MAX };
#undef LEDGER_ENUM

/* The map's value: so that bpftool prints names. */
#define LEDGER_FIELD(upper, lower) __u64 lower;
struct ledger_values {
	LEDGER_LIST(LEDGER_FIELD)
};
#undef LEDGER_FIELD

/* One direction of a connection; see flow.h for how it moves. */
enum flow_flags {
	FLOW_IN_MSG = 1 << 0,	   /* a message has begun and not ended */
	FLOW_END_AFTER = 1 << 1,   /* it ends when skip is used up */
	FLOW_UNTIL_CLOSE = 1 << 2, /* it ends with the stream */
	FLOW_LOST = 1 << 3,	   /* place lost; wait for a change of direction */
	FLOW_STATUS_ERROR = 1 << 4,
	FLOW_LEAVE = 1 << 5,
	FLOW_ONEWAY = 1 << 6,
};

struct flow_state {
	__u64 pos;     /* stream offset up to which this direction is processed */
	__u64 skip;    /* bytes after pos that need no reading */
	__u64 msg_off; /* stream offset of the current message's first byte */
	__u64 msg_ns;  /* when that byte moved */
	__u64 last_ns; /* when the last byte moved */
	__u32 base;    /* TCP sequence number of stream offset 0 */
	__u32 status_code;
	__u16 flags;	 /* enum flow_flags */
	__u16 carry_len; /* bytes of a cut header kept in the map carries */
	__u16 syscall;	 /* that moved the message's first byte */
	__u16 cap_len;
	__u64 ps[3]; /* struct pstate */
};

/* What is known of a response once it has ended. */
struct resp_info {
	__u64 begin_ns; /* its first byte */
	__u64 end_ns;
	__u64 size; /* bytes */
	__u32 seq;  /* TCP sequence number of its first byte */
	__u32 status_code;
	__u16 syscall;
	__u16 cap_len;
	__u8 error;
	__u8 leave; /* ends the protocol */
	__u8 pad[2];
};

/* A request that waits for its response; or a response that came before its request. */
struct req_slot {
	__u64 start_ns;
	__u64 off;  /* stream offset of its first byte */
	__u64 size; /* bytes; 0 until its end is known */
	__u32 tid;
	__u32 tgid;
	__u16 syscall;
	__u8 hint;
	__u8 flags; /* enum slot_flags */
	__u16 name_len;
	__u16 cap_len;
	__u8 name[SPAND_NAME_MAX];
	struct resp_info early; /* with SLOT_ANSWERED */
};

enum slot_flags {
	SLOT_SAMPLED_OUT = 1 << 0,
	SLOT_NAME_CUT = 1 << 1,
	SLOT_LEAVE = 1 << 2, /* its answer ends the protocol */
	SLOT_USED = 1 << 3,
	SLOT_ANSWERED = 1 << 4, /* its answer was processed before it */
};

/* Pipelined requests beyond the first wait in pages of this many. */
#define REQ_PAGE 8

/* slot[0] of this page is a one-way message whose end has not been seen. */
#define REQ_PAGE_ONEWAY 0xfffffffe

struct req_page_key {
	__u64 sk;
	__u32 page; /* request number / REQ_PAGE, or REQ_PAGE_ONEWAY | enum io_dir */
	__u32 incarnation;
};

struct req_page {
	struct req_slot slot[REQ_PAGE];
};

enum conn_role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT = 1, /* this side connected */
	ROLE_SERVER = 2,
};

/* conn.flags */
enum conn_flags {
	CONN_LATE = 1 << 0,    /* bytes had moved before the state was made */
	CONN_LATCHED = 1 << 1, /* evidence for proto from both directions */
	CONN_IGNORE = 1 << 2,  /* does not pass the filters (for filter_gen) */
	CONN_LEFT = 1 << 4,    /* the connection left its protocol; detection begins again */
	CONN_MUTE = 1 << 6,    /* and it never does: its requests can't be paired */
	CONN_LINKED = 1 << 5,  /* link can be computed: bases or inodes of both ends known */
};

struct carry_key {
	__u64 sk;
	__u32 dir;
	__u32 incarnation;
};

#define SPAND_CARRY_MAX 256

struct carry {
	__u8 data[SPAND_CARRY_MAX];
};

/* Direction as this socket sees it. */
enum io_dir {
	DIR_RX = 0, /* ingress */
	DIR_TX = 1, /* egress */
};

/* State of one socket, keyed by the kernel's address of it. */
struct conn {
	struct flow_state flow[2]; /* by enum io_dir */
	__u32 lock;		   /* 1 while a program works on it */
	__u32 dead;	   /* its socket went while the lock was held: the holder closes it */
	__u32 contended;   /* a call was passed over because the lock was held too long */
	__u32 incarnation; /* tells two sockets at one address apart */
	__u32 filter_gen;  /* of the verdict in CONN_IGNORE */
	__u32 head;	   /* number of the oldest open request; moved by responses */
	__u32 tail;	   /* number of the next request; moved by requests */
	__u32 inline_no;   /* request in req_inline, if inline_valid */
	__u32 pages;	   /* of requests beyond it, in the map req_pages */
	__u32 tgid;	   /* who used it last */
	__u32 early;	   /* answers that wait for their request, numbers tail.. */
	__u64 inode;
	__u64 peer_inode; /* AF_UNIX */
	__u64 peer_sk;	  /* AF_UNIX: key of the other end's state */
	__u64 cgroup_id;
	__u64 born_ns;
	__u64 early_ns; /* when the last of those came */
	__u16 attempts; /* detections that found nothing */
	__u16 until;	/* changes of direction to pass over before the next attempt */
	__u8 flags;	/* enum conn_flags */
	__u8 role;	/* enum conn_role */
	__u8 proto;	/* enum spand_proto; 0: unknown */
	__u8 l4;
	__u8 family;
	__u8 last_dir; /* enum io_dir + 1; 0: none yet */
	__u8 mark;     /* of the last sweep that saw the socket alive */
	__u8 inline_valid;
	__u16 sport; /* client -> server when the role is known, else local -> peer */
	__u16 dport;
	__u8 strikes; /* places lost since the last response that paired */
	__u8 unsure;  /* requests from before may be open: nothing is paired (kern/pair.bpf.h) */
	__u8 settled; /* times that all answers seemed to be in */
	__u8 unsure_hint; /* of the last request */
	__s32 balance;	  /* answers less requests since then */
	__s32 balance_max;
	__u32 expired; /* oldest open requests that were reported as no_response */
	__u8 saddr[16];
	__u8 daddr[16];
	__u8 comm[SPAND_COMM_LEN];
	struct req_slot req_inline;
};

/* What user space tells the programs; map config, one entry, replaced as a whole. */
struct spand_cfg {
	__u32 gen; /* moves with every change of a filter; never 0 */
	__u32 self_tgid;
	__u32 sampling;	    /* 1 in this many requests; 0 and 1: all */
	__u32 capture_len;  /* bytes of prefix per message; 0: off */
	__u32 syscalls;	    /* mask of enum probe_id: which are traced */
	__u8 pids_only;	    /* only FILTER_BY_PID entries */
	__u8 comms;	    /* there are FILTER_BY_COMM entries */
	__u8 include_comms; /* only comms marked 1 */
	__u8 ports_only;    /* only FILTER_BY_PORT entries (either end) */
	__u8 cgroups_only;  /* only FILTER_BY_CGROUP entries */
	__u8 pad[3];
	__u64 request_timeout_ns; /* unanswered requests become no_response; 0: never */
	__u32 capture_protos;	  /* mask of 1 << enum spand_proto */
	__u32 deny_headers;	  /* how many FILTER_BY_HEADER entries there are */
};

/* Keys of the filter maps: entries of another generation do not count. */
struct filter_key {
	__u32 gen;
	__u32 kind; /* enum filter_kind */
	__u64 a;
	__u64 b;
};

enum filter_kind {
	FILTER_BY_PID = 1,    /* a: tgid; value 1 include, 2 exclude */
	FILTER_BY_COMM = 2,   /* a, b: the 16 bytes of comm; value 1 include, 2 exclude */
	FILTER_BY_PORT = 3,   /* a: port, host order; value 1 */
	FILTER_BY_CGROUP = 4, /* a: cgroup id; value 1 */
	FILTER_BY_HEADER = 5, /* a: spand_header_hash_step() over the name; never captured */
};

/* States that one run of the program sweep removes at most. */
#define SWEEP_DEAD_MAX 256

/* Arguments of the program sweep. */
struct sweep_args {
	__u64 marked_ns; /* when marking AF_UNIX sockets began; 0: nothing was marked */
	__u32 closed;	 /* out: states removed */
	__u32 expired;	 /* out: requests reported as no_response */
};

/* The syscalls that `enabled_probes` can name (sys_enter_X and sys_exit_X). */
enum probe_id {
	PROBE_READ,
	PROBE_READV,
	PROBE_RECVFROM,
	PROBE_RECVMSG,
	PROBE_RECVMMSG,
	PROBE_WRITE,
	PROBE_WRITEV,
	PROBE_SENDTO,
	PROBE_SENDMSG,
	PROBE_SENDMMSG,
	PROBE_SOCKET,
	PROBE_CONNECT,
	PROBE_ACCEPT,
	PROBE_ACCEPT4,
	PROBE_CLOSE,
	PROBE_SENDFILE,
	PROBE_SPLICE,
	PROBE_OTHER, /* io_uring and whatever else moves socket bytes */
	PROBE_MAX
};

/*
 * FNV-1a, 32 bits, of a header's name in lower case. name need not end in a zero.
 */
static inline __u32 spand_header_hash_step(__u32 h, __u8 c)
{
	if (c >= 'A' && c <= 'Z')
		c |= 0x20;
	return (h ^ c) * 16777619u;
}

#define SPAND_HEADER_HASH_INIT 2166136261u

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * proto.h - the contract between the stream walker and a protocol's parser.
 *
 * A protocol is one header, include/proto/<name>.h, that holds one marker line
 *
 *	PROTO_REGISTER(<name>, <priority>, "<label>")
 *
 * and three pure functions (no helpers, no maps, no globals), each compiled
 * as a global BPF function, verified once, and as plain C for the host:
 *
 *	int <name>_detect(const struct pwin *w, __u32 dirs)
 *	int <name>_request(const struct pwin *w, struct pstate *s, struct pmsg *m)
 *	int <name>_response(const struct pwin *w, struct pstate *s, struct pmsg *m)
 *
 * Parts of a parser may be functions of their own (PROTO_FN), but a chain of calls, entry
 * included, is at most five deep: the kernel allows eight frames, the walker needs the others.
 *
 * tools/gen-protos finds the headers, orders them by priority (lowest first)
 * and writes the enum, the table of labels and the BPF dispatch.
 */
#ifndef SPAND_PROTO_H
#define SPAND_PROTO_H

#ifndef __bpf__
#include <linux/types.h>
#include <string.h>
#endif

#define PROTO_REGISTER(name, priority, label) /* read by tools/gen-protos */

#ifdef __bpf__
#define PROTO_FN     __attribute__((noinline))
#define PROTO_INLINE static inline __attribute__((always_inline))
#else
#define PROTO_FN     static inline __attribute__((unused))
#define PROTO_INLINE static inline __attribute__((unused))
#endif

/* What a window can hold: a power of two, so that one mask satisfies the verifier. */
#define PWIN_SIZE   1024
/*
 * A window with at least this many bytes from w->off on must be accepted or refused:
 * PARSE_MORE is only allowed below it, because no more than this is carried over.
 */
#define PWIN_ENOUGH 256

/*
 * A window on a byte stream. Parsing starts at data[off]; data[len] is past the end.
 * off <= len <= PWIN_SIZE. The eight bytes of padding let an eight-byte load start at
 * the last byte; what is read past len has no meaning.
 */
struct pwin {
	__u32 len;
	__u32 off;
	__u8 data[PWIN_SIZE + 8];
};

/*
 * A parser's memory between two calls in one direction of one connection. It is zero at
 * the start of every message; the walker clears it after PMSG_END. Everything but hint
 * belongs to the parser.
 */
struct pstate {
	__u8 stage; /* 0 at the start of a message */
	__u8 hint;  /* in a response: pmsg.hint of the request that it answers, else 0 */
	__u16 flags;
	__u32 count;
	__u64 left;
	__u64 aux;
};

/* Results of <name>_request() and <name>_response(). */
enum parse_result {
	PARSE_OK = 0,	/* m is filled in; m->consumed > 0 or m->skip > 0 or PMSG_END is set */
	PARSE_MORE = 1, /* the bytes so far are a valid beginning; call again with more of them;
			 * s is as it was, m has no meaning */
	PARSE_BAD = 2,	/* this is not this protocol, or it is damaged; m and s have no meaning */
};

/* pmsg.flags */
enum pmsg_flags {
	PMSG_BEGIN = 1 << 0,  /* this call took the message's first byte: name/status are set */
	PMSG_END = 1 << 1,    /* the message ends after consumed + skip bytes */
	PMSG_ONEWAY = 1 << 2, /* nobody answers this (request) / it answers nobody (response) */
	PMSG_ERROR = 1 << 3,  /* a response that tells of an error */
	PMSG_UNTIL_CLOSE = 1 << 4, /* the rest of this direction belongs to the message */
	PMSG_LEAVE = 1 << 5,	   /* after this message the connection speaks something else */
	PMSG_INTERIM = 1 << 6,	   /* with BEGIN|END: belongs to the request, does not answer it
				    * (HTTP 1xx): only the time of its first byte is kept */
	PMSG_STATUS = 1 << 7,	   /* status_code is set by this call (may come after BEGIN) */
};

/*
 * One call's findings. Zeroed by the walker before the call. name[] are pieces of the
 * window, concatenated: only what may leave the kernel without capture. Offsets are
 * absolute in w->data.
 */
struct pmsg {
	__u32 consumed;	   /* bytes taken from the window, counted from w->off */
	__u32 flags;	   /* enum pmsg_flags */
	__u64 skip;	   /* bytes that follow and are passed over by arithmetic */
	__u16 name_off[2]; /* name pieces */
	__u16 name_len[2]; /* bytes, may be 0 */
	__u32 status_code; /* protocol's own number (HTTP 200, ...), 0 if it has none */
	__u8 hint;	   /* request: given to the response's pstate.hint */
	__u8 pad[3];
	__u64 id; /* multiplexed protocols: what pairs request and response */
};

/*
 * <name>_detect() answers with these; 0 means: not this protocol. dirs is a mask of
 * DETECT_REQUEST and DETECT_RESPONSE: what the window can be, judged by who connected
 * (both bits when that is unknown).
 */
enum detect_result {
	DETECT_REQUEST = 1 << 0,
	DETECT_RESPONSE = 1 << 1,
	DETECT_MORE = 1 << 2, /* too short to tell; only allowed below PWIN_ENOUGH bytes */
};

/* Bytes from w->off on. */
PROTO_INLINE __u32 pwin_left(const struct pwin *w)
{
	return w->len > w->off ? w->len - w->off : 0;
}

/* The byte at absolute offset off; the mask is for the verifier, callers check w->len. */
PROTO_INLINE __u8 pwin_u8(const struct pwin *w, __u32 off)
{
	return w->data[off & (PWIN_SIZE - 1)];
}

/* Eight bytes from absolute offset off as they lie in memory; see struct pwin for the end. */
PROTO_INLINE __u64 pwin_u64(const struct pwin *w, __u32 off)
{
#ifdef __bpf__
	return *(const __u64 *)(w->data + (off & (PWIN_SIZE - 1)));
#else
	__u64 v;

	memcpy(&v, w->data + (off & (PWIN_SIZE - 1)), sizeof(v));
	return v;
#endif
}

/* As pwin_u64(), four bytes. */
PROTO_INLINE __u32 pwin_u32(const struct pwin *w, __u32 off)
{
#ifdef __bpf__
	return *(const __u32 *)(w->data + (off & (PWIN_SIZE - 1)));
#else
	__u32 v;

	memcpy(&v, w->data + (off & (PWIN_SIZE - 1)), sizeof(v));
	return v;
#endif
}

#endif

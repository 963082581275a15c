/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span.h - a span as user space keeps it: the kernel's record, checked, and what was looked up
 * about its process. Reference-counted, immutable after span_new().
 */
#ifndef SPAND_SPAN_H
#define SPAND_SPAN_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

#include "abi.h"
#include "proto_gen.h"

struct process; /* enrich.h */

/* No span's JSON is longer: the fixed part, 1 KiB of paths and two captured prefixes, escaped. */
#define SPAN_JSON_MAX 16384
/* Nor its line for a terminal. */
#define SPAN_LINE_MAX 1024

struct span {
	atomic_uint refs;
	uint64_t seq;	      /* order of arrival, from 1 */
	uint64_t start_unix;  /* ns */
	struct process *proc; /* NULL when nothing could be learned */
	const char *name;     /* zero-terminated, lives in this allocation; printable UTF-8 */
	const char *req_content, *resp_content; /* with capture on, else NULL */
	uint32_t req_content_len, resp_content_len;
	struct span_rec rec; /* name_len etc. describe the strings above */
};

/*
 * span_new - checks a record from the ring (len bytes) and makes a span of it.
 * mono_to_unix: ns to add to CLOCK_MONOTONIC. Takes over one reference on proc (may be NULL).
 * Returns NULL with errno EBADMSG on a malformed record, ENOMEM.
 */
struct span *span_new(const void *rec, size_t len, uint64_t seq, uint64_t mono_to_unix,
		      struct process *proc);
struct span *span_get(struct span *s);
void span_put(struct span *s);

/*
 * span_write_json - one JSON object (no newline) into buf of size bytes, the fields of the
 * design's span contract. Fast: no allocation. Returns the length, or -ENOSPC.
 */
int span_write_json(const struct span *s, char *buf, size_t size);

/* As span_write_json(), one readable line for a terminal; colour: with ANSI colours. */
int span_write_line(const struct span *s, char *buf, size_t size, int colour);

/* "ok", "error", "no_response". */
const char *span_status_name(const struct span *s);
/* The protocol's label: "http", "redis", ... */
const char *span_protocol(const struct span *s);
/* The name of a system call that moves socket bytes, by its number here; NULL: none of them. */
const char *span_syscall_name(uint16_t nr);

/*
 * Masks: POSIX extended regular expressions, byte by byte and with regard to case. What they
 * match in captured content, in a span's name or in a command line is overwritten by '*' before
 * anything is kept of it.
 */
struct span_mask;

/* Compiles n patterns. 0 and *out, -ENOMEM, or -EINVAL with the number of the bad one in *bad. */
int span_mask_new(char *const *patterns, size_t n, struct span_mask **out, size_t *bad);
void span_mask_free(struct span_mask *m);
/* Makes m (NULL: no masks) the one that span_mask_text() applies, takes it over, frees the old one. */
void span_mask_use(struct span_mask *m);
/* Masks len (up to SPAND_CAPTURE_MAX) bytes in place with what is in use. */
void span_mask_text(char *buf, size_t len);
/* How often span_mask_use() has been called: whoever keeps masked text compares it. */
unsigned span_mask_changes(void);
/* Masks len bytes in place. */
void span_mask_apply(const struct span_mask *m, char *buf, size_t len);

#endif

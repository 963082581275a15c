/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.h - fast text: a bounded output cursor, numbers, JSON strings, UTF-8 cleaning.
 */
#ifndef SPAND_TEXT_H
#define SPAND_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Where text goes. What does not fit is left out whole and sets full: check it once, at the end.
 */
struct text_out {
	char *p;   /* next byte */
	char *end; /* past the last one */
	bool full;
};

static inline void text_init(struct text_out *o, char *buf, size_t size)
{
	o->p = buf;
	o->end = buf + size;
	o->full = false;
}

/* n bytes as they are. */
static inline void text_bytes(struct text_out *o, const void *s, size_t n)
{
	if ((size_t)(o->end - o->p) < n) {
		o->full = true;
		return;
	}
	memcpy(o->p, s, n);
	o->p += n;
}

static inline void text_str(struct text_out *o, const char *s)
{
	text_bytes(o, s, strlen(s));
}

/* A string literal: its length is known to the compiler. */
#define text_lit(o, literal) text_bytes(o, "" literal, sizeof(literal) - 1)

/* v in decimal. */
void text_u64(struct text_out *o, uint64_t v);

/* The lowest `digits` (1..16) hexadecimal digits of v, lower case. */
void text_hex(struct text_out *o, uint64_t v, unsigned digits);

/*
 * text_json - n bytes of s as the inside of a JSON string (RFC 8259 section 7), without quotes.
 * The output is valid UTF-8 for any input: a byte that is not part of a UTF-8 sequence
 * (RFC 3629) becomes the four characters \xNN, and so does zero, which many readers refuse.
 */
void text_json(struct text_out *o, const char *s, size_t n);

/* "key":"value", with the comma; key is a literal that needs no escaping. */
#define text_member(o, key, s, n)              \
	do {                                   \
		text_lit(o, "\"" key "\":\""); \
		text_json(o, s, n);            \
		text_lit(o, "\",");            \
	} while (0)

/* Ends a list of members that each wrote a comma after them with close: '}' or ']'. */
void text_close(struct text_out *o, char close);

/*
 * text_printable - n bytes of s as UTF-8 that a terminal may be given: control characters,
 * characters that reorder text, and bytes that are not UTF-8 become \xNN each.
 */
void text_printable(struct text_out *o, const char *s, size_t n);

/* An IP address in network order; IPv6 as in RFC 5952. */
void text_ipv4(struct text_out *o, const uint8_t a[4]);
void text_ipv6(struct text_out *o, const uint8_t a[16]);

/* A length of time, three digits: "815ns", "12.3µs", "1.24ms", "59.9s", "12m05s", "3h20m". */
void text_duration(struct text_out *o, uint64_t ns);

/* A number of bytes, three digits, powers of 1000: "812B", "1.24kB", "53.0MB". */
void text_size(struct text_out *o, uint64_t bytes);

/* Appends blanks until `columns` characters (code points) follow `start`. */
void text_pad(struct text_out *o, const char *start, unsigned columns);

/* As text_pad(), but moves what follows start to the right. */
void text_pad_left(struct text_out *o, char *start, unsigned columns);

/* The length (1..4) of the UTF-8 sequence at s, or 0 if the n bytes don't begin with one. */
unsigned text_utf8(const char *s, size_t n);

/* Terminates the text with a zero, cutting its last byte if need be: for buffers of size >= 1. */
void text_end(struct text_out *o);

#endif

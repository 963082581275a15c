/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who may ask: loopback names against DNS rebinding, origins against foreign web pages, tokens.
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "api_internal.h"

bool api_is_loopback(const char *name)
{
	static const struct in6_addr one = IN6ADDR_LOOPBACK_INIT;
	struct in6_addr a6;
	struct in_addr a4;

	if (!strcasecmp(name, "localhost"))
		return true;
	if (inet_pton(AF_INET, name, &a4) == 1)
		return ntohl(a4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, name, &a6) != 1)
		return false;
	return !memcmp(&a6, &one, sizeof(one)) ||
	       (IN6_IS_ADDR_V4MAPPED(&a6) && a6.s6_addr[12] == 127);
}

/* RFC 9110, section 7.2: uri-host [ ":" port ]. */
bool api_host_is_loopback(const char *host)
{
	char name[64];
	const char *end;
	size_t n;

	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		if (!end)
			return false;
		n = end - host;
		end++;
	} else {
		n = strcspn(host, ":");
		end = host + n;
	}
	if (!n || n >= sizeof(name))
		return false;
	if (*end && (*end != ':' || strlen(end) > 6 || end[1 + strspn(end + 1, "0123456789")]))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return api_is_loopback(name);
}

/* RFC 6454, section 7: scheme "://" host [ ":" port ], or "null". */
bool api_origin_is_loopback(const char *origin)
{
	if (!strncasecmp(origin, "http://", 7))
		return api_host_is_loopback(origin + 7);
	if (!strncasecmp(origin, "https://", 8))
		return api_host_is_loopback(origin + 8);
	return false;
}

bool api_token_equal(const char *expected, const char *given)
{
	size_t n = strlen(expected), m = strlen(given);
	volatile unsigned char diff = n != m || !n;

	for (size_t i = 0; i < m; i++)
		diff |= (unsigned char)given[i] ^ (unsigned char)expected[n ? i % n : 0];
	return !diff;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify.h - tells the service manager how the daemon is, sd_notify(3)'s protocol.
 */
#ifndef SPAND_NOTIFY_H
#define SPAND_NOTIFY_H

/*
 * notify_send - sends state ("READY=1", newline-separated assignments) to $NOTIFY_SOCKET.
 * Returns 0, also when nobody asked to be told, or -errno.
 */
int notify_send(const char *state);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * version.h - the one place that holds the version of spand and spanctl.
 */
#ifndef SPAND_VERSION_H
#define SPAND_VERSION_H

#define SPAND_VERSION "0.1.0"

#endif

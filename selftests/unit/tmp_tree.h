/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tmp_tree.h - a directory for one test.
 */
#ifndef SPAND_TMP_TREE_H
#define SPAND_TMP_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TMP_TREE_NAME 64

/* Makes a new directory and puts its name into name. 0 or -1. */
static inline int tmp_tree_make(char name[TMP_TREE_NAME])
{
	snprintf(name, TMP_TREE_NAME, "/tmp/spand-test.XXXXXX");
	return mkdtemp(name) ? 0 : -1;
}

static inline int tmp_tree_remove_one(const char *name, const struct stat *st, int type,
				      struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(name);
}

/* rm -r: links are removed, not followed. */
static inline void tmp_tree_remove(const char *name)
{
	nftw(name, tmp_tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif

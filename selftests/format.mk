# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The sources are as clang-format 14 leaves them; another version is no judge, and skips.
CHECKS += format-check
CHECK_DEPS += clang-format

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Read by the test runners with `.`: how results are counted, in one place.
#
# A check prints `SKIP what: why` for what it leaves out and ends with
# `NAME: N passed, N failed, N skipped`. cmocka's own summaries count too.

# count_log LOG NAME STATUS: sets passed, failed, skipped from what the check NAME printed to LOG
# and its exit status. Its own closing line alone counts if there is one; else all closing lines
# and cmocka summaries in it. A status that no counted failure explains is one more failure; a
# check that prints nothing to count and succeeds is one test.
count_log() {
	read -r passed failed skipped <<-EOT
	$(awk -v name="$2" -v status="$3" '
		/^[A-Za-z0-9_.-]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
			split($1, who, ":")
			if (who[1] == name) { op = $2; of = $4; os = $6; own = 1 }
			p += $2; f += $4; s += $6; lines++
		}
		/^\[ +(PASSED|FAILED|SKIPPED) +\].* test\(s\)/ {
			n = 0
			for (i = 1; i < NF; i++)
				if ($i ~ /^[0-9]+$/ && $(i + 1) ~ /^test\(s\)/)
					n = $i
			if ($0 ~ /PASSED/) p += n
			else if ($0 ~ /FAILED/) f += n
			else s += n
		}
		/^SKIP [^ ]+:? / { skips++ }
		END {
			if (own) { p = op; f = of; s = os }
			else if (!lines) s += skips
			if (status != 0 && !f) f = 1
			if (status == 0 && !p && !f && !s) p = 1
			print p + 0, f + 0, s + 0
		}' "$1")
	EOT
}

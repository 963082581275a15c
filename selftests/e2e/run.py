#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
End-to-end tests: spand on this kernel, with real servers and clients. Run as root.
Cases are the functions test_* of the files test_*.py. BUILD names the build folder;
SPAND_SLOW=1: software emulation; SPAND_SHARED=1: others use this host at the same time.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib import runner  # noqa: E402


def main():
    p = argparse.ArgumentParser(description="spand's end-to-end tests")
    p.add_argument("--quick", action="store_true", help="leave out the heavy cases")
    p.add_argument("--default-hooks", action="store_true",
                   help="cases for several hook modes: only in the one that the kernel gets")
    p.add_argument("-k", dest="only", action="append", metavar="NAME",
                   help="only cases whose name contains NAME")
    p.add_argument("--list", action="store_true", help="show the names and stop")
    p.add_argument("--keep", action="store_true", help="keep the folder of a failed run")
    p.add_argument("-v", "--verbose", action="store_true", help="tracebacks")
    p.add_argument("--timeout", type=int, default=90, metavar="S", help="for one case")
    args = p.parse_args()
    if os.geteuid() and not args.list:
        sys.exit("e2e: needs root")
    return runner.main(args)


if __name__ == "__main__":
    sys.exit(main())

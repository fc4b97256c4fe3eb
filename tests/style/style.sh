# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# What the checks of this directory share. Source it: it changes to the repository's root.

set -euo pipefail
shopt -s lastpipe # so that bad_lines at the end of a pipe can set failed
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# need COMMAND...: skip the test where one is missing.
need() {
    local tool
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null; then
            echo "$tool is missing: run scripts/setup.sh check"
            exit 77
        fi
    done
}

# sources NAME-PATTERN...: the repository's files with such names, those of builds left out.
sources() {
    local name expression=()
    for name in "$@"; do
        expression+=(-o -name "$name")
    done
    find . \( -path ./build -o -path ./.git -o -path ./.cache \) -prune -o -type f \
        \( "${expression[@]:1}" \) -print | sed 's,^\./,,' | sort
}

failed=0

# bad TEXT: what is wrong, with the file's name; all of it is told, then the test fails.
bad() {
    echo "$*"
    failed=1
}

# bad_lines RULE: every line of standard input breaks the rule.
bad_lines() {
    local line
    while IFS= read -r line; do
        bad "$line  <- $1"
    done
}

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# table.sh <OUTPUT: the tables of docs/locks.md, from what xsc-wait-bench locks has printed.
set -eu

awk '
BEGIN {
    n_peers = split("xsc mutex;xsc ticket;xsc queue;pthread mutex, adaptive;pthread mutex;" \
                    "pthread spin;ck fas;ck ticket;ck mcs;ck clh;std::mutex;absl::Mutex;" \
                    "nsync_mu;tbb::spin_mutex;tbb::queuing_mutex", peer, ";")
}
/^[0-9]+ threads: wall time/ {
    threads = $1
    next
}
/^goal: [0-9]+ threads, / {
    split($0, part, ": ")
    at = part[2]
    sub(/ threads, /, ";", at)
    ours = part[3]
    kind = ours ~ /best of all/ ? "all" : "kind"
    best = ours
    sub(/.*best of (all|its kind), /, "", best)
    sub(/, at most .*/, "", best)
    sub(/ against .*/, "", ours)
    ratio = $0
    sub(/.*met \(/, "", ratio)
    sub(/x;.*/, "", ratio)
    goals++
    met[goals] = $0 !~ /NOT met/
    goal[at ";" ours ";" kind] = ratio (met[goals] ? "" : " **missed**") " (" best ")"
    next
}
threads {
    for (p = 1; p <= n_peers; p++) {
        i = index($0, peer[p] "  ")
        if (!i) {
            i = index($0, peer[p] " ")
        }
        if (i) {
            name = substr($0, 1, i - 1)
            gsub(/^ +| +$/, "", name)
            if (name != "") {
                point = name
                rows++
                row[rows] = threads ";" point
            }
            rest = substr($0, i + length(peer[p]))
            gsub(/\([^)]*\)/, "", rest)
            split(rest, cell, " ")
            key = threads ";" point ";" peer[p]
            ns[key] = cell[1]
            uneven[key] = cell[4]
            cpu[key] = cell[6]
            break
        }
    }
}
function of(key, kind) {
    return key ";" kind in goal ? goal[key ";" kind] : "-"
}
function crowd(title, columns, what,    n, c, r, line, rule, key) {
    n = split(columns, column, ";")
    line = "| " title " |"
    rule = "|---|"
    for (c = 1; c <= n; c++) {
        line = line " " column[c] " |"
        rule = rule "---|"
    }
    print "\n" line "\n" rule
    for (r = 1; r <= rows; r++) {
        if (split(row[r], part, ";") && part[1] == threads) {
            line = "| " part[1] ", " part[2] " |"
            for (c = 1; c <= n; c++) {
                key = row[r] ";" column[c]
                line = line " " (what == "cpu" ? cpu[key] : uneven[key]) " |"
            }
            print line
        }
    }
}
END {
    if (!goals) {
        print "table.sh: no output of xsc-wait-bench locks" >"/dev/stderr"
        exit 1
    }
    print "| threads | inside, outside | mutex, ns | to the best that parks | to the best of all " \
          "| ticket, ns | to the best FIFO | queue, ns | to the best FIFO |"
    print "|---|---|---|---|---|---|---|---|---|"
    for (r = 1; r <= rows; r++) {
        split(row[r], part, ";")
        m = row[r] ";xsc mutex"
        t = row[r] ";xsc ticket"
        q = row[r] ";xsc queue"
        print "| " part[1] " | " part[2] " | " ns[m] " | " of(m, "kind") " | " of(m, "all") \
              " | " ns[t] " | " of(t, "kind") " | " ns[q] " | " of(q, "kind") " |"
    }
    for (i = 1; i <= goals; i++) {
        n_met += met[i]
    }
    print "\n" n_met " of " goals " goals were met in this run."
    crowd("CPU ns a section", "xsc mutex;pthread mutex;nsync_mu;absl::Mutex;xsc ticket;" \
          "xsc queue;ck ticket;ck mcs;ck clh;tbb::queuing_mutex", "cpu")
    crowd("most/least", "xsc mutex;pthread mutex;nsync_mu;absl::Mutex;xsc ticket;xsc queue;" \
          "tbb::spin_mutex;ck fas", "uneven")
}'

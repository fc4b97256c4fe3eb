#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""words.py LIMIT [-v]: how many words of the comments and documents name no actor.

A sentence about a protocol says which side acts: the waiter, the writer, the owner, the kernel. The
words below name none of them, or are not the field's. Prints how many of 1000 words they are, the
files with most of them, and (-v) each line; fails where that is more than LIMIT.
"""
import os
import re
import subprocess
import sys

VAGUE = re.compile(r"\b(?:who|whoever|whom|whomever|nobody|somebody|everybody|anew|to be had)\b", re.I)
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
HASH_COMMENT = re.compile(r"(?:^|\s)#[^\n]*", re.M)
KINDS = {
    C_COMMENT: (".c", ".h", ".hpp", ".cpp", ".pml"),
    HASH_COMMENT: (".sh", ".cmake", ".txt", ".py", ".litmus"),
    None: (".md", ".1", ".3", ".4", ".7", ".9"),
}


def texts(name):
    """The parts of a file that people read: all of a document, the comments of a program."""
    with open(name, encoding="utf-8", errors="replace") as file:
        text = file.read()
    for pattern, ends in KINDS.items():
        if name.endswith(ends):
            if pattern is None:
                yield 0, text
            else:
                for found in pattern.finditer(text):
                    yield text.count("\n", 0, found.start()), found.group()


def main():
    limit, verbose = float(sys.argv[1]), "-v" in sys.argv[2:]
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=False)
    if names.returncode:
        print("words.py: not in a git checkout, so nothing says which files are the project's")
        return 77
    words, vague = 0, {}
    for name in filter(None, names.stdout.decode().split("\0")):
        if name == "tests/style/words.py":
            continue
        for line, text in texts(name):
            words += len(WORD.findall(text))
            for found in VAGUE.finditer(text):
                vague.setdefault(name, []).append(
                    (line + 1 + text.count("\n", 0, found.start()), found.group()))
    count = sum(map(len, vague.values()))
    rate = 1000 * count / max(words, 1)
    for name in sorted(vague, key=lambda n: -len(vague[n])):
        if verbose:
            for line, word in vague[name]:
                print(f"{name}:{line}: {word}")
        elif len(vague[name]) > 1:
            print(f"{len(vague[name]):5} {name}")
    print(f"{count} of {words} words name no actor: {rate:.2f} in 1000, limit {limit:g}")
    return rate > limit or words == 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""emitted.py [--expect FUNCTION,...] CPU STEPS ASSEMBLY...: whether what a compiler has emitted orders what
the source asks for, and what the arguments need.

CPU is x86, arm64 or riscv64. ASSEMBLY is compiled with -S -g1 or more in the repository's root: the line
numbers in it lead from each instruction to the atomic operation of the source that it comes from, also
where that was inlined. Judged is each operation of the sources that have line numbers there, by its own
order, and each line of STEPS (see there) by the order that the line says. --expect: exactly these functions'
operations are to be found wrong; for controls.

Exit 0: all is as it must be; 1: something is not, said on standard output.
"""
import os
import re
import sys

RANK = {'RELAXED': set(), 'CONSUME': {'acquire'}, 'ACQUIRE': {'acquire'}, 'RELEASE': {'release'},
        'ACQ_REL': {'acquire', 'release'}, 'SEQ_CST': {'acquire', 'release'}}


class Operation:
    """One __atomic_*() of a source: what, where, and the order that it asks for."""

    def __init__(self, file, function, lines, kind, text, order, within):
        self.file, self.function, self.lines = file, function, lines
        self.kind, self.text, self.order = kind, text, order
        self.within = within  # of a macro that defines functions: which of them
        self.statement = set()  # lines of its statement before it: GCC may give a read-modify-write those
        self.seen = 0

    def name(self):
        return f'{self.file}:{min(self.lines)}: {self.function}: {self.text}'


def kind_of(builtin):
    for kind in ('load', 'store', 'thread_fence'):
        if builtin.startswith(kind):
            return 'fence' if kind == 'thread_fence' else kind
    return 'cas' if builtin.startswith('compare') else 'rmw'


def without_comments(text):
    blank = lambda m: re.sub(r'[^\n]', ' ', m.group())
    return re.sub(r'//[^\n]*', blank, re.sub(r'/\*.*?\*/', blank, text, flags=re.S))


def operations_of(file):
    """All atomic operations of a file, and complaints about the way they are written."""
    text = without_comments(open(file, encoding='utf-8').read())
    lines = text.split('\n')
    found, complaints = [], []
    for m in re.finditer(r'\b__atomic_(\w+)\s*\(', text):
        at, depth = m.end(), 1
        while depth:
            depth += {'(': 1, ')': -1}.get(text[at], 0)
            at += 1
        call = ' '.join(text[m.start():at].replace('\\\n', ' ').split())
        first, last = text.count('\n', 0, m.start()) + 1, text.count('\n', 0, at) + 1
        where, function, macro = set(range(first, last + 1)), '?', None
        for n in range(first - 1, -1, -1):
            head = re.match(r'#define (\w+)\(', lines[n])
            if head and all(l.endswith('\\') for l in lines[n:first - 1]):
                macro = head.group(1)
                break
            head = re.match(r'[A-Za-z_].*?\b(\w+)\s*\(', lines[n])
            if head and not lines[n].startswith(('#', 'XSC_EMIT')):
                function = head.group(1)
                break
        within = None
        if macro:
            function = macro
            inner = [re.sub(r'##\w+(##)?', r'\\w+', i) for i in
                     re.findall(r'XSC_INLINE \w+ ([\w#]+)\(', '\n'.join(lines[n:first]))]
            within = re.compile(inner[-1] if inner else r'\w+')
            where |= {n + 1 for n, l in enumerate(lines) if re.match(rf'\s*{macro}\(', l)}
        kind = kind_of(m.group(1))
        orders = re.findall(r'__ATOMIC_(\w+)', call)
        named = re.search(r'XSC_CAS_(\w+)', call)
        if named:
            orders = [named.group(1)]
        elif kind == 'cas' and orders != ['RELAXED', 'RELAXED']:
            complaints.append(f'{file}:{first}: {function}: a compare-and-swap that orders something '
                              f'takes its orders from xsc/cas.h: {call}')
        if orders and kind in ('cas', 'rmw') and not macro:
            begun = max(text.rfind(c, 0, m.start()) for c in ';{}')
            statement = set(range(text.count('\n', 0, begun) + 1, first))
        else:
            statement = set()
        if orders:
            found.append(Operation(file, function, where, kind, call, orders[0], within))
            found[-1].statement = statement
    return found, complaints


# ------------------------------------------------------------------------- instructions ----
# What an instruction is, as a tuple: ('load',), ('store',), ('rmw', acquires, releases),
# ('begin', acquires) and ('end', releases) of a pair, ('fence', before, after), ('call', name, for good),
# ('jump', label, always), ('label', label), ('leave',).

def riscv64(i):
    name, _, rest = i.partition(' ')
    m = re.match(r'(lr|sc|amo\w+)\.[wdbh](\.\w+)?$', name)
    if m:
        suffix = m.group(2) or ''
        acquires, releases = 'aq' in suffix, suffix.endswith('rl')
        if m.group(1) == 'lr':
            return ('begin', acquires)
        return ('end', releases) if m.group(1) == 'sc' else ('rmw', acquires, releases)
    if name == 'fence':
        before, after = [p.strip() for p in rest.split(',')] if rest else ('rw', 'rw')
        return ('fence', {c for c in before if c in 'rw'}, {c for c in after if c in 'rw'})
    if re.match(r'l[bhwd]u?$', name):
        return ('load',)
    if re.match(r's[bhwd]$', name):
        return ('store',)
    if name == 'ret' or name == 'jr':
        return ('leave',)
    if name == 'j' or (name[0] == 'b' and ',' in rest) or re.match(r'b\w+z$', name):
        return ('jump', rest.split(',')[-1].strip(), name == 'j')
    if name in ('call', 'tail', 'jal'):
        return ('call', rest.split('@')[0].strip(), name == 'tail')
    return None


def arm64(i):
    name, _, rest = i.partition(' ')
    if name == 'dmb':
        return ('fence', {'r'}, {'r', 'w'}) if rest.strip() == 'ishld' else ('fence', {'r', 'w'}, {'r', 'w'})
    m = re.match(r'ld(a?)x[rp][bh]?$', name)
    if m:
        return ('begin', bool(m.group(1)))
    m = re.match(r'st(l?)x[rp][bh]?$', name)
    if m:
        return ('end', bool(m.group(1)))
    m = re.match(r'(?:cas|swp|ld(?:add|set|clr|eor|[su]max|[su]min))(a?)(l?)[bh]?$', name)
    if m:
        return ('rmw', bool(m.group(1)), bool(m.group(2)))
    m = re.match(r'st(?:add|set|clr|eor)(l?)[bh]?$', name)
    if m:
        return ('rmw', False, bool(m.group(1)))
    if name == 'ret' or name == 'br':
        return ('leave',)
    if (name == 'b' and rest.startswith('.L')) or re.match(r'b\.?(eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)$|[ct]bn?z$', name):
        return ('jump', rest.split(',')[-1].strip(), name == 'b')
    if name in ('bl', 'b'):
        target = rest.strip()
        m = re.match(r'__aarch64_[a-z]+\d_(\w+)$', target)
        if m:
            return ('rmw', m.group(1) in ('acq', 'acq_rel'), m.group(1) in ('rel', 'acq_rel'))
        return ('call', target, name == 'b')
    if re.match(r'lda(p?)r[bh]?$', name):
        return ('load', 'acquires')
    if re.match(r'stlr[bh]?$', name):
        return ('store', 'releases')
    if re.match(r'ldu?r[bh]?$|ldp$', name):
        return ('load',)
    if re.match(r'stu?r[bh]?$|stp$', name):
        return ('store',)
    return None


def x86(i):
    name, _, rest = i.partition(' ')
    if name.startswith('lock') or (name.startswith('xchg') and '(' in rest):
        return ('rmw', True, True)
    if name == 'mfence':
        return ('fence', {'r', 'w'}, {'r', 'w'})
    if name.startswith('ret') or (name.startswith('jmp') and rest.startswith('*')):
        return ('leave',)
    if name[0] == 'j' and rest.startswith('.L'):
        return ('jump', rest.strip(), name.startswith('jmp'))
    if name.startswith(('call', 'jmp')):
        return ('call', rest.split('@')[0].strip(), name.startswith('jmp'))
    if '(' in rest or '%rip' in rest:
        return ('load', 'acquires') if not rest.rstrip().endswith(')') else ('store', 'releases')
    return None


def is_full(what, cpu):
    """A full fence; xsc_barrier_heavy() begins with one, which steps asks for, too."""
    if what[0] == 'fence':
        return what[1] == {'r', 'w'} and what[2] == {'r', 'w'}
    return what[:2] == ('call', 'xsc_barrier_heavy') or (cpu == 'x86' and what[0] == 'rmw')


def way_without_fence(seq, start, ends, cpu):
    """Whether instructions lead from the one at start to one of ends without a full fence."""
    labels = {w[1]: i for i, (_, _, w) in enumerate(seq) if w[0] == 'label'}
    todo, been = [start], set()
    while todo:
        at = todo.pop()
        if at >= len(seq) or at in been:
            continue
        been.add(at)
        what = seq[at][2]
        if is_full(what, cpu):
            continue
        if at in ends and at != start:
            return True
        if what[0] == 'jump' and what[1] in labels:
            todo.append(labels[what[1]])
        if what[0] == 'leave' or (what[0] in ('jump', 'call') and what[2]):
            continue
        todo.append(at + 1)
    return False


def way(seq, start, ends):
    return way_without_fence([(f, n, w if w[0] in ('jump', 'label', 'leave', 'call') and w[:2] != ('call', 'xsc_barrier_heavy')
                               else ('other',)) for f, n, w in seq], start, ends, None)


def wrong(op_kind, needs, seq):
    """Why the instructions of one operation do not order what it needs. None: they do."""
    def fenced_before(n, after):
        return any(w[0] == 'fence' and w[1] == {'r', 'w'} and after <= w[2] for w in seq[:n])

    def fenced_after(n, before):
        return any(w[0] == 'fence' and before <= w[1] and w[2] == {'r', 'w'} for w in seq[n + 1:])

    if op_kind == 'fence':
        return None if any(w[0] == 'fence' or w[0] == 'rmw' for w in seq) else 'no fence'
    if op_kind in ('cas', 'rmw'):
        for n, w in enumerate(seq):
            if w[0] in ('begin', 'rmw') and 'acquire' in needs and not w[1] and not fenced_after(n, {'r'}):
                return 'does not acquire'
            if w[0] in ('end', 'rmw') and 'release' in needs and not w[-1] and not fenced_before(n, {'w'}):
                return 'does not release'
        return None
    if op_kind == 'load':
        good = any(w == ('load', 'acquires') or w == ('begin', True) or
                   (w[0] == 'load' and fenced_after(n, {'r'})) for n, w in enumerate(seq))
        return None if good or 'acquire' not in needs else 'does not acquire'
    good = any(w == ('store', 'releases') or (w[0] == 'rmw' and w[2]) or
               (w[0] in ('store', 'rmw') and fenced_before(n, {'w'})) for n, w in enumerate(seq))
    return None if good or 'release' not in needs else 'does not release'


TELLING = {'cas': ('begin', 'rmw'), 'rmw': ('begin', 'rmw'), 'load': ('load', 'begin'),
           'store': ('store', 'rmw'), 'fence': ('fence', 'rmw')}


def read_assembly(path, classify):
    """{function: [(file, line, what)]} of an assembly file."""
    files, functions, here, function = {}, {}, (None, 0), None
    for line in open(path, encoding='utf-8', errors='replace'):
        m = re.match(r'(\.L[\w.$]*):', line)
        if m and function is not None:
            functions.setdefault(function, []).append((None, 0, ('label', m.group(1))))
            continue
        line = line.split('#')[0] if '\t#' in line and not line.startswith('#') else line
        line = line.rstrip()
        m = re.match(r'([A-Za-z_][\w.]*):', line)
        if m and not line.startswith('.L'):
            function = m.group(1).split('.')[0]
            continue
        text = line.strip()
        m = re.match(r'\.file\s+(\d+)\s+"([^"]*)"(?:\s+"([^"]*)")?', text)
        if m:
            files[m.group(1)] = os.path.relpath(os.path.join(m.group(2), m.group(3)) if m.group(3) else m.group(2))
            continue
        m = re.match(r'\.loc\s+(\d+)\s+(\d+)', text)
        if m:
            here = (files.get(m.group(1)), int(m.group(2)))
            continue
        if not text or text.startswith(('.', '//', '#')) or function is None:
            continue
        for part in text.split(';'):
            part = re.sub(r'^\s*\w+:\s*', '', part).replace('\t', ' ').strip()
            part = re.sub(r'^lock\s+', 'lock', part)
            what = classify(' '.join(part.split())) if part else None
            if what:
                functions.setdefault(function, []).append(here + (what,))
    return functions


def matching(operations, file, function, text):
    return [o for o in operations if o.file == file and o.function == function and text in o.text.replace(' ', '')]


def instructions_of(o, seq):
    """Those of a function that an operation has become, with their places; none if it is not in there."""
    for lines in (o.lines, o.lines | o.statement):
        mine = [(i, w) for i, (file, line, w) in enumerate(seq) if file == o.file and line in lines]
        if any(w[0] in TELLING[o.kind] for _, w in mine):
            return mine
    return []


def main():
    args = sys.argv[1:]
    expected = None
    if args[0] == '--expect':
        expected, args = set(filter(None, args[1].split(','))), args[2:]
    cpu, steps, assembly = args[0], args[1], args[2:]
    classify = {'x86': x86, 'arm64': arm64, 'riscv64': riscv64}[cpu]
    code = [(path, f, seq) for path in assembly for f, seq in read_assembly(path, classify).items()]
    sources = sorted({file for _, _, seq in code for file, _, _ in seq
                      if file and not file.startswith(('/', '..')) and os.path.exists(file)})
    operations, faults = [], []
    for file in sources:
        found, complaints = operations_of(file)
        operations += found
        if expected is None:
            faults += [('', c) for c in complaints]
    needs = {o: RANK[o.order] for o in operations}
    rows, listed = [], set()
    for n, line in enumerate(open(steps, encoding='utf-8'), 1):
        words = line.split('#')[0].split()
        if not words:
            continue
        if words[0] == 'order' and len(words) == 6:
            there = [o for o in matching(operations, words[1], words[2], words[3]) if o.kind == words[4]]
            for o in there:
                needs[o] = needs[o] | RANK[words[5].upper()]
                listed.add(o)
            if not there:
                faults.append((words[2], f'{steps}:{n}: no such operation, or none emitted: {line.strip()}'))
        elif words[0] == 'fenced' and len(words) == 7:
            rows.append((n, words[1:4], words[4:7]))
        else:
            faults.append(('', f'{steps}:{n}: not understood: {line.strip()}'))

    judged = 0
    for _, function, seq in code:
        for o in operations:
            # The lines of a macro's use are those of all its functions: each is looked at where it is
            # not inlined.
            if o.within and not o.within.fullmatch(function):
                continue
            mine = instructions_of(o, seq)
            if not mine:
                continue
            o.seen += 1
            if not needs[o] and o.kind != 'fence':
                continue
            judged += 1
            mine = [w for _, w in mine]
            why = wrong(o.kind, needs[o], mine)
            if why:
                faults.append((o.function, f'{o.name()} in {function}: {why}: {mine}'))
    for o in listed:
        if not o.seen:
            faults.append((o.function, f'{o.name()}: a step, and not emitted'))

    fenced = 0
    for n, first, second in rows:
        pairs = 0
        for _, function, seq in code:
            def places(which):
                if which[2].startswith('call:'):
                    return [i for i, e in enumerate(seq) if e[2][:2] == ('call', which[2][5:])]
                ops = matching(operations, *which)
                return [i for o in ops for i, w in instructions_of(o, seq) if w[0] in TELLING[o.kind]]
            # Where the second one's function was not inlined, its call.
            after = set(places(second)) | {i for i, e in enumerate(seq) if e[2][:2] == ('call', second[1])}
            for start in places(first):
                if not way(seq, start, after):
                    continue
                pairs += 1
                if way_without_fence(seq, start, after, cpu):
                    faults.append((first[1], f'{steps}:{n}: no fence between {" ".join(first)} and '
                                             f'{" ".join(second)} in {function}'))
        fenced += pairs
        if not pairs:
            faults.append((first[1], f'{steps}:{n}: not found: {" ".join(first + second)}'))

    if expected is not None:
        got = {f for f, _ in faults}
        for f in sorted(got ^ expected):
            print(f'{f}: {"not found wrong" if f in expected else "found wrong"}, against what is expected')
        return got != expected
    for _, text in faults:
        print(text)
    print(f'{judged} operations, {fenced} fenced pairs, {len(faults)} wrong')
    return bool(faults)


sys.exit(main())

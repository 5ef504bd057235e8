"""Prints a program as C++: blocks of neurons as SIMD lanes, the loop over time inside.

A block's states stay in the first-level cache through all of time. What a step writes is laid
into a row there first and then put into memory, past the caches where a sequence is large:
memory that is overwritten need not be read before.
"""

from collections.abc import Sequence

from .cpp_preamble import preamble
from .program import Code, Program

__all__ = ["source"]

OPERATIONS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "std::fabs({0})",
    "exp": "exp_({0})",
    "log": "std::log({0})",
    "sqrt": "std::sqrt({0})",
    "sin": "std::sin({0})",
    "cos": "std::cos({0})",
    "sigmoid": "sigmoid_({0})",
    "tanh": "std::tanh({0})",
    "maximum": "(({0} > {1}) | ({0} != {0})) ? {0} : {1}",
    "minimum": "(({0} < {1}) | ({0} != {0})) ? {0} : {1}",
    "relu": "{0} <= R(0) ? R(0) : {0}",
    "round": "std::nearbyint({0})",
    "floor": "std::floor({0})",
    "ceil": "std::ceil({0})",
    "sign": "sign_({0})",
    "where": "{0} ? {1} : {2}",
    "float": "{0} ? R(1) : R(0)",
}

PREDICATES = {
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "!{0}",
    "isnan": "{0} != {0}",
}

KERNEL = """
static __attribute__((noinline)) void @NAME@_block(
    const int64_t T, const int64_t at, const int n, const int64_t* arguments,
    const double* numbers) {
@ENTER@
  for (int64_t i = 0; i < T; ++i) {
    const int64_t t = @TIME@;
@POINTERS@
    const auto step = [&](const int from, const int to) __attribute__((always_inline)) {
#pragma GCC ivdep
      for (int l = from; l < to; ++l) {
@BODY@
      }
    };
    int l = 0;
    for (; l + LANES <= n; l += LANES) {
@PREFETCH@
      step(l, l + LANES);
    }
    if (l < n) step(l, n);
@PUT@
  }
@LEAVE@
  finish();
}

extern "C" void @NAME@(const int64_t T, const int64_t M, const int64_t block,
                       const int64_t* arguments, const double* numbers, const int threads) {
  // Not one parallel region of one thread: a forked worker would wait in it for ever.
  if (threads == 1) {
    for (int64_t at = 0; at < M; at += block)
      @NAME@_block(T, at, int(M - at < block ? M - at : block), arguments, numbers);
    return;
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t at = 0; at < M; at += block)
    @NAME@_block(T, at, int(M - at < block ? M - at : block), arguments, numbers);
}
"""


def source(program: Program, kinds: Sequence[bool], storage: str) -> str:
    """The C++ of a program.

    Arguments:
        program: The step.
        kinds: For each parameter, whether it is an array (per neuron or channel).
        storage: The dtype of inputs and outputs, a key of STORAGE.
    """
    text = preamble(storage) + _Kernel(program, kinds).forward()
    if program.backward is not None:
        text += _Kernel(program, kinds).backward(program.backward)
    return text


class _Kernel:
    """Collects the pieces of one kernel; arguments are numbered as they are named.

    Their order is that in which ``cpp.py`` passes them.
    """

    def __init__(self, program: Program, kinds: Sequence[bool]) -> None:
        self.program, self.kinds = program, kinds
        self.n_arguments = 0
        self.enter: list[str] = []
        self.pointers: list[str] = []
        self.prefetch: list[str] = []
        self.body: list[str] = []
        self.put: list[str] = []
        self.leave: list[str] = []

    def forward(self) -> str:
        """Inputs, states, outputs, saved values, parameters."""
        p = self.program
        self._read("x", range(p.n_inputs))
        self._states("v", p.n_states)
        self._write("o", range(p.n_outputs))
        self._save()
        self._parameters()
        results = self._code(p.forward)
        n, m = p.n_outputs, p.n_states
        self._store("o", results[:n])
        self._store_saved(results[n + m :])
        self._carry("v", results[n : n + m])
        return self._text("forward", "i")

    def backward(self, code: Code) -> str:
        """Cotangents, saved values and inputs, states' cotangents, input gradients, parameters."""
        p = self.program
        self._read("g", range(p.n_outputs))
        self._read_saved()
        self._read("x", p.saved_inputs)
        self._states("c", p.n_states)
        self._write("d", range(p.n_inputs))
        self._parameters()
        results = self._code(code)
        n, m = p.n_inputs, p.n_states
        self._store("d", results[:n])
        self._totals(results[n + m :])
        self._carry("c", results[n : n + m])
        return self._text("backward", "T - 1 - i")

    def _argument(self) -> str:
        self.n_arguments += 1
        return f"arguments[{self.n_arguments - 1}]"

    def _read(self, kind: str, indices: Sequence[int]) -> None:
        """Sequences to read, each in step order; the next row is fetched while one is read."""
        for name in (f"{kind}{i}" for i in indices):
            base, stride = self._argument(), self._argument()
            self.enter += [
                f"const S* const base_{name} = (const S*){base} + at;",
                f"const int64_t stride_{name} = {stride};",
                f"alignas(64) R room_{name}[sizeof(S) < sizeof(R) ? MOST_LANES : 1];",
            ]
            self.pointers += [
                f"const R* const row_{name} = get(base_{name} + t * stride_{name}, "
                f"room_{name}, n);",
                f"const S* const next_{name} = base_{name} + "
                f"(i + 1 < T ? @NEXT@ * stride_{name} : @FIRST@ * stride_{name} + n);",
            ]
            self.prefetch.append(
                "for (int q = 0; q < LANES; q += 64 / (int)sizeof(S)) "
                f"__builtin_prefetch(next_{name} + l + q);"
            )
            self.body.append(f"const R {name} = row_{name}[l];")

    def _write(self, kind: str, indices: Sequence[int]) -> None:
        """Sequences to write; the last argument of each is whether past the caches."""
        for name in (f"{kind}{i}" for i in indices):
            base, stride, past = self._argument(), self._argument(), self._argument()
            self.enter += [
                f"S* const base_{name} = (S*){base} + at;",
                f"alignas(64) R row_{name}[MOST_LANES];",
            ]
            self.put.append(f"put(base_{name} + t * {stride}, row_{name}, n, {past});")

    def _save(self) -> None:
        """Saved values, and bits, which a row collects for eight steps."""
        for i, kind in enumerate(self.program.saved):
            if kind == "value":
                self._write("s", [i])
                continue
            base, stride, past = self._argument(), self._argument(), self._argument()
            self.enter += [
                f"uint8_t* const base_s{i} = (uint8_t*){base} + at;",
                f"alignas(64) uint8_t row_s{i}[MOST_LANES];",
            ]
            self.put.append(
                f"if ((t & 7) == 7 || t + 1 == T) "
                f"put_bytes(base_s{i} + (t >> 3) * {stride}, row_s{i}, n, {past});"
            )

    def _read_saved(self) -> None:
        for i, kind in enumerate(self.program.saved):
            if kind == "value":
                self._read("k", [i])
                continue
            base, stride = self._argument(), self._argument()
            self.pointers.append(
                f"const uint8_t* const row_k{i} = "
                f"(const uint8_t*){base} + (t >> 3) * {stride} + at;"
            )
            self.body.append(f"const bool k{i} = (row_k{i}[l] >> (t & 7)) & 1;")

    def _store_saved(self, results: Sequence[str]) -> None:
        for i, (kind, result) in enumerate(zip(self.program.saved, results, strict=True)):
            if kind == "value":
                self.body.append(f"row_s{i}[l] = storable({result});")
            else:
                older = f"(t & 7 ? row_s{i}[l] : 0)"
                self.body.append(f"row_s{i}[l] = uint8_t({older} | ({result} << (t & 7)));")

    def _states(self, kind: str, count: int) -> None:
        """What a step hands to the next: before the first (null for 0), after the last."""
        for name in (f"{kind}{i}" for i in range(count)):
            first, last, past = self._argument(), self._argument(), self._argument()
            self._array(name, f"{first} ? ((const R*){first})[at + l] : R(0)")
            self.body.append(f"const R {name} = array_{name}[l];")
            self.leave.append(f"put((R*){last} + at, array_{name}, n, {past});")

    def _parameters(self) -> None:
        for i, is_array in enumerate(self.kinds):
            if not is_array:
                self.enter.append(f"const R p{i} = (R)numbers[{i}];")
                continue
            values, inner, size = self._argument(), self._argument(), self._argument()
            self.enter += [
                f"alignas(64) R array_p{i}[MOST_LANES];",
                f"spread(array_p{i}, (const R*){values}, {inner}, {size}, at, n);",
            ]
            self.body.append(f"const R p{i} = array_p{i}[l];")

    def _totals(self, results: Sequence[str]) -> None:
        """Sums over time, per neuron."""
        for i, result in enumerate(results):
            self._array(f"total{i}", "R(0)")
            self.body.append(f"array_total{i}[l] += {result};")
            self.leave.append(f"put((R*){self._argument()} + at, array_total{i}, n, false);")

    def _array(self, name: str, value: str) -> None:
        self.enter += [
            f"alignas(64) R array_{name}[MOST_LANES];",
            f"for (int l = 0; l < n; ++l) array_{name}[l] = {value};",
        ]

    def _code(self, code: Code) -> list[str]:
        for line in code.lines:
            kind, form = (
                ("bool", PREDICATES[line.op])
                if line.op in PREDICATES
                else ("R", OPERATIONS[line.op])
            )
            operands = [_literal(o) for o in line.operands]
            self.body.append(f"const {kind} {line.target} = {form.format(*operands)};")
        return [_literal(r) for r in code.results]

    def _store(self, kind: str, results: Sequence[str]) -> None:
        self.body += [f"row_{kind}{i}[l] = {r};" for i, r in enumerate(results)]

    def _carry(self, kind: str, results: Sequence[str]) -> None:
        self.body += [f"array_{kind}{i}[l] = {r};" for i, r in enumerate(results)]

    def _text(self, name: str, time: str) -> str:
        following, first = ("(t + 1)", "0") if time == "i" else ("(t - 1)", "(T - 1)")
        pieces = {
            "ENTER": _indent(self.enter, 2),
            "POINTERS": _indent(self.pointers, 4),
            "PREFETCH": _indent(self.prefetch, 6),
            "BODY": _indent(self.body, 8),
            "PUT": _indent(self.put, 4),
            "LEAVE": _indent(self.leave, 2),
            "NAME": name,
            "TIME": time,
            "NEXT": following,
            "FIRST": first,
        }
        text = KERNEL
        for key, piece in pieces.items():
            text = text.replace(f"@{key}@", piece)
        return text


def _indent(lines: Sequence[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in lines)


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if value != value:
        return "R(NAN)"
    if value in (float("inf"), float("-inf")):
        return "R(INFINITY)" if value > 0 else "R(-INFINITY)"
    return f"R({value!r})"

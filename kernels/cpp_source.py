"""Prints a program as C++: blocks of neurons as SIMD lanes, the loop over time inside."""

from collections.abc import Sequence

from .program import Code, Program

__all__ = ["STORAGE", "source"]

# dtype name: (type in memory, type of arithmetic)
STORAGE = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "bfloat16": ("BFloat16", "float"),
    "float16": ("_Float16", "float"),
}

PREAMBLE = """
#include <cmath>
#include <cstdint>
#include <cstring>

struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  BFloat16(float value) {
    uint32_t u;
    std::memcpy(&u, &value, 4);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    bits = value == value ? uint16_t(rounded) : uint16_t((u >> 16) | 0x40u);
  }
  operator float() const {
    const uint32_t u = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &u, 4);
    return value;
  }
};

typedef @S@ S;
typedef @R@ R;
static const int W = 1024;

static inline double exp_(double x) { return std::exp(x); }

// Without a branch or a call, so that it vectorises; within 2 ulp, subnormal results are 0.
static inline float exp_(float x) {
  const float low = x < -87.33654f ? -87.33654f : x;
  const float z = low > 88.72283f ? 88.72283f : low;
  const float n = __builtin_nearbyintf(z * 1.44269504f);
  const float r = (z - n * 0.693359375f) + n * 2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = (y * r) * r + r + 1.0f;
  const int32_t half = int32_t(n) >> 1, rest = int32_t(n) - half;
  const uint32_t a = uint32_t(half + 127) << 23, b = uint32_t(rest + 127) << 23;
  float fa, fb;
  std::memcpy(&fa, &a, 4);
  std::memcpy(&fb, &b, 4);
  y = (y * fa) * fb;
  y = x < -87.33654f ? 0.0f : y;
  y = x > 88.72283f ? INFINITY : y;
  return x == x ? y : x;
}
static inline R sigmoid_(R x) { return R(1) / (R(1) + exp_(-x)); }
static inline R sign_(R x) { return x == x ? R(x > R(0)) - R(x < R(0)) : x; }
"""

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
    "maximum": "({0} > {1} || {0} != {0}) ? {0} : {1}",
    "minimum": "({0} < {1} || {0} != {0}) ? {0} : {1}",
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
    "and": "{0} && {1}",
    "or": "{0} || {1}",
    "not": "!{0}",
    "isnan": "{0} != {0}",
}

KERNEL = """
static inline __attribute__((always_inline)) void @NAME@_block(
    const int64_t T, const int64_t at, const int n, void** pointers, const int64_t* integers,
    const double* numbers) {
@ENTER@
  for (int64_t i = 0; i < T; ++i) {
    const int64_t t = @TIME@;
@POINTERS@
@PREFETCH@
#pragma GCC ivdep
    for (int l = 0; l < n; ++l) {
@BODY@
    }
  }
@LEAVE@
}

extern "C" void @NAME@(const int64_t T, const int64_t M, void** pointers, const int64_t* integers,
                       const double* numbers, const int threads) {
  const int64_t blocks = M / W;
  if (threads > 1) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t b = 0; b < blocks; ++b)
      @NAME@_block(T, b * W, W, pointers, integers, numbers);
  } else {
    for (int64_t b = 0; b < blocks; ++b)
      @NAME@_block(T, b * W, W, pointers, integers, numbers);
  }
  if (M % W) @NAME@_block(T, blocks * W, int(M % W), pointers, integers, numbers);
}
"""


def source(program: Program, kinds: Sequence[bool], storage: str) -> str:
    """The C++ of a program.

    Arguments:
        program: The step.
        kinds: For each parameter, whether it is an array (per neuron or channel).
        storage: The dtype of inputs, outputs and saved values, a key of STORAGE.
    """
    memory, arithmetic = STORAGE[storage]
    text = PREAMBLE.replace("@S@", memory).replace("@R@", arithmetic)
    text += _Kernel(program, kinds).forward()
    if program.backward is not None:
        text += _Kernel(program, kinds).backward(program.backward)
    return text


class _Kernel:
    """Collects the pieces of one kernel; pointers and integers are numbered as they are named.

    The order is that of ``arguments`` in ``cpp.py``.
    """

    def __init__(self, program: Program, kinds: Sequence[bool]) -> None:
        self.program, self.kinds = program, kinds
        self.n_pointers = self.n_integers = 0
        self.enter: list[str] = []
        self.pointers: list[str] = []
        self.prefetch: list[str] = []
        self.body: list[str] = []
        self.leave: list[str] = []

    def forward(self) -> str:
        """Inputs, states, outputs, saved values, new states, parameters."""
        p = self.program
        self._sequences("x", range(p.n_inputs))
        self._states("v", p.n_states)
        self._written("o", p.n_outputs)
        self._written("k_out", p.n_saved, "R")
        self._parameters()
        results = self._code(p.forward)
        n, m = p.n_outputs, p.n_states
        self._store("o", results[:n])
        self._store("k_out", results[n + m :], "R")
        self._carry("v", results[n : n + m])
        return self._text("forward", "i")

    def backward(self, code: Code) -> str:
        """Cotangents, saved values and inputs, states' cotangents, input gradients, parameters."""
        p = self.program
        self._sequences("g", range(p.n_outputs))
        self._sequences("k", range(p.n_saved), "R")
        self._sequences("x", p.saved_inputs)
        self._states("c", p.n_states)
        self._written("gx", p.n_inputs)
        self._parameters()
        results = self._code(code)
        n, m = p.n_inputs, p.n_states
        self._store("gx", results[:n])
        self._totals(results[n + m :])
        self._carry("c", results[n : n + m])
        return self._text("backward", "T - 1 - i")

    def _pointer(self) -> str:
        self.n_pointers += 1
        return f"pointers[{self.n_pointers - 1}]"

    def _integer(self) -> str:
        self.n_integers += 1
        return f"integers[{self.n_integers - 1}]"

    def _sequences(self, kind: str, indices: Sequence[int], of: str = "S") -> None:
        for i in indices:
            name, base = f"{kind}{i}", self._pointer()
            stride = self._integer()
            self.enter.append(f"const {of}* const base_{name} = (const {of}*){base} + at;")
            self.enter.append(f"const int64_t stride_{name} = {stride};")
            self.pointers.append(
                f"const {of}* __restrict__ const p_{name} = base_{name} + t * stride_{name};"
            )
            self.prefetch.append(f"p_{name}")
            self.body.append(f"const R {name} = (R)p_{name}[l];")

    def _written(self, kind: str, count: int, of: str = "S") -> None:
        for i in range(count):
            name, base, stride = f"{kind}{i}", self._pointer(), self._integer()
            self.enter.append(f"{of}* const base_{name} = ({of}*){base} + at;")
            self.enter.append(f"const int64_t stride_{name} = {stride};")
            self.pointers.append(
                f"{of}* __restrict__ const p_{name} = base_{name} + t * stride_{name};"
            )

    def _states(self, kind: str, count: int) -> None:
        for i in range(count):
            name, entry, last = f"{kind}{i}", self._pointer(), self._pointer()
            self.enter.append(f"alignas(64) R a_{name}[W];")
            self.enter.append(f"const R* const in_{name} = (const R*){entry};")
            self.enter.append(
                f"for (int l = 0; l < n; ++l) a_{name}[l] = in_{name} ? in_{name}[at + l] : R(0);"
            )
            self.body.append(f"const R {name} = a_{name}[l];")
            self.leave.append(
                f"for (int l = 0; l < n; ++l) ((R*){last})[at + l] = a_{name}[l];"
            )

    def _parameters(self) -> None:
        for i, is_array in enumerate(self.kinds):
            if not is_array:
                self.enter.append(f"const R p{i} = (R)numbers[{i}];")
                continue
            base, inner, size = self._pointer(), self._integer(), self._integer()
            self.enter.append(f"alignas(64) R a_p{i}[W];")
            self.enter.append(
                f"for (int l = 0; l < n; ++l) "
                f"a_p{i}[l] = ((const R*){base})[(at + l) / {inner} % {size}];"
            )
            self.body.append(f"const R p{i} = a_p{i}[l];")

    def _totals(self, results: Sequence[str]) -> None:
        for i, result in enumerate(results):
            total = self._pointer()
            self.enter.append(f"alignas(64) R a_total{i}[W];")
            self.enter.append(f"for (int l = 0; l < n; ++l) a_total{i}[l] = R(0);")
            self.body.append(f"a_total{i}[l] += {result};")
            self.leave.append(
                f"for (int l = 0; l < n; ++l) ((R*){total})[at + l] = a_total{i}[l];"
            )

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

    def _store(self, kind: str, results: Sequence[str], of: str = "S") -> None:
        self.body += [f"p_{kind}{i}[l] = ({of})({r});" for i, r in enumerate(results)]

    def _carry(self, kind: str, results: Sequence[str]) -> None:
        self.body += [f"a_{kind}{i}[l] = {r};" for i, r in enumerate(results)]

    def _text(self, name: str, time: str) -> str:
        ahead = "+" if time == "i" else "-"
        fetch = [
            f"for (int l = 0; l < n; l += 64 / (int)sizeof(S)) "
            f"__builtin_prefetch({p} {ahead} stride_{p.removeprefix('p_')} + l);"
            for p in self.prefetch
        ]
        pieces = {
            "ENTER": "\n".join(f"  {line}" for line in self.enter),
            "POINTERS": "\n".join(f"    {line}" for line in self.pointers),
            "PREFETCH": "\n".join(f"    {line}" for line in fetch),
            "BODY": "\n".join(f"      {line}" for line in self.body),
            "LEAVE": "\n".join(f"  {line}" for line in self.leave),
            "NAME": name,
            "TIME": time,
        }
        text = KERNEL
        for key, piece in pieces.items():
            text = text.replace(f"@{key}@", piece)
        return text


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if value != value:
        return "R(NAN)"
    if value in (float("inf"), float("-inf")):
        return "R(INFINITY)" if value > 0 else "R(-INFINITY)"
    return f"R({value!r})"

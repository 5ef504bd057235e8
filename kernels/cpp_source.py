"""Prints a program as C++: blocks of neurons as SIMD lanes, the loop over time inside.

A block's states stay in the first-level cache through all of time. What a step writes is laid
into a row there first and then put into memory: where a sequence is large, past the caches, for
memory that is overwritten need not be read before, and LANES neurons at a time, so that the next
are read and computed meanwhile.
"""

from collections.abc import Sequence

from .c_source import Kernel, literal
from .cpp_preamble import preamble
from .program import Line, Program
from .template import filled, indented

__all__ = ["source"]

# Of so many divisors, each may be a power of two by itself: twice the code for every one.
MOST_KINDS = 2

KERNEL = """
static __attribute__((noinline)) void @NAME@_block(
    const int64_t T, const int64_t M, const int64_t at, const int n,
    void* const* pointers, const int64_t* constants, const double* numbers) {
@ENTER@
  const std::integral_constant<int, 0> none;
  for (int64_t i = 0; i < T; ++i) {
    const int64_t t = @TIME@;
@POINTERS@
    const auto step = [&](const auto inverts, const int from, const int to)
        __attribute__((always_inline)) {
      constexpr int inverted = decltype(inverts)::value;
#pragma GCC ivdep
      for (int l = from; l < to; ++l) {
@BODY@
      }
    };
    int l = 0;
    for (; l + LANES <= n; l += LANES) {
@PREFETCH@
      @STEP@
@PIECE@
    }
    if (l < n) step(none, l, n);
@PUT@
  }
@LEAVE@
}

extern "C" void @NAME@(const int64_t* sizes, void* const* pointers, const double* numbers) {
  const int64_t T = sizes[0], M = sizes[1], block = sizes[2];
  const int threads = (int)sizes[3];
  const int64_t* const constants = sizes + 4;
  const auto run = [=](const int64_t at) {
    @NAME@_block(T, M, at, int(M - at < block ? M - at : block), pointers, constants, numbers);
  };
  // Not one parallel region of one thread: a forked worker would wait in it for ever.
  if (threads == 1) {
    for (int64_t at = 0; at < M; at += block) run(at);
    finish();
    return;
  }
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static) nowait
    for (int64_t at = 0; at < M; at += block) run(at);
    finish();
  }
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


class _Kernel(Kernel):
    """A kernel that ``cpp.py`` gives its pointers, its constants and its numbers as arrays."""

    def __init__(self, program: Program, kinds: Sequence[bool]) -> None:
        super().__init__(program)
        self.kinds = kinds
        self.n_pointers = self.n_constants = 0
        self.enter: list[str] = []
        self.pointers: list[str] = []
        self.prefetch: list[str] = []
        self.piece: list[str] = []
        self.put: list[str] = []
        self.divisors: list[str] = []
        self.leave: list[str] = []

    def _pointer(self) -> str:
        self.n_pointers += 1
        return f"pointers[{self.n_pointers - 1}]"

    def _constant(self) -> str:
        self.n_constants += 1
        return f"constants[{self.n_constants - 1}]"

    def _read(self, name: str) -> None:
        """In step order; the next row is fetched while one is read.

        A negative stride is that of rows that every block reads from their beginning.
        """
        base, stride = self._pointer(), self._constant()
        self.enter += [
            f"const int64_t stride_{name} = {stride} < 0 ? -{stride} : {stride};",
            f"const S* const base_{name} = (const S*){base} + ({stride} < 0 ? 0 : at);",
            f"alignas(64) R room_{name}[sizeof(S) < sizeof(R) ? MOST_LANES : 1];",
        ]
        self.pointers += [
            f"const R* const row_{name} = get(base_{name} + t * stride_{name}, room_{name}, n);",
            f"const S* const next_{name} = base_{name} + "
            f"(i + 1 < T ? @NEXT@ * stride_{name} : @FIRST@ * stride_{name} + n);",
        ]
        self.prefetch.append(
            "for (int q = 0; q < LANES; q += 64 / (int)sizeof(S)) "
            f"__builtin_prefetch(next_{name} + l + q);"
        )
        self.body.append(f"const R {name} = row_{name}[l];")

    def _write(self, name: str) -> None:
        """Its constant is whether it goes past the caches."""
        self.enter += [
            f"S* const base_{name} = (S*){self._pointer()} + at;",
            f"const bool past_{name} = {self._constant()};",
            f"alignas(64) R row_{name}[MOST_LANES];",
        ]
        self.pointers += [
            f"S* const to_{name} = base_{name} + t * M;",
            f"const bool direct_{name} = past_{name} && is_aligned(to_{name});",
        ]
        self.piece.append(f"if (direct_{name}) put_piece(to_{name} + l, row_{name} + l);")
        self.put += [
            f"const int put_{name} = direct_{name} ? l : 0;",
            f"put(to_{name} + put_{name}, row_{name} + put_{name}, n - put_{name}, past_{name});",
        ]

    def _write_bits(self, name: str) -> None:
        """A row collects them for eight steps."""
        base, past = self._pointer(), self._constant()
        self.enter += [
            f"uint8_t* const base_{name} = (uint8_t*){base} + at;",
            f"alignas(64) uint8_t row_{name}[MOST_LANES];",
        ]
        self.put.append(
            f"if ((t & 7) == 7 || t + 1 == T) "
            f"put_bytes(base_{name} + (t >> 3) * M, row_{name}, n, {past});"
        )

    def _read_bits(self, name: str) -> None:
        base, stride = self._pointer(), self._constant()
        self.pointers.append(
            f"const uint8_t* const row_{name} = (const uint8_t*){base} + (t >> 3) * {stride} + at;"
        )
        self.body.append(f"const bool {name} = (row_{name}[l] >> (t & 7)) & 1;")

    def _store_value(self, name: str, result: str) -> None:
        self.body.append(f"row_{name}[l] = storable({result});")

    def _store_bit(self, name: str, result: str) -> None:
        older = f"(t & 7 ? row_{name}[l] : 0)"
        self.body.append(f"row_{name}[l] = uint8_t({older} | ({result} << (t & 7)));")

    def _state(self, name: str) -> None:
        """Null before the first step stands for a number, after the last for: not wanted."""
        first, last, past = self._pointer(), self._pointer(), self._constant()
        number = f"(R)numbers[{len(self.kinds) + int(name[1:])}]"
        self._array(name, f"{first} ? ((const R*){first})[at + l] : {number}")
        self.leave.append(f"if ({last}) put((R*){last} + at, array_{name}, n, {past});")

    def _parameters(self) -> None:
        for i, is_array in enumerate(self.kinds):
            if not is_array:
                self.enter.append(f"const R p{i} = (R)numbers[{i}];")
                continue
            values, inner, size = self._pointer(), self._constant(), self._constant()
            self.enter += [
                f"alignas(64) R array_p{i}[MOST_LANES];",
                f"spread(array_p{i}, (const R*){values}, {inner}, {size}, at, n);",
            ]
            self.body.append(f"const R p{i} = array_p{i}[l];")

    def _total(self, name: str) -> None:
        self._array(name, "R(0)")
        self.leave.append(f"put((R*){self._pointer()} + at, array_{name}, n, false);")

    def _expression(self, line: Line) -> str:
        """A division by a number is a product where the number's inverse is exact."""
        divisor = line.operands[-1]
        if line.op != "div" or not self._is_number(divisor):
            return super()._expression(line)
        if divisor not in self.divisors:
            self.divisors.append(str(divisor))
            self.enter.append(f"const R inverse_{divisor} = R(1) / {divisor};")
        bit, dividend = 1 << self.divisors.index(str(divisor)), literal(line.operands[0])
        return f"inverted & {bit} ? {dividend} * inverse_{divisor} : {dividend} / {divisor}"

    def _steps(self) -> str:
        """A step of each kind: by which divisors it multiplies; by some of many, it does not."""
        bits = [f"{1 << i} * is_power_of_two({d})" for i, d in enumerate(self.divisors)]
        if bits:
            self.enter.append(f"const int exact = {' + '.join(bits)};")
        every = 2 ** len(bits) - 1
        kinds = range(every, 0, -1) if len(bits) <= MOST_KINDS else [every]
        steps = [
            f"if (exact == {kind}) step(std::integral_constant<int, {kind}>(), l, l + LANES);"
            for kind in kinds
        ]
        return "\n      else ".join([*steps, "step(none, l, l + LANES);"])

    def _is_number(self, operand: str | float) -> bool:
        """Whether it is a parameter that is the same for all neurons."""
        return isinstance(operand, str) and operand[0] == "p" and not self.kinds[int(operand[1:])]

    def _array(self, name: str, value: str) -> None:
        self.enter += [
            f"alignas(64) R array_{name}[MOST_LANES];",
            f"for (int l = 0; l < n; ++l) array_{name}[l] = {value};",
        ]

    def _text(self, name: str) -> str:
        time, following, first = (
            ("i", "(t + 1)", "0") if name == "forward" else ("T - 1 - i", "(t - 1)", "(T - 1)")
        )
        pieces = {
            "STEP": self._steps(),
            "ENTER": indented(self.enter, 2),
            "POINTERS": indented(self.pointers, 4),
            "PREFETCH": indented(self.prefetch, 6),
            "BODY": indented(self.body, 8),
            "PIECE": indented(self.piece, 6),
            "PUT": indented(self.put, 4),
            "LEAVE": indented(self.leave, 2),
            "NAME": name,
            "TIME": time,
            "NEXT": following,
            "FIRST": first,
        }
        return filled(KERNEL, pieces)

"""The CUDA C++ that stands above every kernel: rows of neurons, conversions, functions.

It includes nothing, so that NVRTC compiles it wherever it is, in a tenth of a second. exp, log
and tanh are CUDA's accurate functions, within 2 units of the last place (1 by CUDA's tables), sin
and cos within 2, sigmoid within 4; division and square root are exact.
"""

import torch

__all__ = ["STORAGE", "preamble"]

# dtype name: (type in memory, type of arithmetic)
STORAGE = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "bfloat16": ("Half", "float"),
    "float16": ("Half", "float"),
}


def preamble(storage: str, width: int) -> str:
    """What a kernel needs before it.

    Arguments:
        storage: The dtype of inputs and outputs, a key of STORAGE.
        width: How many neurons one thread has.
    """
    memory, arithmetic = STORAGE[storage]
    most = torch.finfo(getattr(torch, storage)).max
    pieces = {"MOST": most, "S": memory, "R": arithmetic, "W": width, "STORAGE": storage}
    text = _TYPES + _ROWS + (_HALF if memory == "Half" else "") + _BITS + _FUNCTIONS
    for name, piece in pieces.items():
        text = text.replace(f"@{name}@", str(piece))
    return text


_TYPES = """
typedef @R@ R;
#define W @W@
#define DEVICE static __device__ __forceinline__

#ifdef __CUDACC__
#define NAN __int_as_float(0x7fc00000)
#define INFINITY __int_as_float(0x7f800000)
namespace std {
using ::ceil;
using ::cos;
using ::fabs;
using ::floor;
using ::log;
using ::nearbyint;
using ::sin;
using ::sqrt;
using ::tanh;
}
#endif

struct Half {
  unsigned short bits;
};
typedef @S@ S;
"""

_ROWS = """
// The neurons of a thread, one step of a sequence: accesses of 16 bytes, or of all there is.
template <typename A>
struct alignas(W * sizeof(A) < 16 ? W * sizeof(A) : 16) Row {
  A d[W];
};
template <typename A>
DEVICE R get(const Row<A>& row, const int l) {
  return row.d[l];
}
template <typename A>
DEVICE Row<A> load(const A* from) {
  return *(const Row<A>*)from;
}
DEVICE void store(R* to, const R (&row)[W]) {
  Row<R> whole;
#pragma unroll
  for (int l = 0; l < W; ++l) whole.d[l] = row[l];
  *(Row<R>*)to = whole;
}

// What a state is before the first step; null stands for 0.
DEVICE void enter(R (&array)[W], const R* from, const long long at) {
  Row<R> row = {};
  if (from) row = load(from + at);
#pragma unroll
  for (int l = 0; l < W; ++l) array[l] = row.d[l];
}

DEVICE long long quotient(const long long a, const long long b) {
  return (a | b) >> 32 ? a / b : (long long)((unsigned)a / (unsigned)b);
}

// A parameter per channel or neuron, for the neurons from `at` on.
DEVICE void spread(R (&array)[W], const R* values, const long long inner, const long long size,
                   const long long at) {
  const long long run = quotient(at, inner);
  long long q = run - quotient(run, size) * size, rest = at - run * inner;
#pragma unroll
  for (int l = 0; l < W; ++l) {
    array[l] = values[q];
    if (++rest < inner) continue;
    rest = 0;
    q = q + 1 < size ? q + 1 : 0;
  }
}
"""

_HALF = """
#ifdef __CUDACC__
// 16 bits to float, and two floats to twice 16 bits, the first in the lower half.
DEVICE float wide_bfloat16(unsigned bits) { return __int_as_float(bits << 16); }
DEVICE float wide_float16(unsigned bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"((unsigned short)bits));
  return x;
}
DEVICE unsigned narrow_float16(float a, float b) {
  unsigned short low, high;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(low) : "f"(a));
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(high) : "f"(b));
  return low | (unsigned)high << 16;
}
DEVICE unsigned narrow_bfloat16(float a, float b) {
#if __CUDA_ARCH__ >= 800
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(b), "f"(a));
  return both;
#else
  const unsigned u = __float_as_int(a), v = __float_as_int(b);
  const unsigned low = a == a ? (u + 0x7fffu + ((u >> 16) & 1u)) >> 16 : 0x7fffu;
  const unsigned high = b == b ? (v + 0x7fffu + ((v >> 16) & 1u)) >> 16 : 0x7fffu;
  return low | high << 16;
#endif
}
#endif

#if W > 1
template <>
struct alignas(W * 2) Row<Half> {
  unsigned d[W / 2];
};
DEVICE R get(const Row<Half>& row, const int l) {
  return wide_@STORAGE@(l & 1 ? row.d[l / 2] >> 16 : row.d[l / 2] & 0xffffu);
}
DEVICE void store(Half* to, const R (&row)[W]) {
  Row<Half> packed;
#pragma unroll
  for (int l = 0; l < W; l += 2) packed.d[l / 2] = narrow_@STORAGE@(row[l], row[l + 1]);
  *(Row<Half>*)to = packed;
}
#else
DEVICE R get(const Row<Half>& row, const int l) { return wide_@STORAGE@(row.d[0].bits); }
DEVICE void store(Half* to, const R (&row)[W]) {
  to->bits = (unsigned short)narrow_@STORAGE@(row[0], 0);
}
#endif
"""

_BITS = """
// A byte per neuron, which holds eight steps.
struct alignas(W) Bits {
#if W < 4
  unsigned char d[W];
#else
  unsigned d[W / 4];
#endif
};
DEVICE bool bit(const Bits& bits, const int l, const int t) {
#if W < 4
  return bits.d[l] >> (t & 7) & 1;
#else
  return bits.d[l / 4] & 1u << (t & 7) << l % 4 * 8;
#endif
}
DEVICE void set_bit(Bits& bits, const int l, const int t, const bool value) {
#if W < 4
  bits.d[l] |= value << (t & 7);
#else
  bits.d[l / 4] |= value ? 1u << (t & 7) << l % 4 * 8 : 0u;
#endif
}
"""

_FUNCTIONS = """
DEVICE R exp_(const R x) { return exp(x); }
DEVICE R sigmoid_(const R x) { return R(1) / (R(1) + exp_(-x)); }
DEVICE R tanh_(const R x) { return tanh(x); }
DEVICE R sign_(const R x) { return R(x > R(0)) - R(x < R(0)); }
// A row whose values stay finite where they are; 16 bits would make large numbers infinite.
DEVICE void keep(S* to, R (&row)[W]) {
  if (sizeof(S) < sizeof(R)) {
    const R most = R(@MOST@);
    bool beyond = false;
#pragma unroll
    for (int l = 0; l < W; ++l) beyond |= std::fabs(row[l]) > most;
    if (beyond) {
#pragma unroll
      for (int l = 0; l < W; ++l)
        if (std::fabs(row[l]) < R(INFINITY))
          row[l] = row[l] > most ? most : row[l] < -most ? -most : row[l];
    }
  }
  store(to, row);
}
"""

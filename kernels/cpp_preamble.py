"""The C++ that stands above every kernel: memory, conversions, functions that vectorise."""

import torch

__all__ = ["LANES", "MOST_LANES", "STORAGE", "preamble"]

# dtype name: (type in memory, type of arithmetic)
STORAGE = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "bfloat16": ("BFloat16", "float"),
    "float16": ("_Float16", "float"),
}

# Neurons of an inner loop, whose length the compiler knows, and most neurons of a block.
LANES = 64
MOST_LANES = 1024


def preamble(storage: str) -> str:
    """What a kernel needs before it.

    Arguments:
        storage: The dtype of inputs and outputs, a key of STORAGE.
    """
    memory, arithmetic = STORAGE[storage]
    conversions = _CONVERSIONS[storage] + _NARROW if storage in _CONVERSIONS else ""
    text = _COMMON + conversions + _FUNCTIONS
    most = torch.finfo(getattr(torch, storage)).max
    pieces = {"MOST": most, "S": memory, "R": arithmetic, "LANES": LANES, "MOST_LANES": MOST_LANES}
    for name, piece in pieces.items():
        text = text.replace(f"@{name}@", str(piece))
    return text


_COMMON = """
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

typedef @R@ R;
static const int LANES = @LANES@, MOST_LANES = @MOST_LANES@;

#if defined(__AVX512F__) && !defined(__clang__)
typedef float Wide __attribute__((vector_size(64)));
#define STREAM __builtin_ia32_movntps512
#elif defined(__AVX__) && !defined(__clang__)
typedef float Wide __attribute__((vector_size(32)));
#define STREAM __builtin_ia32_movntps256
#elif defined(__SSE2__) && !defined(__clang__)
typedef float Wide __attribute__((vector_size(16)));
#define STREAM __builtin_ia32_movntps
#endif

#ifdef STREAM
static inline void stream(char* to, const char* from) {
  Wide value;
  std::memcpy(&value, from, sizeof(Wide));
  STREAM((float*)to, value);
}
#endif

// Copies a row into memory, past the caches if `past`.
static void put_bytes(void* to, const void* from, const int64_t bytes, const bool past) {
  int64_t i = 0;
#ifdef STREAM
  char* const d = (char*)to;
  const char* const s = (const char*)from;
  const int64_t w = sizeof(Wide), gap = -(uintptr_t)d & (w - 1);
  if (past && gap + w <= bytes) {
    std::memcpy(d, s, gap);
    for (i = gap; i + w <= bytes; i += w) stream(d + i, s + i);
  }
#endif
  std::memcpy((char*)to + i, (const char*)from + i, bytes - i);
}

// Whether pieces of a row, LANES long each, can go past the caches by themselves.
static inline bool is_aligned(const void* to) {
#ifdef STREAM
  return (uintptr_t)to % sizeof(Wide) == 0;
#else
  return false;
#endif
}

static inline void put_aligned(void* to, const void* from, const int bytes) {
#ifdef STREAM
  for (int i = 0; i < bytes; i += (int)sizeof(Wide)) stream((char*)to + i, (const char*)from + i);
#endif
}

// Lets other threads see what went past the caches.
static inline void finish() {
#ifdef STREAM
  __builtin_ia32_sfence();
#endif
}

static inline void put(R* to, const R* row, const int n, const bool past) {
  put_bytes(to, row, n * (int64_t)sizeof(R), past);
}
static inline void put_piece(R* to, const R* row) { put_aligned(to, row, LANES * sizeof(R)); }
static inline const R* get(const R* from, R* row, const int n) { return from; }

// A parameter per channel or neuron, for the n neurons from `at` on.
static void spread(R* row, const R* values, const int64_t inner, const int64_t size,
                   const int64_t at, const int n) {
  int64_t q = at / inner % size, run = inner - at % inner;
  for (int l = 0; l < n;) {
    const bool dense = inner == 1;
    if (dense) run = size - q;
    const int end = run < n - l ? l + (int)run : n;
    if (dense) std::memcpy(row + l, values + q, (end - l) * sizeof(R));
    else for (int k = l; k < end; ++k) row[k] = values[q];
    q = dense || q + 1 == size ? 0 : q + 1;
    run = inner;
    l = end;
  }
}
"""

_CONVERSIONS = {
    "bfloat16": """
struct BFloat16 {
  uint16_t bits;
};

static inline const R* get(const BFloat16* from, R* row, const int n) {
  for (int l = 0; l < n; ++l) {
    const uint32_t u = uint32_t(from[l].bits) << 16;
    std::memcpy(row + l, &u, 4);
  }
  return row;
}

static inline void narrow(BFloat16* to, const R* row, const int n) {
  for (int l = 0; l < n; ++l) {
    uint32_t u;
    std::memcpy(&u, row + l, 4);
    const uint32_t even = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    to[l].bits = row[l] == row[l] ? uint16_t(even) : uint16_t((u >> 16) | 0x40u);
  }
}
""",
    # The compiler does not vectorise these conversions by itself.
    "float16": """
typedef short Halves __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(32)));

static inline const R* get(const _Float16* from, R* row, const int n) {
  int l = 0;
#ifdef __F16C__
  for (; l + 8 <= n; l += 8) {
    Halves h;
    std::memcpy(&h, from + l, 16);
    const Floats f = __builtin_ia32_vcvtph2ps256(h);
    std::memcpy(row + l, &f, 32);
  }
#endif
  for (; l < n; ++l) row[l] = (R)from[l];
  return row;
}

static inline void narrow(_Float16* to, const R* row, const int n) {
  int l = 0;
#ifdef __F16C__
  for (; l + 8 <= n; l += 8) {
    Floats f;
    std::memcpy(&f, row + l, 32);
    const Halves h = __builtin_ia32_vcvtps2ph256(f, 0);
    std::memcpy(to + l, &h, 16);
  }
#endif
  for (; l < n; ++l) to[l] = (_Float16)row[l];
}
""",
}

_NARROW = """
static inline void put(@S@* to, const R* row, const int n, const bool past) {
  alignas(64) @S@ room[MOST_LANES];
  narrow(room, row, n);
  put_bytes(to, room, n * 2, past);
}
static inline void put_piece(@S@* to, const R* row) {
  alignas(64) @S@ room[LANES];
  narrow(room, row, LANES);
  put_aligned(to, room, LANES * 2);
}
"""

_FUNCTIONS = """
typedef @S@ S;

// Dividing by it is the same, to the bit, as multiplying by its inverse.
static inline bool is_power_of_two(const R x) {
  int exponent;
  const R part = std::fabs(std::frexp(x, &exponent));
  return part == R(0.5) && std::isnormal(x) && std::isnormal(R(1) / x);
}

static inline double exp_(double x) { return std::exp(x); }
static inline double sigmoid_(double x) { return 1.0 / (1.0 + exp_(-x)); }
static inline double tanh_(double x) { return std::tanh(x); }

// The same in single precision, without a branch or a call, so that it vectorises. A choice
// between floats follows no other: joined, they would cost more than all the rest.

static inline float as_float(const uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

static inline int32_t as_bits(const float x) {
  int32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

static inline float fused(const float a, const float b, const float c) {
#if defined(__FMA__) || defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// x = n log 2 + r, |r| <= log 2 / 2: the bits of 1.5 * 2^23, adding which rounds, plus n.
static const int32_t ZERO = 0x4b400000;
static inline int32_t rounded(const float x, const int32_t most_n) {
  const int32_t bits = as_bits(fused(x, 1.44269504f, 12582912.0f));
  return bits < ZERO + most_n ? bits : ZERO + most_n;
}

// e^r - 1, with full precision near 0 too.
static inline float power_of_rest(const float x, const int32_t bits) {
  const float n = as_float(bits) - 12582912.0f;
  const float r = fused(n, 2.12194440e-4f, fused(n, -0.693359375f, x));
  float y = 1.3882517e-3f;
  y = fused(y, r, 8.3665472e-3f);
  y = fused(y, r, 4.1667201e-2f);
  y = fused(y, r, 1.6666543e-1f);
  y = fused(y, r, 4.9999998e-1f);
  return fused(y * r, r, r);
}

// Where the exponent is in a float; what is above it falls out at the left.
static inline uint32_t exponent(const int32_t bits) { return uint32_t(bits) << 23; }
static inline float power_of_two(const uint32_t exponent) {
  return as_float(exponent + 0x3f800000u);
}

// Within 2 ulp, subnormal results too.
static inline float exp_(const float x) {
  const int32_t n = rounded(x, 129);
  // 2^n in two factors: it may lie outside of what a float holds where the result does not.
  const uint32_t whole = exponent(n), half = uint32_t(int32_t(whole) >> 1) & 0xff800000u;
  const float y = (1.0f + power_of_rest(x, n)) * power_of_two(half);
  return x < -104.0f ? 0.0f : y * power_of_two(whole - half);
}

// Within 3 ulp, but for subnormal results.
static inline float sigmoid_(const float x) {
  const float z = x > 30.0f ? -30.0f : -x;
  const int32_t n = rounded(z, 127);
  const float power = power_of_two(exponent(n));
  return 1.0f / fused(power, power_of_rest(z, n), power + 1.0f);
}

// Within 2 ulp; a polynomial near 0, where 1 - 2 / (..) cancels.
static inline float tanh_(const float x) {
  const float size = std::fabs(x), z = size > 10.0f ? 20.0f : size + size;
  const int32_t n = rounded(z, 29);
  const float power = power_of_two(exponent(n));
  const float far = 1.0f - 2.0f / fused(power, power_of_rest(z, n), power + 1.0f);
  const float square = x * x;
  float y = fused(square, -5.70498872745e-3f, 2.06390887954e-2f);
  y = fused(y, square, -5.37397155531e-2f);
  y = fused(y, square, 1.33314422036e-1f);
  y = fused(y, square, -3.33332819422e-1f);
  const float near = fused(square * y, size, size);
  return std::copysign(as_bits(size) < as_bits(0.625f) ? near : far, x);
}

// A value in the range of what stores it; 16 bits would make some finite numbers infinite.
static inline R storable(R x) {
  if (sizeof(S) == sizeof(R)) return x;
  const R most = R(@MOST@), y = x > most ? most : (x < -most ? -most : x);
  return std::fabs(x) <= std::numeric_limits<R>::max() ? y : x;
}
static inline R sign_(R x) { return R(x > R(0)) - R(x < R(0)); }
"""

"""The C++ of products with a sparse left side: only what its nonzeros select is read and added.

A nonzero costs a row of the right side, so few of them make a product cheaper than a dense one.
Nonzeros are collected into lists first, for a block of outputs and some tiles of the sum, then
added column block by column block, whose sums stay in registers. Sums run in the order of the
dense index whatever the number of threads, which split outputs only: equal bits for all.
"""

from .cpp_preamble import STORAGE
from .template import filled

__all__ = ["source"]


def source(storage: str) -> str:
    """The C++ for a dtype.

    Arguments:
        storage: 'float32' or 'float64'.
    """
    return filled(_COLLECT + _ADD + _PRODUCTS, {"R": STORAGE[storage][1]})


_COLLECT = """
#pragma GCC optimize("fp-contract=fast")
#include <cstdint>
#include <cstring>
#include <new>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

typedef @R@ R;
typedef R Vector __attribute__((vector_size(64)));
typedef R Loose __attribute__((vector_size(64), aligned(sizeof(R))));
static const int LANES = 64 / sizeof(R);
// Vectors of a column block: as many sums as hide the time of an addition.
static const int WIDE = 8;
// Outputs of a block, and terms of a sum that are collected at once.
static const int64_t BLOCK = 512, SPAN = 1024;
// Fewer outputs read a tile of the right side where it is.
static const int64_t FEW = 128;
// So many bytes ahead are fetched: lists are made faster than memory is read unasked.
static const int64_t AHEAD = 4096;

// Memory that a thread keeps from call to call, of whole cache lines: a vector that lies in two
// is read twice. Of what is not written there is none.
template <class T> struct Room {
  T* values = nullptr;
  int64_t size = 0;
  T* get(const int64_t wanted) {
    if (wanted > size) {
      drop();
      values = static_cast<T*>(::operator new(wanted * sizeof(T), std::align_val_t(64)));
      size = wanted;
    }
    return values;
  }
  void drop() {
    ::operator delete(values, std::align_val_t(64));
    values = nullptr;
    size = 0;
  }
  ~Room() { drop(); }
};

// The nonzeros of `outputs` sums: those of a sum in a tile are from start[sum * tiles + tile] on.
struct Lists {
  Room<int32_t> index_room, start_room, other_room;
  Room<R> value_room, other_value_room, packed_room;
  int32_t *index, *start;
  R* value;
};

static thread_local Lists LISTS;

// Puts the nonzeros among n values and their indices side by side; writes a few beyond.
static inline int64_t collect(const R* x, const int n, int32_t* index, R* value) {
  int64_t count = 0;
  int j = 0;
#ifdef __AVX512F__
  const __m512i ramp = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (; j + LANES <= n; j += LANES) {
    __builtin_prefetch((const char*)(x + j) + AHEAD);
    const __m512i at = _mm512_add_epi32(ramp, _mm512_set1_epi32(j));
    unsigned found;
    if constexpr (sizeof(R) == 4) {
      const __m512 v = _mm512_loadu_ps(x + j);
      found = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
      _mm512_storeu_ps(value + count, _mm512_maskz_compress_ps((__mmask16)found, v));
    } else {
      const __m512d v = _mm512_loadu_pd(x + j);
      found = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
      _mm512_storeu_pd(value + count, _mm512_maskz_compress_pd((__mmask8)found, v));
    }
    _mm512_storeu_si512(index + count, _mm512_maskz_compress_epi32((__mmask16)found, at));
    count += __builtin_popcount(found);
  }
#endif
  for (; j < n; ++j) {
    index[count] = j;
    value[count] = x[j];
    count += x[j] != R(0);
  }
  return count;
}

static inline int64_t least(const int64_t a, const int64_t b) { return a < b ? a : b; }

// Sums are over columns: rows of x are outputs.
static void collect_rows(Lists& to, const R* x, const int64_t stride, const int64_t outputs,
                         const int64_t terms, const int64_t tile) {
  const int64_t tiles = (terms + tile - 1) / tile;
  to.index = to.index_room.get(outputs * terms + 16);
  to.value = to.value_room.get(outputs * terms + 16);
  to.start = to.start_room.get(outputs * tiles + 1);
  int64_t at = 0, p = 0;
  for (int64_t i = 0; i < outputs; ++i)
    for (int64_t k = 0; k < terms; k += tile) {
      to.start[p++] = (int32_t)at;
      const int n = (int)least(tile, terms - k);
      at += collect(x + i * stride + k, n, to.index + at, to.value + at);
    }
  to.start[p] = (int32_t)at;
}

// Sums are over rows: columns of x are outputs. Row by row first, then sorted by counting.
static void collect_columns(Lists& to, const R* x, const int64_t stride, const int64_t outputs,
                            const int64_t terms, const int64_t tile) {
  const int64_t tiles = (terms + tile - 1) / tile, lists = outputs * tiles;
  int32_t* const index = to.other_room.get(outputs * terms + 16);
  R* const value = to.other_value_room.get(outputs * terms + 16);
  to.start = to.start_room.get(lists + 1 + terms + 1);
  int32_t *const start = to.start, *const ends = to.start + lists + 1;
  std::memset(start, 0, (lists + 1) * sizeof(int32_t));
  int64_t at = 0;
  for (int64_t k = 0; k < terms; ++k) {
    const int64_t n = collect(x + k * stride, (int)outputs, index + at, value + at);
    int32_t* const counts = start + 1 + k / tile;
    for (int64_t q = at; q < at + n; ++q) ++counts[index[q] * tiles];
    ends[k] = (int32_t)(at += n);
  }
  for (int64_t p = 0; p < lists; ++p) start[p + 1] += start[p];
  to.index = to.index_room.get(at + 16);
  to.value = to.value_room.get(at + 16);
  at = 0;
  for (int64_t k = 0; k < terms; ++k)
    for (const int64_t t = k / tile; at < ends[k]; ++at) {
      const int32_t to_at = start[index[at] * tiles + t]++;
      to.index[to_at] = (int32_t)(k % tile);
      to.value[to_at] = value[at];
    }
  // Each start has moved to its list's end, where the next one starts.
  for (int64_t p = lists; p > 0; --p) start[p] = start[p - 1];
  start[0] = 0;
}
"""

_ADD = """
// Adds the rows of b that a list names, times their values, to W vectors of sums.
template <int W>
static inline void add_vectors(R* out, const bool keeps, const R* bias, const R* b,
                               const int64_t stride, const int32_t* index, const R* value,
                               const int64_t n) {
  Vector sum[W];
  for (int v = 0; v < W; ++v) {
    if (keeps) sum[v] = *(const Loose*)(out + v * LANES);
    else if (bias) sum[v] = *(const Loose*)(bias + v * LANES);
    else sum[v] = Vector{};
  }
  for (int64_t q = 0; q < n; ++q) {
    const R* const row = b + index[q] * stride;
    const R x = value[q];
    for (int v = 0; v < W; ++v) sum[v] += x * *(const Loose*)(row + v * LANES);
  }
  for (int v = 0; v < W; ++v) *(Loose*)(out + v * LANES) = sum[v];
}

// The same for C columns, fewer than a vector.
template <int C>
static inline void add_columns(R* out, const bool keeps, const R* bias, const R* b,
                               const int64_t stride, const int32_t* index, const R* value,
                               const int64_t n) {
  R sum[C];
  for (int c = 0; c < C; ++c) sum[c] = keeps ? out[c] : (bias ? bias[c] : R(0));
  for (int64_t q = 0; q < n; ++q) {
    const R* const row = b + index[q] * stride;
    for (int c = 0; c < C; ++c) sum[c] += value[q] * row[c];
  }
  for (int c = 0; c < C; ++c) out[c] = sum[c];
}

#define PIECES(SIZE, ADD)                                                          \\
  for (; c + (SIZE) <= width; c += (SIZE))                                         \\
    ADD(out + c, keeps, bias ? bias + c : bias, b + c, stride, index, value, n);

static void add(R* out, const bool keeps, const R* bias, const R* b, const int64_t stride,
                const int32_t* index, const R* value, const int64_t n, const int64_t width) {
  if (keeps && n == 0) return;
  int64_t c = 0;
  PIECES(WIDE * LANES, add_vectors<WIDE>)
  PIECES(4 * LANES, add_vectors<4>)
  PIECES(2 * LANES, add_vectors<2>)
  PIECES(LANES, add_vectors<1>)
  PIECES(8, add_columns<8>)
  PIECES(4, add_columns<4>)
  PIECES(2, add_columns<2>)
  PIECES(1, add_columns<1>)
}

// Adds all tiles of some lists; a tile of b that many sums read is laid side by side first.
static void add_tiles(Lists& lists, const int64_t outputs, const int64_t terms,
                      const int64_t tile, const R* b, const int64_t stride, const int64_t columns,
                      R* out, const R* bias, const bool keeps) {
  const int64_t tiles = (terms + tile - 1) / tile;
  const bool packs = outputs >= FEW;
  R* const packed = packs ? lists.packed_room.get(tile * WIDE * LANES) : nullptr;
  for (int64_t c = 0; c < columns; c += WIDE * LANES) {
    const int64_t width = least(WIDE * LANES, columns - c);
    for (int64_t t = 0; t < tiles; ++t) {
      const R* from = b + t * tile * stride + c;
      int64_t apart = stride;
      if (packs) {
        const int64_t n = least(tile, terms - t * tile);
        for (int64_t k = 0; k < n; ++k)
          std::memcpy(packed + k * WIDE * LANES, from + k * stride, width * sizeof(R));
        from = packed;
        apart = WIDE * LANES;
      }
      for (int64_t i = 0; i < outputs; ++i) {
        const int32_t* const start = lists.start + i * tiles + t;
        add(out + i * columns + c, keeps || t > 0, bias ? bias + c : bias, from, apart,
            lists.index + start[0], lists.value + start[0], start[1] - start[0], width);
      }
    }
  }
}
"""

_PRODUCTS = """
// The share that is not zero of pieces of some rows, evenly spread, at places of no pattern.
static double density(const R* x, const int64_t stride, const int64_t rows, const int64_t inner) {
  const int64_t seen = least(rows, 32), width = least(inner, 4096 / seen);
  int64_t count = 0;
  for (int64_t s = 0; s < seen; ++s) {
    const uint64_t place = (uint64_t)s * 40503 % 65536 * (inner - width + 1) / 65536;
    const R* const row = x + (s * rows + rows / 2) / seen * stride + place;
    int found = 0;
    for (int64_t k = 0; k < width; ++k) found += row[k] != R(0);
    count += found;
  }
  return (double)count / (double)(seen * width);
}

// Runs part(first, end) for parts of n outputs, a thread each; false where memory is short.
template <class Part>
static bool share_out(const int64_t n, const int threads, const Part part) {
  bool done = true;
  const auto run = [&](const int64_t first, const int64_t end) {
    try {
      if (first < end) part(first, end);
    } catch (const std::bad_alloc&) {
#pragma omp atomic write
      done = false;
    }
  };
  // Not one parallel region of one thread: a forked worker would wait in it for ever.
  if (threads == 1) {
    run(0, n);
    return done;
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int t = 0; t < threads; ++t) run(n * t / threads, n * (t + 1) / threads);
  return done;
}

struct Call {
  int64_t rows, inner, columns, x_stride, b_stride, threads;
  double most;
  const R *x, *b, *bias;
  R* out;
};

enum { DENSE, DONE, NO_MEMORY };

// The share of x that is not zero, by some of its rows.
extern "C" double share(const Call* call) {
  return density(call->x, call->x_stride, call->rows, call->inner);
}

// out[rows, columns] = x[rows, inner] b[inner, columns] + bias, if x is sparse.
extern "C" int times(const Call* call) {
  const Call& a = *call;
  const double found = density(a.x, a.x_stride, a.rows, a.inner);
  if (!(found <= a.most)) return DENSE;
  const int64_t tile = found < 0.12 ? SPAN : 128;
  const auto part = [&](const int64_t first, const int64_t end) {
    for (int64_t i = first; i < end; i += BLOCK)
      for (int64_t k = 0; k < a.inner; k += SPAN) {
        const int64_t outputs = least(BLOCK, end - i), terms = least(SPAN, a.inner - k);
        const int64_t length = outputs < FEW ? terms : tile;
        collect_rows(LISTS, a.x + i * a.x_stride + k, a.x_stride, outputs, terms, length);
        add_tiles(LISTS, outputs, terms, length, a.b + k * a.b_stride, a.b_stride, a.columns,
                  a.out + i * a.columns, a.bias, k > 0);
      }
  };
  return share_out(a.rows, (int)a.threads, part) ? DONE : NO_MEMORY;
}

// out[inner, columns] = x[rows, inner]^T b[rows, columns], if x is sparse.
extern "C" int transposed_times(const Call* call) {
  const Call& a = *call;
  const double found = density(a.x, a.x_stride, a.rows, a.inner);
  if (!(found <= a.most)) return DENSE;
  const int64_t tile = found < 0.12 ? SPAN / 2 : 128;
  const auto part = [&](const int64_t first, const int64_t end) {
    for (int64_t i = first; i < end; i += SPAN)
      for (int64_t k = 0; k < a.rows; k += SPAN) {
        const int64_t outputs = least(SPAN, end - i), terms = least(SPAN, a.rows - k);
        collect_columns(LISTS, a.x + k * a.x_stride + i, a.x_stride, outputs, terms, tile);
        add_tiles(LISTS, outputs, terms, tile, a.b + k * a.b_stride, a.b_stride, a.columns,
                  a.out + i * a.columns, nullptr, k > 0);
      }
  };
  return share_out(a.inner, (int)a.threads, part) ? DONE : NO_MEMORY;
}
"""

// A LIF layer over time as one would write it for one case only: float32, hard reset to 0,
// input decayed, ATan. What kernels are measured against; needs whole pieces of 64 neurons.

#include <cstdint>
#include <cstring>

static const int PIECE = 64, MOST = 1024;

#if defined(__AVX512F__)
typedef float Wide __attribute__((vector_size(64)));
#define STREAM __builtin_ia32_movntps512
#elif defined(__AVX__)
typedef float Wide __attribute__((vector_size(32)));
#define STREAM __builtin_ia32_movntps256
#elif defined(__SSE2__)
typedef float Wide __attribute__((vector_size(16)));
#define STREAM __builtin_ia32_movntps
#endif

// Writes a piece past the caches: it is large, and is not read again soon.
static inline void put(float* to, const float* from) {
#ifdef STREAM
  for (int i = 0; i < PIECE; i += (int)(sizeof(Wide) / 4)) {
    Wide value;
    std::memcpy(&value, from + i, sizeof(Wide));
    STREAM(to + i, value);
  }
#else
  std::memcpy(to, from, PIECE * 4);
#endif
}

static inline void finish() {
#ifdef STREAM
  __builtin_ia32_sfence();
#endif
}

static inline void fetch(const float* from) {
  for (int i = 0; i < PIECE; i += 16) __builtin_prefetch(from + i);
}

extern "C" void copy(const float* x, float* y, const int64_t size) {
  for (int64_t i = 0; i < size; i += PIECE) {
    fetch(x + i + 512);
    put(y + i, x + i);
  }
  finish();
}

template <bool SAVES>
static void run(const float* x, float* s, float* h, float* last, const int64_t T, const int64_t M,
                const float tau, const float threshold) {
  alignas(64) float v[MOST], spike[PIECE], before[PIECE];
  for (int64_t at = 0; at < M; at += MOST) {
    const int n = int(M - at < MOST ? M - at : MOST);
    std::memset(v, 0, sizeof(v));
    for (int64_t t = 0; t < T; ++t) {
      const float* const row = x + t * M + at;
      const float* const next = t + 1 < T ? row + M : x + at + n;
      for (int p = 0; p < n; p += PIECE) {
        fetch(next + p);
#pragma GCC ivdep
        for (int l = 0; l < PIECE; ++l) {
          const float u = v[p + l] + (row[p + l] - v[p + l]) / tau;
          const bool fires = u >= threshold;
          spike[l] = fires ? 1.0f : 0.0f;
          before[l] = u;
          v[p + l] = fires ? 0.0f : u;
        }
        put(s + t * M + at + p, spike);
        if (SAVES) put(h + t * M + at + p, before);
      }
    }
    std::memcpy(last + at, v, n * 4);
  }
  finish();
}

extern "C" void inference(const float* x, float* s, float* last, const int64_t T, const int64_t M,
                          const float tau, const float threshold) {
  run<false>(x, s, nullptr, last, T, M, tau, threshold);
}

extern "C" void forward(const float* x, float* s, float* h, float* last, const int64_t T,
                        const int64_t M, const float tau, const float threshold) {
  run<true>(x, s, h, last, T, M, tau, threshold);
}

extern "C" void backward(const float* h, const float* g, float* d, const int64_t T,
                         const int64_t M, const float tau, const float threshold,
                         const float alpha) {
  const float slope = 1.57079633f * alpha;
  alignas(64) float c[MOST], piece[PIECE];
  for (int64_t at = 0; at < M; at += MOST) {
    const int n = int(M - at < MOST ? M - at : MOST);
    std::memset(c, 0, sizeof(c));
    for (int64_t t = T - 1; t >= 0; --t) {
      const float *const saved = h + t * M + at, *const given = g + t * M + at;
      const int64_t next = t ? -M : (T - 1) * M + n;
      for (int p = 0; p < n; p += PIECE) {
        fetch(saved + next + p);
        fetch(given + next + p);
#pragma GCC ivdep
        for (int l = 0; l < PIECE; ++l) {
          const float u = saved[p + l] - threshold, q = slope * u;
          const float surrogate = 0.5f * alpha / (1.0f + q * q);
          const float kept = u >= 0.0f ? 0.0f : c[p + l];
          const float total = kept + (given[p + l] - c[p + l] * saved[p + l]) * surrogate;
          piece[l] = total / tau;
          c[p + l] = total - piece[l];
        }
        put(d + t * M + at + p, piece);
      }
    }
  }
  finish();
}

"""The CUDA C++ of a kernel run on the CPU, as it is: g++ builds it below a few definitions.

Threads run one after another, so no race between them would be seen; there is none to see, for no
thread reads what another writes.
"""

import ctypes
import functools

import numpy as np
from spikeframe.kernels import build, cpp, cuda, fused

__all__ = ["ENGINE", "load"]

# What NVRTC knows by itself, and the conversions, which are instructions of the device.
BEFORE = """
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
struct Index { int x; };
static thread_local Index blockIdx, threadIdx, blockDim;
using std::exp;

static inline float wide_bfloat16(unsigned bits) {
  const uint32_t u = bits << 16;
  float x;
  std::memcpy(&x, &u, 4);
  return x;
}
static inline unsigned round_bfloat16(float x) {
  uint32_t u;
  std::memcpy(&u, &x, 4);
  return x == x ? (u + 0x7fffu + ((u >> 16) & 1u)) >> 16 : 0x7fffu;
}
static inline unsigned narrow_bfloat16(float a, float b) {
  return round_bfloat16(a) | round_bfloat16(b) << 16;
}
static inline float wide_float16(unsigned bits) {
  const uint16_t u = (uint16_t)bits;
  _Float16 x;
  std::memcpy(&x, &u, 2);
  return (float)x;
}
static inline unsigned round_float16(float x) {
  const _Float16 y = (_Float16)x;
  uint16_t u;
  std::memcpy(&u, &y, 2);
  return x == x ? u : 0x7fffu;
}
static inline unsigned narrow_float16(float a, float b) {
  return round_float16(a) | round_float16(b) << 16;
}
"""

# Calls a kernel as a driver does: by the addresses of its arguments.
AFTER = """
template <typename... A, size_t... I>
static void run(void (*kernel)(A...), int blocks, int threads, void** a,
                std::index_sequence<I...>) {
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
      kernel(*(typename std::remove_cv<A>::type*)a[I]...);
}
template <typename... A>
static void run(void (*kernel)(A...), int blocks, int threads, void** a) {
  run(kernel, blocks, threads, a, std::index_sequence_for<A...>());
}
extern "C" void launch(int blocks, int threads, void** a) { run(@NAME@, blocks, threads, a); }
extern "C" int arguments() { return @COUNT@; }
"""


def load(source, name, device):
    """The kernel of this name in a source, as ``cuda.load`` gives it for a device."""
    assert device.type == "cpu"
    return functools.partial(run, _library(source, name))


def run(library, blocks, arguments):
    values = [_c_value(argument) for argument in arguments]
    addresses = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    assert library.arguments() == len(values)
    library.launch(blocks, cuda.THREADS, addresses)


@functools.cache
def _library(source, name):
    count = source[source.index("__global__") :].partition(") {")[0].count(",") + 1
    after = AFTER.replace("@NAME@", name).replace("@COUNT@", str(count))
    return build.load(BEFORE + source + after)


def _c_value(argument):
    """An argument as CuPy passes it."""
    if isinstance(argument, np.float32):
        return ctypes.c_float(argument.item())
    return (ctypes.c_double if isinstance(argument, float) else ctypes.c_int64)(argument)


ENGINE = fused.Engine(
    functools.partial(cuda.forward, load=load),
    functools.partial(cuda.backward, load=load),
    cpp.why_not,
)

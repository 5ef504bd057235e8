"""The C++ of max pools over windows that lie side by side, with channels last."""

__all__ = ["source"]

NAMES = {"float32": ("float", "int32_t"), "float64": ("double", "int64_t")}


def source(dtype: str) -> str:
    """The kernels for a dtype, float32 or float64."""
    number, place = NAMES[dtype]
    return _SOURCE.replace("@R@", number).replace("@P@", place)


_SOURCE = """
#include <cstdint>

typedef @R@ R;
// Of the size of R, so that both are compared in one go.
typedef @P@ P;

static const int LANES = 32;

// The rows of outputs of all images, and of one; an image; a window.
struct Sizes {
  int64_t rows, down, height, width, channels, window_height, window_width, threads;
};

struct Row {
  const Sizes& s;
  int64_t across, line, input, output;
  Row(const Sizes& s, int64_t row)
      : s(s), across(s.width / s.window_width), line(s.width * s.channels),
        input((row / s.down * s.height + row % s.down * s.window_height) * line),
        output(row * across * s.channels) {}
};

// The first largest value of each window, or its last nan, and its place in the window.
template <bool PLACES, typename Count>
static inline void pool_block(
    const R* x, R* y, uint8_t* places, const Row& row, int64_t channel, Count count) {
  for (int64_t j = 0; j < row.across; j++) {
    const R* first = x + row.input + j * row.s.window_width * row.s.channels + channel;
    const int64_t at = row.output + j * row.s.channels + channel;
    R best[LANES];
    P place[LANES];
    for (int c = 0; c < count; c++) best[c] = first[c], place[c] = 0;
    for (int64_t a = 0; a < row.s.window_height; a++)
      for (int64_t b = 0; b < row.s.window_width; b++) {
        const R* value = first + a * row.line + b * row.s.channels;
        const P here = a * row.s.window_width + b;
        for (int c = 0; c < count; c++) {
          const bool larger = (value[c] > best[c]) | (value[c] != value[c]);
          best[c] = larger ? value[c] : best[c];
          if (PLACES) place[c] = larger ? here : place[c];
        }
      }
    for (int c = 0; c < count; c++) y[at + c] = best[c];
    if (PLACES)
      for (int c = 0; c < count; c++) places[at + c] = place[c];
  }
}

template <typename Count>
static inline void spread_block(
    const R* grad, const uint8_t* places, R* x_grad, const Row& row, int64_t channel,
    Count count) {
  for (int64_t j = 0; j < row.across; j++) {
    const int64_t at = row.output + j * row.s.channels + channel;
    R* first = x_grad + row.input + j * row.s.window_width * row.s.channels + channel;
    P place[LANES];
    for (int c = 0; c < count; c++) place[c] = places[at + c];
    for (int64_t a = 0; a < row.s.window_height; a++)
      for (int64_t b = 0; b < row.s.window_width; b++) {
        R* to = first + a * row.line + b * row.s.channels;
        const P here = a * row.s.window_width + b;
        for (int c = 0; c < count; c++) to[c] = place[c] == here ? grad[at + c] : R(0);
      }
  }
}

// A number of lanes that the compiler knows.
struct All {
  constexpr operator int() const { return LANES; }
};

template <typename Block>
static void blocks(const Sizes& s, Block block) {
  const auto run = [&](int64_t i) {
    const Row row(s, i);
    int64_t channel = 0;
    for (; channel + LANES <= s.channels; channel += LANES) block(row, channel, All());
    if (channel < s.channels) block(row, channel, int(s.channels - channel));
  };
  // Not one parallel region of one thread: a forked worker would wait in it for ever.
  if (s.threads == 1) {
    for (int64_t i = 0; i < s.rows; i++) run(i);
    return;
  }
#pragma omp parallel for num_threads(s.threads)
  for (int64_t i = 0; i < s.rows; i++) run(i);
}

extern "C" void pool(const R* x, R* y, uint8_t* places, const Sizes* sizes) {
  if (places)
    blocks(*sizes, [=](const Row& row, int64_t channel, auto count) {
      pool_block<true>(x, y, places, row, channel, count);
    });
  else
    blocks(*sizes, [=](const Row& row, int64_t channel, auto count) {
      pool_block<false>(x, y, places, row, channel, count);
    });
}

// The gradient of the input: that of the output at the place that was found, else 0. What no
// window covers is 0 already.
extern "C" void spread(const R* grad, const uint8_t* places, R* x_grad, const Sizes* sizes) {
  blocks(*sizes, [=](const Row& row, int64_t channel, auto count) {
    spread_block(grad, places, x_grad, row, channel, count);
  });
}
"""

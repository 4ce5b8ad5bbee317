#include "ir/pack.h"

#include <string.h>

#include "ir/winograd.h"

static int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int64_t product(int count, const int64_t *dims) {
  int64_t value = 1;
  for (int i = 0; i < count; ++i) {
    value *= dims[i];
  }
  return value;
}

static int panel_n_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  (void)groups;
  memcpy(out_dims, dims, sizeof(*dims) * (size_t)(rank - 2));
  out_dims[rank - 2] = ceil_div(dims[rank - 2], width);
  out_dims[rank - 1] = dims[rank - 1];
  out_dims[rank] = width;
  return rank + 1;
}

// Element [row][depth] of `x`, whose rows lie `row_stride` and depths `depth_stride` elements apart, to
// out[row / width][depth][row % width].
static void pack_panels(int64_t rows, int64_t depth, int64_t row_stride, int64_t depth_stride, int64_t width,
                        size_t element_bytes, const char *x, char *out) {
  for (int64_t panel = 0; panel < ceil_div(rows, width); ++panel) {
    const int64_t count = rows - panel * width < width ? rows - panel * width : width;
    for (int64_t k = 0; k < depth; ++k) {
      const char *source = x + (size_t)(panel * width * row_stride + k * depth_stride) * element_bytes;
      for (int64_t i = 0; i < count; ++i) {
        memcpy(out + (size_t)i * element_bytes, source + (size_t)(i * row_stride) * element_bytes, element_bytes);
      }
      memset(out + (size_t)count * element_bytes, 0, (size_t)(width - count) * element_bytes);
      out += (size_t)width * element_bytes;
    }
  }
}

static void panel_n_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                         const void *x, void *out) {
  (void)groups;
  const int64_t n = dims[rank - 2], k = dims[rank - 1];
  const size_t matrix_bytes = (size_t)(n * k) * element_bytes;
  const size_t packed_bytes = (size_t)(ceil_div(n, width) * width * k) * element_bytes;
  for (int64_t i = 0; i < product(rank - 2, dims); ++i) {
    pack_panels(n, k, k, 1, width, element_bytes, (const char *)x + (size_t)i * matrix_bytes,
                (char *)out + (size_t)i * packed_bytes);
  }
}

// [G * ceil(outputs / width), spatial.., channels, width] of a weight whose spatial dimensions start at dims[2].
static int convolution_shape(int rank, const int64_t *dims, int64_t groups, int64_t outputs, int64_t channels,
                             int64_t width, int64_t *out_dims) {
  out_dims[0] = groups * ceil_div(outputs, width);
  memcpy(out_dims + 1, dims + 2, sizeof(*dims) * (size_t)(rank - 2));
  out_dims[rank - 1] = channels;
  out_dims[rank] = width;
  return rank + 1;
}

// Element [group][output][channel][tap] of `x`, with these strides but that of the tap, which is 1.
typedef struct convolution {
  int64_t groups, outputs, channels, taps;
  int64_t group_stride, output_stride, channel_stride;
} convolution_t;

static void pack_convolution(const convolution_t *c, int64_t width, size_t element_bytes, const char *x, char *out) {
  for (int64_t group = 0; group < c->groups; ++group) {
    for (int64_t o = 0; o < c->outputs; o += width) {
      const int64_t count = c->outputs - o < width ? c->outputs - o : width;
      for (int64_t tap = 0; tap < c->taps; ++tap) {
        pack_panels(count, c->channels, c->output_stride, c->channel_stride, width, element_bytes,
                    x + (size_t)(group * c->group_stride + o * c->output_stride + tap) * element_bytes, out);
        out += (size_t)(c->channels * width) * element_bytes;
      }
    }
  }
}

static int conv_n_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  return convolution_shape(rank, dims, groups, dims[0] / groups, dims[1], width, out_dims);
}

static void conv_n_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                        const void *x, void *out) {
  const int64_t taps = product(rank - 2, dims + 2), outputs = dims[0] / groups;
  const convolution_t c = {groups, outputs, dims[1], taps, outputs * dims[1] * taps, dims[1] * taps, taps};
  pack_convolution(&c, width, element_bytes, x, out);
}

static int transposed_n_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  return convolution_shape(rank, dims, groups, dims[1], dims[0] / groups, width, out_dims);
}

static void transposed_n_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                              const void *x, void *out) {
  const int64_t taps = product(rank - 2, dims + 2), channels = dims[0] / groups;
  const convolution_t c = {groups, dims[1], channels, taps, channels * dims[1] * taps, taps, dims[1] * taps};
  pack_convolution(&c, width, element_bytes, x, out);
}

static int depthwise_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  (void)groups;
  memcpy(out_dims, dims + 2, sizeof(*dims) * (size_t)(rank - 2));
  out_dims[rank - 2] = ceil_div(dims[0], width) * width;
  return rank - 1;
}

static void depthwise_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                           const void *x, void *out) {
  (void)groups;
  const int64_t taps = product(rank - 2, dims + 2), channels = dims[0], padded = ceil_div(channels, width) * width;
  char *to = out;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t c = 0; c < channels; ++c) {
      memcpy(to + (size_t)c * element_bytes, (const char *)x + (size_t)(c * taps + tap) * element_bytes, element_bytes);
    }
    memset(to + (size_t)channels * element_bytes, 0, (size_t)(padded - channels) * element_bytes);
    to += (size_t)padded * element_bytes;
  }
}

static int winograd_shape(int points, const int64_t *dims, int64_t width, int64_t *out_dims) {
  out_dims[0] = ceil_div(dims[0], width);
  out_dims[1] = out_dims[2] = points;
  out_dims[3] = dims[1];
  out_dims[4] = width;
  return 5;
}

// [panel][point][channel][width] of the filters of `x`.
static void winograd_pack(int tile, const int64_t *dims, int64_t width, const float *x, float *out) {
  const int64_t outputs = dims[0], channels = dims[1], points = (tile + 2) * (tile + 2);
  for (int64_t o = 0; o < ceil_div(outputs, width) * width; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      float transformed[GENIE_WINOGRAD_MAX_POINTS] = {0};
      if (o < outputs) {
        genie_winograd_transform_filter(tile, x + (o * channels + c) * 9, transformed);
      }
      for (int64_t point = 0; point < points; ++point) {
        out[((o / width * points + point) * channels + c) * width + o % width] = transformed[point];
      }
    }
  }
}

static int winograd_2_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  (void)rank, (void)groups;
  return winograd_shape(4, dims, width, out_dims);
}

static void winograd_2_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                            const void *x, void *out) {
  (void)rank, (void)groups, (void)element_bytes;
  winograd_pack(2, dims, width, x, out);
}

static int winograd_4_shape(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims) {
  (void)rank, (void)groups;
  return winograd_shape(6, dims, width, out_dims);
}

static void winograd_4_pack(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes,
                            const void *x, void *out) {
  (void)rank, (void)groups, (void)element_bytes;
  winograd_pack(4, dims, width, x, out);
}

const genie_pack_format_t genie_pack_table[] = {
    {.name = "panel_n", .least_rank = 2, .greatest_rank = 7, .shape = panel_n_shape, .pack = panel_n_pack},
    {.name = "conv_n",
     .least_rank = 3,
     .greatest_rank = 5,
     .has_groups = true,
     .shape = conv_n_shape,
     .pack = conv_n_pack},
    {.name = "transposed_n",
     .least_rank = 3,
     .greatest_rank = 5,
     .has_groups = true,
     .shape = transposed_n_shape,
     .pack = transposed_n_pack},
    {.name = "depthwise", .least_rank = 3, .greatest_rank = 5, .shape = depthwise_shape, .pack = depthwise_pack},
    {.name = "winograd_2",
     .least_rank = 4,
     .greatest_rank = 4,
     .is_transform = true,
     .shape = winograd_2_shape,
     .pack = winograd_2_pack},
    {.name = "winograd_4",
     .least_rank = 4,
     .greatest_rank = 4,
     .is_transform = true,
     .shape = winograd_4_shape,
     .pack = winograd_4_pack},
};
const int genie_pack_table_count = sizeof(genie_pack_table) / sizeof(genie_pack_table[0]);

const genie_pack_format_t *genie_pack_find(const char *name, size_t length) {
  for (int i = 0; i < genie_pack_table_count; ++i) {
    if (strlen(genie_pack_table[i].name) == length && memcmp(genie_pack_table[i].name, name, length) == 0) {
      return &genie_pack_table[i];
    }
  }
  return NULL;
}

int64_t genie_pack_width(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F64 ? 16 : 32;
}

#include "passes/layout/filtering.h"

#include "passes/graph/rewrite.h"

enum {
  LEAST_CHANNELS = 16,  // of the input and of the output: fewer do not fill vectors
  PANEL = 32,           // outputs are computed by panels
};

// Multiply-adds in the time of a step, on one Zen 4 core: loading an element of a weight from memory, and transforming
// an input and an output channel of one tile.
static const double load_cost = 10;
static const struct {
  int size;
  double in_cost, out_cost;
  const char *format;
} tilings[] = {{2, 55, 100, "winograd_2"}, {4, 190, 370, "winograd_4"}};

// Of what is known to be smaller, minimal filtering must save a tenth of the time, and larger tiles, which round more
// and whose weights are larger, another fifth.
static const double least_gains[] = {0.9, 0.8};

typedef struct shape {
  double channels, outputs, images;
  int64_t rows, columns;
} shape_t;

static double ceil_div(int64_t a, int64_t b) {
  return (double)((a + b - 1) / b);
}

static double direct_cost(const shape_t *s) {
  return 9 * s->channels * s->outputs * (s->images * (double)s->rows * (double)s->columns + load_cost);
}

static double filtering_cost(const shape_t *s, size_t tiling) {
  const int size = tilings[tiling].size;
  const double tiles = s->images * ceil_div(s->rows, size) * ceil_div(s->columns, size);
  const double points = (size + 2) * (size + 2) * s->channels * s->outputs;
  return tiles * (points + tilings[tiling].in_cost * s->channels + tilings[tiling].out_cost * s->outputs) +
         load_cost * points;
}

static bool is_all(MlirOperation op, const char *name, int64_t number) {
  int64_t numbers[2] = {0};
  const int count = genie_ir_i64_array(op, name, 2, numbers);
  return count > 0 && numbers[0] == number && numbers[count - 1] == number;
}

static bool is_possible(MlirOperation conv, const genie_tensor_type_t *weight) {
  return weight->rank == 4 && weight->dtype == GENIE_DTYPE_F32 && genie_ir_i64(conv, "groups") == 1 &&
         genie_dim_value(weight->dims[2]) == 3 && genie_dim_value(weight->dims[3]) == 3 &&
         genie_dim_value(weight->dims[0]) >= LEAST_CHANNELS && genie_dim_value(weight->dims[1]) >= LEAST_CHANNELS &&
         is_all(conv, "stride", 1) && is_all(conv, "dilation", 1);
}

const char *genie_filtering_choose(MlirOperation function, MlirOperation conv) {
  const genie_tensor_type_t weight = genie_value_type(mlirOperationGetOperand(conv, 1));
  if (!is_possible(conv, &weight)) {
    return NULL;
  }
  // Images are as large as they can be, and as few.
  const genie_tensor_type_t result = genie_value_type(genie_rewrite_result(conv));
  int64_t least_images, unused;
  shape_t shape = {.channels = (double)genie_dim_value(weight.dims[1]),
                   .outputs = PANEL * ceil_div(genie_dim_value(weight.dims[0]), PANEL)};
  genie_dim_bounds(function, result.dims[0], &least_images, &unused);
  genie_dim_bounds(function, result.dims[2], &unused, &shape.rows);
  genie_dim_bounds(function, result.dims[3], &unused, &shape.columns);
  shape.images = (double)(least_images > 1 ? least_images : 1);
  const char *format = NULL;
  double best = direct_cost(&shape);
  for (size_t i = 0; i < sizeof(tilings) / sizeof(tilings[0]); ++i) {
    const double cost = filtering_cost(&shape, i);
    if (cost < least_gains[i] * best) {
      best = cost;
      format = tilings[i].format;
    }
  }
  return format;
}

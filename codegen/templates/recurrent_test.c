#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#include "codegen/templates/recurrent.c"

typedef struct shape {
  i64 layers, directions, steps, batch, input, hidden;
  bool has_bias, is_batch_first, is_relu;
} shape_t;

enum { MOST = 64 };

static shape_t shape;
static buffer_t x, h0, c0, weights[MOST], y, hn, cn;

SIZE_HOOK(layers, shape.layers)
SIZE_HOOK(directions, shape.directions)
SIZE_HOOK(has_bias, shape.has_bias)
SIZE_HOOK(is_batch_first, shape.is_batch_first)
#ifdef RECURRENT_RNN
SIZE_HOOK(is_relu, shape.is_relu)
#endif
SIZE_HOOK(steps, shape.steps)
SIZE_HOOK(input, shape.input)
SIZE_HOOK(hidden, shape.hidden)
SIZE_HOOK(weight_dtype, REAL_DTYPE)
#define ARGUMENT_HOOK(slot) SIZE_HOOK(weight_argument##slot, slot)
RECURRENT_EACH_SLOT(ARGUMENT_HOOK)
static i64 row(i64 i0, i64 i1) {
  return i0 * (shape.is_batch_first ? shape.steps : shape.batch) + i1;
}
static i64 state_row(i64 layer, i64 batch) {
  return (layer * shape.batch + batch) * shape.hidden;
}
real_t genie_x(const frame_t *frame, i64 i0, i64 i1, i64 i) {
  (void)frame;
  return (real_t)buffer_get(&x, row(i0, i1) * shape.input + i);
}
real_t genie_h0(const frame_t *frame, i64 layer, i64 batch, i64 i) {
  (void)frame;
  return (real_t)buffer_get(&h0, state_row(layer, batch) + i);
}
void genie_store(const frame_t *frame, i64 i0, i64 i1, i64 i, real_t value) {
  (void)frame;
  buffer_store_once(&y, row(i0, i1) * shape.directions * shape.hidden + i, (double)value);
}
void genie_store_hn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value) {
  (void)frame;
  buffer_store_once(&hn, state_row(layer, batch) + i, (double)value);
}
#ifdef RECURRENT_LSTM
real_t genie_c0(const frame_t *frame, i64 layer, i64 batch, i64 i) {
  (void)frame;
  return (real_t)buffer_get(&c0, state_row(layer, batch) + i);
}
void genie_store_cn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value) {
  (void)frame;
  buffer_store_once(&cn, state_row(layer, batch) + i, (double)value);
}
#endif

static double logistic(double v) {
  return 1 / (1 + exp(-v));
}

// Gate row `gate` of a product with a weight, with its bias.
static double gate_of(i64 slot, i64 gate, const double *in, i64 width) {
  const i64 parts = shape.has_bias ? 4 : 2, of = slot % 2;
  double sum = shape.has_bias ? buffer_get(&weights[slot / 2 * parts + 2 + of], gate) : 0;
  for (i64 i = 0; i < width; ++i) sum += buffer_get(&weights[slot / 2 * parts + of], gate * width + i) * in[i];
  return sum;
}

static void check_batch(i64 batch) {
  static double in[64][64], out[64][64], h[64], c[64], next[64];
  i64 width = shape.input;
  for (i64 t = 0; t < shape.steps; ++t)
    for (i64 i = 0; i < width; ++i)
      in[t][i] = buffer_get(&x, (shape.is_batch_first ? row(batch, t) : row(t, batch)) * width + i);
  for (i64 state = 0; state < shape.layers * shape.directions; ++state) {
    const i64 direction = state % shape.directions, hidden = shape.hidden;
    for (i64 i = 0; i < hidden; ++i) {
      h[i] = buffer_get(&h0, state_row(state, batch) + i);
      c[i] = buffer_get(&c0, state_row(state, batch) + i);
    }
    for (i64 n = 0; n < shape.steps; ++n) {
      const i64 t = direction == 0 ? n : shape.steps - 1 - n;
      for (i64 i = 0; i < hidden; ++i) {
        double g[4];
        for (i64 k = 0; k < GATES; ++k) {
          g[k] = gate_of(2 * state, k * hidden + i, in[t], width);
          if (!IS_GRU || k < 2) g[k] += gate_of(2 * state + 1, k * hidden + i, h, hidden);
        }
        if (IS_LSTM) {
          c[i] = logistic(g[1]) * c[i] + logistic(g[0]) * tanh(g[2]);
          next[i] = logistic(g[3]) * tanh(c[i]);
        } else if (!IS_GRU) {
          next[i] = shape.is_relu ? fmax(g[0], 0) : tanh(g[0]);
        } else {
          const double candidate = tanh(g[2] + logistic(g[0]) * gate_of(2 * state + 1, 2 * hidden + i, h, hidden));
          next[i] = (1 - logistic(g[1])) * candidate + logistic(g[1]) * h[i];
        }
      }
      for (i64 i = 0; i < hidden; ++i) out[t][direction * hidden + i] = h[i] = next[i];
    }
    for (i64 i = 0; i < hidden; ++i) {
      assert_near(h[i], buffer_get(&hn, state_row(state, batch) + i), 1);
      if (IS_LSTM) assert_near(c[i], buffer_get(&cn, state_row(state, batch) + i), 1);
    }
    if (direction == shape.directions - 1) {
      width = shape.directions * hidden;
      for (i64 t = 0; t < shape.steps; ++t)
        for (i64 i = 0; i < width; ++i) in[t][i] = out[t][i];
    }
  }
  for (i64 t = 0; t < shape.steps; ++t)
    for (i64 i = 0; i < width; ++i)
      assert_near(in[t][i], buffer_get(&y, (shape.is_batch_first ? row(batch, t) : row(t, batch)) * width + i), 1);
}

static void check(shape_t given) {
  shape = given;
  const i64 states = shape.layers * shape.directions, gates = GATES * shape.hidden, parts = shape.has_bias ? 4 : 2;
  const i64 output = shape.directions * shape.hidden, width = genie_max_i64(shape.input, output);
  x = buffer_random(REAL_DTYPE, shape.steps * shape.batch * shape.input);
  h0 = buffer_random(REAL_DTYPE, states * shape.batch * shape.hidden);
  c0 = buffer_random(REAL_DTYPE, states * shape.batch * shape.hidden);
  hn = buffer_make(REAL_DTYPE, states * shape.batch * shape.hidden);
  cn = buffer_make(REAL_DTYPE, states * shape.batch * shape.hidden);
  y = buffer_make(REAL_DTYPE, shape.steps * shape.batch * output);
  void *args[MOST];
  for (i64 i = 0; i < states * parts; ++i) {
    const i64 in = i / parts / shape.directions == 0 ? shape.input : output;
    const i64 counts[] = {gates * in, gates * shape.hidden, gates, gates};
    weights[i] = buffer_random(REAL_DTYPE, counts[i % parts]);
    args[i] = weights[i].bytes;
  }
  scratch_t scratch = scratch_make(2 * shape.steps * width + shape.steps * round_up(gates, TILE_COLUMNS) +
                                   round_up(shape.hidden, LANES) + shape.hidden + gates +
                                   width * (TILE_ROWS + TILE_COLUMNS) + TILE_ROWS * TILE_COLUMNS);
  const frame_t frame = {args, NULL, scratch.bytes};
  run_grid(&frame, shape.batch);
  for (i64 batch = 0; batch < shape.batch; ++batch) check_batch(batch);
  scratch_check(&scratch);
  for (i64 i = 0; i < states * parts; ++i) buffer_free(&weights[i]);
  buffer_t *all[] = {&x, &h0, &c0, &hn, &cn, &y};
  for (int i = 0; i < 6; ++i) buffer_free(all[i]);
}

static void layers_directions_and_orders(void **state) {
  (void)state;
  for (i64 layers = 1; layers <= 3; ++layers) {
    for (i64 directions = 1; directions <= 2; ++directions) {
      check((shape_t){layers, directions, 7, 3, 5, 19, .has_bias = layers % 2, .is_batch_first = directions == 2,
                      .is_relu = layers == 2});
      check((shape_t){layers, directions, 30, 2, 40, 16, .has_bias = true, .is_batch_first = directions == 1});
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(layers_directions_and_orders)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

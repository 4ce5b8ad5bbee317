// GRU, or LSTM under RECURRENT_LSTM, or a network of one gate under RECURRENT_RNN, of any number of layers and one or
// two directions. A block is an element of the batch, which walks layers, directions and steps in order; a thread
// computes gates and cells.
//
// Dynamic shared memory: layer input and output [steps][width] each, for width = max(input, directions * hidden) |
// state [hidden] | cell [hidden] | gates of the input and of the state [gates * hidden] each.
#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

#ifdef RECURRENT_LSTM
enum { GATES = 4 };
real_t genie_c0(const frame_t *frame, i64 layer, i64 batch, i64 i);
void genie_store_cn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value);
#elif defined(RECURRENT_RNN)
enum { GATES = 1 };
i64 genie_is_relu(const frame_t *frame);
#else
enum { GATES = 3 };
#endif

i64 genie_layers(const frame_t *frame);
i64 genie_directions(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
i64 genie_is_batch_first(const frame_t *frame);
i64 genie_steps(const frame_t *frame);
i64 genie_input(const frame_t *frame);
i64 genie_hidden(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
// The weight `index`, in the op's order.
const void *genie_weight(const frame_t *frame, i64 index);
real_t genie_x(const frame_t *frame, i64 i0, i64 i1, i64 i);
real_t genie_h0(const frame_t *frame, i64 layer, i64 batch, i64 i);
void genie_store(const frame_t *frame, i64 i0, i64 i1, i64 i, real_t value);
void genie_store_hn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value);

typedef GENIE_SHARED_SPACE real_t shared_real_t;

// One element of the batch, and one layer and direction of it.
typedef struct walk {
  const frame_t *frame;
  i64 batch, layer, direction, width, input_width;
  shared_real_t *input, *output, *state, *cell, *input_gates, *state_gates;
} walk_t;

#ifndef RECURRENT_RNN
GENIE_INLINE real_t sigmoid(real_t x) {
  return 1 / (1 + GENIE_MATH(exp)(-x));
}
#endif

GENIE_INLINE real_t dot(const void *weight, int dtype, i64 row, i64 depth, const shared_real_t *x) {
  real_t sum = 0;
#pragma clang loop unroll_count(4)
  for (i64 i = 0; i < depth; ++i) {
    sum += load_1(weight, dtype, row * depth + i) * x[i];
  }
  return sum;
}

GENIE_INLINE void compute_gates(const walk_t *w, i64 step, i64 index) {
  const frame_t *frame = w->frame;
  const int dtype = (int)genie_weight_dtype(frame);
  const i64 hidden = genie_hidden(frame);
  for (i64 gate = thread_index(); gate < GATES * hidden; gate += genie_threads(frame)) {
    real_t x = dot(genie_weight(frame, index), dtype, gate, w->input_width, w->input + step * w->width);
    real_t h = dot(genie_weight(frame, index + 1), dtype, gate, hidden, w->state);
    if (genie_has_bias(frame)) {
      x += load_1(genie_weight(frame, index + 2), dtype, gate);
      h += load_1(genie_weight(frame, index + 3), dtype, gate);
    }
    w->input_gates[gate] = x;
    w->state_gates[gate] = h;
  }
}

GENIE_INLINE void step_cells(const walk_t *w, i64 step) {
  const i64 hidden = genie_hidden(w->frame);
  const shared_real_t *x = w->input_gates, *h = w->state_gates;
  for (i64 i = thread_index(); i < hidden; i += genie_threads(w->frame)) {
#ifdef RECURRENT_LSTM
    const real_t input = sigmoid(x[i] + h[i]), forget = sigmoid(x[hidden + i] + h[hidden + i]);
    const real_t candidate = GENIE_MATH(tanh)(x[2 * hidden + i] + h[2 * hidden + i]);
    const real_t cell = forget * w->cell[i] + input * candidate;
    w->cell[i] = cell;
    w->state[i] = sigmoid(x[3 * hidden + i] + h[3 * hidden + i]) * GENIE_MATH(tanh)(cell);
#elif defined(RECURRENT_RNN)
    const real_t gate = x[i] + h[i];
    w->state[i] = !genie_is_relu(w->frame) ? GENIE_MATH(tanh)(gate) : gate < 0 ? 0 : gate;
#else
    const real_t reset = sigmoid(x[i] + h[i]), update = sigmoid(x[hidden + i] + h[hidden + i]);
    const real_t candidate = GENIE_MATH(tanh)(x[2 * hidden + i] + reset * h[2 * hidden + i]);
    w->state[i] = (1 - update) * candidate + update * w->state[i];
#endif
    w->output[step * w->width + w->direction * hidden + i] = w->state[i];
  }
}

GENIE_INLINE void walk_direction(const walk_t *w) {
  const frame_t *frame = w->frame;
  const i64 hidden = genie_hidden(frame), steps = genie_steps(frame), threads = genie_threads(frame);
  const i64 layer = w->layer * genie_directions(frame) + w->direction;
  const i64 index = layer * (genie_has_bias(frame) ? 4 : 2);
  for (i64 i = thread_index(); i < hidden; i += threads) {
    w->state[i] = genie_h0(frame, layer, w->batch, i);
#ifdef RECURRENT_LSTM
    w->cell[i] = genie_c0(frame, layer, w->batch, i);
#endif
  }
  block_barrier();
  for (i64 n = 0; n < steps; ++n) {
    const i64 step = w->direction == 0 ? n : steps - 1 - n;
    compute_gates(w, step, index);
    block_barrier();
    step_cells(w, step);
    block_barrier();
  }
  for (i64 i = thread_index(); i < hidden; i += threads) {
    genie_store_hn(frame, layer, w->batch, i, w->state[i]);
#ifdef RECURRENT_LSTM
    genie_store_cn(frame, layer, w->batch, i, w->cell[i]);
#endif
  }
  block_barrier();
}

GENIE_INLINE void load_input(const walk_t *w) {
  const frame_t *frame = w->frame;
  const i64 input = genie_input(frame);
  for (i64 item = thread_index(); item < genie_steps(frame) * input; item += genie_threads(frame)) {
    const i64 step = item / input, i = item % input;
    w->input[step * w->width + i] =
        genie_is_batch_first(frame) ? genie_x(frame, w->batch, step, i) : genie_x(frame, step, w->batch, i);
  }
  block_barrier();
}

GENIE_INLINE void store_output(const walk_t *w) {
  const frame_t *frame = w->frame;
  const i64 width = genie_directions(frame) * genie_hidden(frame);
  for (i64 item = thread_index(); item < genie_steps(frame) * width; item += genie_threads(frame)) {
    const i64 step = item / width, i = item % width;
    const real_t value = w->input[step * w->width + i];
    if (genie_is_batch_first(frame)) {
      genie_store(frame, w->batch, step, i, value);
    } else {
      genie_store(frame, step, w->batch, i, value);
    }
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 hidden = genie_hidden(frame), output_width = genie_directions(frame) * hidden;
  walk_t w = {.frame = frame, .batch = block_index()};
  w.width = genie_max_i64(genie_input(frame), output_width);
  w.input = (shared_real_t *)genie_dynamic_shared;
  w.output = w.input + genie_steps(frame) * w.width;
  w.state = w.output + genie_steps(frame) * w.width;
  w.cell = w.state + hidden;
  w.input_gates = w.cell + hidden;
  w.state_gates = w.input_gates + GATES * hidden;
  load_input(&w);
  w.input_width = genie_input(frame);
#pragma clang loop unroll(disable)
  for (w.layer = 0; w.layer < genie_layers(frame); ++w.layer) {
#pragma clang loop unroll(disable)
    for (w.direction = 0; w.direction < genie_directions(frame); ++w.direction) {
      walk_direction(&w);
    }
    shared_real_t *next = w.output;
    w.output = w.input;
    w.input = next;
    w.input_width = output_width;
  }
  store_output(&w);
}

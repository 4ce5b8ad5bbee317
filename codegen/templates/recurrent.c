// GRU, or LSTM under RECURRENT_LSTM, or a network of one gate under RECURRENT_RNN, of any number of layers and one or
// two directions. Elements of the batch are independent: each is a task, which walks layers, directions and steps in
// order.
//
// The input's part of the gates is a product over all steps at once; the state's part is a dot product a gate and step.
// Weights are row-major: w_ih [gates * hidden][input], w_hh [gates * hidden][hidden], b_ih, b_hh [gates * hidden],
// found by the number of their argument.
//
// scratch: layer input and output [steps][width] each, for width = max(input, directions * hidden) | gates of the input
// [steps][gates * hidden rounded up to TILE_COLUMNS] | state [hidden padded] | cell [hidden] | gates of the state
// [gates * hidden] | one panel of A [width][TILE_ROWS] | one panel of weights [width][TILE_COLUMNS] | tile
// [TILE_ROWS][TILE_COLUMNS]
#include "codegen/templates/gemm_tile.h"
#include "codegen/templates/math.h"

#ifdef RECURRENT_LSTM
enum { IS_LSTM = true, IS_GRU = false, GATES = 4 };
real_t genie_c0(const frame_t *frame, i64 layer, i64 batch, i64 i);
void genie_store_cn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value);
#elif defined(RECURRENT_RNN)
enum { IS_LSTM = false, IS_GRU = false, GATES = 1 };
i64 genie_is_relu(const frame_t *frame);
#else
enum { IS_LSTM = false, IS_GRU = true, GATES = 3 };
#endif

i64 genie_layers(const frame_t *frame);
i64 genie_directions(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
i64 genie_is_batch_first(const frame_t *frame);
i64 genie_steps(const frame_t *frame);
i64 genie_input(const frame_t *frame);
i64 genie_hidden(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
#define RECURRENT_EACH_SLOT(slot)                                                                                     \
  slot(0) slot(1) slot(2) slot(3) slot(4) slot(5) slot(6) slot(7) slot(8) slot(9) slot(10) slot(11) slot(12) slot(13) \
      slot(14) slot(15) slot(16) slot(17) slot(18) slot(19) slot(20) slot(21) slot(22) slot(23) slot(24) slot(25)     \
          slot(26) slot(27) slot(28) slot(29) slot(30) slot(31) slot(32) slot(33) slot(34) slot(35) slot(36) slot(37) \
              slot(38) slot(39) slot(40) slot(41) slot(42) slot(43) slot(44) slot(45) slot(46) slot(47) slot(48)      \
                  slot(49) slot(50) slot(51) slot(52) slot(53) slot(54) slot(55) slot(56) slot(57) slot(58) slot(59)  \
                      slot(60) slot(61) slot(62) slot(63)
// The kernel argument that holds weight `slot`, in the op's order.
#define DECLARE_SLOT(slot) i64 genie_weight_argument##slot(const frame_t *frame);
RECURRENT_EACH_SLOT(DECLARE_SLOT)
// x and y by the dimensions of their tensors: (step, batch, i), or (batch, step, i) where the batch is first.
real_t genie_x(const frame_t *frame, i64 i0, i64 i1, i64 i);
real_t genie_h0(const frame_t *frame, i64 layer, i64 batch, i64 i);
void genie_store(const frame_t *frame, i64 i0, i64 i1, i64 i, real_t value);
void genie_store_hn(const frame_t *frame, i64 layer, i64 batch, i64 i, real_t value);

#ifdef GENIE_REAL_F64
#define EXP genie_math_exp_f64
#define TANH genie_math_tanh_f64
#else
#define EXP genie_math_exp_f32
#define TANH genie_math_tanh_f32
#endif

// One element of the batch, and one layer and direction of it.
typedef struct walk {
  const frame_t *frame;
  i64 batch;
  i64 gates_padded, width;
  real_t *input, *output, *input_gates, *state, *cell, *state_gates, *a_panel, *b_panel, *tile;
  i64 layer, direction, input_width;
  const void *w_ih, *w_hh, *b_ih, *b_hh;
} walk_t;

static const void *weight_at(const frame_t *frame, i64 index) {
  i64 argument = 0;
  switch (index) {
#define SLOT_CASE(slot)                            \
  case slot:                                       \
    argument = genie_weight_argument##slot(frame); \
    break;
    RECURRENT_EACH_SLOT(SLOT_CASE)
    default:
      break;
  }
  return frame->args[argument];
}

#ifndef RECURRENT_RNN
GENIE_INLINE real_t sigmoid(real_t x) {
  return 1 / (1 + EXP(-x));
}
#endif

static void load_input(const walk_t *w) {
  const frame_t *frame = w->frame;
  for (i64 step = 0; step < genie_steps(frame); ++step) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < genie_input(frame); ++i) {
      w->input[step * w->width + i] =
          genie_is_batch_first(frame) ? genie_x(frame, w->batch, step, i) : genie_x(frame, step, w->batch, i);
    }
  }
}

// input_gates[step][gate] = w_ih[gate] . input[step] + b_ih[gate] + b_hh[gate]; of a GRU's third gate, b_hh stays
// apart.
static void multiply_input(const walk_t *w) {
  const frame_t *frame = w->frame;
  const int dtype = (int)genie_weight_dtype(frame);
  const i64 gates = GATES * genie_hidden(frame), steps = genie_steps(frame), depth = w->input_width;
  for (i64 n = 0; n < gates; n += TILE_COLUMNS) {
    const i64 columns = genie_min_i64(TILE_COLUMNS, gates - n);
    panel_pack(w->b_panel, TILE_COLUMNS, columns, depth, (const char *)w->w_ih + n * depth * storage_bytes(dtype),
               dtype, depth, 1);
    for (i64 step = 0; step < steps; step += TILE_ROWS) {
      const i64 rows = genie_min_i64(TILE_ROWS, steps - step);
      panel_pack(w->a_panel, TILE_ROWS, rows, depth, w->input + step * w->width,
                 REAL_BYTES == 8 ? GENIE_DTYPE_F64 : GENIE_DTYPE_F32, w->width, 1);
      tile_multiply(TILE_ROWS, 2, depth, w->a_panel, w->b_panel, TILE_COLUMNS, w->tile, TILE_COLUMNS, true);
      for (i64 row = 0; row < rows; ++row) {
        for (i64 i = 0; i < columns; ++i) {
          real_t bias = 0;
          if (genie_has_bias(frame)) {
            const bool is_apart = IS_GRU && n + i >= 2 * genie_hidden(frame);
            bias = load_1(w->b_ih, dtype, n + i) + (is_apart ? 0 : load_1(w->b_hh, dtype, n + i));
          }
          w->input_gates[(step + row) * w->gates_padded + n + i] = w->tile[row * TILE_COLUMNS + i] + bias;
        }
      }
    }
  }
}

// state_gates[gate] = w_hh[gate] . state
static void multiply_state(const walk_t *w) {
  const frame_t *frame = w->frame;
  const int dtype = (int)genie_weight_dtype(frame);
  const i64 hidden = genie_hidden(frame), whole = hidden / LANES * LANES;
  for (i64 gate = 0; gate < GATES * hidden; ++gate) {
    const char *line = (const char *)w->w_hh + gate * hidden * storage_bytes(dtype);
    real_vector_t sum = 0;
    for (i64 i = 0; i < whole; i += LANES) {
      sum += load_lanes(line, dtype, i) * *(const real_vector_t *)(w->state + i);
    }
    if (whole < hidden) {
      sum += load_partial(line, dtype, whole, hidden - whole) * *(const real_vector_t *)(w->state + whole);
    }
    w->state_gates[gate] = sum_lanes(sum);
  }
}

#ifdef RECURRENT_LSTM
static void step_cells(const walk_t *w, const real_t *x) {
  const i64 hidden = genie_hidden(w->frame);
  const real_t *h = w->state_gates;
  GENIE_VECTORIZE
  for (i64 i = 0; i < hidden; ++i) {
    const real_t input = sigmoid(x[i] + h[i]), forget = sigmoid(x[hidden + i] + h[hidden + i]);
    const real_t candidate = TANH(x[2 * hidden + i] + h[2 * hidden + i]);
    const real_t cell = forget * w->cell[i] + input * candidate;
    w->cell[i] = cell;
    w->state[i] = sigmoid(x[3 * hidden + i] + h[3 * hidden + i]) * TANH(cell);
  }
}
#elif defined(RECURRENT_RNN)
static void step_cells(const walk_t *w, const real_t *x) {
  GENIE_VECTORIZE
  for (i64 i = 0; i < genie_hidden(w->frame); ++i) {
    const real_t gate = x[i] + w->state_gates[i];
    w->state[i] = !genie_is_relu(w->frame) ? TANH(gate) : gate < 0 ? 0 : gate;
  }
}
#else
static void step_cells(const walk_t *w, const real_t *x) {
  const i64 hidden = genie_hidden(w->frame);
  const int dtype = (int)genie_weight_dtype(w->frame);
  const real_t *h = w->state_gates;
  for (i64 i = 0; i < hidden; ++i) {
    const real_t bias = genie_has_bias(w->frame) ? load_1(w->b_hh, dtype, 2 * hidden + i) : 0;
    const real_t reset = sigmoid(x[i] + h[i]), update = sigmoid(x[hidden + i] + h[hidden + i]);
    const real_t candidate = TANH(x[2 * hidden + i] + reset * (h[2 * hidden + i] + bias));
    w->state[i] = (1 - update) * candidate + update * w->state[i];
  }
}
#endif

static void walk_direction(walk_t *w) {
  const frame_t *frame = w->frame;
  const i64 hidden = genie_hidden(frame), steps = genie_steps(frame), parts = genie_has_bias(frame) ? 4 : 2;
  const i64 state = w->layer * genie_directions(frame) + w->direction;
  w->w_ih = weight_at(frame, state * parts);
  w->w_hh = weight_at(frame, state * parts + 1);
  w->b_ih = genie_has_bias(frame) ? weight_at(frame, state * parts + 2) : 0;
  w->b_hh = genie_has_bias(frame) ? weight_at(frame, state * parts + 3) : 0;
  multiply_input(w);
  fill_zero(w->state, ceil_div(hidden, LANES) * LANES);
  for (i64 i = 0; i < hidden; ++i) {
    w->state[i] = genie_h0(frame, state, w->batch, i);
#ifdef RECURRENT_LSTM
    w->cell[i] = genie_c0(frame, state, w->batch, i);
#endif
  }
  for (i64 n = 0; n < steps; ++n) {
    const i64 step = w->direction == 0 ? n : steps - 1 - n;
    multiply_state(w);
    step_cells(w, w->input_gates + step * w->gates_padded);
    real_t *row = w->output + step * w->width + w->direction * hidden;
    for (i64 i = 0; i < hidden; ++i) {
      row[i] = w->state[i];
    }
  }
  for (i64 i = 0; i < hidden; ++i) {
    genie_store_hn(frame, state, w->batch, i, w->state[i]);
#ifdef RECURRENT_LSTM
    genie_store_cn(frame, state, w->batch, i, w->cell[i]);
#endif
  }
}

static void store_output(const walk_t *w) {
  const frame_t *frame = w->frame;
  for (i64 step = 0; step < genie_steps(frame); ++step) {
    GENIE_VECTORIZE
    for (i64 i = 0; i < genie_directions(frame) * genie_hidden(frame); ++i) {
      const real_t value = w->input[step * w->width + i];
      if (genie_is_batch_first(frame)) {
        genie_store(frame, w->batch, step, i, value);
      } else {
        genie_store(frame, step, w->batch, i, value);
      }
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 hidden = genie_hidden(frame), steps = genie_steps(frame), output_width = genie_directions(frame) * hidden;
  walk_t w = {.frame = frame};
  w.width = genie_max_i64(genie_input(frame), output_width);
  w.gates_padded = ceil_div(GATES * hidden, TILE_COLUMNS) * TILE_COLUMNS;
  w.input = frame->scratch;
  w.output = w.input + steps * w.width;
  w.input_gates = w.output + steps * w.width;
  w.state = w.input_gates + steps * w.gates_padded;
  w.cell = w.state + ceil_div(hidden, LANES) * LANES;
  w.state_gates = w.cell + hidden;
  w.a_panel = w.state_gates + GATES * hidden;
  w.b_panel = w.a_panel + w.width * TILE_ROWS;
  w.tile = w.b_panel + w.width * TILE_COLUMNS;
  for (w.batch = begin; w.batch < end; ++w.batch) {
    load_input(&w);
    w.input_width = genie_input(frame);
    for (w.layer = 0; w.layer < genie_layers(frame); ++w.layer) {
      for (w.direction = 0; w.direction < genie_directions(frame); ++w.direction) {
        walk_direction(&w);
      }
      real_t *next = w.output;
      w.output = w.input;
      w.input = next;
      w.input_width = output_width;
    }
    store_output(&w);
  }
}

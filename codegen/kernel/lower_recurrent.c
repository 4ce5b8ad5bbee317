// lstm, gru and rnn.
#include <stdio.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/operand.h"

enum { SLOTS = 64, LANES = 16, PANEL = 32, TILE_ROWS = 12 };

typedef struct recurrent {
  const char *template;
  bool is_lstm, is_rnn, is_batch_first;
  int64_t layers, directions, hidden, input, gates;
  bool has_bias;
  genie_dtype_t dtype;
  intptr_t first_weight, weight_count;
} recurrent_t;

static int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

static genie_status_t read_recurrent(genie_lowering_t *lowering, recurrent_t *r) {
  MlirOperation op = lowering->anchor;
  r->is_lstm = genie_op_is(op, "genie.lstm");
  r->is_batch_first = genie_ir_bool(op, "batch_first");
  r->has_bias = genie_ir_bool(op, "has_bias");
  r->layers = genie_ir_i64(op, "layers");
  r->directions = genie_ir_bool(op, "bidirectional") ? 2 : 1;
  r->is_rnn = genie_op_is(op, "genie.rnn");
  r->gates = r->is_lstm ? 4 : r->is_rnn ? 1 : 3;
  r->template = r->is_lstm ? "lstm" : r->is_rnn ? "rnn" : "gru";
  const genie_tensor_type_t x = genie_value_type(genie_ir_operand(op, "x")),
                            h0 = genie_value_type(genie_ir_operand(op, "h0"));
  genie_ir_operand_range(op, "weights", &r->first_weight, &r->weight_count);
  if (x.rank != 3 || h0.rank != 3 || !genie_dim_is_constant(h0.dims[2], &r->hidden) ||
      !genie_dim_is_constant(x.dims[2], &r->input)) {
    return genie_lower_unimplemented(lowering, "a recurrent layer takes [steps, batch, features] with known features");
  }
  if (r->weight_count > SLOTS || r->weight_count != r->layers * r->directions * (r->has_bias ? 4 : 2)) {
    return genie_lower_unimplemented(
        lowering, "a recurrent layer has up to 64 weights: two, or four with biases, a layer and direction");
  }
  return GENIE_OK;
}

// Block argument of a weight that is used whole, as it lies; -1 for any other.
static int whole_argument(const genie_lowering_t *lowering, MlirValue weight) {
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(lowering->body); ++i) {
    if (mlirValueEqual(mlirBlockGetArgument(lowering->body, i), weight)) {
      return (int)i;
    }
  }
  return -1;
}

static genie_status_t define_weights(genie_lowering_t *lowering, recurrent_t *r) {
  for (int slot = 0; slot < SLOTS; ++slot) {
    int argument = 0;
    if (slot < r->weight_count) {
      MlirValue weight = mlirOperationGetOperand(lowering->anchor, r->first_weight + slot);
      argument = whole_argument(lowering, weight);
      if (argument < 0) {
        return genie_lower_unimplemented(lowering, "a recurrent layer takes its weights as they lie, no views");
      }
      if (slot != 0 && genie_lower_dtype(weight) != r->dtype) {
        return genie_lower_unimplemented(lowering, "the weights of a recurrent layer have different types");
      }
      r->dtype = genie_lower_dtype(weight);
    }
    char hook[40];
    snprintf(hook, sizeof(hook), "genie_weight_argument%d", slot);
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, hook, argument));
  }
  return genie_lower_define_i64(lowering, "genie_weight_dtype", r->dtype);
}

static genie_status_t define_load(genie_lowering_t *lowering, const char *hook, const char *operand) {
  MlirValue value = genie_ir_operand(lowering->anchor, operand);
  const genie_lower_space_t space = genie_lower_space_of(mlirValueGetType(value));
  return genie_lower_define_load(lowering, hook, value, &space);
}

static genie_status_t define_store(genie_lowering_t *lowering, const char *hook, int result) {
  const genie_lower_space_t space =
      genie_lower_space_of(mlirValueGetType(mlirOperationGetResult(lowering->anchor, result)));
  return genie_lower_define_store_results(lowering, hook, result, 1, &space);
}

static uint64_t scratch_elements(const recurrent_t *r, int64_t steps) {
  const int64_t output = r->directions * r->hidden, width = r->input > output ? r->input : output;
  const int64_t gates = r->gates * r->hidden;
  return (uint64_t)(2 * steps * width + steps * round_up(gates, PANEL) + round_up(r->hidden, LANES) + r->hidden +
                    gates + width * (TILE_ROWS + PANEL) + TILE_ROWS * PANEL);
}

// `const void *genie_weight(frame, i64 index)` of a GPU's template: a choice among the weights.
static genie_status_t define_weight_choice(genie_lowering_t *lowering, const recurrent_t *r) {
  genie_hook_t hook;
  if (!genie_hook_begin(lowering, "genie_weight", &hook)) {
    return GENIE_OK;
  }
  LLVMValueRef chosen = NULL;
  for (int slot = 0; slot < r->weight_count; ++slot) {
    MlirValue weight = mlirOperationGetOperand(lowering->anchor, r->first_weight + slot);
    LLVMValueRef base = genie_hook_argument_base(&hook, whole_argument(lowering, weight));
    LLVMValueRef is_slot =
        LLVMBuildICmp(hook.builder, LLVMIntEQ, LLVMGetParam(hook.function, 1), genie_hook_i64(&hook, slot), "");
    chosen = chosen == NULL ? base : LLVMBuildSelect(hook.builder, is_slot, base, chosen, "");
  }
  LLVMBuildRet(hook.builder, chosen);
  genie_hook_end(&hook);
  return GENIE_OK;
}

// What a GPU's template keeps in shared memory: templates/cuda/recurrent.c.
static genie_status_t set_block(genie_lowering_t *lowering, const recurrent_t *r, int64_t steps, int64_t bytes) {
  enum { MOST_BYTES = 220 << 10 };
  const int64_t output = r->directions * r->hidden, width = r->input > output ? r->input : output;
  const int64_t shared = (2 * steps * width + 2 * r->hidden + 2 * r->gates * r->hidden) * bytes;
  if (shared > MOST_BYTES) {
    return genie_lower_unimplemented(lowering, "a recurrent layer whose steps are more than shared memory holds");
  }
  lowering->shared_bytes = (uint32_t)shared;
  lowering->threads = genie_gpu_threads(r->gates * r->hidden, 512);
  return define_weight_choice(lowering, r);
}

genie_status_t genie_lower_recurrent(genie_lowering_t *lowering) {
  recurrent_t r = {0};
  GENIE_RETURN_IF_ERROR(read_recurrent(lowering, &r));
  const genie_tensor_type_t x = genie_value_type(genie_ir_operand(lowering->anchor, "x"));
  MlirAffineExpr steps = x.dims[r.is_batch_first ? 1 : 0], batch = x.dims[r.is_batch_first ? 0 : 1];
  const int64_t element_bytes = x.dtype == GENIE_DTYPE_F64 ? 8 : 4, most_steps = genie_lower_maximum(lowering, steps);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, r.template, element_bytes == 8));
  lowering->grid = batch;
  lowering->grain = 1;
  lowering->scratch_bytes = scratch_elements(&r, most_steps) * (uint64_t)element_bytes;
  GENIE_RETURN_IF_ERROR(define_weights(lowering, &r));
  if (lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(set_block(lowering, &r, most_steps, element_bytes));
  }
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_layers", r.layers));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_directions", r.directions));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_has_bias", r.has_bias));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_batch_first", r.is_batch_first));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_steps", steps));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_input", r.input));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_hidden", r.hidden));
  GENIE_RETURN_IF_ERROR(define_load(lowering, "genie_x", "x"));
  GENIE_RETURN_IF_ERROR(define_load(lowering, "genie_h0", "h0"));
  GENIE_RETURN_IF_ERROR(define_store(lowering, "genie_store", 0));
  GENIE_RETURN_IF_ERROR(define_store(lowering, "genie_store_hn", 1));
  if (r.is_rnn) {
    return genie_lower_define_i64(lowering, "genie_is_relu", genie_ir_bool(lowering->anchor, "relu"));
  }
  if (!r.is_lstm) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(define_load(lowering, "genie_c0", "c0"));
  return define_store(lowering, "genie_store_cn", 2);
}

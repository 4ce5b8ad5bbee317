// Attention, embeddings and recurrent networks: the composites that carry a model's meaning.
#include <math.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

// A mask broadcasts over [.., H, L, S]; PyTorch promotes an integer one nowhere, so it is boolean or of the query's
// dtype.
static MlirValue mask_of(pt2_importer_t *im, const pt2_node_t *node, genie_dtype_t dtype) {
  const MlirValue mask = pt2_optional_tensor(im, node, "attn_mask");
  return mlirValueIsNull(mask) || pt2_type(mask).dtype == GENIE_DTYPE_BOOL ? mask : pt2_cast(im, mask, dtype);
}

// scaled_dot_product_attention and its CPU kernel, whose further results are for training
void pt2_rule_attention(pt2_importer_t *im, const pt2_node_t *node) {
  if (pt2_float(im, node, "dropout_p", 0) != 0) {
    pt2_refuse(im, "argument", "attention with dropout", "call model.eval() before the export");
  }
  const MlirValue query = pt2_tensor(im, node, "query");
  const int rank = pt2_rank(query);
  if (rank < 2 || rank > 4) {
    pt2_refuse(im, "shape", "attention of fewer than 2 or more than 4 dimensions", "merge the leading dimensions");
    return;
  }
  int64_t width;
  double scale = pt2_float(im, node, "scale", 0);
  if (pt2_arg(node, "scale") == NULL) {
    width = pt2_static_dim(im, query, rank - 1);
    scale = 1 / sqrt((double)width);
  }
  MlirValue operands[] = {query, pt2_tensor(im, node, "key"), pt2_tensor(im, node, "value"),
                          mask_of(im, node, pt2_type(query).dtype)};
  // Two dimensions are one head.
  for (int i = 0; i < 4 && rank == 2; ++i) {
    operands[i] = mlirValueIsNull(operands[i]) ? operands[i] : pt2_unsqueeze(im, operands[i], 0);
  }
  const genie_ir_attribute_t attributes[] = {pt2_attr_bool(im, "is_causal", pt2_bool(im, node, "is_causal", false)),
                                             pt2_attr_f64(im, "scale", scale)};
  const MlirValue result = pt2_build(im, "genie.attention", 4, operands, 2, attributes);
  pt2_bind(im, node, 0, rank == 2 ? pt2_squeeze(im, result, 0) : result);
}

// embedding_bag(weight, indices, offsets, scale_grad, mode, sparse, per_sample_weights, include_last_offset,
// padding_idx)
void pt2_rule_embedding_bag(pt2_importer_t *im, const pt2_node_t *node) {
  static const char *const modes[] = {"sum", "mean", "max"};
  const int64_t mode = pt2_int(im, node, "mode", 0);
  if (mode < 0 || mode > 2) {
    pt2_refuse(im, "argument", "an unknown mode", "use sum, mean or max");
    return;
  }
  MlirValue index = pt2_tensor(im, node, "indices"), offsets = pt2_optional_tensor(im, node, "offsets");
  const genie_dtype_t dtype = pt2_type(index).dtype;
  if (!mlirValueIsNull(offsets) && pt2_type(offsets).dtype != dtype) {
    index = pt2_cast(im, index, GENIE_DTYPE_I64);
    offsets = pt2_cast(im, offsets, GENIE_DTYPE_I64);
  }
  const MlirValue operands[] = {pt2_tensor(im, node, "weight"), index, offsets,
                                pt2_optional_tensor(im, node, "per_sample_weights")};
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_string(im, "mode", modes[mode]),
      pt2_attr_bool(im, "include_last_offset", pt2_bool(im, node, "include_last_offset", false)),
      pt2_attr_i64(im, "padding_index", pt2_int(im, node, "padding_idx", -1))};
  pt2_bind(im, node, 0, pt2_build(im, "genie.embedding_bag", 4, operands, 3, attributes));
}

//===-- Recurrent networks ----------------------------------------------------------------------------------------===//

enum { MAX_RECURRENT_WEIGHTS = 128 };

static int tensors_of(pt2_importer_t *im, const genie_pt2_arg_t *list, int capacity, MlirValue *out_values) {
  if (list == NULL || list->kind != GENIE_PT2_LIST || list->count > capacity) {
    pt2_refuse(im, "argument", "an unexpected list of tensors", "use torch.nn.LSTM or torch.nn.GRU");
    return 0;
  }
  for (int i = 0; i < list->count; ++i) {
    out_values[i] = pt2_tensor_of(im, &list->items[i]);
  }
  return list->count;
}

// An unbatched sequence [T, I] is a batch of one.
static MlirValue batched(pt2_importer_t *im, MlirValue x, bool is_unbatched, int axis) {
  return is_unbatched ? pt2_unsqueeze(im, x, axis) : x;
}

// lstm.input(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first), gru.input and
// rnn_tanh.input, rnn_relu.input
void pt2_rule_recurrent(pt2_importer_t *im, const pt2_node_t *node) {
  const bool is_lstm = strcmp(pt2_mapping(im)->op->name, "genie.lstm") == 0;
  if (pt2_bool(im, node, "train", false) && pt2_float(im, node, "dropout", 0) != 0) {
    pt2_refuse(im, "argument", "a recurrent network that drops", "call model.eval() before the export");
  }
  const MlirValue x = pt2_tensor(im, node, "input");
  const bool is_unbatched = pt2_rank(x) == 2, batch_first = pt2_bool(im, node, "batch_first", false);
  MlirValue operands[3 + MAX_RECURRENT_WEIGHTS] = {batched(im, x, is_unbatched, batch_first ? 0 : 1)};
  int count = 1;
  if (is_lstm) {
    count += tensors_of(im, pt2_arg(node, "hx"), 2, operands + 1);
    if (count != 3) {
      pt2_refuse(im, "argument", "an LSTM state of other than two tensors", "pass (h0, c0)");
      return;
    }
  } else {
    operands[count++] = pt2_tensor(im, node, "hx");
  }
  for (int i = 1; i < count; ++i) {
    operands[i] = batched(im, operands[i], is_unbatched, 1);
  }
  const int states = count - 1;
  count += tensors_of(im, pt2_arg(node, "params"), MAX_RECURRENT_WEIGHTS, operands + count);
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64(im, "layers", pt2_int(im, node, "num_layers", 1)),
      pt2_attr_bool(im, "has_bias", pt2_bool(im, node, "has_biases", true)),
      pt2_attr_bool(im, "bidirectional", pt2_bool(im, node, "bidirectional", false)),
      pt2_attr_bool(im, "batch_first", batch_first),
      pt2_attr_bool(im, "relu", strncmp(pt2_mapping(im)->overload, "rnn_relu", 8) == 0)};
  const bool is_rnn = strcmp(pt2_mapping(im)->op->name, "genie.rnn") == 0;
  const MlirOperation op = pt2_build_op(im, pt2_mapping(im)->op->name, count, operands, is_rnn ? 5 : 4, attributes);
  for (int i = 0; !mlirOperationIsNull(op) && i <= states; ++i) {
    const MlirValue result = mlirOperationGetResult(op, i);
    pt2_bind(im, node, i, is_unbatched ? pt2_squeeze(im, result, i == 0 && batch_first ? 0 : 1) : result);
  }
}

static MlirValue linear(pt2_importer_t *im, const pt2_node_t *node, const char *x, const char *w, const char *b) {
  const MlirValue operands[] = {pt2_tensor(im, node, x), pt2_tensor(im, node, w), pt2_optional_tensor(im, node, b)};
  return pt2_build(im, "genie.linear", 3, operands, 0, NULL);
}

static MlirValue gate(pt2_importer_t *im, MlirValue gates, int index, MlirAffineExpr width, const char *activation) {
  const MlirAffineExpr start = genie_dim_mul(width, pt2_constant_dim(im, index));
  const MlirValue part = pt2_slice(im, gates, pt2_rank(gates) - 1, start, width, 1);
  return activation != NULL ? pt2_unary(im, activation, part) : part;
}

// lstm_cell(input, (h, c), w_ih, w_hh, b_ih, b_hh): gates i, f, g, o
static void rule_lstm_cell(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue state[2] = {{NULL}, {NULL}};
  if (tensors_of(im, pt2_arg(node, "hx"), 2, state) != 2) {
    pt2_refuse(im, "argument", "an LSTM state of other than two tensors", "pass (h, c)");
    return;
  }
  const MlirValue hidden[] = {state[0], pt2_tensor(im, node, "w_hh"), pt2_optional_tensor(im, node, "b_hh")};
  const MlirValue gates = pt2_binary(im, "genie.add", linear(im, node, "input", "w_ih", "b_ih"),
                                     pt2_build(im, "genie.linear", 3, hidden, 0, NULL));
  const MlirAffineExpr width = pt2_dim(im, state[1], pt2_rank(state[1]) - 1);
  const MlirValue input = gate(im, gates, 0, width, "genie.sigmoid"),
                  forget = gate(im, gates, 1, width, "genie.sigmoid");
  const MlirValue cell = gate(im, gates, 2, width, "genie.tanh"), output = gate(im, gates, 3, width, "genie.sigmoid");
  const MlirValue next = pt2_binary(im, "genie.add", pt2_binary(im, "genie.mul", forget, state[1]),
                                    pt2_binary(im, "genie.mul", input, cell));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", output, pt2_unary(im, "genie.tanh", next)));
  pt2_bind(im, node, 1, next);
}

// gru_cell: r, z, n; h' = n + z (h - n), n = tanh(x_n + r h_n)
static void rule_gru_cell(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue h = pt2_tensor(im, node, "hx");
  const MlirValue x_gates = linear(im, node, "input", "w_ih", "b_ih"), h_gates = linear(im, node, "hx", "w_hh", "b_hh");
  const MlirAffineExpr width = pt2_dim(im, h, pt2_rank(h) - 1);
  MlirValue gates[2];
  for (int i = 0; i < 2; ++i) {
    const MlirValue sum =
        pt2_binary(im, "genie.add", gate(im, x_gates, i, width, NULL), gate(im, h_gates, i, width, NULL));
    gates[i] = pt2_unary(im, "genie.sigmoid", sum);
  }
  const MlirValue reset = pt2_binary(im, "genie.mul", gates[0], gate(im, h_gates, 2, width, NULL));
  const MlirValue fresh =
      pt2_unary(im, "genie.tanh", pt2_binary(im, "genie.add", gate(im, x_gates, 2, width, NULL), reset));
  const MlirValue kept = pt2_binary(im, "genie.mul", gates[1], pt2_binary(im, "genie.sub", h, fresh));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.add", fresh, kept));
}

// rnn_tanh_cell, rnn_relu_cell
static void rule_rnn_cell(pt2_importer_t *im, const pt2_node_t *node) {
  const bool is_tanh = strncmp(pt2_mapping(im)->overload, "rnn_tanh", 8) == 0;
  const MlirValue sum =
      pt2_binary(im, "genie.add", linear(im, node, "input", "w_ih", "b_ih"), linear(im, node, "hx", "w_hh", "b_hh"));
  pt2_bind(im, node, 0, pt2_unary(im, is_tanh ? "genie.tanh" : "genie.relu", sum));
}

const pt2_rule_row_t pt2_attention_composites[] = {
    {"lstm_cell.default", rule_lstm_cell},
    {"gru_cell.default", rule_gru_cell},
    {"rnn_tanh_cell.default", rule_rnn_cell},
    {"rnn_relu_cell.default", rule_rnn_cell},
    {NULL, NULL},
};

// Normalisations.
#include <string.h>

#include "compiler/import/pt2/rule.h"

static bool starts_with(const pt2_importer_t *im, const char *prefix) {
  return strncmp(pt2_mapping(im)->overload, prefix, strlen(prefix)) == 0;
}

static MlirValue optional_in(pt2_importer_t *im, const pt2_node_t *node, const char *name, genie_dtype_t dtype) {
  return pt2_cast(im, pt2_optional_tensor(im, node, name), dtype);
}

// The machine epsilon, which rms_norm takes when eps is None.
static double epsilon_of(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F64    ? 2.220446049250313e-16
         : dtype == GENIE_DTYPE_F16  ? 9.765625e-4
         : dtype == GENIE_DTYPE_BF16 ? 7.8125e-3
                                     : 1.1920928955078125e-7;
}

// layer_norm, native_layer_norm, rms_norm, _fused_rms_norm: further results (mean, rstd) are for training only.
void pt2_rule_norm(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "input");
  const genie_dtype_t dtype = pt2_type(x).dtype;
  int64_t shape[GENIE_IR_MAX_RANK];
  const int normalized_rank = pt2_ints(im, node, "normalized_shape", GENIE_IR_MAX_RANK, shape);
  const bool is_layer_norm = strcmp(pt2_mapping(im)->op->name, "genie.layer_norm") == 0;
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64(im, "normalized_rank", normalized_rank),
      pt2_attr_f64(im, "eps", pt2_float(im, node, "eps", is_layer_norm ? 1e-5 : epsilon_of(dtype)))};
  const MlirValue operands[] = {x, optional_in(im, node, "weight", dtype), optional_in(im, node, "bias", dtype)};
  pt2_bind(im, node, 0, pt2_build(im, pt2_mapping(im)->op->name, is_layer_norm ? 3 : 2, operands, 2, attributes));
}

// batch_norm in inference: by the running statistics. Weight and bias may be of another dtype than x.
void pt2_rule_batch_norm(pt2_importer_t *im, const pt2_node_t *node) {
  if (pt2_bool(im, node, "training", false) || pt2_arg(node, "running_mean") == NULL) {
    pt2_refuse(im, "argument", "normalises by the batch's own statistics", "call model.eval() before the export");
    return;
  }
  const MlirValue x = pt2_tensor(im, node, "input");
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue operands[] = {x, optional_in(im, node, "weight", dtype), optional_in(im, node, "bias", dtype),
                                optional_in(im, node, "running_mean", dtype),
                                optional_in(im, node, "running_var", dtype)};
  const genie_ir_attribute_t eps = pt2_attr_f64(im, "eps", pt2_float(im, node, "eps", 1e-5));
  pt2_bind(im, node, 0, pt2_build(im, "genie.batch_norm", 5, operands, 1, &eps));
}

static MlirValue group_norm(pt2_importer_t *im, const pt2_node_t *node, MlirValue x, int64_t groups) {
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue operands[] = {x, optional_in(im, node, "weight", dtype), optional_in(im, node, "bias", dtype)};
  const genie_ir_attribute_t attributes[] = {pt2_attr_i64(im, "groups", groups),
                                             pt2_attr_f64(im, "eps", pt2_float(im, node, "eps", 1e-5))};
  return pt2_build(im, "genie.group_norm", 3, operands, 2, attributes);
}

// group_norm(input, num_groups, ..) and native_group_norm(input, weight, bias, N, C, HxW, group, eps)
void pt2_rule_group_norm(pt2_importer_t *im, const pt2_node_t *node) {
  const int64_t groups = pt2_int(im, node, starts_with(im, "native") ? "group" : "num_groups", 1);
  pt2_bind(im, node, 0, group_norm(im, node, pt2_tensor(im, node, "input"), groups));
}

// instance_norm by the instance's own statistics: a group for each channel
static void rule_instance_norm(pt2_importer_t *im, const pt2_node_t *node) {
  if (!pt2_bool(im, node, "use_input_stats", true)) {
    pt2_refuse(im, "argument", "normalises by running statistics", "use batch_norm");
    return;
  }
  const MlirValue x = pt2_tensor(im, node, "input");
  pt2_bind(im, node, 0, group_norm(im, node, x, pt2_static_dim(im, x, 1)));
}

// _native_batch_norm_legit.no_stats of a batch of one is what instance_norm decomposes to: a group for each channel
static void rule_batch_statistics(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue x = pt2_tensor(im, node, "input");
  if (pt2_static_dim(im, x, 0) != 1) {
    pt2_refuse(im, "argument", "normalises by the batch's own statistics", "call model.eval() before the export");
    return;
  }
  pt2_bind(im, node, 0, group_norm(im, node, x, pt2_static_dim(im, x, 1)));
}

// _weight_norm(v, g, dim): v * g / |v|, the norm over all dimensions but `dim`
static void rule_weight_norm(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue v = pt2_tensor(im, node, "v"), g = pt2_tensor(im, node, "g");
  const int rank = pt2_rank(v), kept = pt2_axis(im, node, "dim", 0, rank);
  int64_t axes[GENIE_IR_MAX_RANK];
  int count = 0;
  for (int i = 0; i < rank; ++i) {
    if (i != kept) {
      axes[count++] = i;
    }
  }
  const MlirValue square = pt2_reduce(im, "genie.sum", pt2_binary(im, "genie.mul", v, v), count, axes, true);
  const MlirValue factor = pt2_binary(im, "genie.div", g, pt2_unary(im, "genie.sqrt", square));
  pt2_bind(im, node, 0, pt2_binary(im, "genie.mul", v, factor));
}

const pt2_rule_row_t pt2_norm_composites[] = {
    {"instance_norm.default", rule_instance_norm},
    {"_native_batch_norm_legit.no_stats", rule_batch_statistics},
    {"_weight_norm.default", rule_weight_norm},
    {"_weight_norm_interface.default", rule_weight_norm},
    {NULL, NULL},
};

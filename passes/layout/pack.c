// pack: weights that templates want in panels are packed when the plan is made: genie.pack outside the kernel, and
// genie.unpack inside, where the anchor reads it. GPUs read products' weights as they are stored, and convolutions'
// channels-last.
#include "ir/pack.h"

#include <assert.h>
#include <string.h>

#include "ir/device_kind.h"
#include "ir/strided_view.h"
#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"
#include "passes/layout/channels_last.h"
#include "passes/layout/filtering.h"

// With at most this many rows a product streams the weight as it is stored (the gemv template), and nothing is copied.
enum { MAX_STREAMED_ROWS = 4, LEAST_GROUP_CHANNELS = 4 };

typedef struct packer {
  MlirOperation function;
  bool is_direct;                 // no convolution is computed by minimal filtering
  genie_pointer_map_t packed_of;  // weight -> index in `packed`
  MlirValue *packed;
  int count;
} packer_t;

static double rows_of(MlirOperation function, MlirOperation linear) {
  const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(linear, 0));
  double rows = 1;
  for (int i = 0; i + 1 < type.rank; ++i) {
    int64_t minimum, maximum;
    genie_dim_bounds(function, type.dims[i], &minimum, &maximum);
    rows *= (double)maximum;
  }
  return rows;
}

// True when the image that a convolution reads has its channels side by side in memory.
static bool reads_channels_last(MlirOperation kernel, MlirOperation conv) {
  const MlirValue x = mlirOperationGetOperand(conv, 0);
  MlirValue root = x;
  for (MlirOperation op = genie_rewrite_definer(root); !mlirOperationIsNull(op) && genie_rewrite_is_view(op);
       op = genie_rewrite_definer(root)) {
    root = mlirOperationGetOperand(op, 0);
  }
  if (!mlirValueIsABlockArgument(root)) {
    return false;
  }
  int64_t order[GENIE_IR_MAX_RANK];
  const bool has_order = genie_channels_last_is(mlirOperationGetOperand(kernel, mlirBlockArgumentGetArgNumber(root)));
  if (has_order) {
    genie_channels_last_order(genie_value_type(root).rank, order);
  }
  genie_strided_view_t view;
  int64_t stride;
  return genie_strided_view_of(x, has_order ? order : NULL, &view) && genie_dim_is_constant(view.strides[1], &stride) &&
         stride == 1;
}

// The packing that a convolution wants of its weight. A group of few channels would be mostly padding.
static const char *format_of_convolution(const packer_t *packer, MlirOperation kernel, MlirOperation anchor) {
  const bool is_transposed = genie_op_is(anchor, "genie.conv_transpose");
  if (!packer->is_direct && !is_transposed && reads_channels_last(kernel, anchor)) {
    const char *format = genie_filtering_choose(packer->function, anchor);
    if (format != NULL) {
      return format;
    }
  }
  const int64_t groups = genie_ir_i64(anchor, "groups");
  const genie_tensor_type_t weight = genie_value_type(mlirOperationGetOperand(anchor, 1));
  const int64_t rows = genie_dim_value(weight.dims[0]), columns = genie_dim_value(weight.dims[1]);
  if (groups == 1 || (is_transposed ? columns : rows / groups) >= LEAST_GROUP_CHANNELS) {
    return is_transposed ? "transposed_n" : "conv_n";
  }
  const bool is_depthwise = !is_transposed && rows == groups && columns == 1;
  return is_depthwise && weight.rank == 4 && reads_channels_last(kernel, anchor) ? "depthwise" : NULL;
}

// The packing that the anchor's template wants of its weight; NULL if it wants it as it is.
static const char *format_of(const packer_t *packer, MlirOperation kernel, MlirOperation anchor) {
  if (genie_op_is(anchor, "genie.linear")) {
    return rows_of(packer->function, anchor) > MAX_STREAMED_ROWS ? "panel_n" : NULL;
  }
  const bool is_convolution = genie_op_is(anchor, "genie.conv") || genie_op_is(anchor, "genie.conv_transpose");
  return is_convolution ? format_of_convolution(packer, kernel, anchor) : NULL;
}

static bool is_packed_as(MlirValue packed, const char *format, int64_t groups) {
  const MlirOperation pack = mlirOpResultGetOwner(packed);
  return mlirStringRefEqual(genie_ir_string(pack, "format"), mlirStringRefCreateFromCString(format)) &&
         genie_ir_i64(pack, "groups") == groups;
}

static genie_status_t make_packed(packer_t *packer, MlirOperation kernel, MlirValue weight, const char *format,
                                  int64_t groups, MlirValue *out_packed) {
  const int known = genie_pointer_map_get(&packer->packed_of, weight.ptr);
  if (known >= 0 && is_packed_as(packer->packed[known], format, groups)) {
    *out_packed = packer->packed[known];
    return GENIE_OK;
  }
  const genie_tensor_type_t type = genie_value_type(weight);
  const genie_pack_format_t *found = genie_pack_find(format, strlen(format));
  assert(found != NULL);
  int64_t dims[GENIE_IR_MAX_RANK], packed_dims[GENIE_IR_MAX_RANK + 1];
  for (int i = 0; i < type.rank; ++i) {
    dims[i] = genie_dim_value(type.dims[i]);
  }
  const int64_t width = genie_pack_width(type.dtype);
  const int rank = found->shape(type.rank, dims, groups, width, packed_dims);
  const MlirContext context = mlirOperationGetContext(kernel);
  const genie_ir_attribute_t attributes[] = {{"format", genie_ir_string_attr(context, format)},
                                             {"width", genie_ir_i64_attr(context, width)},
                                             {"groups", genie_ir_i64_attr(context, groups)}};
  GENIE_RETURN_IF_ERROR(genie_rewrite_make_typed(kernel, "genie.pack", 1, &weight, 3, attributes,
                                                 genie_type_make_static(context, type.dtype, rank, packed_dims),
                                                 out_packed));
  packer->packed[packer->count] = *out_packed;
  return genie_pointer_map_set(&packer->packed_of, weight.ptr, packer->count++);
}

// The weight operand of a kernel's anchor, when it is a whole compile-time value.
static MlirValue packable_weight(MlirOperation kernel, MlirOperation anchor) {
  const MlirValue inside = mlirOperationGetOperand(anchor, 1);
  if (!mlirValueIsABlockArgument(inside)) {
    return (MlirValue){NULL};
  }
  const MlirValue outside = mlirOperationGetOperand(kernel, mlirBlockArgumentGetArgNumber(inside));
  const bool is_computed = !mlirOperationIsNull(genie_rewrite_definer_if(outside, "genie.kernel"));
  return !is_computed && genie_ir_is_compile_time(outside) ? outside : (MlirValue){NULL};
}

// Replaces the block argument behind the anchor's weight by the packed one and unpacks it in front of everything.
static genie_status_t unpack_inside(MlirOperation kernel, MlirOperation anchor, MlirValue packed) {
  const MlirValue argument = mlirOperationGetOperand(anchor, 1);
  const MlirOperation pack = mlirOpResultGetOwner(packed);
  const MlirType weight_type = mlirValueGetType(argument);
  const MlirOperation first = mlirBlockGetFirstOperation(mlirOperationGetBlock(anchor));
  const genie_ir_attribute_t attributes[] = {
      {"format", mlirOperationGetAttributeByName(pack, mlirStringRefCreateFromCString("format"))},
      {"width", mlirOperationGetAttributeByName(pack, mlirStringRefCreateFromCString("width"))},
      {"groups", mlirOperationGetAttributeByName(pack, mlirStringRefCreateFromCString("groups"))}};
  mlirOperationSetOperand(kernel, mlirBlockArgumentGetArgNumber(argument), packed);
  mlirBlockArgumentSetType(argument, mlirValueGetType(packed));
  MlirValue unpacked;
  GENIE_RETURN_IF_ERROR(
      genie_rewrite_make_typed(first, "genie.unpack", 1, &argument, 3, attributes, weight_type, &unpacked));
  mlirValueReplaceAllUsesOfWith(argument, unpacked);
  mlirOperationSetOperand(mlirOpResultGetOwner(unpacked), 0, argument);  // it read itself
  return GENIE_OK;
}

static genie_status_t pack_kernel(packer_t *packer, MlirOperation kernel) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
  MlirOperation op = mlirBlockGetFirstOperation(body);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    const char *format = format_of(packer, kernel, op);
    const MlirValue weight = format == NULL ? (MlirValue){NULL} : packable_weight(kernel, op);
    if (!mlirValueIsNull(weight)) {
      const bool has_groups = genie_pack_find(format, strlen(format))->has_groups;
      const int64_t groups = has_groups ? genie_ir_i64(op, "groups") : 1;
      MlirValue packed;
      GENIE_RETURN_IF_ERROR(make_packed(packer, kernel, weight, format, groups, &packed));
      return unpack_inside(kernel, op, packed);
    }
  }
  return GENIE_OK;
}

//===-- Convolutions on GPUs --------------------------------------------------------------------------------------===//

// The physical order of a weight [O, C, spatial..] whose channels are innermost, and the way back.
static void channels_innermost(int rank, int64_t *out_to, int64_t *out_back) {
  out_to[0] = out_back[0] = 0;
  for (int d = 2; d < rank; ++d) {
    out_to[d - 1] = d;
    out_back[d] = d - 1;
  }
  out_to[rank - 1] = 1;
  out_back[1] = rank - 1;
}

static genie_status_t permute(MlirOperation before, MlirValue value, const int64_t *permutation, MlirValue *out_value) {
  const genie_tensor_type_t type = genie_value_type(value);
  const MlirContext context = mlirOperationGetContext(before);
  int64_t dims[GENIE_IR_MAX_RANK];
  for (int d = 0; d < type.rank; ++d) {
    dims[d] = genie_dim_value(type.dims[permutation[d]]);
  }
  const genie_ir_attribute_t attribute = {"permutation", genie_ir_i64_array_attr(context, type.rank, permutation)};
  return genie_rewrite_make_typed(before, "genie.permute", 1, &value, 1, &attribute,
                                  genie_type_make_static(context, type.dtype, type.rank, dims), out_value);
}

// The weight of a convolution lies channels-last, as tensor cores and libraries read it: a permuted copy that is made
// with the plan, seen through a view that permutes it back.
static genie_status_t turn_weight(packer_t *packer, MlirOperation kernel, MlirOperation conv, MlirValue weight) {
  const MlirValue argument = mlirOperationGetOperand(conv, 1);
  const int rank = genie_value_type(weight).rank;
  int64_t to[GENIE_IR_MAX_RANK], back[GENIE_IR_MAX_RANK];
  channels_innermost(rank, to, back);
  int known = genie_pointer_map_get(&packer->packed_of, weight.ptr);
  if (known < 0) {
    known = packer->count++;
    GENIE_RETURN_IF_ERROR(permute(kernel, weight, to, &packer->packed[known]));
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&packer->packed_of, weight.ptr, known));
  }
  const MlirValue turned = packer->packed[known];
  mlirOperationSetOperand(kernel, mlirBlockArgumentGetArgNumber(argument), turned);
  mlirBlockArgumentSetType(argument, mlirValueGetType(turned));
  MlirValue view;
  GENIE_RETURN_IF_ERROR(permute(mlirBlockGetFirstOperation(mlirOperationGetBlock(conv)), argument, back, &view));
  mlirValueReplaceAllUsesOfWith(argument, view);
  mlirOperationSetOperand(mlirOpResultGetOwner(view), 0, argument);  // it read itself
  return GENIE_OK;
}

static genie_status_t turn_kernel(packer_t *packer, MlirOperation kernel) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    const MlirValue weight = genie_op_is(op, "genie.conv") && genie_ir_i64(op, "groups") == 1
                                 ? packable_weight(kernel, op)
                                 : (MlirValue){NULL};
    if (!mlirValueIsNull(weight) && genie_type_is_static(mlirValueGetType(weight))) {
      return turn_weight(packer, kernel, op, weight);
    }
  }
  return GENIE_OK;
}

static genie_status_t pack_all(packer_t *packer, genie_arena_t *arena) {
  genie_op_list_t list;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(packer->function), arena, &list));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)list.count, sizeof(MlirValue), (void **)&packer->packed));
  for (int i = 0; i < list.count; ++i) {
    if (genie_op_is(list.ops[i], "genie.kernel")) {
      GENIE_RETURN_IF_ERROR(genie_op_is_on(list.ops[i], "cuda") ? turn_kernel(packer, list.ops[i])
                                                                : pack_kernel(packer, list.ops[i]));
    }
  }
  return GENIE_OK;
}

static genie_status_t pack_function(const genie_pass_context_t *context, MlirOperation function) {
  packer_t packer = {.function = function, .is_direct = context->has_direct_convolutions};
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_pointer_map_init(&packer.packed_of);
  const genie_status_t status = pack_all(&packer, &arena);
  genie_pointer_map_deinit(&packer.packed_of);
  genie_arena_deinit(&arena);
  return status;
}

genie_status_t genie_pass_pack(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, pack_function);
}

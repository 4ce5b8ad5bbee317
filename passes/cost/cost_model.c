#include "passes/cost/cost_model.h"

#include <math.h>
#include <string.h>

// ---- The machine ----

typedef struct typical {
  double f32_flops_per_s, f64_flops_per_s, half_flops_per_s;
  double memory_bytes_per_s, cache_bytes_per_s, cache_bytes, launch_ns;
  double
      read_share;  // of the rate of a copy, read plus written, what reads alone reach: a core waits for its own loads
} typical_t;

// One Zen 4 core; one H100.
static const typical_t kTypicalCpu = {1.1e11, 5.5e10, 1.0e11, 4.9e10, 3.5e10, 3.2e7, 300, 0.48};
static const typical_t kTypicalCuda = {5.0e13, 2.5e13, 7.0e14, 3.0e12, 6.0e12, 5.0e7, 1000, 1.0};
static const genie_cost_link_t kTypicalLink = {.bytes_per_s = 1.15e9, .latency_ns = 50000};

static MlirAttribute element(MlirAttribute dictionary, const char *name) {
  return mlirDictionaryAttrGetElementByName(dictionary, mlirStringRefCreateFromCString(name));
}

// Leaves `number` where the dictionary has none of this name.
static genie_status_t read_number(MlirAttribute dictionary, const char *name, double *number, bool *out_is_there) {
  const MlirAttribute value = element(dictionary, name);
  if (out_is_there != NULL) {
    *out_is_there = false;
  }
  if (mlirAttributeIsNull(value)) {
    return GENIE_OK;
  }
  double read = NAN;
  if (mlirAttributeIsAFloat(value)) {
    read = mlirFloatAttrGetValueDouble(value);
  } else if (mlirAttributeIsAInteger(value)) {
    read = (double)mlirIntegerAttrGetValueInt(value);
  }
  if (!(read >= 0) || isinf(read)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'%s' of a place or link must be a number from 0 on", name);
  }
  if (read > 0) {
    *number = read;
    if (out_is_there != NULL) {
      *out_is_there = true;
    }
  }
  return GENIE_OK;
}

static bool string_is(MlirAttribute value, const char *expected) {
  if (mlirAttributeIsNull(value) || !mlirAttributeIsAString(value)) {
    return false;
  }
  const MlirStringRef text = mlirStringAttrGetValue(value);
  return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static void set_typical(genie_cost_place_t *place) {
  const typical_t *typical = place->is_cuda ? &kTypicalCuda : &kTypicalCpu;
  for (int dtype = 0; dtype <= GENIE_DTYPE_BOOL; ++dtype) {
    place->flops_per_s[dtype] = typical->f32_flops_per_s;
  }
  place->flops_per_s[GENIE_DTYPE_F64] = typical->f64_flops_per_s;
  place->flops_per_s[GENIE_DTYPE_F16] = typical->half_flops_per_s;
  place->flops_per_s[GENIE_DTYPE_BF16] = typical->half_flops_per_s;
  place->memory_bytes_per_s = typical->memory_bytes_per_s;
  place->cache_bytes_per_s = typical->cache_bytes_per_s;
  place->cache_bytes = typical->cache_bytes;
  place->launch_ns = typical->launch_ns;
  place->memory_bytes = UINT64_MAX;
}

static genie_status_t read_place(MlirAttribute dictionary, genie_cost_place_t *place) {
  place->is_cuda = !mlirAttributeIsNull(dictionary) && string_is(element(dictionary, "kind"), "cuda");
  set_typical(place);
  if (mlirAttributeIsNull(dictionary)) {
    return GENIE_OK;
  }
  bool has_memory = false;
  bool has_f32 = false;
  double memory = 0;
  bool has_size = false;
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "memory_bytes_per_s", &place->memory_bytes_per_s, &has_memory));
  if (has_memory) {
    const typical_t *typical = place->is_cuda ? &kTypicalCuda : &kTypicalCpu;
    place->cache_bytes_per_s = place->memory_bytes_per_s * typical->cache_bytes_per_s / typical->memory_bytes_per_s;
  }
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "cache_bytes_per_s", &place->cache_bytes_per_s, NULL));
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "cache_bytes", &place->cache_bytes, NULL));
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "launch_ns", &place->launch_ns, NULL));
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "memory_bytes", &memory, &has_size));
  if (has_size) {
    place->memory_bytes = memory < 1.8e19 ? (uint64_t)memory : UINT64_MAX;
  }
  const MlirAttribute flops = element(dictionary, "flops");
  if (!mlirAttributeIsNull(flops) && mlirAttributeIsADictionary(flops)) {
    for (int dtype = 1; dtype <= GENIE_DTYPE_BOOL; ++dtype) {
      bool is_there = false;
      GENIE_RETURN_IF_ERROR(
          read_number(flops, genie_dtype_name((genie_dtype_t)dtype), &place->flops_per_s[dtype], &is_there));
      has_f32 = has_f32 || (is_there && dtype == GENIE_DTYPE_F32);
    }
  }
  place->is_measured = has_memory && has_f32;
  return GENIE_OK;
}

static genie_status_t read_link(MlirAttribute dictionary, genie_cost_machine_t *machine) {
  double from = -2;
  double to = -2;
  genie_cost_link_t link = kTypicalLink;
  const MlirAttribute from_value = element(dictionary, "from");
  const MlirAttribute to_value = element(dictionary, "to");
  if (!mlirAttributeIsNull(from_value) && mlirAttributeIsAInteger(from_value)) {
    from = (double)mlirIntegerAttrGetValueInt(from_value);
  }
  if (!mlirAttributeIsNull(to_value) && mlirAttributeIsAInteger(to_value)) {
    to = (double)mlirIntegerAttrGetValueInt(to_value);
  }
  if (from < -1 || to < -1 || from >= machine->place_count || to >= machine->place_count || from == to) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "a link of 'genie.links' must join two places, or a place and the client");
  }
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "bytes_per_s", &link.bytes_per_s, &link.is_measured));
  GENIE_RETURN_IF_ERROR(read_number(dictionary, "latency_ns", &link.latency_ns, NULL));
  genie_cost_link_t *slot = from < 0 ? &machine->from_client[(int)to]
                            : to < 0 ? &machine->to_client[(int)from]
                                     : &machine->links[(int)from][(int)to];
  *slot = link;
  return GENIE_OK;
}

genie_status_t genie_cost_machine_read(MlirModule module, genie_cost_machine_t *out_machine) {
  memset(out_machine, 0, sizeof(*out_machine));
  const MlirOperation op = mlirModuleGetOperation(module);
  const MlirAttribute places = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("genie.places"));
  const MlirAttribute links = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("genie.links"));
  const bool has_places = !mlirAttributeIsNull(places) && mlirAttributeIsAArray(places);
  const intptr_t count = has_places ? mlirArrayAttrGetNumElements(places) : 1;
  if (count < 1 || count > GENIE_COST_MAX_PLACES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "costs of %d places: 1 to %d are possible", (int)count,
                             GENIE_COST_MAX_PLACES);
  }
  out_machine->place_count = (int)count;
  for (intptr_t i = 0; i < count; ++i) {
    const MlirAttribute place = has_places ? mlirArrayAttrGetElement(places, i) : (MlirAttribute){NULL};
    if (!mlirAttributeIsNull(place) && !mlirAttributeIsADictionary(place)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.places' must hold dictionaries");
    }
    GENIE_RETURN_IF_ERROR(read_place(place, &out_machine->places[i]));
    for (intptr_t k = 0; k < count; ++k) {
      out_machine->links[i][k] = kTypicalLink;
    }
    out_machine->from_client[i] = out_machine->to_client[i] = kTypicalLink;
  }
  for (intptr_t i = 0;
       !mlirAttributeIsNull(links) && mlirAttributeIsAArray(links) && i < mlirArrayAttrGetNumElements(links); ++i) {
    const MlirAttribute link = mlirArrayAttrGetElement(links, i);
    if (!mlirAttributeIsADictionary(link)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.links' must hold dictionaries");
    }
    GENIE_RETURN_IF_ERROR(read_link(link, out_machine));
  }
  return GENIE_OK;
}

// ---- Work ----

static double dim_bound(MlirOperation op, MlirAffineExpr dim) {
  int64_t minimum = 0;
  int64_t maximum = 0;
  genie_dim_bounds(op, dim, &minimum, &maximum);
  return (double)maximum;
}

// Rows of a product below which its weight is streamed once for all of them.
static const double kThinRows = 8;
// Keys, and queries, below which attention does not fill its tiles.
static const double kShortAttention = 48;
// Channels of an image below which a convolution does not fill its tiles.
static const double kNarrowChannels = 8;
// Rows or columns of a product below which its tiles are mostly edges.
static const double kSmallProduct = 32;

static genie_cost_class_t class_of_product(MlirOperation op) {
  const genie_tensor_type_t lhs = genie_value_type(mlirOperationGetOperand(op, 0));
  const genie_tensor_type_t out = genie_value_type(mlirOperationGetResult(op, 0));
  double rows = 1;
  for (int i = 0; i + 1 < lhs.rank; ++i) {
    rows *= dim_bound(op, lhs.dims[i]);
  }
  if (genie_op_is(op, "genie.linear")) {
    return rows <= kThinRows ? GENIE_COST_CLASS_MATMUL_THIN : GENIE_COST_CLASS_MATMUL;
  }
  const double m = out.rank >= 2 ? dim_bound(op, out.dims[out.rank - 2]) : 1;
  const double n = out.rank >= 1 ? dim_bound(op, out.dims[out.rank - 1]) : 1;
  return m < kSmallProduct || n < kSmallProduct ? GENIE_COST_CLASS_MATMUL_SMALL : GENIE_COST_CLASS_MATMUL;
}

static genie_cost_class_t class_of_conv(MlirOperation op) {
  const genie_tensor_type_t weight = genie_value_type(genie_ir_operand(op, "weight"));
  const double channels = dim_bound(op, weight.dims[1]);
  if (channels == 1 && genie_ir_i64(op, "groups") > 1) {
    return GENIE_COST_CLASS_CONV_DEPTHWISE;
  }
  return channels < kNarrowChannels ? GENIE_COST_CLASS_CONV_NARROW : GENIE_COST_CLASS_CONV;
}

static genie_cost_class_t class_of_attention(MlirOperation op) {
  const genie_tensor_type_t query = genie_value_type(genie_ir_operand(op, "query"));
  const genie_tensor_type_t value = genie_value_type(genie_ir_operand(op, "value"));
  const double queries = dim_bound(op, query.dims[query.rank - 2]);
  const double keys = dim_bound(op, value.dims[value.rank - 2]);
  return queries < kShortAttention || keys < kShortAttention ? GENIE_COST_CLASS_ATTENTION_SHORT
                                                             : GENIE_COST_CLASS_ATTENTION;
}

// MOVE for all whose time is that of their bytes.
static genie_cost_class_t class_of(MlirOperation op) {
  if (genie_op_has_rule(op, "gemm")) {
    return class_of_product(op);
  }
  if (genie_op_is(op, "genie.conv")) {
    return class_of_conv(op);
  }
  if (genie_op_has_rule(op, "conv")) {
    return GENIE_COST_CLASS_CONV;
  }
  if (genie_op_has_rule(op, "attention")) {
    return class_of_attention(op);
  }
  if (genie_op_has_rule(op, "recurrent")) {
    return GENIE_COST_CLASS_RECURRENT;
  }
  return genie_op_has_rule(op, "row") ? GENIE_COST_CLASS_ROW : GENIE_COST_CLASS_MOVE;
}

// Whether `op` reads of its first operand only what it picks.
static bool picks(MlirOperation op) {
  return genie_op_is(op, "genie.embedding") || genie_op_is(op, "genie.embedding_bag") ||
         genie_op_is(op, "genie.take") || genie_op_is(op, "genie.gather") || genie_op_is(op, "genie.index");
}

// Whether a value lies in memory before the call: a weight, what follows from weights, or state.
static bool is_resident(MlirValue value) {
  if (genie_ir_is_compile_time(value)) {
    return true;
  }
  if (!mlirValueIsABlockArgument(value)) {
    return false;
  }
  const MlirOperation function = mlirBlockGetParentOperation(mlirBlockArgumentGetOwner(value));
  MlirStringRef name;
  return genie_op_is(function, "func.func") &&
         genie_ir_argument_role(function, mlirBlockArgumentGetArgNumber(value), &name) == GENIE_IR_ARGUMENT_STATE;
}

// The op inside of `kernel` that picks from operand `index`; null where the operand is read whole.
static MlirOperation picker_inside(MlirOperation kernel, intptr_t index) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
  const MlirOpOperand use = mlirValueGetFirstUse(mlirBlockGetArgument(body, index));
  if (!mlirOpOperandIsNull(use) && mlirOpOperandGetOperandNumber(use) == 0 && picks(mlirOpOperandGetOwner(use))) {
    return mlirOpOperandGetOwner(use);
  }
  return (MlirOperation){NULL};
}

static void add_operand(MlirOperation op, intptr_t index, genie_cost_work_t *work) {
  const MlirValue value = mlirOperationGetOperand(op, index);
  const bool is_kernel = genie_op_is(op, "genie.kernel");
  const MlirOperation picker = is_kernel                 ? picker_inside(op, index)
                               : index == 0 && picks(op) ? op
                                                         : (MlirOperation){NULL};
  const double bytes = mlirOperationIsNull(picker)
                           ? genie_value_maximum_bytes(op, value)
                           : genie_value_maximum_bytes(picker, mlirOperationGetResult(picker, 0));
  *(is_resident(value) ? &work->weight_bytes : &work->other_bytes) += bytes;
}

static double elements_of(MlirOperation op, MlirValue value) {
  return genie_value_maximum_bytes(op, value) / (double)genie_dtype_bytes(genie_value_type(value).dtype);
}

static void add_flops(MlirOperation op, genie_cost_work_t *work) {
  const genie_cost_class_t class = class_of(op);
  if (class == GENIE_COST_CLASS_MOVE) {
    return;
  }
  const double flops = genie_op_cost(op).flops;
  if (genie_op_has_rule(op, "gemm") || genie_op_has_rule(op, "conv")) {
    work->depth = fmax(work->depth, flops / (2 * elements_of(op, mlirOperationGetResult(op, 0))));
  }
  if (flops >= work->flops) {
    work->class = class;
    work->dtype = genie_value_type(mlirOperationGetOperand(op, 0)).dtype;
  }
  work->flops += flops;
}

genie_cost_work_t genie_cost_work_of(MlirOperation op) {
  genie_cost_work_t work = {.class = GENIE_COST_CLASS_MOVE, .dtype = GENIE_DTYPE_F32};
  if (genie_op_info_get(op) == NULL || genie_op_has_rule(op, "view")) {
    return work;
  }
  if (genie_op_is(op, "genie.kernel")) {
    const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
    for (MlirOperation inner = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(inner);
         inner = mlirOperationGetNextInBlock(inner)) {
      add_flops(inner, &work);
    }
  } else {
    add_flops(op, &work);
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    add_operand(op, i, &work);
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    work.other_bytes += genie_value_maximum_bytes(op, mlirOperationGetResult(op, i));
  }
  return work;
}

// A block of a GPU adds 64 terms of a sum in about 90 ns, one load and one instruction of the tensor cores behind
// another.
static const double kStepNs = 1.4;

static const struct {
  double cpu, cuda, fill_ns;
} kClasses[] = {
#define GENIE_COST_CLASS(enumerator, cpu, cuda, fill, summary) {cpu, cuda, fill},
#include "passes/cost/work_class.def"
#undef GENIE_COST_CLASS
};

// What does not fit into half of a GPU's cache comes from its memory.
static double other_rate(const genie_cost_place_t *place, double bytes) {
  return place->is_cuda && 2 * bytes > kTypicalCuda.cache_bytes ? place->memory_bytes_per_s : place->cache_bytes_per_s;
}

double genie_cost_work_ns(const genie_cost_place_t *place, const genie_cost_work_t *work, double resident_bytes) {
  const double efficiency = place->is_cuda ? kClasses[work->class].cuda : kClasses[work->class].cpu;
  const bool is_cached = resident_bytes <= place->cache_bytes;
  const double compute_s = work->flops / (place->flops_per_s[work->dtype] * efficiency);
  const double read_share = place->is_cuda ? kTypicalCuda.read_share : kTypicalCpu.read_share;
  const double weights_s =
      work->weight_bytes / (is_cached ? 3 * place->cache_bytes_per_s : read_share * place->memory_bytes_per_s);
  const double other_s = work->other_bytes / other_rate(place, work->other_bytes);
  const double least_ns = place->is_cuda ? kClasses[work->class].fill_ns + kStepNs * work->depth : 0;
  return place->launch_ns + fmax(least_ns, 1e9 * fmax(compute_s, fmax(weights_s, other_s)));
}

double genie_cost_transfer_ns(const genie_cost_machine_t *machine, int from, int to, double size_bytes) {
  const genie_cost_link_t *link = &machine->links[from][to];
  return from == to ? 0 : link->latency_ns + 1e9 * size_bytes / link->bytes_per_s;
}

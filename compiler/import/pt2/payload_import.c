// Parameters, buffers and constants: symbols that name bytes of the archive, and small literals.
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/importer_state.h"
#include "runtime/base/checked_math.h"

// Where a tensor's elements are.
typedef struct extent {
  genie_dtype_t dtype;
  int rank;
  int64_t dims[GENIE_IR_MAX_RANK], strides[GENIE_IR_MAX_RANK];
  int64_t element_count;
  uint64_t offset;  // of the first element in the archive
  uint64_t bytes;   // from the first element to the end of the last
} extent_t;

static genie_status_t refuse(const pt2_importer_t *im, const genie_pt2_payload_t *payload, const char *what) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: tensor '%.120s': %s; export the model again",
                           genie_pt2_archive_path(im->program->archive), payload->name, what);
}

// Checks that every element lies inside the member.
static genie_status_t extent_of(pt2_importer_t *im, const genie_pt2_payload_t *payload, extent_t *out_extent) {
  if (payload->is_pickled) {
    return genie_status_make(
        GENIE_STATUS_UNIMPLEMENTED,
        "%s: '%.120s' is a pickled object (tensor subclass or custom class), which is never executed; "
        "export plain tensors",
        genie_pt2_archive_path(im->program->archive), payload->name);
  }
  genie_tensor_type_t type;
  GENIE_RETURN_IF_ERROR(pt2_type_of_meta(im, &payload->meta, false, &type));
  char member_name[256];
  if (snprintf(member_name, sizeof member_name, "%s/%s", payload->folder, payload->member) >= (int)sizeof member_name) {
    return refuse(im, payload, "its member's name is too long");
  }
  genie_pt2_member_t member;
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_locate(im->program->archive, member_name, &member));
  *out_extent = (extent_t){.dtype = type.dtype, .rank = type.rank, .element_count = 1};
  int64_t last = 0, first = payload->meta.storage_offset.value;
  const int64_t width = (int64_t)genie_dtype_bytes(type.dtype);
  if (payload->meta.storage_offset.expression != NULL || first < 0) {
    return refuse(im, payload, "its storage offset is no number");
  }
  for (int i = 0; i < type.rank; ++i) {
    int64_t reach;
    if (!genie_dim_is_constant(type.dims[i], &out_extent->dims[i]) || payload->meta.strides[i].expression != NULL ||
        payload->meta.strides[i].value < 0) {
      return refuse(im, payload, "its size or stride is no number");
    }
    out_extent->strides[i] = payload->meta.strides[i].value;
    if (!genie_checked_mul_i64(out_extent->element_count, out_extent->dims[i], &out_extent->element_count) ||
        !genie_checked_mul_i64(out_extent->dims[i] > 0 ? out_extent->dims[i] - 1 : 0, out_extent->strides[i], &reach) ||
        !genie_checked_add_i64(last, reach, &last)) {
      return refuse(im, payload, "its size overflows");
    }
  }
  int64_t bytes = 0, offset;
  if (!genie_checked_mul_i64(out_extent->element_count > 0 ? last + 1 : 0, width, &bytes) ||
      !genie_checked_mul_i64(first, width, &offset) || (uint64_t)offset > member.size_bytes ||
      (uint64_t)bytes > member.size_bytes - (uint64_t)offset) {
    return refuse(im, payload, "it reaches beyond its bytes");
  }
  out_extent->offset = member.offset + (uint64_t)offset;
  out_extent->bytes = (uint64_t)bytes;
  return GENIE_OK;
}

//===-- Symbols ---------------------------------------------------------------------------------------------------===//

static MlirAttribute attribute_of(MlirOperation op, const char *name) {
  return mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
}

static MlirBlock module_body(const pt2_importer_t *im) {
  return mlirModuleGetBody(im->module);
}

// The symbol op called `name`, or null.
static MlirOperation symbol_find(const pt2_importer_t *im, const char *name) {
  return mlirSymbolTableLookup(im->symbols_of_module.table, mlirStringRefCreateFromCString(name));
}

// Attributes are uniqued: weights that name the same bytes in the same way have one place.
static MlirAttribute place_of(MlirOperation weight) {
  const MlirAttribute parts[] = {attribute_of(weight, "file"), attribute_of(weight, "offset"),
                                 attribute_of(weight, "strides"), attribute_of(weight, "type")};
  return mlirArrayAttrGet(mlirOperationGetContext(weight), sizeof parts / sizeof parts[0], parts);
}

static genie_status_t note_weight(pt2_importer_t *im, MlirOperation weight) {
  pt2_module_symbols_t *symbols = &im->symbols_of_module;
  if (symbols->weight_count == symbols->weight_capacity) {
    const int capacity = symbols->weight_capacity == 0 ? 256 : 2 * symbols->weight_capacity;
    void *weights = NULL;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(&im->arena, (size_t)capacity, sizeof(MlirOperation), &weights));
    if (symbols->weight_count > 0) {
      memcpy(weights, symbols->weights, (size_t)symbols->weight_count * sizeof(MlirOperation));
    }
    symbols->weights = weights;
    symbols->weight_capacity = capacity;
  }
  const void *place = place_of(weight).ptr;
  if (genie_pointer_map_get(&symbols->weight_of_place, place) < 0) {
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&symbols->weight_of_place, place, symbols->weight_count));
  }
  symbols->weights[symbols->weight_count++] = weight;
  return GENIE_OK;
}

// The weight at a place, or null.
static MlirOperation weight_find(const pt2_importer_t *im, MlirAttribute place) {
  const int index = genie_pointer_map_get(&im->symbols_of_module.weight_of_place, place.ptr);
  return index < 0 ? (MlirOperation){NULL} : im->symbols_of_module.weights[index];
}

genie_status_t pt2_module_symbols_init(pt2_importer_t *im) {
  im->symbols_of_module = (pt2_module_symbols_t){.table = mlirSymbolTableCreate(mlirModuleGetOperation(im->module))};
  genie_pointer_map_init(&im->symbols_of_module.weight_of_place);
  for (MlirOperation op = mlirBlockGetFirstOperation(module_body(im)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.weight")) {
      GENIE_RETURN_IF_ERROR(note_weight(im, op));
    }
  }
  return GENIE_OK;
}

void pt2_module_symbols_deinit(pt2_importer_t *im) {
  genie_pointer_map_deinit(&im->symbols_of_module.weight_of_place);
  mlirSymbolTableDestroy(im->symbols_of_module.table);
}

static genie_status_t copy_symbol(pt2_importer_t *im, MlirOperation op, const char **out_symbol) {
  const MlirStringRef name = mlirStringAttrGetValue(attribute_of(op, "sym_name"));
  char *copy;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&im->arena, name.data, name.length, &copy));
  *out_symbol = copy;
  return GENIE_OK;
}

// True when the bytes of `op`, a dense weight of another archive, equal those of `payload`: prefill and decode of one
// model are two exports of the same weights.
static bool has_equal_bytes(const pt2_importer_t *im, MlirOperation op, const extent_t *extent) {
  enum { CHUNK_BYTES = 1 << 20 };
  const MlirStringRef path = mlirStringAttrGetValue(attribute_of(op, "file"));
  char path_text[4096];
  if (path.length >= sizeof path_text) {
    return false;
  }
  memcpy(path_text, path.data, path.length);
  path_text[path.length] = '\0';
  FILE *file = fopen(path_text, "rb");
  char *mine = malloc(CHUNK_BYTES), *other = malloc(CHUNK_BYTES);
  bool is_equal =
      file != NULL && mine != NULL && other != NULL && fseeko(file, genie_ir_i64(op, "offset"), SEEK_SET) == 0;
  for (uint64_t done = 0; is_equal && done < extent->bytes; done += CHUNK_BYTES) {
    const size_t length = extent->bytes - done < CHUNK_BYTES ? extent->bytes - done : CHUNK_BYTES;
    const genie_status_t status = genie_pt2_archive_read_at(im->program->archive, extent->offset + done, length, mine);
    is_equal = status == GENIE_OK && fread(other, 1, length, file) == length && memcmp(mine, other, length) == 0;
    genie_status_free(status);
  }
  free(mine);
  free(other);
  if (file != NULL) {
    fclose(file);
  }
  return is_equal;
}

// A name that the module does not have: `wanted`, or with the entry's name and a number behind it.
static void unique_name(const pt2_importer_t *im, const char *wanted, size_t capacity, char *out_name) {
  snprintf(out_name, capacity, "%s", wanted);
  for (int i = 0; !mlirOperationIsNull(symbol_find(im, out_name)); ++i) {
    snprintf(out_name, capacity, "%.200s.%.100s%.0d", wanted, im->options->entry != NULL ? im->options->entry : "main",
             i);
  }
}

static genie_ir_builder_t module_builder(const pt2_importer_t *im) {
  return (genie_ir_builder_t){.context = im->builder.context,
                              .block = module_body(im),
                              .before = im->function,
                              .location = mlirLocationUnknownGet(im->builder.context)};
}

static MlirAttribute strides_attribute(const pt2_importer_t *im, const extent_t *extent) {
  return genie_ir_i64_array_attr(im->builder.context, extent->rank, extent->strides);
}

genie_status_t pt2_import_weight(pt2_importer_t *im, const genie_pt2_payload_t *payload, MlirType *out_type,
                                 const char **out_symbol) {
  extent_t extent;
  GENIE_RETURN_IF_ERROR(extent_of(im, payload, &extent));
  const MlirContext context = im->builder.context;
  *out_type = genie_type_make_static(context, extent.dtype, extent.rank, extent.dims);
  const MlirAttribute strides = strides_attribute(im, &extent);
  const MlirAttribute file = genie_ir_string_attr(context, genie_pt2_archive_path(im->program->archive));
  const MlirAttribute offset = genie_ir_i64_attr(context, (int64_t)extent.offset);
  const MlirAttribute place[] = {file, offset, strides, mlirTypeAttrGet(*out_type)};
  MlirOperation known = weight_find(im, mlirArrayAttrGet(context, sizeof place / sizeof place[0], place));
  if (!mlirOperationIsNull(known)) {
    return copy_symbol(im, known, out_symbol);
  }
  known = symbol_find(im, payload->name);
  if (!mlirOperationIsNull(known) && genie_op_is(known, "genie.weight") &&
      mlirTypeEqual(mlirTypeAttrGetValue(attribute_of(known, "type")), *out_type) &&
      mlirAttributeEqual(attribute_of(known, "strides"), strides) && has_equal_bytes(im, known, &extent)) {
    return copy_symbol(im, known, out_symbol);
  }
  char name[512];
  unique_name(im, payload->name, sizeof name, name);
  const genie_ir_attribute_t attributes[] = {
      {"sym_name", genie_ir_string_attr(context, name)},
      {"type", mlirTypeAttrGet(*out_type)},
      {"file", file},
      {"offset", offset},
      {"strides", strides},
  };
  const genie_ir_builder_t builder = module_builder(im);
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(
      genie_ir_build(&builder, "genie.weight", 0, NULL, sizeof attributes / sizeof attributes[0], attributes, &op));
  mlirSymbolTableInsert(im->symbols_of_module.table, op);
  GENIE_RETURN_IF_ERROR(note_weight(im, op));
  return copy_symbol(im, op, out_symbol);
}

genie_status_t pt2_import_state(pt2_importer_t *im, const genie_pt2_payload_t *payload, MlirType *out_type,
                                const char **out_symbol) {
  const MlirContext context = im->builder.context;
  char state_name[400];
  snprintf(state_name, sizeof state_name, "state.%.380s", payload->name);
  const MlirOperation known = symbol_find(im, state_name);
  if (!mlirOperationIsNull(known)) {
    *out_type = mlirTypeAttrGetValue(attribute_of(known, "type"));
    return copy_symbol(im, known, out_symbol);
  }
  const char *initial;
  GENIE_RETURN_IF_ERROR(pt2_import_weight(im, payload, out_type, &initial));
  const genie_ir_attribute_t attributes[] = {
      {"sym_name", genie_ir_string_attr(context, state_name)},
      {"type", mlirTypeAttrGet(*out_type)},
      {"initial", mlirFlatSymbolRefAttrGet(context, mlirStringRefCreateFromCString(initial))},
  };
  const genie_ir_builder_t builder = module_builder(im);
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(
      genie_ir_build(&builder, "genie.state", 0, NULL, sizeof attributes / sizeof attributes[0], attributes, &op));
  mlirSymbolTableInsert(im->symbols_of_module.table, op);
  return copy_symbol(im, op, out_symbol);
}

//===-- Literals --------------------------------------------------------------------------------------------------===//

// The elements in row-major order, packed.
static genie_status_t read_elements(const pt2_importer_t *im, const extent_t *extent, uint8_t *out_bytes) {
  const size_t width = genie_dtype_bytes(extent->dtype);
  for (int64_t i = 0; i < extent->element_count; ++i) {
    int64_t rest = i, at = 0;
    for (int axis = extent->rank - 1; axis >= 0; --axis) {
      at += rest % extent->dims[axis] * extent->strides[axis];
      rest /= extent->dims[axis];
    }
    GENIE_RETURN_IF_ERROR(genie_pt2_archive_read_at(im->program->archive, extent->offset + (uint64_t)at * width, width,
                                                    out_bytes + (size_t)i * width));
  }
  return GENIE_OK;
}

static MlirAttribute elements_attribute(MlirType type, const extent_t *extent, const uint8_t *bytes) {
  if (extent->dtype == GENIE_DTYPE_BOOL) {
    int values[PT2_MAX_CONSTANT_ELEMENTS];
    for (int64_t i = 0; i < extent->element_count; ++i) {
      values[i] = bytes[i] != 0;
    }
    return mlirDenseElementsAttrBoolGet(type, extent->element_count, values);
  }
  return mlirDenseElementsAttrRawBufferGet(type, (size_t)extent->element_count * genie_dtype_bytes(extent->dtype),
                                           bytes);
}

genie_status_t pt2_import_constant(pt2_importer_t *im, const genie_pt2_payload_t *payload, MlirValue *out_value) {
  *out_value = (MlirValue){NULL};
  extent_t extent;
  GENIE_RETURN_IF_ERROR(extent_of(im, payload, &extent));
  if (extent.element_count > PT2_MAX_CONSTANT_ELEMENTS || extent.element_count == 0) {
    return GENIE_OK;
  }
  uint8_t bytes[PT2_MAX_CONSTANT_ELEMENTS * 8];
  GENIE_RETURN_IF_ERROR(read_elements(im, &extent, bytes));
  const MlirType type = genie_type_make_static(im->builder.context, extent.dtype, extent.rank, extent.dims);
  const genie_ir_attribute_t attribute = {"value", elements_attribute(type, &extent, bytes)};
  MlirOperation op;
  GENIE_RETURN_IF_ERROR(genie_ir_build_typed(&im->builder, "genie.constant", 0, NULL, 1, &attribute, 1, &type, &op));
  *out_value = mlirOperationGetResult(op, 0);
  return GENIE_OK;
}

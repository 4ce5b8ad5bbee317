// The safetensors format: a little-endian u64 header length, a JSON header that maps names to dtype, shape and offsets,
// then the data.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/output_file.h"
#include "runtime/base/string_builder.h"
#include "tools/tensor_file/tensor_file.h"

enum { kLengthBytes = 8, kMaxHeaderBytes = 100 * 1000 * 1000, kMaxNameBytes = 200 };

static const struct {
  const char *name;
  genie_dtype_t dtype;
} kDtypes[] = {
    {"F32", GENIE_DTYPE_F32}, {"F64", GENIE_DTYPE_F64},   {"F16", GENIE_DTYPE_F16}, {"BF16", GENIE_DTYPE_BF16},
    {"I8", GENIE_DTYPE_I8},   {"I16", GENIE_DTYPE_I16},   {"I32", GENIE_DTYPE_I32}, {"I64", GENIE_DTYPE_I64},
    {"U8", GENIE_DTYPE_U8},   {"BOOL", GENIE_DTYPE_BOOL},
};
enum { kDtypeCount = sizeof(kDtypes) / sizeof(kDtypes[0]) };

#define BAD(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "safetensors: " __VA_ARGS__)

// ---- Reading ----

static genie_status_t parse_dtype(const char *tensor, const json_t *value, genie_dtype_t *out_dtype) {
  const char *name = json_string_value(value);
  if (name == NULL) {
    return BAD("tensor '%.*s' has no dtype", kMaxNameBytes, tensor);
  }
  for (int i = 0; i < kDtypeCount; ++i) {
    if (strcmp(kDtypes[i].name, name) == 0) {
      *out_dtype = kDtypes[i].dtype;
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "safetensors: tensor '%.*s' has dtype '%.32s', which Genie lacks", kMaxNameBytes, tensor,
                           name);
}

static genie_status_t parse_shape(const char *name, const json_t *value, genie_tensor_t *tensor) {
  const size_t rank = json_array_size(value);
  if (!json_is_array(value) || rank > GENIE_MAX_RANK) {
    return BAD("tensor '%.*s' has no shape of at most %d dimensions", kMaxNameBytes, name, GENIE_MAX_RANK);
  }
  tensor->rank = (int32_t)rank;
  for (size_t i = 0; i < rank; ++i) {
    const json_t *dim = json_array_get(value, i);
    if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
      return BAD("tensor '%.*s': dimension %zu is not a size", kMaxNameBytes, name, i);
    }
    tensor->shape[i] = json_integer_value(dim);
  }
  return GENIE_OK;
}

static genie_status_t parse_offsets(const char *name, const json_t *value, const uint8_t *data, uint64_t data_bytes,
                                    genie_tensor_t *tensor) {
  const json_t *begin = json_array_get(value, 0);
  const json_t *end = json_array_get(value, 1);
  if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end)) {
    return BAD("tensor '%.*s' has no data_offsets", kMaxNameBytes, name);
  }
  const json_int_t first = json_integer_value(begin);
  const json_int_t last = json_integer_value(end);
  if (first < 0 || last < first || (uint64_t)last > data_bytes) {
    return BAD("tensor '%.*s': bytes %lld to %lld are outside the file's %llu of data", kMaxNameBytes, name,
               (long long)first, (long long)last, (unsigned long long)data_bytes);
  }
  uint64_t bytes = 0;
  if (!genie_tensor_byte_count(tensor, &bytes) || bytes != (uint64_t)(last - first)) {
    return BAD("tensor '%.*s': its shape and dtype do not take the %lld bytes of its data", kMaxNameBytes, name,
               (long long)(last - first));
  }
  tensor->data = (void *)(data + first);
  return GENIE_OK;
}

static genie_status_t parse_tensor(const char *name, const json_t *value, const uint8_t *data, uint64_t data_bytes,
                                   genie_arena_t *arena, genie_named_tensor_t *out_tensor) {
  if (!json_is_object(value)) {
    return BAD("tensor '%.*s' is not described by an object", kMaxNameBytes, name);
  }
  genie_tensor_t *tensor = &out_tensor->tensor;
  GENIE_RETURN_IF_ERROR(parse_dtype(name, json_object_get(value, "dtype"), &tensor->dtype));
  GENIE_RETURN_IF_ERROR(parse_shape(name, json_object_get(value, "shape"), tensor));
  GENIE_RETURN_IF_ERROR(parse_offsets(name, json_object_get(value, "data_offsets"), data, data_bytes, tensor));
  char *copy = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, name, strlen(name), &copy));
  out_tensor->name = copy;
  return GENIE_OK;
}

static genie_status_t parse_header(json_t *header, const uint8_t *data, uint64_t data_bytes, genie_arena_t *arena,
                                   genie_tensor_set_t *out_set) {
  void *tensors = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, json_object_size(header), sizeof(*out_set->tensors), &tensors));
  *out_set = (genie_tensor_set_t){.tensors = tensors};
  const char *name = NULL;
  json_t *value = NULL;
  json_object_foreach(header, name, value) {
    if (strcmp(name, "__metadata__") != 0) {
      GENIE_RETURN_IF_ERROR(parse_tensor(name, value, data, data_bytes, arena, &out_set->tensors[out_set->count]));
      ++out_set->count;
    }
  }
  return GENIE_OK;
}

static uint64_t read_u64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8 | bytes[i];
  }
  return value;
}

genie_status_t genie_safetensors_parse(const void *bytes, uint64_t size_bytes, genie_arena_t *arena,
                                       genie_tensor_set_t *out_set) {
  const uint8_t *file = bytes;
  if (size_bytes < kLengthBytes) {
    return BAD("%llu bytes are no file", (unsigned long long)size_bytes);
  }
  const uint64_t header_bytes = read_u64(file);
  if (header_bytes > size_bytes - kLengthBytes || header_bytes > kMaxHeaderBytes) {
    return BAD("the header's length is %llu in a file of %llu bytes", (unsigned long long)header_bytes,
               (unsigned long long)size_bytes);
  }
  json_error_t error;
  json_t *header = json_loadb((const char *)file + kLengthBytes, header_bytes, JSON_REJECT_DUPLICATES, &error);
  if (header == NULL) {
    return BAD("the header is not JSON: %s at byte %d", error.text, error.position);
  }
  const uint8_t *data = file + kLengthBytes + header_bytes;
  const genie_status_t status =
      json_is_object(header) ? parse_header(header, data, size_bytes - kLengthBytes - header_bytes, arena, out_set)
                             : BAD("the header is not a JSON object");
  json_decref(header);
  return status;
}

// ---- Writing ----

// Larger elements first, so that every tensor is aligned to its element; then by name.
static int compare_tensors(const void *a, const void *b) {
  const genie_named_tensor_t *lhs = *(const genie_named_tensor_t *const *)a;
  const genie_named_tensor_t *rhs = *(const genie_named_tensor_t *const *)b;
  const size_t lhs_bytes = genie_dtype_bytes(lhs->tensor.dtype);
  const size_t rhs_bytes = genie_dtype_bytes(rhs->tensor.dtype);
  return lhs_bytes != rhs_bytes ? (lhs_bytes > rhs_bytes ? -1 : 1) : strcmp(lhs->name, rhs->name);
}

static json_t *dtype_json(genie_dtype_t dtype) {
  for (int i = 0; i < kDtypeCount; ++i) {
    if (kDtypes[i].dtype == dtype) {
      return json_string(kDtypes[i].name);
    }
  }
  return NULL;
}

static json_t *tensor_json(const genie_tensor_t *tensor, uint64_t begin, uint64_t end) {
  json_t *shape = json_array();
  for (int32_t i = 0; i < tensor->rank; ++i) {
    json_array_append_new(shape, json_integer(tensor->shape[i]));
  }
  return json_pack("{s:o, s:o, s:[I, I]}", "dtype", dtype_json(tensor->dtype), "shape", shape, "data_offsets",
                   (json_int_t)begin, (json_int_t)end);
}

// The header as text, padded with spaces so that the data starts on 8 bytes.
static genie_status_t make_header(const genie_named_tensor_t *const *tensors, size_t count,
                                  genie_string_builder_t *out_text) {
  json_t *header = json_object();
  uint64_t offset = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t bytes = 0;
    if (!genie_tensor_byte_count(&tensors[i]->tensor, &bytes) ||
        json_object_set_new(header, tensors[i]->name, tensor_json(&tensors[i]->tensor, offset, offset + bytes)) != 0) {
      json_decref(header);
      return BAD("tensor '%.*s' cannot be written: its name is not UTF-8, or its shape is too large", kMaxNameBytes,
                 tensors[i]->name);
    }
    offset += bytes;
  }
  char *text = json_dumps(header, JSON_COMPACT);
  json_decref(header);
  if (text == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a safetensors header");
  }
  genie_string_builder_append(out_text, text, strlen(text));
  free(text);
  while (out_text->length % kLengthBytes != 0 && !out_text->has_failed) {
    genie_string_builder_append(out_text, " ", 1);
  }
  return genie_string_builder_status(out_text);
}

static genie_status_t write_file(genie_output_file_t *file, const genie_string_builder_t *header,
                                 const genie_named_tensor_t *const *tensors, size_t count) {
  uint8_t length[kLengthBytes];
  for (int i = 0; i < kLengthBytes; ++i) {
    length[i] = (uint8_t)((uint64_t)header->length >> (8 * i));
  }
  GENIE_RETURN_IF_ERROR(genie_output_file_write(file, length, sizeof(length)));
  GENIE_RETURN_IF_ERROR(genie_output_file_write(file, header->text, header->length));
  for (size_t i = 0; i < count; ++i) {
    uint64_t bytes = 0;
    (void)genie_tensor_byte_count(&tensors[i]->tensor, &bytes);
    GENIE_RETURN_IF_ERROR(genie_output_file_write(file, tensors[i]->tensor.data, bytes));
  }
  return genie_output_file_commit(file);
}

genie_status_t genie_safetensors_write(const char *path, const genie_tensor_set_t *set, genie_allocator_t allocator) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, set->count, sizeof(void *), &memory));
  const genie_named_tensor_t **sorted = memory;
  for (size_t i = 0; i < set->count; ++i) {
    sorted[i] = &set->tensors[i];
  }
  qsort(sorted, set->count, sizeof(*sorted), compare_tensors);
  genie_string_builder_t header;
  genie_output_file_t file = {.file = -1};
  genie_string_builder_init(allocator, &header);
  genie_status_t status = GENIE_OK;
  GENIE_GOTO_IF_ERROR(make_header(sorted, set->count, &header));
  GENIE_GOTO_IF_ERROR(genie_output_file_init(path, &file));
  GENIE_GOTO_IF_ERROR(write_file(&file, &header, sorted, set->count));
cleanup:
  genie_output_file_deinit(&file);
  genie_string_builder_deinit(&header);
  genie_allocator_free(allocator, memory);
  return status;
}

// The npy format (numpy.lib.format): a magic, a version, a header length and a header that is a Python dictionary, then
// the data.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/base/output_file.h"
#include "tools/tensor_file/tensor_file.h"

enum { kMagicBytes = 6, kMaxHeaderBytes = 65536, kHeaderAlignment = 64 };
static const char kMagic[kMagicBytes] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const struct {
  const char *descr;  // without the byte order
  genie_dtype_t dtype;
} kDtypes[] = {
    {"f4", GENIE_DTYPE_F32}, {"f8", GENIE_DTYPE_F64}, {"f2", GENIE_DTYPE_F16},
    {"i1", GENIE_DTYPE_I8},  {"i2", GENIE_DTYPE_I16}, {"i4", GENIE_DTYPE_I32},
    {"i8", GENIE_DTYPE_I64}, {"u1", GENIE_DTYPE_U8},  {"b1", GENIE_DTYPE_BOOL},
};
enum { kDtypeCount = sizeof(kDtypes) / sizeof(kDtypes[0]) };

#define BAD(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "npy: " __VA_ARGS__)
#define UNIMPLEMENTED(...) genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "npy: " __VA_ARGS__)

// ---- Reading: a parser for the one dictionary that numpy writes ----

typedef struct cursor {
  const char *at;
  const char *end;
} cursor_t;

static void skip_space(cursor_t *cursor) {
  while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) != NULL && *cursor->at != '\0') {
    ++cursor->at;
  }
}

// Moves past `text` after white space; false, at the same place, when something else is there.
static bool accept(cursor_t *cursor, const char *text) {
  skip_space(cursor);
  const size_t length = strlen(text);
  if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0) {
    return false;
  }
  cursor->at += length;
  return true;
}

// A string in single or double quotes without escapes, as numpy writes it.
static bool accept_string(cursor_t *cursor, const char **out_text, size_t *out_length) {
  skip_space(cursor);
  if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"')) {
    return false;
  }
  const char *begin = cursor->at + 1;
  const char *quote = memchr(begin, *cursor->at, (size_t)(cursor->end - begin));
  if (quote == NULL) {
    return false;
  }
  *out_text = begin;
  *out_length = (size_t)(quote - begin);
  cursor->at = quote + 1;
  return true;
}

static bool accept_number(cursor_t *cursor, int64_t *out_value) {
  skip_space(cursor);
  const char *begin = cursor->at;
  int64_t value = 0;
  for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; ++cursor->at) {
    if (!genie_checked_mul_i64(value, 10, &value) || !genie_checked_add_i64(value, *cursor->at - '0', &value)) {
      return false;
    }
  }
  *out_value = value;
  return cursor->at > begin;
}

static genie_status_t parse_descr(cursor_t *cursor, genie_dtype_t *out_dtype) {
  const char *descr = NULL;
  size_t length = 0;
  if (!accept_string(cursor, &descr, &length) || length < 3) {
    return UNIMPLEMENTED("the dtype is a structure, or not what numpy writes");
  }
  if (descr[0] == '>') {
    return UNIMPLEMENTED("big-endian data ('%.*s'); save it as little-endian", (int)(length < 16 ? length : 16), descr);
  }
  for (int i = 0; i < kDtypeCount; ++i) {
    if (length == 3 && memcmp(descr + 1, kDtypes[i].descr, 2) == 0) {
      *out_dtype = kDtypes[i].dtype;
      return GENIE_OK;
    }
  }
  return UNIMPLEMENTED("dtype '%.*s' has no Genie dtype; bf16 travels in safetensors", (int)(length < 16 ? length : 16),
                       descr);
}

static genie_status_t parse_shape(cursor_t *cursor, genie_tensor_t *tensor) {
  if (!accept(cursor, "(")) {
    return BAD("the shape is no tuple");
  }
  tensor->rank = 0;
  while (!accept(cursor, ")")) {
    if (tensor->rank == GENIE_MAX_RANK) {
      return BAD("more than %d dimensions", GENIE_MAX_RANK);
    }
    if (!accept_number(cursor, &tensor->shape[tensor->rank])) {
      return BAD("dimension %d is not a size", tensor->rank);
    }
    ++tensor->rank;
    if (!accept(cursor, ",")) {
      if (!accept(cursor, ")")) {
        return BAD("the shape does not end");
      }
      break;
    }
  }
  return GENIE_OK;
}

static genie_status_t parse_order(cursor_t *cursor, bool *out_is_fortran) {
  *out_is_fortran = accept(cursor, "True");
  return *out_is_fortran || accept(cursor, "False") ? GENIE_OK : BAD("fortran_order is neither True nor False");
}

static genie_status_t parse_item(cursor_t *cursor, genie_tensor_t *tensor, bool *out_is_fortran) {
  const char *key = NULL;
  size_t length = 0;
  if (!accept_string(cursor, &key, &length) || !accept(cursor, ":")) {
    return BAD("the header is not the dictionary that numpy writes");
  }
  if (length == 5 && memcmp(key, "descr", 5) == 0) {
    return parse_descr(cursor, &tensor->dtype);
  }
  if (length == 13 && memcmp(key, "fortran_order", 13) == 0) {
    return parse_order(cursor, out_is_fortran);
  }
  if (length == 5 && memcmp(key, "shape", 5) == 0) {
    return parse_shape(cursor, tensor);
  }
  return BAD("the header has a key '%.*s'", (int)(length < 32 ? length : 32), key);
}

static genie_status_t parse_header(cursor_t cursor, genie_tensor_t *tensor) {
  bool is_fortran = false;
  *tensor = (genie_tensor_t){.rank = -1};
  if (!accept(&cursor, "{")) {
    return BAD("the header is no dictionary");
  }
  while (!accept(&cursor, "}")) {
    GENIE_RETURN_IF_ERROR(parse_item(&cursor, tensor, &is_fortran));
    if (!accept(&cursor, ",")) {
      if (!accept(&cursor, "}")) {
        return BAD("the header does not end");
      }
      break;
    }
  }
  if (tensor->dtype == GENIE_DTYPE_INVALID || tensor->rank < 0) {
    return BAD("the header lacks descr or shape");
  }
  if (is_fortran && tensor->rank > 1) {
    return UNIMPLEMENTED("the array is in Fortran order; save numpy.ascontiguousarray() of it");
  }
  return GENIE_OK;
}

genie_status_t genie_npy_parse(const void *bytes, uint64_t size_bytes, genie_tensor_t *out_tensor) {
  const uint8_t *file = bytes;
  if (size_bytes < kMagicBytes + 4 || memcmp(file, kMagic, kMagicBytes) != 0) {
    return BAD("not an npy file");
  }
  const int major = file[kMagicBytes];
  if (major < 1 || major > 3) {
    return UNIMPLEMENTED("format version %d.%d", major, file[kMagicBytes + 1]);
  }
  const uint64_t prefix_bytes = kMagicBytes + (major == 1 ? 4 : 6);
  if (size_bytes < prefix_bytes) {
    return BAD("truncated after %" PRIu64 " bytes", size_bytes);
  }
  uint64_t header_bytes = file[8] | (uint64_t)file[9] << 8;
  if (major > 1) {
    header_bytes |= (uint64_t)file[10] << 16 | (uint64_t)file[11] << 24;
  }
  if (header_bytes > size_bytes - prefix_bytes || header_bytes > kMaxHeaderBytes) {
    return BAD("the header's length is %" PRIu64 " in a file of %" PRIu64 " bytes", header_bytes, size_bytes);
  }
  const char *header = (const char *)file + prefix_bytes;
  GENIE_RETURN_IF_ERROR(parse_header((cursor_t){.at = header, .end = header + header_bytes}, out_tensor));
  const uint64_t data_bytes = size_bytes - prefix_bytes - header_bytes;
  uint64_t needed_bytes = 0;
  if (!genie_tensor_byte_count(out_tensor, &needed_bytes) || needed_bytes > data_bytes) {
    return BAD("truncated: %" PRIu64 " bytes of data are fewer than the shape takes", data_bytes);
  }
  out_tensor->data = (void *)(file + prefix_bytes + header_bytes);
  return GENIE_OK;
}

// ---- Writing ----

static genie_status_t make_header(const genie_tensor_t *tensor, char out_header[512], size_t *out_length) {
  const char *descr = NULL;
  for (int i = 0; i < kDtypeCount; ++i) {
    descr = kDtypes[i].dtype == tensor->dtype ? kDtypes[i].descr : descr;
  }
  if (descr == NULL) {
    return UNIMPLEMENTED("numpy has no dtype %s; write safetensors", genie_dtype_name(tensor->dtype));
  }
  char shape[256] = "";
  size_t used = 0;
  for (int32_t i = 0; i < tensor->rank; ++i) {
    used += (size_t)snprintf(shape + used, sizeof(shape) - used, "%" PRId64 ",%s", tensor->shape[i],
                             i + 1 < tensor->rank ? " " : "");
  }
  // "(2, 3)" and "()", but "(2,)": the comma after the last is numpy's for rank 1 only.
  if (tensor->rank > 1) {
    shape[used - 1] = '\0';
  }
  char text[400];
  const int text_length = snprintf(text, sizeof(text), "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                                   genie_dtype_bytes(tensor->dtype) == 1 ? '|' : '<', descr, shape);
  const size_t prefix_bytes = kMagicBytes + 4;
  const size_t total =
      (prefix_bytes + (size_t)text_length + 1 + kHeaderAlignment - 1) & ~(size_t)(kHeaderAlignment - 1);
  memset(out_header, ' ', total);
  memcpy(out_header, kMagic, kMagicBytes);
  out_header[kMagicBytes] = 1;
  out_header[kMagicBytes + 1] = 0;
  out_header[8] = (char)((total - prefix_bytes) & 0xff);
  out_header[9] = (char)((total - prefix_bytes) >> 8);
  memcpy(out_header + prefix_bytes, text, (size_t)text_length);
  out_header[total - 1] = '\n';
  *out_length = total;
  return GENIE_OK;
}

genie_status_t genie_npy_write(const char *path, const genie_tensor_t *tensor) {
  char header[512];
  size_t header_bytes = 0;
  uint64_t bytes = 0;
  if (!genie_tensor_byte_count(tensor, &bytes)) {
    return BAD("a tensor of an impossible shape cannot be written");
  }
  GENIE_RETURN_IF_ERROR(make_header(tensor, header, &header_bytes));
  genie_output_file_t file;
  GENIE_RETURN_IF_ERROR(genie_output_file_init(path, &file));
  genie_status_t status = GENIE_OK;
  GENIE_GOTO_IF_ERROR(genie_output_file_write(&file, header, header_bytes));
  GENIE_GOTO_IF_ERROR(genie_output_file_write(&file, tensor->data, bytes));
  GENIE_GOTO_IF_ERROR(genie_output_file_commit(&file));
cleanup:
  genie_output_file_deinit(&file);
  return status;
}

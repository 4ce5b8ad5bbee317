#include "tools/genie/tensor_text.h"

#include <math.h>
#include <string.h>

#include "tools/genie/element.h"
#include "tools/tensor_file/tensor_file.h"

static uint64_t element_count_of(const genie_tensor_t *tensor) {
  uint64_t bytes = 0;
  return genie_tensor_byte_count(tensor, &bytes) ? bytes / genie_dtype_bytes(tensor->dtype) : 0;
}

static void append_shape(const genie_tensor_t *tensor, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "[");
  for (int32_t i = 0; i < tensor->rank; ++i) {
    genie_string_builder_format(builder, "%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
  }
  genie_string_builder_format(builder, "]");
}

void genie_tensor_text_type(const genie_tensor_t *tensor, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "%s ", genie_dtype_name(tensor->dtype));
  append_shape(tensor, builder);
}

void genie_tensor_text_position(const genie_tensor_t *tensor, uint64_t index, genie_string_builder_t *builder) {
  genie_tensor_t position = {.rank = tensor->rank};
  for (int32_t i = tensor->rank - 1; i >= 0; --i) {
    const uint64_t size = (uint64_t)tensor->shape[i];
    position.shape[i] = size == 0 ? 0 : (int64_t)(index % size);
    index = size == 0 ? 0 : index / size;
  }
  append_shape(&position, builder);
}

void genie_tensor_text_values(const genie_tensor_t *tensor, uint64_t limit, genie_string_builder_t *builder) {
  const uint64_t count = element_count_of(tensor);
  const uint64_t row = tensor->rank == 0 ? 1 : (uint64_t)tensor->shape[tensor->rank - 1];
  for (uint64_t i = 0; i < count; ++i) {
    if (i == limit) {
      genie_string_builder_format(builder, "%s...\n", i % row == 0 ? "" : ", ");
      return;
    }
    genie_string_builder_format(builder, "%s", i % row == 0 ? "" : ", ");
    genie_element_print(tensor->dtype, tensor->data, i, builder);
    genie_string_builder_format(builder, "%s", i % row == row - 1 ? "\n" : "");
  }
}

void genie_tensor_text_json(const genie_tensor_t *tensor, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "{\"dtype\": \"%s\", \"shape\": ", genie_dtype_name(tensor->dtype));
  append_shape(tensor, builder);
  genie_string_builder_format(builder, ", \"data\": [");
  const uint64_t count = element_count_of(tensor);
  for (uint64_t i = 0; i < count; ++i) {
    genie_string_builder_format(builder, "%s", i == 0 ? "" : ", ");
    if (isfinite(genie_element_get(tensor->dtype, tensor->data, i))) {
      genie_element_print(tensor->dtype, tensor->data, i, builder);
    } else {
      genie_string_builder_format(builder, "null");
    }
  }
  genie_string_builder_format(builder, "]}");
}

void genie_tensor_text_json_string(const char *text, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "\"");
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') {
      genie_string_builder_format(builder, "\\%c", *text);
    } else if ((unsigned char)*text < 0x20) {
      genie_string_builder_format(builder, "\\u%04x", *text);
    } else {
      genie_string_builder_append(builder, text, 1);
    }
  }
  genie_string_builder_format(builder, "\"");
}

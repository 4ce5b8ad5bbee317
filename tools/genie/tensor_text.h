// Tensors as text, for people and as JSON.
#ifndef GENIE_TOOLS_GENIE_TENSOR_TEXT_H_
#define GENIE_TOOLS_GENIE_TENSOR_TEXT_H_

#include "genie/genie.h"
#include "runtime/base/string_builder.h"

// Appends "f32 [2, 3]".
void genie_tensor_text_type(const genie_tensor_t *tensor, genie_string_builder_t *builder);

// Appends "[0, 2]": the position of element `index`.
void genie_tensor_text_position(const genie_tensor_t *tensor, uint64_t index, genie_string_builder_t *builder);

// Appends the values, a line for each row of the last dimension; from the `limit`th on, "..." stands for the rest.
void genie_tensor_text_values(const genie_tensor_t *tensor, uint64_t limit, genie_string_builder_t *builder);

// Appends {"dtype": ..., "shape": [...], "data": [...]}; data is flat, and null where it is no number.
void genie_tensor_text_json(const genie_tensor_t *tensor, genie_string_builder_t *builder);

// Appends `text` as a JSON string.
void genie_tensor_text_json_string(const char *text, genie_string_builder_t *builder);

#endif  // GENIE_TOOLS_GENIE_TENSOR_TEXT_H_

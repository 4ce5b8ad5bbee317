// Single elements of tensors as numbers: reading, writing, printing. For tools; kernels do their own.
#ifndef GENIE_TOOLS_GENIE_ELEMENT_H_
#define GENIE_TOOLS_GENIE_ELEMENT_H_

#include "genie/dtype.h"
#include "runtime/base/string_builder.h"

bool genie_element_is_float(genie_dtype_t dtype);

// Element `index` of `data`. An i64 beyond 2^53 is rounded.
double genie_element_get(genie_dtype_t dtype, const void *data, uint64_t index);

// Stores `value`, rounded to nearest for floats. The caller has checked that an integer dtype can hold it.
void genie_element_set(genie_dtype_t dtype, void *data, uint64_t index, double value);

// Parses `length` characters as a value of `dtype` and stores it. False when they are none, or out of its range.
bool genie_element_parse(genie_dtype_t dtype, const char *text, size_t length, void *data, uint64_t index);

// Appends the shortest decimal text that reads back as the same element.
void genie_element_print(genie_dtype_t dtype, const void *data, uint64_t index, genie_string_builder_t *builder);

#endif  // GENIE_TOOLS_GENIE_ELEMENT_H_

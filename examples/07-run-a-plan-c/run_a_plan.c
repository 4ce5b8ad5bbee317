// Opens any plan, makes inputs of ones for its first entry, runs it, and prints what came out.
//
// usage: run_a_plan PLAN
#include <genie/genie.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_TENSORS = 64, MOST_SYMBOLS = 64, PRINTED_VALUES = 6 };

// The one place that prints an error; frees the status and says whether there was one.
static int has_failed(genie_status_t status) {
  if (status == GENIE_OK) {
    return 0;
  }
  fprintf(stderr, "%s; %s\n", genie_status_message(status), genie_status_code_remedy(genie_status_code(status)));
  genie_status_free(status);
  return 1;
}

static int64_t element_count(const genie_tensor_t *tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor->rank; ++i) {
    count *= tensor->shape[i];
  }
  return count;
}

static void print_tensor(const char *what, const char *name, const genie_tensor_t *tensor) {
  printf("%s %s: %s [", what, name, genie_dtype_name(tensor->dtype));
  for (int i = 0; i < tensor->rank; ++i) {
    printf("%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
  }
  printf("]");
  if (tensor->dtype == GENIE_DTYPE_F32) {
    const int64_t count = element_count(tensor);
    for (int64_t i = 0; i < count && i < PRINTED_VALUES; ++i) {
      printf(" %g", ((const float *)tensor->data)[i]);
    }
    printf("%s", count > PRINTED_VALUES ? " ..." : "");
  }
  printf("\n");
}

// Allocates an input of ones. Memory on 64 bytes is used in place; other memory would be copied.
static int make_input(const genie_model_t *model, uint32_t index, const int64_t *sizes, genie_tensor_t *out_input) {
  genie_tensor_info_t info;
  if (has_failed(genie_model_input_info(model, 0, index, &info))) {
    return 0;
  }
  *out_input = (genie_tensor_t){.dtype = info.dtype, .rank = info.rank};
  if (has_failed(genie_model_input_shape(model, 0, index, sizes, out_input->shape))) {
    return 0;
  }
  const int64_t count = element_count(out_input);
  const size_t bytes = (size_t)count * genie_dtype_bytes(info.dtype);
  out_input->data = aligned_alloc(64, (bytes + 64) / 64 * 64);
  if (out_input->data == NULL) {
    return 0;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (info.dtype == GENIE_DTYPE_F32) {
      ((float *)out_input->data)[i] = 1.0f;
    } else if (info.dtype == GENIE_DTYPE_I64) {
      ((int64_t *)out_input->data)[i] = 1;
    } else {
      for (size_t byte = 0; byte < genie_dtype_bytes(info.dtype); ++byte) {
        ((char *)out_input->data)[(size_t)i * genie_dtype_bytes(info.dtype) + byte] = 0;
      }
    }
  }
  print_tensor("input", info.name, out_input);
  return 1;
}

static int run_entry(const genie_model_t *model, genie_session_t *session, genie_tensor_t *inputs, uint32_t input_count,
                     uint32_t output_count) {
  // Outputs with data NULL get memory of the session, valid until its next run.
  genie_tensor_t outputs[MOST_TENSORS] = {0};
  if (has_failed(genie_session_run(session, 0, inputs, input_count, outputs, output_count))) {
    return 0;
  }
  for (uint32_t i = 0; i < output_count; ++i) {
    genie_tensor_info_t info;
    if (has_failed(genie_model_output_info(model, 0, i, &info))) {
      return 0;
    }
    print_tensor("output", info.name, &outputs[i]);
  }
  return 1;
}

static int make_inputs_and_run(const genie_model_t *model, genie_session_t *session) {
  genie_tensor_t inputs[MOST_TENSORS] = {0};
  int64_t sizes[MOST_SYMBOLS] = {0};
  const uint32_t input_count = genie_model_input_count(model, 0);
  const uint32_t output_count = genie_model_output_count(model, 0);
  if (input_count > MOST_TENSORS || output_count > MOST_TENSORS) {
    fprintf(stderr, "this example takes plans of at most %d inputs and outputs\n", MOST_TENSORS);
    return 0;
  }
  // A dynamic size may be anything in its range: take the smallest.
  for (uint32_t i = 0; i < genie_model_symbol_count(model, 0); ++i) {
    genie_symbol_info_t symbol;
    if (has_failed(genie_model_symbol_info(model, 0, i, &symbol))) {
      return 0;
    }
    sizes[i] = (symbol.minimum + symbol.multiple - 1) / symbol.multiple * symbol.multiple;
  }
  int is_good = 1;
  for (uint32_t i = 0; i < input_count && is_good; ++i) {
    is_good = make_input(model, i, sizes, &inputs[i]);
  }
  is_good = is_good && run_entry(model, session, inputs, input_count, output_count);
  for (uint32_t i = 0; i < input_count; ++i) {
    free(inputs[i].data);
  }
  return is_good;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: run_a_plan PLAN\n");
    return 2;
  }
  genie_model_t *model = NULL;
  genie_session_t *session = NULL;
  const int is_good = !has_failed(genie_model_open(argv[1], NULL, &model)) &&
                      !has_failed(genie_session_create(model, NULL, &session)) && make_inputs_and_run(model, session);
  genie_session_destroy(session);
  genie_model_close(model);
  return is_good ? 0 : 1;
}

// include/genie is C++ as well as C, and libgenie.so has what it declares: this file takes the address of every
// function.
#include <genie/genie.h>

#include <cstdio>

static const void *const kFunctions[] = {
    reinterpret_cast<const void *>(&genie_version),
    reinterpret_cast<const void *>(&genie_plan_format_version),
    reinterpret_cast<const void *>(&genie_dtype_bytes),
    reinterpret_cast<const void *>(&genie_dtype_name),
    reinterpret_cast<const void *>(&genie_dtype_parse),
    reinterpret_cast<const void *>(&genie_status_code),
    reinterpret_cast<const void *>(&genie_status_message),
    reinterpret_cast<const void *>(&genie_status_code_name),
    reinterpret_cast<const void *>(&genie_status_code_remedy),
    reinterpret_cast<const void *>(&genie_status_free),
    reinterpret_cast<const void *>(&genie_model_open),
    reinterpret_cast<const void *>(&genie_model_close),
    reinterpret_cast<const void *>(&genie_model_entry_count),
    reinterpret_cast<const void *>(&genie_model_entry_name),
    reinterpret_cast<const void *>(&genie_model_find_entry),
    reinterpret_cast<const void *>(&genie_model_input_count),
    reinterpret_cast<const void *>(&genie_model_output_count),
    reinterpret_cast<const void *>(&genie_model_symbol_count),
    reinterpret_cast<const void *>(&genie_model_state_count),
    reinterpret_cast<const void *>(&genie_model_input_info),
    reinterpret_cast<const void *>(&genie_model_output_info),
    reinterpret_cast<const void *>(&genie_model_symbol_info),
    reinterpret_cast<const void *>(&genie_model_state_info),
    reinterpret_cast<const void *>(&genie_model_input_shape),
    reinterpret_cast<const void *>(&genie_session_create),
    reinterpret_cast<const void *>(&genie_session_destroy),
    reinterpret_cast<const void *>(&genie_session_run),
    reinterpret_cast<const void *>(&genie_session_infer_outputs),
    reinterpret_cast<const void *>(&genie_session_reset_state),
    reinterpret_cast<const void *>(&genie_session_read_state),
    reinterpret_cast<const void *>(&genie_session_write_state),
    reinterpret_cast<const void *>(&genie_session_get_stats),
    reinterpret_cast<const void *>(&genie_session_profile_count),
    reinterpret_cast<const void *>(&genie_session_profile),
};

int main() {
  genie_model_t *model = nullptr;
  const genie_status_t status = genie_model_open("/nowhere/x.gplan", nullptr, &model);
  const bool is_refused = genie_status_code(status) == GENIE_STATUS_NOT_FOUND && model == nullptr;
  genie_status_free(status);
  for (const void *function : kFunctions) {
    if (function == nullptr) {
      return 1;
    }
  }
  std::printf("%s\n", is_refused ? "ok" : "a missing plan was not refused");
  return is_refused ? 0 : 1;
}

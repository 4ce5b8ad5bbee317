// Construction of statuses; the type and its accessors are public (include/genie/status.h).
#ifndef GENIE_RUNTIME_BASE_STATUS_H_
#define GENIE_RUNTIME_BASE_STATUS_H_

#include "genie/status.h"

// A status of `code` (not OK) with a printf-formatted, one-line message. When memory is short the message is lost and
// the code becomes RESOURCE_EXHAUSTED; no allocation failure is ever hidden as OK.
genie_status_t genie_status_make(genie_status_code_t code, const char *format, ...)
    __attribute__((format(printf, 2, 3))) GENIE_MUST_USE;

// Prefixes the message of a failed `status` with "context: "; GENIE_OK passes through. Takes `status`.
genie_status_t genie_status_annotate(genie_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3))) GENIE_MUST_USE;

#define GENIE_RETURN_IF_ERROR(expression)                            \
  do {                                                               \
    const genie_status_t genie_status_of_expression_ = (expression); \
    if (genie_status_of_expression_ != GENIE_OK) {                   \
      return genie_status_of_expression_;                            \
    }                                                                \
  } while (0)

// For functions with one `cleanup:` label and a local `genie_status_t status`.
#define GENIE_GOTO_IF_ERROR(expression) \
  do {                                  \
    status = (expression);              \
    if (status != GENIE_OK) {           \
      goto cleanup;                     \
    }                                   \
  } while (0)

#endif  // GENIE_RUNTIME_BASE_STATUS_H_

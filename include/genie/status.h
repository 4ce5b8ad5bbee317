// Status: the result of every function that can fail.
//
// A status is one word. GENIE_OK is 0; any other value owns a heap record with a code and a message, and whoever holds
// it must pass it on, print it, or release it with genie_status_free(). A status is not shared between threads.
#ifndef GENIE_STATUS_H_
#define GENIE_STATUS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(GENIE_BUILD_SHARED)
#define GENIE_API __attribute__((visibility("default")))
#else
#define GENIE_API
#endif

typedef enum genie_status_code {
#define GENIE_STATUS_CODE(name, number, remedy) GENIE_STATUS_##name = (number),
#include "genie/status.def"
#undef GENIE_STATUS_CODE
} genie_status_code_t;

typedef uintptr_t genie_status_t;

#define GENIE_OK ((genie_status_t)0)
#define GENIE_MUST_USE __attribute__((warn_unused_result))

// The code of `status`, borrowed.
GENIE_API genie_status_code_t genie_status_code(genie_status_t status);

// The message of `status`, one line without a newline, "" for GENIE_OK. Borrowed: valid until the status is freed.
GENIE_API const char *genie_status_message(genie_status_t status);

// The name of `code`, as in "INVALID_ARGUMENT"; static storage.
GENIE_API const char *genie_status_code_name(genie_status_code_t code);

// What the caller does next about `code`; static storage.
GENIE_API const char *genie_status_code_remedy(genie_status_code_t code);

// Releases what `status` owns; accepts GENIE_OK.
GENIE_API void genie_status_free(genie_status_t status);

#ifdef __cplusplus
}
#endif
#endif  // GENIE_STATUS_H_

// Calls in flight: what a submission is, and the queue of a session that runs its calls on one thread of its own.
#ifndef GENIE_RUNTIME_EXEC_SUBMISSION_H_
#define GENIE_RUNTIME_EXEC_SUBMISSION_H_

#include "genie/genie.h"
#include "runtime/base/allocator.h"

enum { GENIE_SUBMISSION_MOST_IN_FLIGHT = 16 };

typedef struct genie_submission_ops {
  genie_status_t (*wait)(genie_submission_t *submission, uint64_t timeout_ns);
  void (*cancel)(genie_submission_t *submission);
  void (*destroy)(genie_submission_t *submission);
} genie_submission_ops_t;

// The first member of an implementation.
struct genie_submission {
  const genie_submission_ops_t *ops;
};

typedef struct genie_submission_queue genie_submission_queue_t;

// The queue of `session`, which runs calls by `run` on a thread of the queue.
typedef genie_status_t (*genie_submission_run_fn_t)(genie_session_t *session, uint32_t entry,
                                                    const genie_tensor_t *inputs, uint32_t input_count,
                                                    genie_tensor_t *outputs, uint32_t output_count);
genie_status_t genie_submission_queue_create(genie_session_t *session, genie_submission_run_fn_t run,
                                             genie_allocator_t allocator,
                                             genie_submission_queue_t **out_queue) GENIE_MUST_USE;
// Accepts NULL. All submissions are destroyed.
void genie_submission_queue_destroy(genie_submission_queue_t *queue);

// Waits until no call is in flight.
void genie_submission_queue_drain(genie_submission_queue_t *queue);

// As genie_session_submit(), of outputs whose dtypes and shapes are inferred already.
genie_status_t genie_submission_queue_add(genie_submission_queue_t *queue, uint32_t entry, const genie_tensor_t *inputs,
                                          uint32_t input_count, genie_tensor_t *outputs, uint32_t output_count,
                                          const genie_submit_options_t *options,
                                          genie_submission_t **out_submission) GENIE_MUST_USE;

// Memory for those of `outputs` (dtype and shape set) whose data is NULL, as one block that the caller frees; sets
// their data.
genie_status_t genie_submission_allocate_outputs(genie_tensor_t *outputs, uint32_t output_count,
                                                 genie_allocator_t allocator, void **out_block) GENIE_MUST_USE;

// Sets dtype and shape of those outputs whose data is NULL and compares the others, for a call whose session may be
// running another: it touches the model alone. Errors as genie_session_run().
genie_status_t genie_submission_infer_outputs(const genie_model_t *model, uint32_t entry, const genie_tensor_t *inputs,
                                              uint32_t input_count, genie_tensor_t *outputs,
                                              uint32_t output_count) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_SUBMISSION_H_

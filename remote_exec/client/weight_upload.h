// Sends a node the chunks of a plan's weights that it lacks.
#ifndef GENIE_REMOTE_EXEC_CLIENT_WEIGHT_UPLOAD_H_
#define GENIE_REMOTE_EXEC_CLIENT_WEIGHT_UPLOAD_H_

#include "remote_exec/client/node_link.h"
#include "runtime/plan/reader.h"

// Sends what `state` asks for. `progress` may be NULL. OUT_OF_RANGE: the node asks for what the plan does not have;
// DATA_LOSS: the plan's file was cut.
genie_status_t genie_weight_upload_send(genie_node_link_t *link, const genie_plan_t *plan,
                                        const Genie__Wire__SessionState *state,
                                        void (*progress)(void *context, const char *node, uint64_t done_bytes,
                                                         uint64_t total_bytes),
                                        void *context, genie_allocator_t allocator) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_CLIENT_WEIGHT_UPLOAD_H_

// Calls of one connection to a session with several places on this node: the next call is taken while others are at
// later places. Each call in progress has memory of its own for inputs and outputs, which the client's budget is
// charged with.
//
// Of the connection's thread.
#ifndef GENIE_REMOTE_EXEC_DAEMON_CALL_PIPELINE_H_
#define GENIE_REMOTE_EXEC_DAEMON_CALL_PIPELINE_H_

#include "remote_exec/daemon/call_answer.h"

typedef struct genie_call_pipeline genie_call_pipeline_t;

// RESOURCE_EXHAUSTED: the client's memory limit.
genie_status_t genie_call_pipeline_create(genie_node_t *node, genie_node_session_t *session, genie_channel_t *channel,
                                          genie_call_pipeline_t **out_pipeline) GENIE_MUST_USE;
// Accepts NULL. Waits until all calls have ended.
void genie_call_pipeline_destroy(genie_call_pipeline_t *pipeline);

// Takes a call whose header was read: receives its inputs, runs the first place on this thread, and leaves the rest and
// the answer to the places' threads. What is wrong with the call is answered; an error is the connection's.
genie_status_t genie_call_pipeline_take(genie_call_pipeline_t *pipeline,
                                        const genie_wire_call_view_t *call) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_DAEMON_CALL_PIPELINE_H_

// Inside of the ucx carrier: threads that wait for one worker. All of it with the channel's lock held.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_DRIVE_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_DRIVE_H_

#include "remote_exec/transport/ucx_channel.h"

// What a waiting thread waits for.
typedef bool (*genie_ucx_done_fn_t)(genie_ucx_channel_t *channel, void *context);

// A status that names the peer. Needs no lock.
genie_status_t genie_ucx_error(const genie_ucx_channel_t *channel, genie_status_code_t code,
                               const char *what) GENIE_MUST_USE;

// OK while the channel may go on.
genie_status_t genie_ucx_check_alive(const genie_ucx_channel_t *channel) GENIE_MUST_USE;

// Waits until `is_done`, driving the worker when nobody else does. The lock is given up while it sleeps.
genie_status_t genie_ucx_drive(genie_ucx_channel_t *channel, genie_ucx_done_fn_t is_done, void *context,
                               genie_deadline_ns_t deadline) GENIE_MUST_USE;

bool genie_ucx_is_request_done(genie_ucx_channel_t *channel, void *request);

// Posts an active message without data. NULL, an error or a request, as UCX's.
void *genie_ucx_post_signal(genie_ucx_channel_t *channel, unsigned id, const void *head, size_t head_bytes);

// Waits for a request of UCX and frees it. When the wait fails, the endpoint ends, so that no memory of the caller's is
// used after this returns.
genie_status_t genie_ucx_finish(genie_ucx_channel_t *channel, void *request,
                                genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Ends the endpoint at once: requests that are under way finish with an error and let go of their memory. The peer is
// told where that can be done; over shared memory it would not notice otherwise.
void genie_ucx_abandon_endpoint(genie_ucx_channel_t *channel);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_DRIVE_H_

#include "remote_exec/transport/ucx_drive.h"

#include <poll.h>
#include <sched.h>

genie_status_t genie_ucx_error(const genie_ucx_channel_t *channel, genie_status_code_t code, const char *what) {
  return genie_status_make(code, "%s: %s", channel->base.peer.name, what);
}

genie_status_t genie_ucx_check_alive(const genie_ucx_channel_t *channel) {
  if (channel->queue.failure != NULL) {
    return genie_ucx_error(channel, GENIE_STATUS_DATA_LOSS, channel->queue.failure);
  }
  if (channel->has_wrong_token) {
    return genie_ucx_error(channel, GENIE_STATUS_PERMISSION_DENIED, "does not prove the session by its token");
  }
  if (channel->has_bye) {
    return genie_ucx_error(channel, GENIE_STATUS_UNAVAILABLE, "closed the connection");
  }
  if (channel->endpoint_status != UCS_OK) {
    return genie_ucx_error(channel, GENIE_STATUS_UNAVAILABLE,
                           channel->fabric->call.ucs_status_string(channel->endpoint_status));
  }
  return GENIE_OK;
}

// Wakes the thread that sleeps for the worker, after this one did something with it.
static void kick(genie_ucx_channel_t *channel) {
  if (channel->has_driver) {
    channel->fabric->call.ucp_worker_signal(channel->worker);
  }
}

// One look at the state and the worker. `*out_is_done` when the wait is over, by success or by the status.
static genie_status_t look(genie_ucx_channel_t *channel, genie_ucx_done_fn_t is_done, void *context,
                           genie_deadline_ns_t deadline, bool *out_is_done) {
  *out_is_done = true;
  while (!is_done(channel, context)) {
    if (genie_wake_is_set(&channel->wake)) {
      return genie_ucx_error(channel, GENIE_STATUS_CANCELLED, "the channel was interrupted");
    }
    GENIE_RETURN_IF_ERROR(genie_ucx_check_alive(channel));
    if (genie_deadline_has_passed(deadline)) {
      return genie_ucx_error(channel, GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed");
    }
    if (channel->fabric->call.ucp_worker_progress(channel->worker) == 0) {
      *out_is_done = false;
      return GENIE_OK;
    }
    kick(channel);  // what came may be for the thread that sleeps
  }
  return GENIE_OK;
}

static void wait_for_driver(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) {
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&channel->changed, &channel->lock);
    return;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  pthread_cond_timedwait(&channel->changed, &channel->lock, &until);
}

// Gives the other threads a moment, or sleeps until the worker has something to do. This thread drives meanwhile.
static void rest(genie_ucx_channel_t *channel, bool may_sleep, genie_deadline_ns_t deadline) {
  const bool is_armed = may_sleep && channel->fabric->call.ucp_worker_arm(channel->worker) == UCS_OK;
  if (may_sleep && !is_armed) {
    return;  // something came meanwhile
  }
  if (!is_armed) {
    pthread_mutex_unlock(&channel->lock);
    sched_yield();
    pthread_mutex_lock(&channel->lock);
    return;
  }
  channel->has_driver = true;
  pthread_mutex_unlock(&channel->lock);
  genie_wake_poll(&channel->wake, channel->descriptor, POLLIN, deadline);
  pthread_mutex_lock(&channel->lock);
  channel->has_driver = false;
  pthread_cond_broadcast(&channel->changed);
}

genie_status_t genie_ucx_drive(genie_ucx_channel_t *channel, genie_ucx_done_fn_t is_done, void *context,
                               genie_deadline_ns_t deadline) {
  const genie_deadline_ns_t spin_end = genie_deadline_after_ns(channel->fabric->spin_ns);
  for (;;) {
    bool is_over = false;
    const genie_status_t status = look(channel, is_done, context, deadline, &is_over);
    if (is_over) {
      pthread_cond_broadcast(&channel->changed);
      return status;
    }
    const bool may_sleep = genie_deadline_clock_ns() >= spin_end;
    if (channel->has_driver && may_sleep) {
      wait_for_driver(channel, deadline);
    } else {
      pthread_cond_broadcast(&channel->changed);
      rest(channel, may_sleep, deadline);
    }
  }
}

bool genie_ucx_is_request_done(genie_ucx_channel_t *channel, void *request) {
  return channel->fabric->call.ucp_request_check_status(request) != UCS_INPROGRESS;
}

void *genie_ucx_post_signal(genie_ucx_channel_t *channel, unsigned id, const void *head, size_t head_bytes) {
  const ucp_request_param_t eager = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_AM_SEND_FLAG_EAGER};
  return channel->fabric->call.ucp_am_send_nbx(channel->endpoint, id, head, head_bytes, NULL, 0, &eager);
}

void genie_ucx_abandon_endpoint(genie_ucx_channel_t *channel) {
  if (channel->endpoint == NULL) {
    return;
  }
  const ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = UCP_EP_CLOSE_FLAG_FORCE};
  void *requests[2] = {
      channel->endpoint_status == UCS_OK ? genie_ucx_post_signal(channel, GENIE_UCX_AM_BYE, NULL, 0) : NULL, NULL};
  requests[1] = channel->fabric->call.ucp_ep_close_nbx(channel->endpoint, &param);
  channel->endpoint = NULL;
  if (channel->endpoint_status == UCS_OK) {
    channel->endpoint_status = UCS_ERR_CONNECTION_RESET;
  }
  for (int i = 0; i < 2; ++i) {
    if (UCS_PTR_IS_PTR(requests[i])) {
      while (!genie_ucx_is_request_done(channel, requests[i])) {
        channel->fabric->call.ucp_worker_progress(channel->worker);
      }
      channel->fabric->call.ucp_request_free(requests[i]);
    }
  }
  pthread_cond_broadcast(&channel->changed);
}

genie_status_t genie_ucx_finish(genie_ucx_channel_t *channel, void *request, genie_deadline_ns_t deadline) {
  const genie_ucx_fabric_t *fabric = channel->fabric;
  if (request == NULL) {
    return GENIE_OK;
  }
  if (UCS_PTR_IS_ERR(request)) {
    return genie_ucx_error(channel, GENIE_STATUS_UNAVAILABLE, fabric->call.ucs_status_string(UCS_PTR_STATUS(request)));
  }
  kick(channel);
  const genie_status_t status = genie_ucx_drive(channel, genie_ucx_is_request_done, request, deadline);
  if (status != GENIE_OK) {
    genie_ucx_abandon_endpoint(channel);
    while (!genie_ucx_is_request_done(channel, request)) {
      fabric->call.ucp_worker_progress(channel->worker);
    }
  }
  const ucs_status_t result = fabric->call.ucp_request_check_status(request);
  fabric->call.ucp_request_free(request);
  if (status != GENIE_OK || result == UCS_OK) {
    return status;
  }
  return genie_ucx_error(channel, GENIE_STATUS_UNAVAILABLE, fabric->call.ucs_status_string(result));
}

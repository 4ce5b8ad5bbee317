// Submissions that lost a node, and are repeated where the session opens next.
//
// A call that ends with ABORTED, of a plan without state, waits in the session's list. A thread opens the session
// again, as a run does on its caller's thread, and sends the calls anew in their order. `use_mutex` keeps it and
// whoever uses the session apart: both send calls and both may open the session.
#include <string.h>

#include "remote_exec/client/remote_session.h"

bool genie_remote_may_repeat(const genie_remote_session_t *session, genie_status_t status) {
  return session->setup.may_retry && session->base.model->state_count == 0 &&
         genie_status_code(status) == GENIE_STATUS_ABORTED;
}

bool genie_remote_repeat_add(genie_remote_session_t *session, genie_remote_call_t *call) {
  pthread_mutex_lock(&session->mutex);
  const bool is_taken = call->repeat != NULL && !call->is_cancelled && session->has_repeater &&
                        call->repeat_count <= session->setup.pool->node_count &&
                        genie_remote_may_repeat(session, call->status);
  if (is_taken) {
    ++call->repeat_count;
    genie_remote_call_t **link = &session->repeats;
    while (*link != NULL && (*link)->id < call->id) {
      link = &(*link)->next;
    }
    call->next = *link;
    *link = call;
    pthread_cond_broadcast(&session->changed);
  }
  pthread_mutex_unlock(&session->mutex);
  return is_taken;
}

static genie_remote_call_t *take_first(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->mutex);
  genie_remote_call_t *call = session->repeats;
  if (call != NULL) {
    session->repeats = call->next;
    call->next = NULL;
  }
  pthread_mutex_unlock(&session->mutex);
  return call;
}

// Ends a call that is in no list. Takes the status.
static void end(genie_remote_call_t *call, genie_status_t status) {
  genie_status_free(call->status);
  call->status = status;
  call->done(call);
}

static genie_status_t verdict_on(const genie_remote_call_t *call) {
  if (call->is_cancelled) {
    return genie_status_make(GENIE_STATUS_CANCELLED, "the call was cancelled");
  }
  return genie_deadline_has_passed(call->deadline)
             ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED,
                                 "the call's deadline passed before it could be repeated")
             : GENIE_OK;
}

static void send_again(genie_remote_session_t *session, genie_remote_call_t *call) {
  genie_status_t status = verdict_on(call);
  if (status == GENIE_OK) {
    genie_status_free(call->status);
    call->status = GENIE_OK;
    call->is_given_up = false;
    call->filling_count = 0;
    status = call->repeat(session, call);
  }
  if (status != GENIE_OK) {
    end(call, status);  // which may put it in the list again
  }
}

// Calls that are added while this goes on have lost the session that is opened here, or the next one.
static void repeat_all(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->use_mutex);
  genie_status_t failure = genie_remote_session_check(session);
  if (failure != GENIE_OK) {
    genie_status_free(failure);
    failure = genie_remote_session_reconnect(&session->base);
  }
  genie_remote_call_t *calls = NULL, **last = &calls;
  while ((*last = take_first(session)) != NULL) {
    last = &(*last)->next;
  }
  while (calls != NULL) {
    genie_remote_call_t *call = calls;
    calls = call->next;
    call->next = NULL;
    if (failure == GENIE_OK) {
      send_again(session, call);
    } else {
      call->repeat = NULL;
      end(call, genie_status_make(genie_status_code(failure), "%s", genie_status_message(failure)));
    }
  }
  genie_status_free(failure);
  pthread_mutex_unlock(&session->use_mutex);
}

static void *repeater_main(void *argument) {
  genie_remote_session_t *session = argument;
  pthread_mutex_lock(&session->mutex);
  while (!session->is_repeater_ending) {
    if (session->repeats == NULL) {
      pthread_cond_wait(&session->changed, &session->mutex);
      continue;
    }
    pthread_mutex_unlock(&session->mutex);
    repeat_all(session);
    pthread_mutex_lock(&session->mutex);
  }
  pthread_mutex_unlock(&session->mutex);
  return NULL;
}

genie_status_t genie_remote_repeat_start(genie_remote_session_t *session) {
  if (session->has_repeater || !session->setup.may_retry || session->base.model->state_count > 0) {
    return GENIE_OK;
  }
  if (pthread_create(&session->repeater, NULL, repeater_main, session) != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  session->has_repeater = true;
  return GENIE_OK;
}

void genie_remote_repeat_end(genie_remote_session_t *session) {
  if (!session->has_repeater) {
    return;
  }
  pthread_mutex_lock(&session->mutex);
  session->is_repeater_ending = true;
  pthread_cond_broadcast(&session->changed);
  pthread_mutex_unlock(&session->mutex);
  pthread_join(session->repeater, NULL);
  session->has_repeater = false;
}

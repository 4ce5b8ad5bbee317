#include "remote_exec/daemon/lost_device.h"

#include <stdio.h>
#include <string.h>

void genie_lost_devices_init(genie_node_t *node) {
  node->main_thread = pthread_self();
  pthread_mutex_init(&node->lost_mutex, NULL);
}

static bool is_same(const genie_node_device_t *device, const char *kind, uint32_t ordinal) {
  return device->ordinal == ordinal && strcmp(device->kind, kind) == 0;
}

// With the mutex.
static bool is_listed(const genie_node_t *node, const char *kind, uint32_t ordinal) {
  for (uint32_t i = 0; i < node->lost_count; ++i) {
    if (is_same(&node->lost[i], kind, ordinal)) {
      return true;
    }
  }
  return false;
}

bool genie_lost_devices_has(genie_node_t *node, const char *kind, uint32_t ordinal) {
  pthread_mutex_lock(&node->lost_mutex);
  const bool is_lost = is_listed(node, kind, ordinal);
  pthread_mutex_unlock(&node->lost_mutex);
  return is_lost;
}

genie_status_t genie_lost_devices_check(genie_node_t *node, const char *kind, uint32_t ordinal) {
  return genie_lost_devices_has(node, kind, ordinal)
             ? genie_status_make(GENIE_STATUS_UNAVAILABLE,
                                 "%s%u was lost; the node starts again when its sessions on other devices have ended",
                                 kind, ordinal)
             : GENIE_OK;
}

// ---- Sessions ----

static bool uses(const genie_node_session_t *session, const char *kind, uint32_t ordinal) {
  for (uint32_t i = 0; i < session->place_count; ++i) {
    const genie_place_program_options_t *options = &session->places[i].options;
    if (options->ordinal == ordinal && strcmp(options->device, kind) == 0) {
      return true;
    }
  }
  return false;
}

static void fail_session(void *context, genie_node_session_t *session) {
  const genie_node_device_t *device = context;
  char message[128];
  if (uses(session, device->kind, device->ordinal)) {
    snprintf(message, sizeof(message), "%s%u was lost, and what the session kept there", device->kind, device->ordinal);
    genie_share_fail(session->share, GENIE_STATUS_ABORTED, message);
  }
}

static void lose(genie_node_t *node, const char *kind, uint32_t ordinal) {
  genie_node_device_t device = {.kind = kind, .ordinal = ordinal};
  pthread_mutex_lock(&node->lost_mutex);
  const bool is_new = !is_listed(node, kind, ordinal) && node->lost_count < GENIE_NODE_DEVICES;
  if (is_new) {
    node->lost[node->lost_count++] = device;
  }
  pthread_mutex_unlock(&node->lost_mutex);
  if (!is_new) {
    return;
  }
  genie_metrics_add(&node->metrics, GENIE_METRIC_DEVICES_LOST, 1);
  genie_log_write(&node->log, GENIE_LOG_ERROR, NULL,
                  "%s%u is beyond repair: its sessions end, and the node starts again when no other session is open",
                  kind, ordinal);
  genie_session_table_visit(node->sessions, fail_session, &device);
  (void)pthread_kill(node->main_thread, GENIE_LOST_DEVICE_SIGNAL);
}

void genie_lost_devices_examine(genie_node_t *node, genie_node_session_t *session) {
  for (uint32_t i = 0; i < genie_share_program_count(session->share); ++i) {
    if (genie_place_program_is_device_lost(genie_share_program(session->share, i))) {
      const genie_place_program_options_t *options = &session->places[i].options;
      lose(node, options->device, options->ordinal);
    }
  }
}

void genie_lost_devices_blame(genie_node_t *node, const genie_node_session_t *session) {
  const genie_place_program_options_t *suspect = NULL;
  for (uint32_t i = 0; i < session->place_count; ++i) {
    const genie_place_program_options_t *options = &session->places[i].options;
    if (!genie_node_can_lose(options->device)) {
      continue;
    }
    if (suspect != NULL && (options->ordinal != suspect->ordinal || strcmp(options->device, suspect->device) != 0)) {
      return;
    }
    suspect = options;
  }
  if (suspect != NULL) {
    lose(node, suspect->device, suspect->ordinal);
  }
}

// ---- Restart ----

typedef struct count {
  genie_node_t *node;
  uint64_t lost_sessions;
} count_t;

static void count_lost(void *context, genie_node_session_t *session) {
  count_t *count = context;
  for (uint32_t i = 0; i < session->place_count; ++i) {
    if (genie_lost_devices_has(count->node, session->places[i].options.device, session->places[i].options.ordinal)) {
      ++count->lost_sessions;
      return;
    }
  }
}

// Sessions that are being opened count as open.
bool genie_lost_devices_want_restart(genie_node_t *node) {
  count_t count = {.node = node};
  pthread_mutex_lock(&node->lost_mutex);
  const bool has_lost = node->lost_count > 0;
  pthread_mutex_unlock(&node->lost_mutex);
  if (!has_lost) {
    return false;
  }
  genie_session_table_visit(node->sessions, count_lost, &count);
  return genie_budget_used(node->budget, GENIE_BUDGET_SESSIONS) <= count.lost_sessions;
}

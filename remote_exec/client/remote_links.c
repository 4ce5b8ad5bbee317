// What carries a session: the connections of this process, and those between nodes, as they count them.
#include <string.h>

#include "remote_exec/client/remote_session.h"

static const uint64_t kAnswerNs = (uint64_t)2 * 1000000000;

typedef struct link_list {
  genie_remote_session_t *session;
  genie_session_link_t *rows;
  uint32_t count, capacity;
} link_list_t;

static double expected_rate(const link_list_t *list, const char *from, const char *to) {
  const genie_pool_t *pool = list->session->setup.pool;
  uint32_t from_node = 0;
  uint32_t to_node = 0;
  const genie_status_t from_status = genie_pool_find_node(pool, from, &from_node);
  const genie_status_t to_status = genie_pool_find_node(pool, to, &to_node);
  const bool is_known = from_status == GENIE_OK && to_status == GENIE_OK;
  genie_status_free(from_status);
  genie_status_free(to_status);
  const genie_pool_link_t *link = is_known ? genie_pool_find_link(pool, from_node, to_node) : NULL;
  return link != NULL ? link->bytes_per_s : 0;
}

static genie_status_t add_row(link_list_t *list, const char *from, const char *to, const char *path,
                              const genie_session_link_t *counts) {
  if (list->count == list->capacity) {
    return GENIE_OK;  // a node that lists more connections than its session can have
  }
  char *texts[3] = {0};
  const char *const given[3] = {from, to, path};
  for (int i = 0; i < 3; ++i) {
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&list->session->link_arena, given[i], strlen(given[i]), &texts[i]));
  }
  genie_session_link_t *row = &list->rows[list->count++];
  *row = *counts;
  row->from = texts[0];
  row->to = texts[1];
  row->path = texts[2];
  row->expected_bytes_per_s = expected_rate(list, from, to);
  return GENIE_OK;
}

static genie_status_t add_own(link_list_t *list, const char *to, const genie_channel_stats_t *stats) {
  const genie_session_link_t counts = {.sent_bytes = stats->sent_bytes,
                                       .received_bytes = stats->received_bytes,
                                       .send_ns = stats->send_ns,
                                       .receive_ns = stats->receive_ns};
  return add_row(list, GENIE_POOL_LOCAL_NODE, to, stats->path, &counts);
}

static genie_status_t add_calls(link_list_t *list) {
  for (uint32_t i = 0; i < list->session->node_count; ++i) {
    const genie_remote_node_t *node = &list->session->nodes[i];
    genie_channel_stats_t stats;
    genie_channel_get_stats(node->calls, &stats);
    GENIE_RETURN_IF_ERROR(add_own(list, genie_node_link_name(node->link), &stats));
  }
  const char *name = NULL;
  genie_channel_stats_t stats;
  for (uint32_t i = 0; list->session->share != NULL && genie_share_peer_stats(list->session->share, i, &name, &stats);
       ++i) {
    GENIE_RETURN_IF_ERROR(add_own(list, name, &stats));
  }
  return GENIE_OK;
}

static uint32_t position_of(const genie_remote_session_t *session, const char *name) {
  uint32_t i = 0;
  while (i < session->node_count && strcmp(genie_node_link_name(session->nodes[i].link), name) != 0) {
    ++i;
  }
  return i;
}

// Both ends of a connection tell of it; it is listed by the one that comes first.
static genie_status_t add_answer(link_list_t *list, uint32_t index, const Genie__Wire__NodeStats *stats) {
  const genie_remote_session_t *session = list->session;
  for (size_t i = 0; i < stats->n_links; ++i) {
    const Genie__Wire__LinkStats *link = stats->links[i];
    const uint32_t peer = position_of(session, link->peer);
    if (peer <= index || peer == session->node_count) {
      continue;
    }
    const genie_session_link_t counts = {.sent_bytes = link->sent_bytes,
                                         .received_bytes = link->received_bytes,
                                         .send_ns = link->send_ns,
                                         .receive_ns = link->receive_ns};
    GENIE_RETURN_IF_ERROR(
        add_row(list, genie_node_link_name(session->nodes[index].link), link->peer, link->path, &counts));
  }
  return GENIE_OK;
}

static genie_status_t ask_node(link_list_t *list, uint32_t index) {
  const Genie__Wire__GetNodeStats question = GENIE__WIRE__GET_NODE_STATS__INIT;
  genie_wire_control_t answer;
  GENIE_RETURN_IF_ERROR(genie_node_link_request(list->session->nodes[index].link, GENIE_WIRE_GET_NODE_STATS,
                                                &question.base, GENIE_WIRE_NODE_STATS,
                                                genie_deadline_after_ns(kAnswerNs), &answer));
  const genie_status_t status = add_answer(list, index, answer.node_stats);
  genie_wire_control_deinit(&answer);
  return status;
}

genie_status_t genie_remote_session_list_links(genie_session_t *base, const genie_session_link_t **out_links,
                                               uint32_t *out_link_count) {
  genie_remote_session_t *session = (genie_remote_session_t *)base;
  link_list_t list = {.session = session, .capacity = session->node_count * (session->node_count + 3) / 2};
  void *rows = NULL;
  GENIE_RETURN_IF_ERROR(genie_remote_session_check(session));
  genie_arena_deinit(&session->link_arena);
  genie_arena_init(base->allocator, 0, &session->link_arena);
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&session->link_arena, list.capacity, sizeof(genie_session_link_t), &rows));
  list.rows = rows;
  GENIE_RETURN_IF_ERROR(add_calls(&list));
  for (uint32_t i = 0; i < session->node_count && session->node_count > 1; ++i) {
    GENIE_RETURN_IF_ERROR(ask_node(&list, i));
  }
  *out_links = list.rows;
  *out_link_count = list.count;
  return GENIE_OK;
}

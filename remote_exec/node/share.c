#include "remote_exec/node/share.h"

#include <string.h>

#include "remote_exec/node/send_queue.h"
#include "remote_exec/node/share_state.h"
#include "runtime/base/checked_math.h"

// ---- Construction ----

static uint64_t add_saturated(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return genie_checked_add_u64(a, b, &sum) ? sum : UINT64_MAX;
}

// What one transfer brings at most: the extent that the plan gives its destination slice.
static uint64_t transfer_bound(const genie_plan_t *plan, uint32_t transfer) {
  const genie_plan_entry_t *entry = &plan->entries[plan->transfers[transfer].entry];
  for (uint32_t i = 0; i < entry->instruction_count; ++i) {
    const genie_plan_instruction_t *instruction = &plan->instructions[entry->first_instruction + i];
    if (instruction->opcode == GENIE_PLAN_OPCODE_RECEIVE && instruction->b == transfer) {
      return plan->slices[instruction->a].maximum_bytes;
    }
  }
  return 0;
}

static bool is_listed(const uint32_t *places, uint32_t place_count, uint32_t place) {
  for (uint32_t i = 0; i < place_count; ++i) {
    if (places[i] == place) {
      return true;
    }
  }
  return false;
}

uint64_t genie_share_measure(const genie_plan_t *plan, const uint32_t *places, uint32_t place_count) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    const genie_plan_tensor_t *tensor = &plan->tensors[i];
    if (tensor->role != GENIE_PLAN_ROLE_STATE && is_listed(places, place_count, tensor->place)) {
      bytes = add_saturated(bytes, tensor->maximum_bytes);
    }
  }
  for (uint32_t i = 0; i < place_count; ++i) {
    bytes =
        add_saturated(bytes, add_saturated(plan->places[places[i]].slab_bytes, plan->places[places[i]].state_bytes));
    bytes = add_saturated(bytes, plan->code_bytes);
  }
  uint64_t largest_sent_bytes = 0;
  for (uint32_t i = 0; i < plan->transfer_count; ++i) {
    const uint64_t bound = transfer_bound(plan, i);
    if (is_listed(places, place_count, plan->transfers[i].destination_place)) {
      bytes = add_saturated(bytes, bound);
    } else if (is_listed(places, place_count, plan->transfers[i].source_place)) {
      largest_sent_bytes = bound > largest_sent_bytes ? bound : largest_sent_bytes;
    }
  }
  for (int i = 0; i < GENIE_SEND_QUEUE_DEPTH; ++i) {
    bytes = add_saturated(bytes, largest_sent_bytes);
  }
  return bytes;
}

static genie_status_t allocate(genie_share_t *share, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(share->allocator, count, element_bytes, &memory));
  *(void **)out_pointer = memory;
  return GENIE_OK;
}

static genie_status_t create_mailbox(genie_share_t *share) {
  const genie_plan_t *plan = share->model->plan;
  uint64_t *bounds = NULL;
  GENIE_RETURN_IF_ERROR(allocate(share, plan->transfer_count, sizeof(*bounds), &bounds));
  for (uint32_t i = 0; i < plan->transfer_count; ++i) {
    bounds[i] = transfer_bound(plan, i);
  }
  const genie_status_t status = genie_mailbox_create(bounds, plan->transfer_count, share->allocator, &share->mailbox);
  genie_allocator_free(share->allocator, bounds);
  return status;
}

static genie_status_t create_places(genie_share_t *share, const genie_share_place_t *places, uint32_t place_count) {
  GENIE_RETURN_IF_ERROR(allocate(share, place_count, sizeof(*share->hosted), &share->hosted));
  GENIE_RETURN_IF_ERROR(allocate(share, share->model->plan->place_count, sizeof(bool), &share->is_ours));
  for (uint32_t i = 0; i < place_count; ++i) {
    if (places[i].place >= share->model->plan->place_count || share->is_ours[places[i].place]) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "place %u is given twice, or the plan has none such",
                               places[i].place);
    }
    share->is_ours[places[i].place] = true;
    genie_share_hosted_t *hosted = &share->hosted[share->hosted_count++];
    *hosted = (genie_share_hosted_t){
        .exchange = {.ops = &genie_share_exchange_ops}, .share = share, .place = places[i].place};
    GENIE_RETURN_IF_ERROR(
        genie_place_program_create(share->model, places[i].place, &places[i].options, &hosted->program));
    if (i > 0) {
      GENIE_RETURN_IF_ERROR(genie_share_start_thread(hosted));
    }
  }
  return GENIE_OK;
}

typedef uint32_t (*count_fn_t)(const genie_place_program_t *program, uint32_t entry);
typedef uint32_t (*position_fn_t)(const genie_place_program_t *program, uint32_t entry, uint32_t index);

// The tensors of all hosted places, by position. Returns how many.
static uint32_t list_homes(const genie_share_t *share, uint32_t entry, count_fn_t count, position_fn_t position,
                           genie_share_home_t *homes) {
  uint32_t home_count = 0;
  for (uint32_t h = 0; h < share->hosted_count; ++h) {
    const genie_place_program_t *program = share->hosted[h].program;
    for (uint32_t i = 0; i < count(program, entry); ++i) {
      const genie_share_home_t home = {.position = position(program, entry, i), .hosted = h, .index = i};
      uint32_t at = home_count++;
      for (; at > 0 && homes[at - 1].position > home.position; --at) {
        homes[at] = homes[at - 1];
      }
      homes[at] = home;
    }
  }
  return home_count;
}

static genie_status_t create_homes(genie_share_t *share) {
  const genie_plan_t *plan = share->model->plan;
  size_t total = 0;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    total += plan->entries[i].input_count + plan->entries[i].output_count;
  }
  GENIE_RETURN_IF_ERROR(allocate(share, plan->entry_count, sizeof(*share->entries), &share->entries));
  GENIE_RETURN_IF_ERROR(allocate(share, total, sizeof(*share->homes), &share->homes));
  genie_share_home_t *homes = share->homes;
  for (uint32_t i = 0; i < plan->entry_count; ++i) {
    genie_share_entry_t *entry = &share->entries[i];
    entry->inputs = homes;
    entry->input_count =
        list_homes(share, i, genie_place_program_input_count, genie_place_program_input_position, homes);
    entry->outputs = homes + entry->input_count;
    entry->output_count =
        list_homes(share, i, genie_place_program_output_count, genie_place_program_output_position, entry->outputs);
    homes = entry->outputs + entry->output_count;
  }
  return GENIE_OK;
}

// Where a place's inputs and outputs are in a call that brings its own memory.
static genie_status_t create_lists(genie_share_t *share) {
  for (uint32_t h = 0; h < share->hosted_count; ++h) {
    genie_share_hosted_t *hosted = &share->hosted[h];
    size_t most = 0;
    for (uint32_t i = 0; i < share->model->plan->entry_count; ++i) {
      const size_t count = (size_t)genie_place_program_input_count(hosted->program, i) +
                           genie_place_program_output_count(hosted->program, i);
      most = count > most ? count : most;
    }
    GENIE_RETURN_IF_ERROR(allocate(share, most + 1, sizeof(*hosted->addresses), &hosted->addresses));
  }
  return GENIE_OK;
}

static void init_locks(genie_share_t *share) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&share->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&share->mutex, NULL);
}

static genie_status_t fill_share(genie_share_t *share, const genie_share_place_t *places, uint32_t place_count) {
  if (place_count == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a session without places on this node");
  }
  GENIE_RETURN_IF_ERROR(allocate(share, share->model->plan->place_count, sizeof(*share->links), &share->links));
  GENIE_RETURN_IF_ERROR(create_mailbox(share));
  GENIE_RETURN_IF_ERROR(create_places(share, places, place_count));
  GENIE_RETURN_IF_ERROR(create_homes(share));
  return create_lists(share);
}

genie_status_t genie_share_create(const genie_model_t *model, const genie_share_place_t *places, uint32_t place_count,
                                  genie_allocator_t allocator, genie_share_t **out_share) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_share_t), &memory));
  genie_share_t *share = memory;
  share->allocator = allocator;
  share->model = model;
  share->trace = place_count > 0 ? places[0].options.trace : NULL;
  init_locks(share);
  const genie_status_t status = fill_share(share, places, place_count);
  if (status != GENIE_OK) {
    genie_share_destroy(share);
    return status;
  }
  *out_share = share;
  return GENIE_OK;
}

static void end_threads(genie_share_t *share) {
  pthread_mutex_lock(&share->mutex);
  share->is_ending = true;
  pthread_cond_broadcast(&share->changed);
  pthread_mutex_unlock(&share->mutex);
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    if (share->hosted[i].has_thread) {
      pthread_join(share->hosted[i].thread, NULL);
    }
  }
}

void genie_share_destroy(genie_share_t *share) {
  if (share == NULL) {
    return;
  }
  end_threads(share);
  for (uint32_t i = 0; i < share->link_count; ++i) {
    genie_peer_link_destroy(share->links[i]);
  }
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    genie_place_program_destroy(share->hosted[i].program);
    genie_allocator_free(share->allocator, share->hosted[i].addresses);
  }
  genie_mailbox_destroy(share->mailbox);
  pthread_cond_destroy(&share->changed);
  pthread_mutex_destroy(&share->mutex);
  genie_allocator_free(share->allocator, share->links);
  genie_allocator_free(share->allocator, share->hosted);
  genie_allocator_free(share->allocator, share->is_ours);
  genie_allocator_free(share->allocator, share->entries);
  genie_allocator_free(share->allocator, share->homes);
  genie_allocator_free(share->allocator, share);
}

// ---- Peers ----

static genie_status_t mark_places(const genie_share_t *share, const genie_share_peer_t *peer, bool *is_theirs) {
  for (uint32_t i = 0; i < peer->place_count; ++i) {
    const uint32_t place = peer->places[i];
    if (place >= share->model->plan->place_count || share->is_ours[place] || is_theirs[place]) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node '%s' cannot host place %u", peer->name, place);
    }
    is_theirs[place] = true;
  }
  return GENIE_OK;
}

static genie_status_t check_places_free(genie_share_t *share, const genie_share_peer_t *peer) {
  for (uint32_t i = 0; i < peer->place_count; ++i) {
    if (genie_share_find_link(share, peer->places[i]) != NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a node with place %u is connected already",
                               peer->places[i]);
    }
  }
  return GENIE_OK;
}

static genie_status_t attach(genie_share_t *share, const genie_share_peer_t *peer, bool *is_theirs,
                             genie_channel_t *channel) {
  genie_peer_link_t *link = NULL;
  genie_status_t status = mark_places(share, peer, is_theirs);
  pthread_mutex_lock(&share->mutex);
  if (status == GENIE_OK) {
    status = check_places_free(share, peer);
  }
  if (status == GENIE_OK) {
    const genie_peer_link_options_t options = {.name = peer->name,
                                               .session_id = peer->session_id,
                                               .plan = share->model->plan,
                                               .mailbox = share->mailbox,
                                               .trace = share->trace,
                                               .is_theirs = is_theirs,
                                               .is_ours = share->is_ours};
    status = genie_peer_link_create(&options, channel, share->allocator, &link);
  } else {
    genie_channel_close(channel);
  }
  if (status == GENIE_OK) {
    share->links[share->link_count++] = link;
    pthread_cond_broadcast(&share->changed);
  }
  pthread_mutex_unlock(&share->mutex);
  return status;
}

genie_status_t genie_share_attach(genie_share_t *share, const genie_share_peer_t *peer, genie_channel_t *channel) {
  void *is_theirs = NULL;
  genie_status_t status =
      genie_allocator_allocate_array(share->allocator, share->model->plan->place_count, sizeof(bool), &is_theirs);
  if (status == GENIE_OK && peer->place_count == 0) {
    status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "node '%s' hosts no place", peer->name);
  }
  if (status != GENIE_OK) {
    genie_allocator_free(share->allocator, is_theirs);
    genie_channel_close(channel);
    return status;
  }
  status = attach(share, peer, is_theirs, channel);
  genie_allocator_free(share->allocator, is_theirs);
  return status;
}

uint32_t genie_share_place_count(const genie_share_t *share) {
  return share->hosted_count;
}

uint32_t genie_share_place_index(const genie_share_t *share, uint32_t index) {
  return share->hosted[index].place;
}

bool genie_share_peer_stats(genie_share_t *share, uint32_t index, const char **out_name,
                            genie_channel_stats_t *out_stats) {
  pthread_mutex_lock(&share->mutex);
  genie_peer_link_t *link = index < share->link_count ? share->links[index] : NULL;
  pthread_mutex_unlock(&share->mutex);
  if (link != NULL) {
    *out_name = genie_peer_link_name(link);
    genie_peer_link_get_stats(link, out_stats);
  }
  return link != NULL;
}

// ---- Inputs and outputs ----

uint32_t genie_share_input_count(const genie_share_t *share, uint32_t entry) {
  return share->entries[entry].input_count;
}

uint32_t genie_share_output_count(const genie_share_t *share, uint32_t entry) {
  return share->entries[entry].output_count;
}

uint32_t genie_share_input_position(const genie_share_t *share, uint32_t entry, uint32_t index) {
  return share->entries[entry].inputs[index].position;
}

uint32_t genie_share_output_position(const genie_share_t *share, uint32_t entry, uint32_t index) {
  return share->entries[entry].outputs[index].position;
}

genie_share_tensor_t genie_share_input(const genie_share_t *share, uint32_t entry, uint32_t index) {
  const genie_share_home_t *home = &share->entries[entry].inputs[index];
  const genie_place_program_t *program = share->hosted[home->hosted].program;
  return (genie_share_tensor_t){.position = home->position,
                                .memory = genie_place_program_input_memory(program, entry, home->index),
                                .bytes = genie_place_program_input_bytes(program, entry, home->index)};
}

genie_share_tensor_t genie_share_output(const genie_share_t *share, uint32_t entry, uint32_t index) {
  const genie_share_home_t *home = &share->entries[entry].outputs[index];
  const genie_place_program_t *program = share->hosted[home->hosted].program;
  return (genie_share_tensor_t){.position = home->position,
                                .memory = genie_place_program_output_memory(program, entry, home->index),
                                .bytes = genie_place_program_output_bytes(program, entry, home->index)};
}

// ---- States ----

uint32_t genie_share_program_count(const genie_share_t *share) {
  return share->hosted_count;
}

genie_place_program_t *genie_share_program(const genie_share_t *share, uint32_t index) {
  return share->hosted[index].program;
}

genie_status_t genie_share_traffic(genie_share_t *share, uint32_t transfer, uint64_t *out_last_bytes,
                                   uint64_t *out_total_bytes) {
  const genie_plan_t *plan = share->model->plan;
  const genie_plan_transfer_t *record = transfer < plan->transfer_count ? &plan->transfers[transfer] : NULL;
  for (uint32_t i = 0; record != NULL && i < share->hosted_count; ++i) {
    const uint32_t place = genie_share_place_index(share, i);
    if (place == record->destination_place || place == record->source_place) {
      *out_last_bytes = genie_place_program_transfer_bytes(share->hosted[i].program, transfer);
      *out_total_bytes = genie_place_program_total_bytes(share->hosted[i].program, transfer);
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "no place here sends or receives transfer %u", transfer);
}

bool genie_share_edge_bytes(const genie_share_t *share, uint32_t transfer, bool is_sent, uint64_t *out_bytes) {
  const genie_plan_transfer_t *record = &share->model->plan->transfers[transfer];
  const uint32_t place = is_sent ? record->source_place : record->destination_place;
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    if (share->hosted[i].place == place) {
      *out_bytes = genie_place_program_total_bytes(share->hosted[i].program, transfer);
      return true;
    }
  }
  return false;
}

// What is taken has arrived before, so the two are read in this order.
uint64_t genie_share_difference_bytes(genie_share_t *share) {
  const genie_plan_t *plan = share->model->plan;
  uint64_t arrived = 0, taken = 0, bytes = 0;
  for (uint32_t i = 0; i < plan->transfer_count; ++i) {
    if (!share->is_ours[plan->transfers[i].source_place] && genie_share_edge_bytes(share, i, false, &bytes)) {
      taken += bytes;
    }
  }
  pthread_mutex_lock(&share->mutex);
  for (uint32_t i = 0; i < share->link_count; ++i) {
    arrived += genie_peer_link_arrived_bytes(share->links[i]);
  }
  pthread_mutex_unlock(&share->mutex);
  return arrived > taken ? arrived - taken : taken - arrived;
}

genie_status_t genie_share_find_state(const genie_share_t *share, const char *name, genie_place_program_t **out_program,
                                      uint64_t *out_bytes) {
  uint32_t index = 0;
  GENIE_RETURN_IF_ERROR(genie_model_find_state(share->model, name, &index));
  const genie_plan_tensor_t *tensor = &share->model->plan->tensors[index];
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    if (share->hosted[i].place == tensor->place) {
      *out_program = share->hosted[i].program;
      *out_bytes = tensor->maximum_bytes;
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_NOT_FOUND, "state '%.64s' is at another node", name);
}

genie_status_t genie_share_reset_states(genie_share_t *share) {
  for (uint32_t i = 0; i < share->hosted_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_place_program_reset_state(share->hosted[i].program));
  }
  return GENIE_OK;
}

// Weights of sessions that are being opened: what the node lacks of them is asked for and taken in.
#include "remote_exec/daemon/control_service.h"
#include "remote_exec/node/liveness.h"
#include "runtime/exec/place_weights.h"

enum { kPieceBytes = 1024 * 1024, kRanges = 1024 };

static const uint64_t kOthersTimeoutNs = (uint64_t)60 * 1000000000;

// Where the upload of a chunk goes on.
static uint64_t find_resumption(genie_store_image_t *image, uint32_t chunk) {
  genie_store_upload_t *upload = NULL;
  const genie_status_t claimed = genie_store_claim_chunk(image, chunk, &upload);
  const uint64_t offset = claimed == GENIE_OK && upload != NULL ? upload->received_bytes : 0;
  genie_store_upload_release(upload);
  genie_status_free(claimed);  // another client brings it: this one's upload will be skipped
  return offset;
}

// Asks the client for chunks, or says that none are missing.
static genie_status_t answer_state(const genie_control_t *control, genie_control_session_t *opened,
                                   const uint32_t *chunks, uint32_t count) {
  Genie__Wire__ChunkRange ranges[kRanges];
  Genie__Wire__ChunkRange *pointers[kRanges];
  Genie__Wire__SessionState state = GENIE__WIRE__SESSION_STATE__INIT;
  state.request_id = opened->request_id;
  state.session_id = opened->session->id;
  state.missing = pointers;
  for (uint32_t i = 0; i < count; ++i) {
    if (i > 0 && chunks[i - 1] + 1 == chunks[i]) {
      ++ranges[state.n_missing - 1].count;
      continue;
    }
    Genie__Wire__ChunkRange *range = &ranges[state.n_missing];
    genie__wire__chunk_range__init(range);
    range->first = chunks[i];
    range->count = 1;
    pointers[state.n_missing++] = range;
  }
  if (count > 0) {
    state.first_offset = find_resumption(opened->session->weights, chunks[0]);
  }
  opened->awaited_count = count;
  return genie_control_answer(control, GENIE_WIRE_SESSION_STATE, &state.base);
}

// Waits for chunks that others bring; when one of them gave up, the chunk is this client's to bring.
static genie_status_t await_others(const genie_node_session_t *session) {
  genie_store_upload_t *upload = NULL;
  const genie_status_t status = genie_store_claim(session->weights, session->needed_chunks, kOthersTimeoutNs, &upload);
  genie_store_upload_release(upload);
  return status;
}

genie_status_t genie_control_ask_weights(const genie_control_t *control, genie_control_session_t *opened,
                                         bool *out_is_complete) {
  const genie_node_session_t *session = opened->session;
  uint32_t chunks[kRanges];
  while (!genie_store_image_is_complete(session->weights, session->needed_chunks)) {
    const uint32_t missing = genie_store_image_missing(session->weights, session->needed_chunks, chunks, kRanges);
    if (missing > 0) {
      return answer_state(control, opened, chunks, missing < kRanges ? missing : kRanges);
    }
    GENIE_RETURN_IF_ERROR(await_others(session));
  }
  *out_is_complete = true;
  return GENIE_OK;
}

// The chunks that hold weights of the session's places.
static genie_status_t find_needs(const genie_control_t *control, genie_node_session_t *session) {
  const genie_plan_t *plan = session->model->plan;
  void *needed = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(control->node->allocator, plan->weight_chunk_count + (size_t)1,
                                                       sizeof(bool), &needed));
  session->needed_chunks = needed;
  for (uint32_t i = 0; i < session->place_count; ++i) {
    GENIE_RETURN_IF_ERROR(
        genie_place_weights_mark_chunks(session->model, session->places[i].place, session->needed_chunks));
  }
  return GENIE_OK;
}

// A client may name a file with the weights that this node sees too; a node that does not see it asks for them.
genie_status_t genie_control_open_weights(const genie_control_t *control, const Genie__Wire__OpenSession *open,
                                          genie_control_session_t *opened) {
  genie_node_session_t *session = opened->session;
  const genie_plan_t *plan = session->model->plan;
  const genie_store_file_t file = {.path = open->weights_path, .offset = plan->weights_offset};
  GENIE_RETURN_IF_ERROR(find_needs(control, session));
  GENIE_RETURN_IF_ERROR(genie_store_image_open(control->node->store, plan->weight_chunks, plan->weight_chunk_count,
                                               plan->weights_bytes, session->needed_chunks, &session->weights));
  const genie_status_t loaded =
      genie_store_image_load(session->weights, session->needed_chunks, open->weights_path[0] == '/' ? &file : NULL);
  if (genie_status_code(loaded) == GENIE_STATUS_PERMISSION_DENIED ||
      genie_status_code(loaded) == GENIE_STATUS_NOT_FOUND) {
    genie_status_free(loaded);
    return GENIE_OK;
  }
  return loaded;
}

static genie_status_t receive_upload(const genie_control_t *control, genie_store_upload_t *upload,
                                     uint64_t *left_bytes) {
  while (*left_bytes > 0) {
    const uint64_t count = *left_bytes < kPieceBytes ? *left_bytes : kPieceBytes;
    GENIE_RETURN_IF_ERROR(genie_channel_receive_payload(control->channel, genie_store_upload_space(upload), count,
                                                        genie_liveness_transfer_deadline(count)));
    *left_bytes -= count;
    GENIE_RETURN_IF_ERROR(genie_store_upload_advance(upload, count));
  }
  return GENIE_OK;
}

genie_status_t genie_control_receive_chunk(const genie_control_t *control, genie_control_session_t *opened,
                                           const Genie__Wire__WeightChunk *chunk, uint64_t *left_bytes) {
  if (opened->awaited_count == 0 || chunk->chunk >= opened->session->model->plan->weight_chunk_count ||
      !opened->session->needed_chunks[chunk->chunk]) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "weight chunk %u was not asked for", chunk->chunk);
  }
  --opened->awaited_count;
  genie_store_upload_t *upload = NULL;
  genie_status_t status = genie_store_claim_chunk(opened->session->weights, chunk->chunk, &upload);
  if (genie_status_code(status) == GENIE_STATUS_UNAVAILABLE) {
    genie_status_free(status);  // another client brings it
    return GENIE_OK;
  }
  if (status == GENIE_OK && upload != NULL) {
    if (chunk->offset != upload->received_bytes || *left_bytes != upload->size_bytes - upload->received_bytes) {
      status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                                 "weight chunk %u: %llu bytes from byte %llu; those from %llu to %llu are due",
                                 chunk->chunk, (unsigned long long)*left_bytes, (unsigned long long)chunk->offset,
                                 (unsigned long long)upload->received_bytes, (unsigned long long)upload->size_bytes);
    } else {
      status = receive_upload(control, upload, left_bytes);
    }
  }
  genie_store_upload_release(upload);
  return status;
}

#include "runtime/exec/program_graph.h"

#include <string.h>

#include "runtime/exec/program_staging.h"
#include "runtime/exec/program_step.h"

// Sets of sizes whose graphs are kept; the one used longest ago makes room.
enum { kMostBuckets = 16 };

// Steps of one place between two messages.
typedef struct segment {
  uint32_t first_step, step_count;
  uint32_t place;
  bool has_upload, has_download;  // of the place's inputs and outputs
} segment_t;

typedef struct bucket {
  int64_t *sizes;                 // [program->size_count] what the graphs were made for
  genie_device_graph_t **graphs;  // [segment_count]
  uint64_t last_use;              // 0: the bucket is free
  bool has_graphs;
} bucket_t;

struct genie_program_graphs {
  segment_t *segments;
  uint32_t segment_count;
  genie_device_event_t ***events;  // [place_count][stream_count] to fork from the first stream and to join it
  uint32_t place_count;
  bucket_t buckets[kMostBuckets];
  const bucket_t *current;  // NULL: these sizes are run step by step
  uint64_t use_count;
};

static genie_status_t allocate(genie_arena_t *arena, size_t count, size_t element_bytes, void *out_pointer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, count, element_bytes, &memory));
  memcpy(out_pointer, &memory, sizeof(memory));
  return GENIE_OK;
}

// ---- Segments ----

static bool is_graphed(const genie_place_t *places, const genie_step_t *step) {
  return step->kind != GENIE_STEP_SEND && step->kind != GENIE_STEP_RECEIVE &&
         places[step->place].device->ops->graph_begin != NULL;
}

static genie_status_t find_segments(const genie_program_t *program, const genie_place_t *places, genie_arena_t *arena,
                                    genie_program_graphs_t *graphs) {
  GENIE_RETURN_IF_ERROR(allocate(arena, program->step_count, sizeof(*graphs->segments), &graphs->segments));
  for (uint32_t i = 0; i < program->step_count;) {
    uint32_t end = i;
    while (end < program->step_count && is_graphed(places, &program->steps[end]) &&
           program->steps[end].place == program->steps[i].place) {
      ++end;
    }
    if (end > i) {
      graphs->segments[graphs->segment_count++] =
          (segment_t){.first_step = i, .step_count = end - i, .place = program->steps[i].place};
    }
    i = end > i ? end : i + 1;
  }
  return GENIE_OK;
}

// The first segment of a place brings its inputs unless the place has sent something before; the last one takes its
// outputs unless the place receives something later.
static void assign_moves(const genie_program_t *program, genie_program_graphs_t *graphs) {
  for (uint32_t i = 0; i < graphs->segment_count; ++i) {
    segment_t *segment = &graphs->segments[i];
    segment->has_upload = segment->has_download = true;
    for (uint32_t s = 0; s < program->step_count; ++s) {
      const bool is_inside = s >= segment->first_step && s < segment->first_step + segment->step_count;
      if (program->steps[s].place == segment->place && !is_inside) {
        segment->has_upload = segment->has_upload && s > segment->first_step;
        segment->has_download = segment->has_download && s < segment->first_step;
      }
    }
  }
}

static genie_status_t create_events(genie_place_t *places, genie_arena_t *arena, genie_program_graphs_t *graphs) {
  GENIE_RETURN_IF_ERROR(allocate(arena, graphs->place_count, sizeof(*graphs->events), &graphs->events));
  for (uint32_t i = 0; i < graphs->segment_count; ++i) {
    const uint32_t p = graphs->segments[i].place;
    const genie_place_t *place = &places[p];
    if (graphs->events[p] != NULL || place->stream_count == 1) {
      continue;
    }
    GENIE_RETURN_IF_ERROR(allocate(arena, place->stream_count, sizeof(**graphs->events), &graphs->events[p]));
    for (uint32_t s = 0; s < place->stream_count; ++s) {
      GENIE_RETURN_IF_ERROR(place->device->ops->event_create(place->device, &graphs->events[p][s]));
    }
  }
  return GENIE_OK;
}

// ---- Making a graph ----

// A wait for what an earlier segment signalled has nothing to wait for: segments follow each other on the first stream.
static bool is_needless(const genie_program_t *program, const segment_t *segment, uint32_t step) {
  if (program->steps[step].kind != GENIE_STEP_WAIT) {
    return false;
  }
  for (uint32_t i = segment->first_step; i < step; ++i) {
    if (program->steps[i].kind == GENIE_STEP_SIGNAL && program->steps[i].event == program->steps[step].event) {
      return false;
    }
  }
  return true;
}

static genie_status_t fork_streams(const genie_program_graphs_t *graphs, uint32_t p, genie_place_t *place) {
  genie_device_t *device = place->device;
  for (uint32_t s = 1; s < place->stream_count; ++s) {
    GENIE_RETURN_IF_ERROR(device->ops->event_record(device, place->streams[0], graphs->events[p][0]));
    GENIE_RETURN_IF_ERROR(device->ops->event_wait(device, place->streams[s], graphs->events[p][0]));
  }
  return GENIE_OK;
}

static genie_status_t join_streams(const genie_program_graphs_t *graphs, uint32_t p, genie_place_t *place) {
  genie_device_t *device = place->device;
  for (uint32_t s = 1; s < place->stream_count; ++s) {
    GENIE_RETURN_IF_ERROR(device->ops->event_record(device, place->streams[s], graphs->events[p][s]));
    GENIE_RETURN_IF_ERROR(device->ops->event_wait(device, place->streams[0], graphs->events[p][s]));
  }
  return GENIE_OK;
}

static genie_status_t enqueue(genie_program_t *program, genie_place_t *places, const segment_t *segment) {
  genie_place_t *place = &places[segment->place];
  if (segment->has_upload) {
    GENIE_RETURN_IF_ERROR(genie_program_upload(program, places, segment->place));
    GENIE_RETURN_IF_ERROR(genie_program_stamp(program, place, place->begin_event));
  }
  GENIE_RETURN_IF_ERROR(fork_streams(program->graphs, segment->place, place));
  for (uint32_t i = segment->first_step; i < segment->first_step + segment->step_count; ++i) {
    if (!is_needless(program, segment, i)) {
      GENIE_RETURN_IF_ERROR(genie_program_run_step(program, place, &program->steps[i], NULL));
    }
  }
  GENIE_RETURN_IF_ERROR(join_streams(program->graphs, segment->place, place));
  if (!segment->has_download) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_program_stamp(program, place, place->end_event));
  return genie_program_download(program, places, segment->place);
}

static genie_status_t make_graph(genie_program_t *program, genie_place_t *places, const segment_t *segment,
                                 genie_device_graph_t **out_graph) {
  const genie_place_t *place = &places[segment->place];
  genie_device_t *device = place->device;
  GENIE_RETURN_IF_ERROR(device->ops->graph_begin(device, place->streams[0]));
  const genie_status_t enqueued = enqueue(program, places, segment);
  const genie_status_t ended = device->ops->graph_end(device, place->streams[0], out_graph);
  if (enqueued == GENIE_OK) {
    return ended;
  }
  if (ended == GENIE_OK) {
    device->ops->graph_destroy(device, *out_graph);
    *out_graph = NULL;
  }
  genie_status_free(ended);
  return enqueued;
}

static genie_status_t fill_bucket(genie_program_t *program, genie_place_t *places, bucket_t *bucket) {
  const genie_program_graphs_t *graphs = program->graphs;
  for (uint32_t i = 0; i < graphs->segment_count; ++i) {
    const segment_t *segment = &graphs->segments[i];
    GENIE_RETURN_IF_ERROR(make_graph(program, places, segment, &bucket->graphs[i]));
  }
  bucket->has_graphs = true;
  return GENIE_OK;
}

static void empty_bucket(const genie_program_graphs_t *graphs, genie_place_t *places, bucket_t *bucket) {
  for (uint32_t i = 0; bucket->graphs != NULL && i < graphs->segment_count; ++i) {
    if (bucket->graphs[i] != NULL) {
      genie_device_t *device = places[graphs->segments[i].place].device;
      device->ops->graph_destroy(device, bucket->graphs[i]);
      bucket->graphs[i] = NULL;
    }
  }
  bucket->has_graphs = false;
  bucket->last_use = 0;
}

// ---- Buckets ----

static bool has_sizes(const genie_program_t *program, const bucket_t *bucket) {
  for (uint32_t i = 0; i < program->size_count; ++i) {
    if (bucket->sizes[i] != *program->sizes[i].slot) {
      return false;
    }
  }
  return true;
}

static bucket_t *find_bucket(genie_program_t *program) {
  for (uint32_t i = 0; i < kMostBuckets; ++i) {
    bucket_t *bucket = &program->graphs->buckets[i];
    if (bucket->last_use > 0 && has_sizes(program, bucket)) {
      return bucket;
    }
  }
  return NULL;
}

static bucket_t *take_bucket(genie_program_t *program, genie_place_t *places) {
  bucket_t *oldest = &program->graphs->buckets[0];
  for (uint32_t i = 1; i < kMostBuckets; ++i) {
    bucket_t *bucket = &program->graphs->buckets[i];
    oldest = bucket->last_use < oldest->last_use ? bucket : oldest;
  }
  empty_bucket(program->graphs, places, oldest);
  for (uint32_t i = 0; i < program->size_count; ++i) {
    oldest->sizes[i] = *program->sizes[i].slot;
  }
  return oldest;
}

genie_status_t genie_program_graphs_choose(genie_program_t *program, genie_place_t *places) {
  genie_program_graphs_t *graphs = program->graphs;
  if (graphs == NULL || !program->has_new_sizes) {
    return GENIE_OK;
  }
  bucket_t *bucket = find_bucket(program);
  const bool is_seen = bucket != NULL;
  graphs->current = NULL;
  bucket = is_seen ? bucket : take_bucket(program, places);
  bucket->last_use = ++graphs->use_count;
  // Sizes that come once are not worth a graph.
  if (!bucket->has_graphs && (is_seen || program->size_count == 0)) {
    const genie_status_t status = fill_bucket(program, places, bucket);
    if (status != GENIE_OK) {
      empty_bucket(graphs, places, bucket);
      return status;
    }
  }
  graphs->current = bucket->has_graphs ? bucket : NULL;
  // The next run with these sizes looks again, and then has graphs.
  program->has_new_sizes = graphs->current == NULL;
  return GENIE_OK;
}

static const segment_t *find_moving(const genie_program_t *program, uint32_t place, bool is_upload) {
  const genie_program_graphs_t *graphs = program->graphs;
  for (uint32_t i = 0; graphs != NULL && graphs->current != NULL && i < graphs->segment_count; ++i) {
    const segment_t *segment = &graphs->segments[i];
    if (segment->place == place && (is_upload ? segment->has_upload : segment->has_download)) {
      return segment;
    }
  }
  return NULL;
}

bool genie_program_graph_uploads(const genie_program_t *program, uint32_t place) {
  return find_moving(program, place, true) != NULL;
}

bool genie_program_graph_downloads(const genie_program_t *program, uint32_t place) {
  return find_moving(program, place, false) != NULL;
}

genie_device_graph_t *genie_program_graph_at(const genie_program_t *program, uint32_t step, uint32_t *out_step_count) {
  const genie_program_graphs_t *graphs = program->graphs;
  if (graphs == NULL || graphs->current == NULL) {
    return NULL;
  }
  uint32_t low = 0, high = graphs->segment_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (graphs->segments[middle].first_step < step) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == graphs->segment_count || graphs->segments[low].first_step != step) {
    return NULL;
  }
  *out_step_count = graphs->segments[low].step_count;
  return graphs->current->graphs[low];
}

// ---- Construction ----

static genie_status_t create_buckets(const genie_program_t *program, genie_arena_t *arena,
                                     genie_program_graphs_t *graphs) {
  const uint32_t count = program->size_count == 0 ? 1 : kMostBuckets;
  for (uint32_t i = 0; i < count; ++i) {
    bucket_t *bucket = &graphs->buckets[i];
    GENIE_RETURN_IF_ERROR(allocate(arena, program->size_count, sizeof(*bucket->sizes), &bucket->sizes));
    GENIE_RETURN_IF_ERROR(allocate(arena, graphs->segment_count, sizeof(*bucket->graphs), &bucket->graphs));
  }
  return GENIE_OK;
}

genie_status_t genie_program_graphs_create(genie_program_t *program, genie_place_t *places, genie_arena_t *arena) {
  genie_program_graphs_t *graphs = NULL;
  GENIE_RETURN_IF_ERROR(allocate(arena, 1, sizeof(*graphs), &graphs));
  GENIE_RETURN_IF_ERROR(find_segments(program, places, arena, graphs));
  if (graphs->segment_count == 0 || program->launch_ns != NULL || program->trace != NULL) {
    return GENIE_OK;
  }
  assign_moves(program, graphs);
  graphs->place_count = program->plan->place_count;
  program->graphs = graphs;
  program->has_new_sizes = true;
  GENIE_RETURN_IF_ERROR(create_buckets(program, arena, graphs));
  GENIE_RETURN_IF_ERROR(create_events(places, arena, graphs));
  return program->size_count == 0 ? genie_program_graphs_choose(program, places) : GENIE_OK;
}

static void destroy_events(const genie_program_graphs_t *graphs, genie_place_t *places) {
  for (uint32_t p = 0; graphs->events != NULL && p < graphs->place_count; ++p) {
    for (uint32_t s = 0; graphs->events[p] != NULL && s < places[p].stream_count; ++s) {
      places[p].device->ops->event_destroy(places[p].device, graphs->events[p][s]);
    }
  }
}

void genie_program_graphs_destroy(genie_program_t *program, genie_place_t *places) {
  genie_program_graphs_t *graphs = program->graphs;
  if (graphs == NULL) {
    return;
  }
  for (uint32_t i = 0; i < kMostBuckets; ++i) {
    empty_bucket(graphs, places, &graphs->buckets[i]);
  }
  destroy_events(graphs, places);
  program->graphs = NULL;
}

// Dynamic programming along the cuts of a graph.
//
// Every path goes through a cut, so all before it is done when it ends and nothing after it has begun: devices and
// links are idle, and the latency of the whole is the sum of the segments' latencies, each from one cut's device to the
// next. Within a segment, between two cuts, all assignments are tried where they are few.
#include <string.h>

#include "passes/place/placement_model.h"

enum {
  kMaxTriesASegment = 4096,  // assignments of the inside of a segment, for one pair of devices at its ends
  kMaxTries = 20000000,      // nodes run in all enumerations
  kComparing = 100,          // a label with those that are kept, in nodes run
  kMaxLabels = 512,          // kept for each device of a cut when memory is scarce
};

typedef struct label {
  int64_t time_ns;
  uint64_t used[GENIE_PLACEMENT_MAX_DEVICES];  // resident bytes, kept only when memory is scarce
  uint32_t previous;                           // label of the cut before
  uint32_t first_inside;                       // assignment of the segment before this cut, in `inside`
} label_t;

typedef struct cut_labels {
  label_t *labels;  // those of device 0, then of device 1, ...
  uint32_t first[GENIE_PLACEMENT_MAX_DEVICES + 1];
} cut_labels_t;

typedef struct serial {
  genie_placement_model_t *model;
  const uint32_t *cuts;
  uint32_t cut_count;
  cut_labels_t *at;  // [cut_count]
  uint32_t *device;  // scratch assignment
  uint32_t *inside;  // assignments of segments, one after another
  uint32_t inside_count, inside_capacity;
  uint64_t tries;
  bool is_exact;
  label_t *pool;  // labels of one cut under construction
  uint32_t pool_count[GENIE_PLACEMENT_MAX_DEVICES];
} serial_t;

static bool is_dominated(const serial_t *serial, const label_t *label, const label_t *by) {
  if (by->time_ns > label->time_ns) {
    return false;
  }
  for (uint32_t d = 0; d < serial->model->problem->device_count; ++d) {
    if (by->used[d] > label->used[d]) {
      return false;
    }
  }
  return true;
}

static genie_status_t keep_inside(serial_t *serial, uint32_t first, uint32_t last, uint32_t *out_first) {
  const uint32_t count = last - first;
  if (serial->inside_count + count > serial->inside_capacity) {
    const uint32_t capacity = 2 * serial->inside_capacity + count + 1024;
    uint32_t *grown;
    GENIE_RETURN_IF_ERROR(genie_arena_allocate(serial->model->arena, capacity, sizeof(uint32_t), (void **)&grown));
    if (serial->inside_count > 0) {
      memcpy(grown, serial->inside, serial->inside_count * sizeof(uint32_t));
    }
    serial->inside = grown;
    serial->inside_capacity = capacity;
  }
  if (count > 0) {
    memcpy(&serial->inside[serial->inside_count], &serial->device[first], count * sizeof(uint32_t));
  }
  *out_first = serial->inside_count;
  serial->inside_count += count;
  return GENIE_OK;
}

// Adds a label for device `to` of the cut under construction, unless another is at least as good.
static genie_status_t add_label(serial_t *serial, uint32_t to, label_t label, uint32_t first, uint32_t last) {
  label_t *labels = &serial->pool[to * kMaxLabels];
  uint32_t *count = &serial->pool_count[to];
  uint32_t kept = 0;
  for (uint32_t i = 0; i < *count; ++i) {
    if (is_dominated(serial, &label, &labels[i])) {
      return GENIE_OK;
    }
  }
  for (uint32_t i = 0; i < *count; ++i) {
    if (!is_dominated(serial, &labels[i], &label)) {
      labels[kept++] = labels[i];
    }
  }
  *count = kept;
  if (kept == kMaxLabels) {
    serial->is_exact = false;
    uint32_t worst = 0;
    for (uint32_t i = 1; i < kept; ++i) {
      worst = labels[i].time_ns > labels[worst].time_ns ? i : worst;
    }
    if (labels[worst].time_ns <= label.time_ns) {
      return GENIE_OK;
    }
    labels[worst] = labels[--*count];
  }
  GENIE_RETURN_IF_ERROR(keep_inside(serial, first, last, &label.first_inside));
  labels[(*count)++] = label;
  return GENIE_OK;
}

// Bytes of nodes [first, last] on top of `used`; false when a limit is passed.
static bool add_resident(const serial_t *serial, uint32_t first, uint32_t last, uint64_t *used) {
  const genie_placement_problem_t *problem = serial->model->problem;
  if (!serial->model->is_memory_binding) {
    return true;
  }
  for (uint32_t node = first; node <= last; ++node) {
    const uint32_t d = serial->device[node];
    if (__builtin_add_overflow(used[d], problem->resident_bytes[node], &used[d]) ||
        used[d] > problem->memory_limit_bytes[d]) {
      return false;
    }
  }
  return true;
}

// Latency of nodes [first, last] after the cut `first - 1`, all assigned in `serial->device`.
static int64_t segment_ns(serial_t *serial, uint32_t first, uint32_t last) {
  genie_placement_model_t *model = serial->model;
  const genie_placement_problem_t *problem = model->problem;
  genie_placement_clock_t clock;
  genie_placement_clock_reset(model->problem, &clock);
  if (first > 0) {
    // The cut itself ends at time 0 and sends what the segment reads.
    const uint32_t cut = first - 1;
    int64_t time = genie_placement_time(problem, cut, serial->device[cut]);
    clock.device_ns[serial->device[cut]] = -time;
    for (uint32_t i = problem->first_input[cut]; i < problem->first_input[cut + 1]; ++i) {
      model->arrival_ns[(size_t)problem->inputs[i] * problem->device_count + serial->device[cut]] = -time;
    }
    genie_placement_model_run(model, serial->device, cut, last, &clock);
  }
  int64_t end = 0;
  for (uint32_t node = first; node <= last; ++node) {
    const int64_t finish = genie_placement_model_run(model, serial->device, node, last, &clock);
    end = finish > end ? finish : end;
  }
  serial->tries += last - first + 2;
  return end;
}

// Tries the assignment in `serial->device` of nodes [first, last] after each label of the previous cut's device.
static genie_status_t extend(serial_t *serial, uint32_t cut, uint32_t first, uint32_t last) {
  const genie_placement_problem_t *problem = serial->model->problem;
  for (uint32_t node = first; node <= last; ++node) {
    if (!genie_placement_allows(problem, node, serial->device[node]) ||
        serial->device[node] != serial->device[serial->model->leader[node]]) {
      return GENIE_OK;
    }
  }
  const int64_t time = segment_ns(serial, first, last);
  const uint32_t to = serial->device[last];
  if (cut == 0) {
    label_t label = {.time_ns = time, .previous = GENIE_PLACEMENT_NONE};
    return add_resident(serial, first, last, label.used) ? add_label(serial, to, label, first, last) : GENIE_OK;
  }
  const cut_labels_t *before = &serial->at[cut - 1];
  const uint32_t from = serial->device[first - 1];
  for (uint32_t i = before->first[from]; i < before->first[from + 1]; ++i) {
    label_t label = before->labels[i];
    label.time_ns += time;
    label.previous = i;
    serial->tries += serial->model->is_memory_binding ? kComparing : 0;
    if (add_resident(serial, first, last, label.used)) {
      GENIE_RETURN_IF_ERROR(add_label(serial, to, label, first, last));
    }
  }
  return GENIE_OK;
}

// All assignments of the inside of a segment, or, where they are too many, those that put the whole inside on one of
// the devices at its ends.
static genie_status_t extend_inside(serial_t *serial, uint32_t cut, uint32_t first, uint32_t last) {
  const uint32_t device_count = serial->model->problem->device_count;
  const uint32_t inside = last - first;
  uint64_t tries = 1;
  for (uint32_t i = 0; i < inside && tries <= kMaxTriesASegment; ++i) {
    tries *= device_count;
  }
  if (tries > kMaxTriesASegment || serial->tries > kMaxTries) {
    serial->is_exact = false;
    for (uint32_t d = 0; d < device_count; ++d) {
      for (uint32_t node = first; node < last; ++node) {
        serial->device[node] = d;
      }
      GENIE_RETURN_IF_ERROR(extend(serial, cut, first, last));
    }
    return GENIE_OK;
  }
  for (uint64_t code = 0; code < tries; ++code) {
    uint64_t rest = code;
    for (uint32_t node = first; node < last; ++node) {
      serial->device[node] = (uint32_t)(rest % device_count);
      rest /= device_count;
    }
    GENIE_RETURN_IF_ERROR(extend(serial, cut, first, last));
  }
  return GENIE_OK;
}

static genie_status_t close_cut(serial_t *serial, uint32_t cut) {
  cut_labels_t *at = &serial->at[cut];
  uint32_t sum = 0;
  for (uint32_t d = 0; d < serial->model->problem->device_count; ++d) {
    sum += serial->pool_count[d];
  }
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(serial->model->arena, (size_t)sum + 1, sizeof(label_t), (void **)&at->labels));
  uint32_t count = 0;
  for (uint32_t d = 0; d < serial->model->problem->device_count; ++d) {
    at->first[d] = count;
    memcpy(&at->labels[count], &serial->pool[d * kMaxLabels], serial->pool_count[d] * sizeof(label_t));
    count += serial->pool_count[d];
    at->first[d + 1] = count;
    serial->pool_count[d] = 0;
  }
  for (uint32_t d = serial->model->problem->device_count; d < GENIE_PLACEMENT_MAX_DEVICES; ++d) {
    at->first[d + 1] = count;
  }
  return GENIE_OK;
}

static genie_status_t run_cut(serial_t *serial, uint32_t cut) {
  const uint32_t device_count = serial->model->problem->device_count;
  const uint32_t first = cut == 0 ? 0 : serial->cuts[cut - 1] + 1;
  const uint32_t last = serial->cuts[cut];
  for (uint32_t from = 0; from < (cut == 0 ? 1 : device_count); ++from) {
    if (cut > 0 && serial->at[cut - 1].first[from] == serial->at[cut - 1].first[from + 1]) {
      continue;
    }
    for (uint32_t to = 0; to < device_count; ++to) {
      if (cut > 0) {
        serial->device[first - 1] = from;
      }
      serial->device[last] = to;
      GENIE_RETURN_IF_ERROR(extend_inside(serial, cut, first, last));
    }
  }
  return close_cut(serial, cut);
}

static void read_back(const serial_t *serial, uint32_t *device) {
  const cut_labels_t *end = &serial->at[serial->cut_count - 1];
  const uint32_t count = end->first[serial->model->problem->device_count];
  if (count == 0) {
    device[0] = GENIE_PLACEMENT_NONE;
    return;
  }
  uint32_t best = 0;
  for (uint32_t i = 1; i < count; ++i) {
    best = end->labels[i].time_ns < end->labels[best].time_ns ? i : best;
  }
  for (uint32_t cut = serial->cut_count; cut-- > 0;) {
    const cut_labels_t *at = &serial->at[cut];
    const uint32_t first = cut == 0 ? 0 : serial->cuts[cut - 1] + 1;
    uint32_t to = 0;
    while (best >= at->first[to + 1]) {
      ++to;
    }
    device[serial->cuts[cut]] = to;
    for (uint32_t node = first; node < serial->cuts[cut]; ++node) {
      device[node] = serial->inside[at->labels[best].first_inside + node - first];
    }
    best = at->labels[best].previous;
  }
}

genie_status_t genie_placement_serial(genie_placement_model_t *model, uint32_t *device, bool *out_is_optimal) {
  const genie_placement_problem_t *problem = model->problem;
  *out_is_optimal = false;
  device[0] = GENIE_PLACEMENT_NONE;
  serial_t serial = {.model = model, .is_exact = true};
  uint32_t *cuts;
  GENIE_RETURN_IF_ERROR(genie_placement_cuts(model, &cuts, &serial.cut_count));
  serial.cuts = cuts;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, serial.cut_count, sizeof(cut_labels_t), (void **)&serial.at));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(model->arena, problem->node_count, sizeof(uint32_t), (void **)&serial.device));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(model->arena, (size_t)problem->device_count * kMaxLabels, sizeof(label_t),
                                             (void **)&serial.pool));
  for (uint32_t cut = 0; cut < serial.cut_count; ++cut) {
    GENIE_RETURN_IF_ERROR(run_cut(&serial, cut));
  }
  read_back(&serial, device);
  *out_is_optimal = serial.is_exact && device[0] != GENIE_PLACEMENT_NONE;
  return GENIE_OK;
}

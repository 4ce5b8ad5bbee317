#include "tools/genie/trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/genie/tensor_text.h"

enum { kTracks = 512, kLanes = 64 };

// A place, or a direction of a link. What overlaps on it is drawn in lanes.
typedef struct track {
  const char *source, *destination;
  bool is_link;
  uint64_t lane_end_ns[kLanes];
} track_t;

typedef struct trace_text {
  genie_string_builder_t text;
  track_t tracks[kTracks];
  uint32_t track_count;
  uint64_t first_ns, error_ns;
} trace_text_t;

static const char *side_name(const char *place) {
  return place[0] == '\0' ? "caller" : place;
}

static void append_separator(trace_text_t *trace) {
  genie_string_builder_format(&trace->text, "%s\n", trace->text.length == 0 ? "" : ",");
}

static void append_track_name(trace_text_t *trace, const track_t *track) {
  char name[256];
  if (track->is_link) {
    snprintf(name, sizeof(name), "%s to %s", side_name(track->source), side_name(track->destination));
  } else {
    snprintf(name, sizeof(name), "%s", track->source);
  }
  append_separator(trace);
  genie_string_builder_format(
      &trace->text, "{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": %d, \"tid\": 0, \"args\": {\"name\": ",
      (int)(track - trace->tracks) + 1);
  genie_tensor_text_json_string(name, &trace->text);
  genie_string_builder_format(&trace->text, "}}");
}

// The last track takes what exceeds their number.
static track_t *find_track(trace_text_t *trace, const genie_session_trace_event_t *event) {
  const bool is_link = event->kind != GENIE_TRACE_INSTRUCTION;
  for (uint32_t i = 0; i < trace->track_count; ++i) {
    track_t *track = &trace->tracks[i];
    if (track->is_link == is_link && strcmp(track->source, event->source) == 0 &&
        strcmp(track->destination, event->destination) == 0) {
      return track;
    }
  }
  if (trace->track_count == kTracks) {
    return &trace->tracks[kTracks - 1];
  }
  track_t *track = &trace->tracks[trace->track_count++];
  *track = (track_t){.source = event->source, .destination = event->destination, .is_link = is_link};
  append_track_name(trace, track);
  return track;
}

static int take_lane(track_t *track, const genie_session_trace_event_t *event) {
  for (int i = 0; i < kLanes; ++i) {
    if (track->lane_end_ns[i] <= event->begin_ns || i == kLanes - 1) {
      track->lane_end_ns[i] = event->end_ns;
      return i + 1;
    }
  }
  return kLanes;
}

static void append_event(trace_text_t *trace, const genie_session_trace_event_t *event) {
  track_t *track = find_track(trace, event);
  const int lane = take_lane(track, event);
  append_separator(trace);
  genie_string_builder_format(&trace->text, "{\"ph\": \"X\", \"cat\": \"%s\", \"name\": ", event->what);
  genie_tensor_text_json_string(event->name, &trace->text);
  genie_string_builder_format(&trace->text,
                              ", \"pid\": %d, \"tid\": %d, \"ts\": %.3f, \"dur\": %.3f, \"args\": {\"call\": %llu",
                              (int)(track - trace->tracks) + 1, lane, (double)(event->begin_ns - trace->first_ns) / 1e3,
                              (double)(event->end_ns - event->begin_ns) / 1e3, (unsigned long long)event->call);
  if (event->bytes > 0) {
    genie_string_builder_format(&trace->text, ", \"bytes\": %llu", (unsigned long long)event->bytes);
  }
  if (event->module[0] != '\0') {
    genie_string_builder_format(&trace->text, ", \"module\": ");
    genie_tensor_text_json_string(event->module, &trace->text);
  }
  genie_string_builder_format(&trace->text, "}}");
  trace->error_ns = event->error_ns > trace->error_ns ? event->error_ns : trace->error_ns;
}

static genie_status_t write_file(const trace_text_t *trace, uint64_t dropped_count, const char *path) {
  FILE *file = fopen(path, "w");
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
  }
  bool is_written =
      fprintf(file,
              "{\"displayTimeUnit\": \"ms\", \"otherData\": {\"clock_error_us\": %.3f, \"dropped_events\": %llu}, "
              "\"traceEvents\": [%s\n]}\n",
              (double)trace->error_ns / 1e3, (unsigned long long)dropped_count,
              genie_string_builder_get(&trace->text)) > 0;
  is_written = fclose(file) == 0 && is_written;
  return is_written ? GENIE_OK : genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

genie_status_t genie_trace_file_write(genie_session_t *session, const char *path, genie_allocator_t allocator) {
  const genie_session_trace_event_t *events = NULL;
  uint32_t count = 0;
  uint64_t dropped_count = 0;
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_session_trace(session, &events, &count, &dropped_count));
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(trace_text_t), &memory));
  trace_text_t *trace = memory;
  trace->first_ns = count > 0 ? events[0].begin_ns : 0;
  genie_string_builder_init(allocator, &trace->text);
  for (uint32_t i = 0; i < count; ++i) {
    append_event(trace, &events[i]);
  }
  genie_status_t status = genie_string_builder_status(&trace->text);
  if (status == GENIE_OK) {
    status = write_file(trace, dropped_count, path);
  }
  genie_string_builder_deinit(&trace->text);
  genie_allocator_free(allocator, trace);
  return status;
}

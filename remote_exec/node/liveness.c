#include "remote_exec/node/liveness.h"

#include "remote_exec/wire/frame.h"

// The slowest link that large messages still cross: 1 MB/s.
enum { kSlowestNsPerByte = 1000 };

// A wait ends later than its deadline by less than this on a machine that has time for us.
static const uint64_t kLateNs = 100 * 1000000;

void genie_liveness_start(genie_liveness_t *liveness) {
  *liveness = (genie_liveness_t){.next_beat = genie_deadline_after_ns(GENIE_LIVENESS_INTERVAL_NS),
                                 .lost_at = genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS)};
}

void genie_liveness_note(genie_liveness_t *liveness) {
  liveness->lost_at = genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS);
}

genie_deadline_ns_t genie_liveness_deadline(const genie_liveness_t *liveness) {
  return liveness->next_beat < liveness->lost_at ? liveness->next_beat : liveness->lost_at;
}

static uint64_t lateness(genie_deadline_ns_t deadline) {
  const uint64_t now = genie_deadline_clock_ns();
  return now > deadline && now - deadline > kLateNs ? now - deadline : 0;
}

bool genie_liveness_has_overslept(genie_deadline_ns_t deadline) {
  return lateness(deadline) > 0;
}

void genie_liveness_forgive(genie_liveness_t *liveness) {
  liveness->lost_at += lateness(genie_liveness_deadline(liveness));
}

genie_status_t genie_liveness_tick(genie_liveness_t *liveness, genie_channel_t *channel) {
  if (genie_deadline_has_passed(liveness->lost_at)) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: no heartbeat for %.1f s",
                             genie_channel_get_peer(channel)->name, (double)GENIE_LIVENESS_LIMIT_NS / 1e9);
  }
  if (!genie_deadline_has_passed(liveness->next_beat)) {
    return GENIE_OK;
  }
  genie_wire_heartbeat_t beat;
  genie_wire_heartbeat_init(++liveness->sequence, genie_deadline_clock_ns(), &beat);
  liveness->next_beat = genie_deadline_after_ns(GENIE_LIVENESS_INTERVAL_NS);
  return genie_channel_send(channel, &(genie_message_t){.header = &beat, .header_bytes = sizeof(beat)},
                            genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS));
}

genie_deadline_ns_t genie_liveness_transfer_deadline(uint64_t size_bytes) {
  const uint64_t most = UINT64_MAX / 2 / kSlowestNsPerByte;
  return genie_deadline_after_ns(GENIE_LIVENESS_LIMIT_NS + (size_bytes < most ? size_bytes : most) * kSlowestNsPerByte);
}

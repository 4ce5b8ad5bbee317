// The fault carrier: wraps a channel and does to its messages, by a seed, what bad networks and bad peers do.
//
// Faults strike what is sent: a message is delayed, dropped, sent twice, cut short (the channel then breaks, as a peer
// that dies in the middle), or the channel is cut. With all rates at 0 it changes nothing.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_FAULT_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_FAULT_H_

#include "remote_exec/transport/channel.h"

// Rates are chances in a million for each message sent; at most one fault strikes a message.
typedef struct genie_fault_options {
  uint64_t seed;
  uint32_t delay_ppm, drop_ppm, duplicate_ppm, truncate_ppm, disconnect_ppm;
  uint64_t maximum_delay_ns;  // a delay is uniform up to it
  uint64_t faultless_count;   // so many first messages are spared
} genie_fault_options_t;

// How often each fault struck.
typedef struct genie_fault_counts {
  uint64_t delayed, dropped, duplicated, truncated, disconnected;
} genie_fault_counts_t;

// Takes `inner` when it succeeds: closing the new channel closes it.
genie_status_t genie_fault_wrap(genie_channel_t *inner, const genie_fault_options_t *options,
                                genie_channel_t **out_channel) GENIE_MUST_USE;

// `channel` is of genie_fault_wrap.
void genie_fault_get_counts(genie_channel_t *channel, genie_fault_counts_t *out_counts);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_FAULT_H_

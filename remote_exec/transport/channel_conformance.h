// What every carrier promises, as tests: each carrier's own test runs them over channels that it makes.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_CONFORMANCE_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_CONFORMANCE_H_

#include "remote_exec/transport/channel.h"

// Makes a pair of connected channels, both past their handshake. Fails the test when it cannot.
typedef void (*genie_conformance_open_fn_t)(genie_channel_t **out_first, genie_channel_t **out_second);

// Runs all cases; the number of those that failed.
int genie_channel_conformance_run(const char *carrier, genie_conformance_open_fn_t open);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_CHANNEL_CONFORMANCE_H_

// Serves /metrics and /healthz over HTTP (libmicrohttpd), from one thread that sleeps between requests.
//
// HTTP carries no secrets and takes no orders: GET and HEAD of these two paths, all else is refused. Whoever can
// connect can read it, so it listens on the address that the operator names and nowhere by default.
#ifndef GENIE_REMOTE_EXEC_METRICS_METRICS_SERVER_H_
#define GENIE_REMOTE_EXEC_METRICS_METRICS_SERVER_H_

#include "remote_exec/metrics/metrics.h"

typedef struct genie_metrics_server genie_metrics_server_t;

// Listens on "HOST:PORT" ("[V6]:PORT"; port 0 takes a free one) and serves until stopped. `metrics` outlives the
// server. /healthz answers 200 "ok", or 503 "draining" while GENIE_METRIC_DRAINING is not 0. INVALID_ARGUMENT: no
// address. FAILED_PRECONDITION: in use, or not allowed.
genie_status_t genie_metrics_server_start(const char *address, genie_metrics_t *metrics, genie_allocator_t allocator,
                                          genie_metrics_server_t **out_server) GENIE_MUST_USE;

// The port that it listens on.
uint16_t genie_metrics_server_port(const genie_metrics_server_t *server);

// Ends the thread and closes all connections; accepts NULL.
void genie_metrics_server_stop(genie_metrics_server_t *server);

#endif  // GENIE_REMOTE_EXEC_METRICS_METRICS_SERVER_H_

// What of a node's state the metrics show: read when somebody asks, from the parts that know it.
#ifndef GENIE_REMOTE_EXEC_DAEMON_NODE_METRICS_H_
#define GENIE_REMOTE_EXEC_DAEMON_NODE_METRICS_H_

#include "remote_exec/daemon/node.h"

// Adds a collector for the node's sessions, memory, store and links; `out_collector` lives as long as the metrics.
void genie_node_metrics_attach(genie_node_t *node, genie_metric_collector_t *out_collector);

// Counts how a connection ended.
void genie_node_metrics_count_end(genie_node_t *node, genie_status_code_t code);

#endif  // GENIE_REMOTE_EXEC_DAEMON_NODE_METRICS_H_

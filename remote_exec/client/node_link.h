// A client's control connection to a node: requests and answers, and heartbeats that tell when the node is lost.
//
// A thread of the link receives and sends heartbeats. Requests come from one thread at a time; lost, interrupt and
// cancel may be used by any.
#ifndef GENIE_REMOTE_EXEC_CLIENT_NODE_LINK_H_
#define GENIE_REMOTE_EXEC_CLIENT_NODE_LINK_H_

#include "remote_exec/identity/identity.h"
#include "remote_exec/transport/connection.h"

typedef struct genie_node_link genie_node_link_t;

// Strings are copied; `identity` and what `trust` refers to outlive the link.
typedef struct genie_node_link_options {
  const char *name;     // as messages call the node
  const char *address;  // "HOST:PORT"
  const genie_identity_t *identity;
  genie_trust_t trust;  // of the node's key
  // Told once, on the link's thread, when the node is lost; may be NULL. genie_node_link_failure() then says why.
  void (*lost)(void *context, genie_node_link_t *link);
  void *context;
} genie_node_link_options_t;

// Connects and greets. UNAVAILABLE, DEADLINE_EXCEEDED, PERMISSION_DENIED; messages name the node.
genie_status_t genie_node_link_connect(const genie_node_link_options_t *options, genie_deadline_ns_t deadline,
                                       genie_allocator_t allocator, genie_node_link_t **out_link) GENIE_MUST_USE;

// Closes the connection, which ends its sessions on the node, and the thread; accepts NULL.
void genie_node_link_destroy(genie_node_link_t *link);

const char *genie_node_link_name(const genie_node_link_t *link);
const char *genie_node_link_address(const genie_node_link_t *link);

// "sha256:<hex>" of the node's key.
const char *genie_node_link_fingerprint(const genie_node_link_t *link);

// Sends a message, without waiting for an answer.
genie_status_t genie_node_link_send(genie_node_link_t *link, genie_wire_kind_t kind, const ProtobufCMessage *message,
                                    const void *payload, uint64_t payload_bytes) GENIE_MUST_USE;

// Waits for the next answer. ERROR messages come back as the status that they carry, with the node's name; any other
// kind than `kind` or `other_kind` is INTERNAL. Deinitialise what it gives. Payloads of answers that
// nobody expects are dropped.
genie_status_t genie_node_link_receive(genie_node_link_t *link, genie_wire_kind_t kind, genie_wire_kind_t other_kind,
                                       genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) GENIE_MUST_USE;

// Sends and waits for an answer of kind `kind`.
genie_status_t genie_node_link_request(genie_node_link_t *link, genie_wire_kind_t request,
                                       const ProtobufCMessage *message, genie_wire_kind_t kind,
                                       genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) GENIE_MUST_USE;

// Where the payload of the next answer that has one of `size_bytes` goes; before its request is sent.
void genie_node_link_expect_payload(genie_node_link_t *link, void *memory, uint64_t size_bytes);

// Takes the expectation back when the answer was another.
void genie_node_link_forget_payload(genie_node_link_t *link);

// Asks the node to end a call. Nothing is waited for.
void genie_node_link_cancel(genie_node_link_t *link, uint64_t session_id, uint64_t call_id);

// Opens another connection to the same node, for a role of `hello`, and greets: a channel that the caller closes.
genie_status_t genie_node_link_dial(genie_node_link_t *link, const genie_wire_hello_t *hello,
                                    genie_deadline_ns_t deadline, genie_channel_t **out_channel) GENIE_MUST_USE;

// OK while the node is there; else ABORTED, with why it counts as lost.
genie_status_t genie_node_link_failure(genie_node_link_t *link) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_CLIENT_NODE_LINK_H_

// The table of messages: kinds, roles of connections, directions and limits.
#ifndef GENIE_REMOTE_EXEC_WIRE_MESSAGE_H_
#define GENIE_REMOTE_EXEC_WIRE_MESSAGE_H_

#include "runtime/base/status.h"

// The versions of the protocol that this build speaks.
enum { GENIE_WIRE_MINIMUM_VERSION = 1, GENIE_WIRE_MAXIMUM_VERSION = 1 };

enum { GENIE_WIRE_TOKEN_BYTES = 32, GENIE_WIRE_MAX_HEADER_BYTES = 65536 };

#define GENIE_WIRE_MAX_PLAN_BYTES ((uint64_t)1 << 30)
#define GENIE_WIRE_MAX_CHUNK_BYTES ((uint64_t)64 << 20)
#define GENIE_WIRE_MAX_PROBE_BYTES ((uint64_t)64 << 20)
#define GENIE_WIRE_MAX_BATCH_BYTES ((uint64_t)64 << 10)
#define GENIE_WIRE_MAX_TENSOR_BYTES ((uint64_t)1 << 40)

typedef enum genie_wire_kind {
#define GENIE_WIRE_MESSAGE(name, number, from, header, payload, roles) GENIE_WIRE_##name = (number),
#include "remote_exec/wire/message.def"
} genie_wire_kind_t;

// What a connection is for; the numbers are control.proto's.
typedef enum genie_wire_role {
  GENIE_WIRE_ROLE_NONE = 0,
  GENIE_WIRE_ROLE_CONTROL = 1,
  GENIE_WIRE_ROLE_CALL = 2,
  GENIE_WIRE_ROLE_PEER = 3,
} genie_wire_role_t;

enum {
  GENIE_WIRE_ROLES_CONTROL = 1 << GENIE_WIRE_ROLE_CONTROL,
  GENIE_WIRE_ROLES_CALL = 1 << GENIE_WIRE_ROLE_CALL,
  GENIE_WIRE_ROLES_PEER = 1 << GENIE_WIRE_ROLE_PEER,
  GENIE_WIRE_ROLES_ALL = GENIE_WIRE_ROLES_CONTROL | GENIE_WIRE_ROLES_CALL | GENIE_WIRE_ROLES_PEER,
};

// A side of a connection: CLIENT opened it, NODE accepted it.
typedef enum genie_wire_side {
  GENIE_WIRE_FROM_CLIENT = 1,
  GENIE_WIRE_FROM_NODE = 2,
  GENIE_WIRE_FROM_EITHER = GENIE_WIRE_FROM_CLIENT | GENIE_WIRE_FROM_NODE,
} genie_wire_side_t;

typedef struct genie_wire_message_info {
  const char *name;  // "OPEN_SESSION"
  genie_wire_kind_t kind;
  genie_wire_side_t from;
  uint32_t max_header_bytes;
  uint64_t max_payload_bytes;
  uint32_t roles;  // GENIE_WIRE_ROLES_*
} genie_wire_message_info_t;

// NULL when no message has that number.
const genie_wire_message_info_t *genie_wire_message_find(uint32_t number);

const char *genie_wire_role_name(genie_wire_role_t role);

#endif  // GENIE_REMOTE_EXEC_WIRE_MESSAGE_H_

#include "remote_exec/wire/message.h"

static const genie_wire_message_info_t kMessages[] = {
#define GENIE_WIRE_MESSAGE(name, number, from, header, payload, roles) \
  {#name, GENIE_WIRE_##name, GENIE_WIRE_FROM_##from, (header), (payload), GENIE_WIRE_ROLES_##roles},
#include "remote_exec/wire/message.def"
};

const genie_wire_message_info_t *genie_wire_message_find(uint32_t number) {
  for (size_t i = 0; i < sizeof(kMessages) / sizeof(kMessages[0]); ++i) {
    if ((uint32_t)kMessages[i].kind == number) {
      return &kMessages[i];
    }
  }
  return NULL;
}

const char *genie_wire_role_name(genie_wire_role_t role) {
  static const char *const kNames[] = {"NONE", "CONTROL", "CALL", "PEER"};
  return (size_t)role < sizeof(kNames) / sizeof(kNames[0]) ? kNames[role] : "unknown";
}

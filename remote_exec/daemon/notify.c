#include "remote_exec/daemon/notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void genie_notify_send(const char *socket_path, const char *state) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (socket_path == NULL || (socket_path[0] != '/' && socket_path[0] != '@') ||
      strlen(socket_path) >= sizeof(address.sun_path)) {
    return;
  }
  const size_t length = strlen(socket_path);
  memcpy(address.sun_path, socket_path, length);
  if (socket_path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  const int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) {
    return;
  }
  (void)sendto(file, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
  close(file);
}

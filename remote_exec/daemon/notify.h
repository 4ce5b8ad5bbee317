// Telling the service manager how genied is, by the protocol of sd_notify(3).
#ifndef GENIE_REMOTE_EXEC_DAEMON_NOTIFY_H_
#define GENIE_REMOTE_EXEC_DAEMON_NOTIFY_H_

// Sends `state`, as in "READY=1", to the socket that `socket_path` names: a path, or '@' and an abstract name, as in
// the variable NOTIFY_SOCKET. Does nothing when it is NULL or nobody listens: the manager is not ours to judge.
void genie_notify_send(const char *socket_path, const char *state);

#endif  // GENIE_REMOTE_EXEC_DAEMON_NOTIFY_H_

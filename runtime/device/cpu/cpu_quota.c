#include "runtime/device/cpu/cpu_quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMaxTextBytes = 16384 };

static bool read_text(const char *path, size_t capacity, char *out_text) {
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return false;
  }
  out_text[fread(out_text, 1, capacity - 1, file)] = '\0';
  fclose(file);
  return true;
}

static uint32_t cpus_of(long long quota_us, long long period_us) {
  if (quota_us <= 0 || period_us <= 0) {
    return 0;
  }
  const long long cpus = quota_us / period_us + (quota_us % period_us != 0);
  return cpus < UINT32_MAX ? (uint32_t)cpus : UINT32_MAX;
}

// "max 100000" or "150000 100000"
static uint32_t read_v2(const char *folder) {
  char path[PATH_MAX], text[128];
  long long quota_us = 0, period_us = 0;
  if (snprintf(path, sizeof(path), "%s/cpu.max", folder) >= (int)sizeof(path) || !read_text(path, sizeof(text), text) ||
      sscanf(text, "%lld %lld", &quota_us, &period_us) != 2) {
    return 0;
  }
  return cpus_of(quota_us, period_us);
}

static uint32_t read_v1(const char *folder) {
  char path[PATH_MAX], text[128];
  if (snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder) >= (int)sizeof(path) ||
      !read_text(path, sizeof(text), text)) {
    return 0;
  }
  const long long quota_us = strtoll(text, NULL, 10);
  if (snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder) >= (int)sizeof(path) ||
      !read_text(path, sizeof(text), text)) {
    return 0;
  }
  return cpus_of(quota_us, strtoll(text, NULL, 10));
}

static uint32_t tighter(uint32_t a, uint32_t b) {
  return a == 0 || (b != 0 && b < a) ? b : a;
}

// The tightest quota of the group `path` and of those above it, up to the root at `mount_folder`/`controller`.
static uint32_t read_groups(const char *mount_folder, const char *controller, const char *path,
                            uint32_t (*read)(const char *folder)) {
  char folder[PATH_MAX];
  const int root_length = snprintf(folder, sizeof(folder), "%s%s", mount_folder, controller);
  if (root_length >= (int)sizeof(folder) || snprintf(folder + root_length, sizeof(folder) - (size_t)root_length, "%s",
                                                     path) >= (int)sizeof(folder) - root_length) {
    return 0;
  }
  uint32_t cpus = read(folder);
  for (char *end = strrchr(folder + root_length, '/'); end != NULL; end = strrchr(folder + root_length, '/')) {
    *end = '\0';
    cpus = tighter(cpus, read(folder));
  }
  return cpus;
}

// A line of /proc/PID/cgroup: "0::/path", or "4:cpu,cpuacct:/path" for version 1.
static uint32_t read_line(char *line, const char *mount_folder) {
  char *controllers = strchr(line, ':');
  char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
  if (path == NULL) {
    return 0;
  }
  ++controllers;
  *path++ = '\0';
  if (*controllers == '\0') {
    return tighter(read_groups(mount_folder, "", path, read_v2), read_groups(mount_folder, "/unified", path, read_v2));
  }
  bool has_cpu = false;
  char *rest = NULL;
  for (const char *name = strtok_r(controllers, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
    has_cpu = has_cpu || strcmp(name, "cpu") == 0;
  }
  return has_cpu ? tighter(read_groups(mount_folder, "/cpu", path, read_v1),
                           read_groups(mount_folder, "/cpu,cpuacct", path, read_v1))
                 : 0;
}

uint32_t genie_cpu_quota_read(const char *cgroup_text, const char *mount_folder) {
  char text[kMaxTextBytes];
  snprintf(text, sizeof(text), "%s", cgroup_text);
  uint32_t cpus = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    cpus = tighter(cpus, read_line(line, mount_folder));
  }
  return cpus;
}

uint32_t genie_cpu_quota_get(void) {
  char text[kMaxTextBytes];
  return read_text("/proc/self/cgroup", sizeof(text), text) ? genie_cpu_quota_read(text, "/sys/fs/cgroup") : 0;
}

// How much CPU time the process's control groups grant it: a container with a quota of two CPUs on a machine of 64 is
// served badly by 64 threads, which use the quota up and are then stopped together.
#ifndef GENIE_RUNTIME_DEVICE_CPU_CPU_QUOTA_H_
#define GENIE_RUNTIME_DEVICE_CPU_CPU_QUOTA_H_

#include <stdint.h>

// The quota in whole CPUs, rounded up, of the tightest group from the process's own to the root; 0 where none is set or
// the system does not say. Reads files; the answer may change while the process runs.
uint32_t genie_cpu_quota_get(void);

// As above, of the groups that the text of a /proc/PID/cgroup file names, below the folder where control groups are
// mounted: version 2 (`cpu.max` there or in unified/) and version 1 (`cpu.cfs_quota_us` in cpu/ or cpu,cpuacct/). A
// path that the mount does not show, as in a container, reads as the root.
uint32_t genie_cpu_quota_read(const char *cgroup_text, const char *mount_folder);

#endif  // GENIE_RUNTIME_DEVICE_CPU_CPU_QUOTA_H_

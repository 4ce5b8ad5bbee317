// What this machine's processor and operating system can execute.
#ifndef GENIE_RUNTIME_DEVICE_CPU_CPU_FEATURE_H_
#define GENIE_RUNTIME_DEVICE_CPU_CPU_FEATURE_H_

// Comma-separated names of runtime/base/cpu_feature.def, as in /proc/cpuinfo; "" on a processor that is not x86-64.
// Static storage, filled once; thread-safe.
const char *genie_cpu_feature_list(void);

#endif  // GENIE_RUNTIME_DEVICE_CPU_CPU_FEATURE_H_

#include "runtime/device/cpu/cpu_feature.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

// Which registers the operating system saves on a context switch: bits of XCR0.
typedef enum saved_state {
  STATE_NONE = 0,
  STATE_AVX = 0x6,
  STATE_AVX512 = 0xe6,
  STATE_AMX = 0x60006,
} saved_state_t;

typedef enum cpuid_register { REGISTER_EAX, REGISTER_EBX, REGISTER_ECX, REGISTER_EDX } cpuid_register_t;

typedef struct cpu_feature {
  const char *name;
  uint32_t leaf, subleaf;
  cpuid_register_t where;
  uint32_t bit;
  saved_state_t state;
} cpu_feature_t;

static const cpu_feature_t kFeatures[] = {
#define GENIE_CPU_FEATURE(name, llvm_name, leaf, subleaf, where, bit, state) \
  {name, leaf, subleaf, REGISTER_##where, bit, STATE_##state},
#include "runtime/base/cpu_feature.def"
#undef GENIE_CPU_FEATURE
};

enum { kFeatureCount = sizeof(kFeatures) / sizeof(kFeatures[0]), kFeatureListBytes = 1024 };

static uint64_t read_saved_states(void) {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  const uint32_t has_xgetbv = 1u << 27;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & has_xgetbv) == 0) {
    return 0;
  }
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

static bool has_feature(const cpu_feature_t *feature, uint64_t saved_states) {
  uint32_t registers[4] = {0};
  return (saved_states & (uint64_t)feature->state) == (uint64_t)feature->state &&
         __get_cpuid_count(feature->leaf, feature->subleaf, &registers[REGISTER_EAX], &registers[REGISTER_EBX],
                           &registers[REGISTER_ECX], &registers[REGISTER_EDX]) &&
         (registers[feature->where] >> feature->bit & 1) != 0;
}

static char feature_list[kFeatureListBytes];

static void fill_feature_list(void) {
  const uint64_t saved_states = read_saved_states();
  size_t length = 0;
  for (int i = 0; i < kFeatureCount; ++i) {
    const size_t name_length = strlen(kFeatures[i].name);
    if (has_feature(&kFeatures[i], saved_states) && length + name_length + 2 < kFeatureListBytes) {
      if (length > 0) {
        feature_list[length++] = ',';
      }
      memcpy(feature_list + length, kFeatures[i].name, name_length);
      length += name_length;
    }
  }
  feature_list[length] = '\0';
}

const char *genie_cpu_feature_list(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fill_feature_list);
  return feature_list;
}

#else

const char *genie_cpu_feature_list(void) {
  return "";
}

#endif

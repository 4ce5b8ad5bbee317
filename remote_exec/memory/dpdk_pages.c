// Pages from DPDK's environment abstraction layer (EAL): hugepages where some are reserved, else small ones. Neither
// needs root. The EAL is the process's: it is started once and serves every memory; it is not stopped, since it cannot
// start again.
#include "remote_exec/memory/page_source.h"

#ifdef GENIE_DPDK
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memzone.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { kMostArguments = 12, kPageBytes = 4096 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_started;

// Virtual addresses as I/O addresses: physically contiguous memory is rarely to be had.
static bool start_eal(bool has_hugepages) {
  char *arguments[kMostArguments] = {"genie",          "--no-shconf",    "--no-pci",
                                     "--no-telemetry", "--iova-mode=va", "--log-level=critical"};
  int count = 6;
  if (has_hugepages) {
    arguments[count++] = "--in-memory";
  } else {
    arguments[count++] = "--no-huge";
    arguments[count++] = "-m";
    arguments[count++] = "512";
  }
  return rte_eal_init(count, arguments) >= 0;
}

// The EAL pins the thread that starts it to a CPU: a thread of its own takes that.
static void *start_in_thread(void *with_hugepages) {
  is_started = start_eal(with_hugepages != NULL);
  return NULL;
}

static bool has_free_hugepages(void) {
  unsigned long count = 0;
  FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
  if (file == NULL) {
    return false;
  }
  const bool is_read = fscanf(file, "%lu", &count) == 1;
  fclose(file);
  return is_read && count > 0;
}

static void start_once(void) {
  pthread_t thread;
  void *with_hugepages = has_free_hugepages() ? &is_started : NULL;
  if (pthread_create(&thread, NULL, start_in_thread, with_hugepages) == 0) {
    pthread_join(thread, NULL);
  }
}

static genie_status_t take(uint64_t size_bytes, genie_pages_t *out_pages) {
  static atomic_uint serial;
  char name[RTE_MEMZONE_NAMESIZE];
  pthread_once(&once, start_once);
  if (!is_started) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "DPDK does not start: %s", rte_strerror(rte_errno));
  }
  snprintf(name, sizeof(name), "genie-%u", atomic_fetch_add(&serial, 1));
  const struct rte_memzone *zone = rte_memzone_reserve_aligned(name, size_bytes, SOCKET_ID_ANY, 0, kPageBytes);
  if (zone == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "DPDK gives no %llu bytes: %s",
                             (unsigned long long)size_bytes, rte_strerror(rte_errno));
  }
  memset(zone->addr, 0, zone->len);
  *out_pages =
      (genie_pages_t){.address = zone->addr, .size_bytes = zone->len, .page_bytes = zone->hugepage_sz, .origin = zone};
  return GENIE_OK;
}

static void give_back(const genie_pages_t *pages) {
  (void)rte_memzone_free(pages->origin);
}

#else

static genie_status_t take(uint64_t size_bytes, genie_pages_t *out_pages) {
  (void)size_bytes;
  (void)out_pages;
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "built without DPDK (-DGENIE_DPDK=ON)");
}

static void give_back(const genie_pages_t *pages) {
  (void)pages;
}

#endif

const genie_page_source_t genie_page_source_dpdk = {.take = take, .give_back = give_back};

// Round trips and rates of each carrier between two processes, beside plain loops over the same kind of socket: a
// blocking send/recv loop, and an SSL_write/SSL_read loop. All links are open at once and take turns within a round, so
// that the noise of the machine strikes them alike; what is printed is the median of the rounds.
//
//     channel_bench [ROUNDS [HOST NAMESPACE]]
//
// With NAMESPACE, the server is in that network namespace (of `ip netns`), where HOST is an address.
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote_exec/transport/bench_link.h"

enum { kPort = 39471, kPings = 1000, kMaxRounds = 101 };

static const size_t kSizes[] = {64 << 10, 1 << 20, 64 << 20};
static const int kCounts[] = {512, 96, 2};
enum { kSizeCount = sizeof(kSizes) / sizeof(kSizes[0]), kMeasureCount = 1 + 2 * kSizeCount };

static void serve_round(const bench_link_t *link, uint8_t *buffer) {
  for (int i = 0; i < kPings; ++i) {
    bench_link_receive(link, buffer, 0);
    bench_link_send(link, buffer, 0);
  }
  for (int s = 0; s < kSizeCount; ++s) {
    for (int i = 0; i < kCounts[s]; ++i) {
      bench_link_receive(link, buffer, kSizes[s]);
    }
    bench_link_send(link, buffer, 0);
  }
}

static int compare_u64(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a;
  const uint64_t y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static double measure_ping_us(const bench_link_t *link, uint8_t *buffer) {
  uint64_t times[kPings];
  for (int i = 0; i < kPings; ++i) {
    const uint64_t started_ns = genie_deadline_clock_ns();
    bench_link_send(link, buffer, 0);
    bench_link_receive(link, buffer, 0);
    times[i] = genie_deadline_clock_ns() - started_ns;
  }
  qsort(times, kPings, sizeof(times[0]), compare_u64);
  return (double)times[kPings / 2] / 1e3;
}

// CPU seconds of both processes.
static double cpu_seconds(pid_t child) {
  clockid_t clock;
  struct timespec ours;
  struct timespec theirs = {0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ours);
  if (clock_getcpuclockid(child, &clock) == 0) {
    clock_gettime(clock, &theirs);
  }
  return (double)(ours.tv_sec + theirs.tv_sec) + 1e-9 * (double)(ours.tv_nsec + theirs.tv_nsec);
}

static double measure_rate(const bench_link_t *link, uint8_t *buffer, int size) {
  const uint64_t started_ns = genie_deadline_clock_ns();
  for (int i = 0; i < kCounts[size]; ++i) {
    bench_link_send(link, buffer, kSizes[size]);
  }
  bench_link_receive(link, buffer, 0);
  return (double)kSizes[size] * kCounts[size] / (double)(genie_deadline_clock_ns() - started_ns);
}

static void measure_round(const bench_link_t *link, uint8_t *buffer, pid_t child, int round,
                          double values[kMeasureCount][kMaxRounds]) {
  values[0][round] = measure_ping_us(link, buffer);
  for (int s = 0; s < kSizeCount; ++s) {
    const double started_cpu = cpu_seconds(child);
    values[1 + s][round] = measure_rate(link, buffer, s);
    values[1 + kSizeCount + s][round] = 1e9 * (cpu_seconds(child) - started_cpu) / ((double)kSizes[s] * kCounts[s]);
  }
}

static int compare_double(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof(values[0]), compare_double);
  return values[count / 2];
}

static void print_row(const char *name, double values[kMeasureCount][kMaxRounds], int rounds) {
  printf("%-20s", name);
  for (int m = 0; m < kMeasureCount; ++m) {
    const bool is_first_of_group = m == 1 || m == 1 + kSizeCount;
    const int width = m == 1 ? 12 : m == 1 + kSizeCount ? 15 : 9;
    printf("%s%*.3f", is_first_of_group ? " |" : "", width, median(values[m], rounds));
  }
  printf("\n");
}

static void enter_namespace(const char *name) {
  char path[256];
  snprintf(path, sizeof(path), "/run/netns/%s", name);
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || setns(descriptor, CLONE_NEWNET) != 0) {
    perror(path);
    exit(1);
  }
  close(descriptor);
}

static void run(const bench_setup_t *setup, pid_t child, int rounds) {
  static double values[BENCH_LINK_COUNT][kMeasureCount][kMaxRounds];
  bench_link_t links[BENCH_LINK_COUNT];
  bench_links_open(setup, links);
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < BENCH_LINK_COUNT; ++i) {
      const int turn = (i + round) % BENCH_LINK_COUNT;
      if (links[turn].is_open && setup->is_server) {
        serve_round(&links[turn], setup->buffer);
      } else if (links[turn].is_open) {
        measure_round(&links[turn], setup->buffer, child, round, values[turn]);
      }
    }
  }
  if (setup->is_server) {
    exit(0);
  }
  printf("%-20s %8s | GB/s %6s %8s %8s | CPU-s/GB %5s %8s %8s\n", "", "p50 us", "64 KiB", "1 MiB", "64 MiB", "64 KiB",
         "1 MiB", "64 MiB");
  for (int i = 0; i < BENCH_LINK_COUNT; ++i) {
    if (links[i].is_open) {
      print_row(links[i].name, values[i], rounds);
    }
  }
}

int main(int argc, char **argv) {
  const int asked = argc > 1 ? atoi(argv[1]) : 5;
  const int rounds = asked < 1 ? 1 : asked > kMaxRounds ? kMaxRounds : asked;
  genie_identity_t *identity = NULL;
  if (genie_identity_generate(genie_allocator_heap(), &identity) != GENIE_OK) {
    fprintf(stderr, "channel_bench: no identity\n");
    return 1;
  }
  const pid_t child = fork();
  bench_setup_t setup = {.host = argc > 2 ? argv[2] : "127.0.0.1",
                         .port = kPort,
                         .is_server = child == 0,
                         .is_one_host = argc <= 3,
                         .identity = identity,
                         .buffer_bytes = kSizes[kSizeCount - 1]};
  if (setup.is_server && argc > 3) {
    enter_namespace(argv[3]);
  }
  setup.buffer = malloc(setup.buffer_bytes);
  memset(setup.buffer, setup.is_server, setup.buffer_bytes);
  run(&setup, child, rounds);
  waitpid(child, NULL, 0);
  return 0;
}

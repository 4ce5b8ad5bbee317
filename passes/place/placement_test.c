// The solvers against an enumeration of every assignment, on random small graphs; and that large graphs stay quick.
#include "passes/place/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

// A sanitizer takes its own time.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static const double kSecondsAllowed = 20;
#else
static const double kSecondsAllowed = 2;
#endif
#else
static const double kSecondsAllowed = 2;
#endif

enum { kMaxNodes = 6000, kMaxDevices = 17, kMaxInputs = 4 * kMaxNodes };

// A problem in arrays that a test fills node by node; each node makes one value of its own number.
typedef struct graph {
  genie_placement_problem_t problem;
  uint64_t memory[kMaxDevices];
  genie_placement_link_t links[kMaxDevices * kMaxDevices];
  int64_t time[kMaxNodes * kMaxDevices];
  uint64_t resident[kMaxNodes];
  uint32_t group[kMaxNodes];
  uint32_t pin[kMaxNodes];
  genie_placement_value_t values[kMaxNodes];
  uint32_t first_input[kMaxNodes + 1];
  uint32_t inputs[kMaxInputs];
  uint64_t random;
} graph_t;

static graph_t graph;
static genie_arena_t arena;

static int set_up(void **state) {
  (void)state;
  memset(&graph, 0, sizeof(graph));
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  genie_arena_deinit(&arena);
  return 0;
}

static uint32_t draw(uint32_t bound) {
  graph.random = graph.random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(graph.random >> 33) % bound;
}

static void begin(uint32_t device_count, uint64_t seed) {
  memset(&graph, 0, sizeof(graph));
  graph.random = seed * 7919 + 17;
  graph.problem = (genie_placement_problem_t){.device_count = device_count,
                                              .memory_limit_bytes = graph.memory,
                                              .links = graph.links,
                                              .time_ns = graph.time,
                                              .resident_bytes = graph.resident,
                                              .group = graph.group,
                                              .pin = graph.pin,
                                              .values = graph.values,
                                              .first_input = graph.first_input,
                                              .inputs = graph.inputs};
  for (uint32_t d = 0; d < device_count; ++d) {
    graph.memory[d] = UINT64_MAX;
    for (uint32_t e = 0; e < device_count; ++e) {
      graph.links[d * device_count + e] =
          (genie_placement_link_t){.bytes_per_s = 1e9 * (1 + draw(4)), .latency_ns = draw(30)};
    }
  }
}

static uint32_t add_node(uint32_t input_count, const uint32_t *inputs) {
  genie_placement_problem_t *problem = &graph.problem;
  const uint32_t node = problem->node_count++;
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    graph.time[node * problem->device_count + d] = 1 + draw(100);
  }
  graph.resident[node] = draw(50);
  graph.group[node] = graph.pin[node] = GENIE_PLACEMENT_NONE;
  graph.values[problem->value_count++] = (genie_placement_value_t){.producer = node, .size_bytes = draw(60)};
  for (uint32_t i = 0; i < input_count; ++i) {
    graph.inputs[graph.first_input[node] + i] = inputs[i];
  }
  graph.first_input[node + 1] = graph.first_input[node] + input_count;
  return node;
}

static void add_chain(uint32_t length) {
  for (uint32_t i = 0; i < length; ++i) {
    const uint32_t before = graph.problem.node_count - 1;
    add_node(graph.problem.node_count > 0 ? 1 : 0, &before);
  }
}

// A source, parallel chains, and a node that joins them.
static void add_diamond(uint32_t branch_count, uint32_t length) {
  add_chain(1);
  const uint32_t source = graph.problem.node_count - 1;
  uint32_t ends[64];
  for (uint32_t b = 0; b < branch_count; ++b) {
    ends[b] = source;
    for (uint32_t i = 0; i < length; ++i) {
      ends[b] = add_node(1, &ends[b]);
    }
  }
  add_node(branch_count, ends);
}

static void add_random(uint32_t node_count) {
  for (uint32_t i = 0; i < node_count; ++i) {
    const uint32_t node = graph.problem.node_count;
    uint32_t inputs[3];
    const uint32_t count = node == 0 ? 0 : draw(node < 3 ? node + 1 : 4);
    for (uint32_t k = 0; k < count; ++k) {
      inputs[k] = draw(node);
    }
    add_node(count, inputs);
  }
}

// Every device runs every node by the same factor faster or slower than the others, as devices do.
static void set_speeds(void) {
  for (uint32_t node = 0; node < graph.problem.node_count; ++node) {
    const int64_t work = 20 + draw(200);
    for (uint32_t d = 0; d < graph.problem.device_count; ++d) {
      graph.time[node * graph.problem.device_count + d] = work * (1 + d % 3);
    }
  }
}

// The definition of latency once more, written without a look at the solver's: times in a table, links as queues.
static int64_t simulate(const uint32_t *device) {
  const genie_placement_problem_t *problem = &graph.problem;
  int64_t device_free[kMaxDevices] = {0};
  int64_t link_free[kMaxDevices][kMaxDevices] = {{0}};
  int64_t arrival[16][kMaxDevices];
  int64_t end = 0;
  assert_true(problem->node_count <= 16);
  for (uint32_t node = 0; node < problem->node_count; ++node) {
    const uint32_t here = device[node];
    int64_t start = device_free[here];
    for (uint32_t i = graph.first_input[node]; i < graph.first_input[node + 1]; ++i) {
      start = arrival[graph.inputs[i]][here] > start ? arrival[graph.inputs[i]][here] : start;
    }
    const int64_t finish = start + graph.time[node * problem->device_count + here];
    device_free[here] = finish;
    end = finish > end ? finish : end;
    bool has[kMaxDevices] = {false};
    has[here] = true;
    arrival[node][here] = finish;
    for (uint32_t reader = node + 1; reader < problem->node_count; ++reader) {
      for (uint32_t i = graph.first_input[reader]; i < graph.first_input[reader + 1]; ++i) {
        const uint32_t there = device[reader];
        if (graph.inputs[i] != node || has[there]) {
          continue;
        }
        has[there] = true;
        const genie_placement_link_t *link = &graph.links[here * problem->device_count + there];
        const double exact = (double)graph.values[node].size_bytes / link->bytes_per_s * 1e9;
        const int64_t busy = (int64_t)exact + (exact > (double)(int64_t)exact ? 1 : 0);
        const int64_t leave = link_free[here][there] > finish ? link_free[here][there] : finish;
        link_free[here][there] = leave + busy;
        arrival[node][there] = leave + busy + link->latency_ns;
      }
    }
  }
  return end;
}

static bool fits(const uint32_t *device) {
  uint64_t used[kMaxDevices] = {0};
  for (uint32_t node = 0; node < graph.problem.node_count; ++node) {
    used[device[node]] += graph.resident[node];
    if (graph.time[node * graph.problem.device_count + device[node]] == GENIE_PLACEMENT_NEVER ||
        used[device[node]] > graph.memory[device[node]] ||
        (graph.pin[node] != GENIE_PLACEMENT_NONE && graph.pin[node] != device[node])) {
      return false;
    }
    for (uint32_t other = 0; other < node; ++other) {
      if (graph.group[node] != GENIE_PLACEMENT_NONE && graph.group[node] == graph.group[other] &&
          device[node] != device[other]) {
        return false;
      }
    }
  }
  return true;
}

// Least latency over every assignment; -1 where none fits.
static int64_t enumerate(void) {
  uint32_t device[16] = {0};
  int64_t best = -1;
  for (;;) {
    if (fits(device)) {
      const int64_t time = simulate(device);
      best = best < 0 || time < best ? time : best;
    }
    uint32_t node = 0;
    while (node < graph.problem.node_count && ++device[node] == graph.problem.device_count) {
      device[node++] = 0;
    }
    if (node == graph.problem.node_count) {
      return best;
    }
  }
}

// The solver's answer keeps its promises; returns whether it claims to be optimal.
static bool check_against_enumeration(void) {
  genie_placement_t placement;
  const int64_t best = enumerate();
  const genie_status_t status = genie_placement_solve(&graph.problem, &arena, &placement);
  if (best < 0) {
    assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
    genie_status_free(status);
    return true;
  }
  if (status != GENIE_OK) {  // a heuristic may miss the only fits, but must say so
    assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
    genie_status_free(status);
    return false;
  }
  assert_true(fits(placement.device));
  assert_int_equal(placement.cost.latency_ns, simulate(placement.device));
  assert_true(placement.bound_ns <= best);
  assert_true(placement.cost.latency_ns >= best);
  if (placement.is_optimal) {
    assert_int_equal(placement.cost.latency_ns, best);
  }
  return placement.is_optimal;
}

static void test_chains_are_solved_exactly(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    begin(1 + (uint32_t)(seed % 4), seed);
    add_chain(1 + (uint32_t)(seed % 6));
    assert_true(check_against_enumeration());
  }
}

static void test_series_parallel_graphs_are_solved_exactly(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 80; ++seed) {
    begin(2 + (uint32_t)(seed % 2), seed);
    add_diamond(2 + (uint32_t)(seed % 2), 1);
    add_diamond(2, 1 + (uint32_t)(seed % 2));
    assert_true(check_against_enumeration());
  }
}

static void test_scarce_memory_is_respected_exactly_on_chains(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    begin(2 + (uint32_t)(seed % 2), seed);
    add_chain(6);
    for (uint32_t d = 0; d < graph.problem.device_count; ++d) {
      graph.memory[d] = 30 + draw(90);
    }
    assert_true(check_against_enumeration());
  }
}

static void test_wishes_groups_and_devices_that_cannot_run_a_node_are_respected(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    begin(3, seed);
    add_chain(2);
    add_diamond(2, 1);
    graph.group[1] = graph.group[3] = 0;
    graph.pin[draw(6)] = draw(3);
    graph.time[draw(18)] = GENIE_PLACEMENT_NEVER;
    check_against_enumeration();
  }
}

static void test_random_graphs_get_a_valid_answer_and_a_true_bound(void **state) {
  (void)state;
  uint32_t optimal_count = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    begin(2 + (uint32_t)(seed % 2), seed);
    add_random(7);
    optimal_count += check_against_enumeration();
  }
  assert_true(optimal_count > 75);
}

// Least bottleneck over every division of a chain into stages on different devices.
static int64_t enumerate_stages(uint32_t first, uint32_t used, uint32_t last) {
  const genie_placement_problem_t *problem = &graph.problem;
  if (first == problem->node_count) {
    return 0;
  }
  int64_t best = INT64_MAX;
  for (uint32_t d = 0; d < problem->device_count; ++d) {
    if ((used >> d & 1) != 0) {
      continue;
    }
    int64_t stage = 0;
    if (first > 0) {
      const double exact =
          (double)graph.values[first - 1].size_bytes / graph.links[last * problem->device_count + d].bytes_per_s * 1e9;
      stage = (int64_t)exact + (exact > (double)(int64_t)exact ? 1 : 0);
    }
    int64_t busy = 0;
    for (uint32_t node = first; node < problem->node_count; ++node) {
      busy += graph.time[node * problem->device_count + d];
      const int64_t rest = enumerate_stages(node + 1, used | 1u << d, d);
      int64_t time = busy > stage ? busy : stage;
      time = rest > time ? rest : time;
      best = time < best ? time : best;
    }
  }
  return best;
}

static void test_pipelines_have_the_least_bottleneck(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    begin(1 + (uint32_t)(seed % 4), seed);
    add_chain(7);
    genie_placement_t placement;
    const genie_status_t status = genie_placement_solve_pipeline(&graph.problem, &arena, &placement);
    assert_true(status == GENIE_OK);
    assert_true(placement.is_optimal);
    assert_int_equal(placement.cost.bottleneck_ns, enumerate_stages(0, 0, 0));
  }
}

static double now_s(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// A chain, blocks of four branches, a random graph, and 62 long branches; over sixteen devices and the client.
static void test_five_thousand_nodes_over_sixteen_devices_take_under_two_seconds(void **state) {
  static const double least_share[] = {1, 0.7, 0.5, 0.8};
  (void)state;
  for (int shape = 0; shape < 4; ++shape) {
    begin(17, 5);
    if (shape == 0) {
      add_chain(5000);
    } else if (shape == 1) {
      while (graph.problem.node_count < 5000) {
        add_diamond(4, 3);
      }
    } else if (shape == 2) {
      add_random(5000);
    } else {
      add_diamond(62, 80);
      set_speeds();
    }
    genie_placement_t placement;
    const double start = now_s();
    const genie_status_t status = genie_placement_solve(&graph.problem, &arena, &placement);
    const double taken = now_s() - start;
    assert_true(status == GENIE_OK);
    print_message("shape %d: %.2f s of CPU, latency %ld, bound %ld\n", shape, taken, (long)placement.cost.latency_ns,
                  (long)placement.bound_ns);
    assert_true(taken < kSecondsAllowed);
    assert_true((double)placement.bound_ns >= least_share[shape] * (double)placement.cost.latency_ns);
  }
}

static void test_the_same_problem_gets_the_same_placement(void **state) {
  (void)state;
  begin(5, 3);
  add_random(300);
  genie_placement_t first, second;
  assert_true(genie_placement_solve(&graph.problem, &arena, &first) == GENIE_OK);
  assert_true(genie_placement_solve(&graph.problem, &arena, &second) == GENIE_OK);
  assert_memory_equal(first.device, second.device, 300 * sizeof(uint32_t));
}

static void test_traffic_is_saved_within_the_allowed_latency(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    begin(3, seed);
    add_random(12);
    genie_placement_t placement;
    assert_true(genie_placement_solve(&graph.problem, &arena, &placement) == GENIE_OK);
    const genie_placement_cost_t before = placement.cost;
    const int64_t allowed_ns = before.latency_ns + before.latency_ns / 10;
    assert_true(genie_placement_save_traffic(&graph.problem, allowed_ns, &arena, &placement) == GENIE_OK);
    assert_true(fits(placement.device));
    assert_int_equal(placement.cost.latency_ns, simulate(placement.device));
    assert_true(placement.cost.latency_ns <= allowed_ns);
    assert_true(placement.cost.traffic_bytes <= before.traffic_bytes);
  }
}

static void test_malformed_problems_are_refused(void **state) {
  (void)state;
  genie_placement_t placement;
  begin(2, 1);
  add_chain(3);
  graph.inputs[0] = 2;
  genie_status_t status = genie_placement_solve(&graph.problem, &arena, &placement);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
  begin(2, 1);
  add_chain(3);
  graph.links[1].bytes_per_s = 0;
  status = genie_placement_solve(&graph.problem, &arena, &placement);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_chains_are_solved_exactly, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_series_parallel_graphs_are_solved_exactly, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_scarce_memory_is_respected_exactly_on_chains, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wishes_groups_and_devices_that_cannot_run_a_node_are_respected, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(test_random_graphs_get_a_valid_answer_and_a_true_bound, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_pipelines_have_the_least_bottleneck, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_five_thousand_nodes_over_sixteen_devices_take_under_two_seconds, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(test_the_same_problem_gets_the_same_placement, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_traffic_is_saved_within_the_allowed_latency, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_malformed_problems_are_refused, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

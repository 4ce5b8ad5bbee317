// The pool descriptor: what is read, what is refused and how the refusal names the place, and that it is rewritten as a
// whole and deterministically.
#include "runtime/pool/pool.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static genie_pool_t *parse(const char *text) {
  genie_pool_t *pool = NULL;
  const genie_status_t status = genie_pool_parse(text, strlen(text), "pool.json", genie_allocator_heap(), &pool);
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
  return pool;
}

static const char kTwoNodes[] =
    "{\"version\": 1,\n"
    " \"links\": [{\"from\": \"a\", \"to\": \"local\", \"bytes_per_s\": 1.25e9, \"latency_ns\": 11000.5}],\n"
    " \"nodes\": [\n"
    "  {\"name\": \"a\", \"address\": \"10.0.0.1:7447\", \"key\": \"" KEY
    "\",\n"
    "   \"devices\": [{\"name\": \"cpu0\", \"kind\": \"cpu\", \"memory_bytes\": 1024, \"flops_per_s\": {\"bf16\": "
    "3}},\n"
    "               {\"name\": \"cuda0\", \"kind\": \"cuda\"}]},\n"
    "  {\"name\": \"b\", \"address\": \"[fd00::1]:1\"}]}\n";

static void fields_are_read(void **state) {
  (void)state;
  genie_pool_t *pool = parse(kTwoNodes);
  uint32_t node = 0, device = 0;
  assert_int_equal(pool->node_count, 3);
  assert_int_equal(genie_pool_find_place(pool, "a:cuda0", &node, &device), GENIE_OK);
  assert_int_equal(node, 0);
  assert_int_equal(device, 1);
  assert_string_equal(pool->nodes[0].host, "10.0.0.1");
  assert_int_equal(pool->nodes[0].port, 7447);
  assert_true(pool->nodes[0].has_key);
  assert_int_equal(pool->nodes[0].key[31], 0x1f);
  assert_int_equal(pool->nodes[0].devices[0].memory_bytes, 1024);
  assert_true(pool->nodes[0].devices[0].flops_per_s[GENIE_DTYPE_BF16] == 3);
  assert_string_equal(pool->nodes[1].host, "fd00::1");
  assert_false(pool->nodes[1].has_key);
  const genie_pool_link_t *link = genie_pool_find_link(pool, 0, 2);
  assert_non_null(link);
  assert_true(link->bytes_per_s == 1.25e9 && link->latency_ns == 11000.5);
  assert_null(genie_pool_find_link(pool, 2, 0));
  genie_pool_close(pool);
}

static void every_pool_has_the_local_node(void **state) {
  (void)state;
  uint32_t node = 9, device = 9;
  genie_pool_t *pool = parse("{\"version\": 1, \"nodes\": []}");
  assert_int_equal(genie_pool_find_place(pool, "local:cpu0", &node, &device), GENIE_OK);
  assert_null(pool->nodes[node].address);
  genie_pool_close(pool);
}

static void what_is_missing_is_named_with_what_there_is(void **state) {
  (void)state;
  static const struct {
    const char *place;
    const char *message;
  } kCases[] = {
      {"c:cpu0", "the pool has no node 'c'; it has a, b, local"},
      {"a:cpu1", "node 'a' has no device 'cpu1'; it has cpu0, cuda0"},
      {"b:cpu0", "node 'b' has no device 'cpu0'; it has none"},
      {"cpu0", "'cpu0' is no place: write NODE:DEVICE, as in local:cpu0"},
  };
  genie_pool_t *pool = parse(kTwoNodes);
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    uint32_t node, device;
    const genie_status_t status = genie_pool_find_place(pool, kCases[i].place, &node, &device);
    assert_string_equal(genie_status_message(status), kCases[i].message);
    genie_status_free(status);
  }
  genie_pool_close(pool);
}

// ---- Refusals ----

#define NODES(text) "{\"version\": 1,\n \"nodes\": [\n  " text "]}"
#define NODE_A "{\"name\": \"a\", \"address\": \"h:1\"}"
#define NODE_B ", {\"name\": \"b\", \"address\": \"h:2\"}"
#define LINKS(text) "{\"version\": 1, \"nodes\": [" NODE_A NODE_B "],\n\"links\": [\n" text "]}"

static const struct {
  const char *text;
  genie_status_code_t code;
  const char *message;
} kRefused[] = {
    {"", GENIE_STATUS_INVALID_ARGUMENT, "pool.json:1: '[' or '{' expected near end of file"},
    {"{\"version\": 1,\n\n", GENIE_STATUS_INVALID_ARGUMENT, "pool.json:3: string or '}' expected near end of file"},
    {"[]", GENIE_STATUS_INVALID_ARGUMENT, "pool.json:1: must be an object"},
    {"{\"nodes\": []}", GENIE_STATUS_INVALID_ARGUMENT, "pool.json:1: has no field 'version'"},
    {"{\"nodes\": [],\n\"version\": 2}", GENIE_STATUS_UNIMPLEMENTED,
     "pool.json:2: version: this Genie reads version 1 only"},
    {"{\"version\": 1, \"nodes\": [],\n\n \"node\\ns\": []}", GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:1: node?s: there is no such field"},
    {NODES(NODE_A ",\n  {\"name\": \"b\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:4: nodes[1]: has no field 'address'"},
    {NODES(NODE_A ",\n" NODE_A), GENIE_STATUS_INVALID_ARGUMENT, "pool.json:4: nodes[1]: has the name 'a', as [0] has"},
    {NODES("{\"name\": \"a b\", \"address\": \"h:1\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: nodes[0].name: 'a b' is no name: at most 63 letters, digits, '.', '_', '-', the first a letter or "
     "digit"},
    {NODES("{\"name\": \"a\",\n \"address\": \"h:65536\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:4: nodes[0].address: 'h:65536' is no address: write \"HOST:PORT\", or \"[IPV6]:PORT\""},
    {NODES("{\"name\": \"a\", \"address\": \"h;rm:1\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: nodes[0].address: 'h;rm:1' is no address: write \"HOST:PORT\", or \"[IPV6]:PORT\""},
    {NODES("{\"name\": \"a\", \"address\": \"h:1\", \"key\": \"sha256:00\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: nodes[0].key: must be \"sha256:\" and 64 lower-case hexadecimal digits"},
    {NODES("{\"name\": \"local\", \"address\": \"h:1\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: nodes[0]: 'local' is the embedded node of the calling process: it has no address and no key"},
    {NODES("{\"name\": \"a\", \"address\": \"h:1\", \"devices\": [\n{\"name\": \"x\", \"kind\": \"cpu\",\n"
           "\"flops_per_s\": {\"f31\": 1}}]}"),
     GENIE_STATUS_INVALID_ARGUMENT, "pool.json:5: nodes[0].devices[0].flops_per_s.f31: there is no such dtype"},
    {NODES("{\"name\": \"a\", \"address\": \"h:1\", \"devices\": [{\"name\": \"x\", \"kind\": \"cpu\",\n"
           "\"memory_bytes\": -1}]}"),
     GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:4: nodes[0].devices[0].memory_bytes: must be a whole number of bytes, at most 2^60"},
    {LINKS("{\"from\": \"a\", \"to\": \"c\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: links[0].to: there is no node 'c'"},
    {LINKS("{\"from\": \"a\", \"to\": \"a\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: links[0]: leads from a node to itself"},
    {LINKS("{\"from\": \"a\", \"to\": \"b\"},\n{\"from\": \"a\", \"to\": \"b\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:4: links[1]: is a second link from 'a' to 'b'"},
    {LINKS("{\"from\": \"a\", \"to\": \"b\", \"carrier\": \"ucx\"}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: links[0]: carrier \"ucx\" neither encrypts nor authenticates: it needs \"trusted\": true"},
    {LINKS("{\"from\": \"a\", \"to\": \"b\", \"bytes_per_s\": -1}"), GENIE_STATUS_INVALID_ARGUMENT,
     "pool.json:3: links[0].bytes_per_s: must be a number from 0 to 1e+24"},
};

static void refusals_name_the_line_and_the_field(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(kRefused) / sizeof(kRefused[0]); ++i) {
    genie_pool_t *pool = NULL;
    const genie_status_t status =
        genie_pool_parse(kRefused[i].text, strlen(kRefused[i].text), "pool.json", genie_allocator_heap(), &pool);
    assert_string_equal(genie_status_message(status), kRefused[i].message);
    assert_int_equal(genie_status_code(status), kRefused[i].code);
    assert_null(pool);
    genie_status_free(status);
  }
}

static void a_field_given_twice_is_refused(void **state) {
  (void)state;
  genie_pool_t *pool = NULL;
  const char *text = "{\"version\": 1, \"nodes\": [], \"nodes\": []}";
  const genie_status_t status = genie_pool_parse(text, strlen(text), "p", genie_allocator_heap(), &pool);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
}

// ---- Writing ----

static char *format(const genie_pool_t *pool) {
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_pool_format(pool, &text);
  char *copy = strdup(genie_string_builder_get(&text));
  genie_string_builder_deinit(&text);
  return copy;
}

// The schema's example has every property that the schema names; it is read and comes back as the same JSON.
static void the_schema_names_what_is_read_and_written(void **state) {
  (void)state;
  json_t *schema = json_load_file(GENIE_POOL_SCHEMA_PATH, 0, NULL);
  const json_t *example = json_array_get(json_object_get(schema, "examples"), 0);
  char *text = json_dumps(example, 0);
  assert_non_null(text);
  genie_pool_t *pool = parse(text);
  char *written = format(pool);
  json_t *again = json_loads(written, 0, NULL);
  assert_int_equal(json_array_size(json_object_get(again, "nodes")), 2);
  const char *name, *property;
  json_t *definition, *unused;
  json_object_foreach(json_object_get(schema, "$defs"), name, definition) {
    json_object_foreach(json_object_get(definition, "properties"), property, unused) {
      char quoted[80];
      snprintf(quoted, sizeof(quoted), "\"%s\"", property);
      assert_non_null(strstr(written, quoted));
    }
  }
  free(text);
  free(written);
  json_decref(again);
  json_decref(schema);
  genie_pool_close(pool);
}

static void the_same_pool_gives_the_same_bytes(void **state) {
  (void)state;
  genie_pool_t *pool = parse(kTwoNodes);
  char *first = format(pool);
  genie_pool_t *again = parse(first);
  char *second = format(again);
  assert_string_equal(first, second);
  assert_true(again->links[0].latency_ns == 11000.5);
  free(first);
  free(second);
  genie_pool_close(pool);
  genie_pool_close(again);
}

static void figures_are_set_and_written_whole(void **state) {
  (void)state;
  char path[] = "/tmp/genie-pool-XXXXXX";
  const int file = mkstemp(path);
  genie_pool_t *pool = parse(kTwoNodes), *again = NULL;
  genie_pool_device_t device = {.name = "cpu0", .kind = "cpu", .launch_ns = 1.0 / 3};
  const genie_pool_link_t link = {.from = 2, .to = 1, .bytes_per_s = 123456789.25};
  device.flops_per_s[GENIE_DTYPE_F32] = 1e18 / 7;
  assert_int_equal(genie_pool_set_devices(pool, 2, &device, 1), GENIE_OK);
  assert_int_equal(genie_pool_set_link(pool, &link), GENIE_OK);
  assert_int_equal(genie_pool_write(pool, path), GENIE_OK);
  assert_int_equal(genie_pool_open(path, genie_allocator_heap(), &again), GENIE_OK);
  uint32_t node = 0;
  assert_int_equal(genie_pool_find_node(again, "local", &node), GENIE_OK);
  assert_true(again->nodes[node].devices[0].flops_per_s[GENIE_DTYPE_F32] == 1e18 / 7);
  assert_true(again->nodes[node].devices[0].launch_ns == 1.0 / 3);
  assert_int_equal(again->link_count, 2);
  assert_true(genie_pool_find_link(again, node, 1)->bytes_per_s == 123456789.25);
  genie_pool_close(pool);
  genie_pool_close(again);
  close(file);
  unlink(path);
}

static void files_that_cannot_be_used_are_refused(void **state) {
  (void)state;
  genie_pool_t *pool = NULL;
  genie_status_t status = genie_pool_open("/nonexistent/pool.json", genie_allocator_heap(), &pool);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_NOT_FOUND);
  genie_status_free(status);
  status = genie_pool_open("/tmp", genie_allocator_heap(), &pool);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
  status = genie_pool_open("/dev/zero", genie_allocator_heap(), &pool);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_read),
      cmocka_unit_test(every_pool_has_the_local_node),
      cmocka_unit_test(what_is_missing_is_named_with_what_there_is),
      cmocka_unit_test(refusals_name_the_line_and_the_field),
      cmocka_unit_test(a_field_given_twice_is_refused),
      cmocka_unit_test(the_schema_names_what_is_read_and_written),
      cmocka_unit_test(the_same_pool_gives_the_same_bytes),
      cmocka_unit_test(figures_are_set_and_written_whole),
      cmocka_unit_test(files_that_cannot_be_used_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

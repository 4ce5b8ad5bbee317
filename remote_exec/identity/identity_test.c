// Keys, the files that list them, and what each rule trusts.
#include "remote_exec/identity/identity.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote_exec/identity/authorized_keys.h"
#include "remote_exec/identity/known_nodes.h"

#include <cmocka.h>

static char folder[] = "/tmp/genie-identity-XXXXXX";

static const char kHexKey[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";  // RFC 8032, test 1
static const char kBase64Key[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char kPemKey[] = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char kKeyFingerprint[] = "sha256:21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9";
static const char kOtherKey[] = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";  // RFC 8032, test 2

static const char *path_in(const char *name) {
  static char path[512];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void write_file(const char *path, const char *text, mode_t mode) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  chmod(path, mode);
}

static void expect(genie_status_t status, genie_status_code_t code, const char *part) {
  if (genie_status_code(status) != code || strstr(genie_status_message(status), part) == NULL) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  assert_non_null(strstr(genie_status_message(status), part));
  genie_status_free(status);
}

static genie_fingerprint_t key_of(const char *text) {
  genie_fingerprint_t key;
  assert_int_equal(genie_fingerprint_parse_key(text, strlen(text), &key), GENIE_OK);
  return key;
}

static void all_forms_of_a_key_are_one_key(void **state) {
  (void)state;
  char text[GENIE_FINGERPRINT_TEXT_BYTES];
  const genie_fingerprint_t key = key_of(kHexKey);
  genie_fingerprint_format(&key, text);
  assert_string_equal(text, kKeyFingerprint);
  const char *const forms[] = {kBase64Key, kPemKey, kKeyFingerprint};
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); ++i) {
    const genie_fingerprint_t same = key_of(forms[i]);
    assert_true(genie_fingerprint_is_equal(&key, &same));
  }
}

static void what_is_no_key_is_refused(void **state) {
  (void)state;
  const char *const forms[] = {"",
                               "ssh-ed25519",
                               "sha256:",
                               "sha256:21fe",
                               "md5:21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",
                               "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                               "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR==",
                               "11qYAYKxCrfVS 7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
                               "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511",
                               "g75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"};
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); ++i) {
    genie_fingerprint_t key;
    expect(genie_fingerprint_parse_key(forms[i], strlen(forms[i]), &key), GENIE_STATUS_INVALID_ARGUMENT, "key");
  }
}

static void a_key_is_made_once_and_found_again(void **state) {
  (void)state;
  const char *path = path_in("made");
  genie_identity_t *made = NULL;
  genie_identity_t *loaded = NULL;
  expect(genie_identity_load(path, genie_allocator_heap(), &loaded), GENIE_STATUS_NOT_FOUND, path);
  expect(genie_identity_load_or_create(path, genie_allocator_heap(), &made), GENIE_STATUS_OK, "");
  expect(genie_identity_load_or_create(path, genie_allocator_heap(), &loaded), GENIE_STATUS_OK, "");
  assert_string_equal(genie_identity_get_fingerprint(made), genie_identity_get_fingerprint(loaded));
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  genie_authorized_keys_t *keys = NULL;
  expect(genie_authorized_keys_load(path_in("made.pub"), genie_allocator_heap(), &keys), GENIE_STATUS_OK, "");
  genie_fingerprint_t key;
  genie_public_key_fingerprint(genie_identity_get_public_key(made), &key);
  const genie_trust_t trust = genie_authorized_keys_trust(keys);
  expect(trust.judge(trust.self, "peer", &key), GENIE_STATUS_OK, "");
  genie_authorized_keys_destroy(keys);
  genie_identity_destroy(made);
  genie_identity_destroy(loaded);
}

static void a_private_key_that_others_may_read_is_refused(void **state) {
  (void)state;
  genie_identity_t *identity = NULL;
  expect(genie_identity_load_or_create(path_in("open"), genie_allocator_heap(), &identity), GENIE_STATUS_OK, "");
  genie_identity_destroy(identity);
  chmod(path_in("open"), 0640);
  expect(genie_identity_load(path_in("open"), genie_allocator_heap(), &identity), GENIE_STATUS_PERMISSION_DENIED,
         "chmod 600");
  write_file(path_in("junk"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0600);
  expect(genie_identity_load(path_in("junk"), genie_allocator_heap(), &identity), GENIE_STATUS_INVALID_ARGUMENT,
         "Ed25519");
  expect(genie_identity_load("/dev/null", genie_allocator_heap(), &identity), GENIE_STATUS_INVALID_ARGUMENT, "regular");
}

static genie_status_t parse_keys(const char *text, genie_authorized_keys_t **out_keys) {
  return genie_authorized_keys_parse("keys", text, strlen(text), genie_allocator_heap(), out_keys);
}

static void authorized_keys_lists_keys_with_comments(void **state) {
  (void)state;
  char text[1024];
  snprintf(text, sizeof(text),
           "# clients\n\n  %s alice's laptop\n-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", kHexKey,
           kPemKey);
  genie_authorized_keys_t *keys = NULL;
  expect(parse_keys(text, &keys), GENIE_STATUS_OK, "");
  assert_int_equal(genie_authorized_keys_count(keys), 2);
  const genie_trust_t trust = genie_authorized_keys_trust(keys);
  const genie_fingerprint_t listed = key_of(kHexKey);
  const genie_fingerprint_t other = key_of(kOtherKey);
  expect(trust.judge(trust.self, "peer", &listed), GENIE_STATUS_OK, "");
  expect(trust.judge(trust.self, "10.0.0.9:5", &other), GENIE_STATUS_PERMISSION_DENIED, "10.0.0.9:5");
  genie_authorized_keys_destroy(keys);
  expect(parse_keys("", &keys), GENIE_STATUS_OK, "");
  assert_int_equal(genie_authorized_keys_count(keys), 0);
  genie_authorized_keys_destroy(keys);
}

static void options_and_junk_in_authorized_keys_are_errors(void **state) {
  (void)state;
  char text[1024];
  genie_authorized_keys_t *keys = NULL;
  snprintf(text, sizeof(text), "\ncommand=\"x\" %s\n", kHexKey);
  expect(parse_keys(text, &keys), GENIE_STATUS_INVALID_ARGUMENT, "keys:2");
  expect(parse_keys("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n", &keys), GENIE_STATUS_INVALID_ARGUMENT, "keys:1");
  write_file(path_in("writable"), kHexKey, 0666);
  expect(genie_authorized_keys_load(path_in("writable"), genie_allocator_heap(), &keys), GENIE_STATUS_PERMISSION_DENIED,
         "chmod");
}

static void a_node_is_pinned_at_first_use(void **state) {
  (void)state;
  const char *path = path_in("known");
  genie_known_nodes_t *nodes = NULL;
  expect(genie_known_nodes_load(path, /*may_pin=*/true, genie_allocator_heap(), &nodes), GENIE_STATUS_OK, "");
  genie_trust_t trust = genie_known_nodes_trust(nodes);
  const genie_fingerprint_t key = key_of(kHexKey);
  const genie_fingerprint_t other = key_of(kOtherKey);
  expect(trust.judge(trust.self, "node1:7070", &key), GENIE_STATUS_OK, "");
  expect(trust.judge(trust.self, "node1:7070", &key), GENIE_STATUS_OK, "");
  expect(trust.judge(trust.self, "node1:7070", &other), GENIE_STATUS_PERMISSION_DENIED, "known:1");
  expect(trust.judge(trust.self, "node2:7070", &other), GENIE_STATUS_OK, "");
  genie_known_nodes_destroy(nodes);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  expect(genie_known_nodes_load(path, /*may_pin=*/false, genie_allocator_heap(), &nodes), GENIE_STATUS_OK, "");
  trust = genie_known_nodes_trust(nodes);
  expect(trust.judge(trust.self, "node2:7070", &other), GENIE_STATUS_OK, "");
  expect(trust.judge(trust.self, "node3:7070", &key), GENIE_STATUS_PERMISSION_DENIED, kKeyFingerprint);
  genie_known_nodes_destroy(nodes);
}

static void junk_in_known_nodes_is_an_error(void **state) {
  (void)state;
  char text[1024];
  genie_known_nodes_t *nodes = NULL;
  const char *const lines[] = {"node1:7070\n", "node1:7070 sha256:12\n", "one two three four\n"};
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); ++i) {
    snprintf(text, sizeof(text), "# ours\n%s", lines[i]);
    write_file(path_in("bad"), text, 0600);
    expect(genie_known_nodes_load(path_in("bad"), true, genie_allocator_heap(), &nodes), GENIE_STATUS_INVALID_ARGUMENT,
           "bad:2");
  }
}

static void an_address_cannot_write_a_line(void **state) {
  (void)state;
  genie_known_nodes_t *nodes = NULL;
  expect(genie_known_nodes_load(path_in("clean"), true, genie_allocator_heap(), &nodes), GENIE_STATUS_OK, "");
  const genie_trust_t trust = genie_known_nodes_trust(nodes);
  const genie_fingerprint_t key = key_of(kHexKey);
  expect(trust.judge(trust.self, "a:1\nb:2", &key), GENIE_STATUS_INVALID_ARGUMENT, "address");
  genie_known_nodes_destroy(nodes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_forms_of_a_key_are_one_key),
      cmocka_unit_test(what_is_no_key_is_refused),
      cmocka_unit_test(a_key_is_made_once_and_found_again),
      cmocka_unit_test(a_private_key_that_others_may_read_is_refused),
      cmocka_unit_test(authorized_keys_lists_keys_with_comments),
      cmocka_unit_test(options_and_junk_in_authorized_keys_are_errors),
      cmocka_unit_test(a_node_is_pinned_at_first_use),
      cmocka_unit_test(junk_in_known_nodes_is_an_error),
      cmocka_unit_test(an_address_cannot_write_a_line),
  };
  if (mkdtemp(folder) == NULL) {
    return 1;
  }
  const int failures = cmocka_run_group_tests(tests, NULL, NULL);
  char command[64];
  snprintf(command, sizeof(command), "rm -r %s", folder);
  return system(command) == 0 ? failures : 1;
}

#include "compiler/import/pt2/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/archive_fixture.h"

#include <cmocka.h>

static const genie_pt2_fixture_member_t good_members[] = {
    {.name = "m/archive_format", .bytes = "pt2"},
    {.name = "m/byteorder", .bytes = "little"},
    {.name = "m/models/model.json", .bytes = "{}"},
    {.name = "m/data/weights/weight_0", .bytes = "0123456789"},
    {.name = "m/data/weights/weight_1", .bytes = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .is_compressed = true},
    {.name = NULL},
};

// Opening `path` fails with `code` and a message that has `text`.
static void expect_refusal(char *path, genie_status_code_t code, const char *text) {
  genie_pt2_archive_t *archive = NULL;
  const genie_status_t status = genie_pt2_archive_open(path, &archive);
  assert_int_equal(genie_status_code(status), code);
  if (strstr(genie_status_message(status), text) == NULL) {
    fail_msg("'%s' lacks '%s'", genie_status_message(status), text);
  }
  assert_non_null(strstr(genie_status_message(status), path));
  genie_status_free(status);
  genie_pt2_fixture_remove(path);
}

static void test_a_payload_is_located_in_the_file(void **state) {
  (void)state;
  char *path = genie_pt2_fixture_write(good_members);
  genie_pt2_archive_t *archive;
  assert_int_equal(genie_pt2_archive_open(path, &archive), GENIE_OK);
  genie_pt2_member_t member;
  assert_int_equal(genie_pt2_archive_locate(archive, "data/weights/weight_0", &member), GENIE_OK);
  assert_int_equal(member.size_bytes, 10);
  char text[11] = {0};
  FILE *file = fopen(path, "rb");
  fseek(file, (long)member.offset, SEEK_SET);
  assert_int_equal(fread(text, 1, 10, file), 10);
  fclose(file);
  assert_string_equal(text, "0123456789");
  genie_pt2_archive_close(archive);
  genie_pt2_fixture_remove(path);
}

static void test_members_are_found_read_and_bounded(void **state) {
  (void)state;
  char *path = genie_pt2_fixture_write(good_members);
  genie_pt2_archive_t *archive;
  assert_int_equal(genie_pt2_archive_open(path, &archive), GENIE_OK);
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  const char *model;
  assert_int_equal(genie_pt2_archive_model_name(archive, &arena, &model), GENIE_OK);
  assert_string_equal(model, "model");
  char *bytes;
  size_t length;
  assert_int_equal(genie_pt2_archive_read(archive, "data/weights/weight_1", 64, &arena, &bytes, &length), GENIE_OK);
  assert_int_equal(length, 40);
  genie_status_t status = genie_pt2_archive_read(archive, "data/weights/weight_1", 39, &arena, &bytes, &length);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  genie_pt2_member_t member;
  status = genie_pt2_archive_locate(archive, "data/weights/weight_1", &member);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNIMPLEMENTED);
  genie_status_free(status);
  status = genie_pt2_archive_locate(archive, "data/weights/weight_2", &member);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_NOT_FOUND);
  genie_status_free(status);
  genie_arena_deinit(&arena);
  genie_pt2_archive_close(archive);
  genie_pt2_fixture_remove(path);
}

static void test_other_files_are_named_for_what_they_are(void **state) {
  (void)state;
  expect_refusal(genie_pt2_fixture_write_bytes("", 0), GENIE_STATUS_INVALID_ARGUMENT, "empty");
  expect_refusal(genie_pt2_fixture_write_bytes("GGUF....", 8), GENIE_STATUS_INVALID_ARGUMENT, "torch.export");
  expect_refusal(genie_pt2_fixture_write_bytes("\x80\x02}q\0.", 6), GENIE_STATUS_INVALID_ARGUMENT, "pickle");
  const genie_pt2_fixture_member_t script[] = {
      {.name = "m/data.pkl", .bytes = "x"}, {.name = "m/constants.pkl", .bytes = "x"}, {.name = NULL}};
  expect_refusal(genie_pt2_fixture_write(script), GENIE_STATUS_UNIMPLEMENTED, "TorchScript");
  const genie_pt2_fixture_member_t pickled[] = {
      {.name = "m/data.pkl", .bytes = "x"}, {.name = "m/version", .bytes = "3"}, {.name = NULL}};
  expect_refusal(genie_pt2_fixture_write(pickled), GENIE_STATUS_INVALID_ARGUMENT, "pickled");
  const genie_pt2_fixture_member_t old[] = {{.name = "serialized_exported_program.json", .bytes = "{}"},
                                            {.name = NULL}};
  expect_refusal(genie_pt2_fixture_write(old), GENIE_STATUS_UNIMPLEMENTED, "before 2.9");
  const genie_pt2_fixture_member_t plain[] = {{.name = "readme", .bytes = "x"}, {.name = NULL}};
  expect_refusal(genie_pt2_fixture_write(plain), GENIE_STATUS_INVALID_ARGUMENT, "archive_format");
  const genie_pt2_fixture_member_t big[] = {
      {.name = "m/archive_format", .bytes = "pt2"}, {.name = "m/byteorder", .bytes = "big"}, {.name = NULL}};
  expect_refusal(genie_pt2_fixture_write(big), GENIE_STATUS_UNIMPLEMENTED, "byte order");
}

static void test_a_file_cut_anywhere_is_refused(void **state) {
  (void)state;
  char *path = genie_pt2_fixture_write(good_members);
  size_t length;
  char *bytes = genie_pt2_fixture_read(path, &length);
  genie_pt2_fixture_remove(path);
  for (size_t kept = 4; kept < length; kept += 7) {
    expect_refusal(genie_pt2_fixture_write_bytes(bytes, kept), GENIE_STATUS_DATA_LOSS, "truncated");
  }
  free(bytes);
}

static void test_a_changed_byte_is_refused_or_harmless(void **state) {
  (void)state;
  char *path = genie_pt2_fixture_write(good_members);
  size_t length;
  char *bytes = genie_pt2_fixture_read(path, &length);
  genie_pt2_fixture_remove(path);
  for (size_t at = 0; at < length; ++at) {
    bytes[at] ^= 0x5a;
    char *changed = genie_pt2_fixture_write_bytes(bytes, length);
    genie_pt2_archive_t *archive = NULL;
    genie_status_t status = genie_pt2_archive_open(changed, &archive);
    if (status == GENIE_OK) {
      genie_pt2_member_t member;
      status = genie_pt2_archive_locate(archive, "data/weights/weight_0", &member);
      assert_true(status != GENIE_OK || member.offset + member.size_bytes <= length);
      genie_pt2_archive_close(archive);
    }
    genie_status_free(status);
    genie_pt2_fixture_remove(changed);
    bytes[at] ^= 0x5a;
  }
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_payload_is_located_in_the_file),
      cmocka_unit_test(test_members_are_found_read_and_bounded),
      cmocka_unit_test(test_other_files_are_named_for_what_they_are),
      cmocka_unit_test(test_a_file_cut_anywhere_is_refused),
      cmocka_unit_test(test_a_changed_byte_is_refused_or_harmless),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "compiler/import/pt2/archive_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

static char *new_path(void) {
  char *path = strdup("fixture-XXXXXX.pt2");
  const int descriptor = mkstemps(path, 4);
  assert(descriptor >= 0);
  close(descriptor);
  return path;
}

char *genie_pt2_fixture_write(const genie_pt2_fixture_member_t *members) {
  char *path = new_path();
  int error;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
  assert(zip != NULL);
  for (const genie_pt2_fixture_member_t *member = members; member->name != NULL; ++member) {
    const size_t length = member->length > 0 ? member->length : strlen(member->bytes);
    zip_source_t *source = zip_source_buffer(zip, member->bytes, length, 0);
    const zip_int64_t index = zip_file_add(zip, member->name, source, ZIP_FL_ENC_UTF_8);
    assert(index >= 0);
    zip_set_file_compression(zip, (zip_uint64_t)index, member->is_compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  const int closed = zip_close(zip);
  assert(closed == 0);
  (void)closed;
  return path;
}

char *genie_pt2_fixture_write_model(const char *model, const char *weights, const void *weight, size_t weight_bytes) {
  genie_pt2_fixture_member_t members[6] = {{.name = "m/archive_format", .bytes = "pt2"}};
  int count = 1;
  if (model != NULL) {
    members[count++] = (genie_pt2_fixture_member_t){.name = "m/models/model.json", .bytes = model};
  }
  if (weights != NULL) {
    members[count++] =
        (genie_pt2_fixture_member_t){.name = "m/data/weights/model_weights_config.json", .bytes = weights};
  }
  if (weight != NULL) {
    members[count++] =
        (genie_pt2_fixture_member_t){.name = "m/data/weights/weight_0", .bytes = weight, .length = weight_bytes};
  }
  return genie_pt2_fixture_write(members);
}

char *genie_pt2_fixture_write_bytes(const void *bytes, size_t length) {
  char *path = new_path();
  FILE *file = fopen(path, "wb");
  assert(file != NULL);
  fwrite(bytes, 1, length, file);
  fclose(file);
  return path;
}

void *genie_pt2_fixture_read(const char *path, size_t *out_length) {
  FILE *file = fopen(path, "rb");
  assert(file != NULL);
  fseek(file, 0, SEEK_END);
  *out_length = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*out_length + 1);
  const size_t got = fread(bytes, 1, *out_length, file);
  assert(got == *out_length);
  (void)got;
  fclose(file);
  return bytes;
}

void genie_pt2_fixture_remove(char *path) {
  unlink(path);
  free(path);
}

// Writes tests/corpus/plans: good plans, and for each rule of the format a bad one whose file name has the status.
//
// Good plans of a release stay in the corpus for ever: files are added, and replaced only before a first release.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/plan/plan_bad_case.h"

static const char *in_folder(const char *folder, const char *kind, const char *name) {
  static char path[512];
  snprintf(path, sizeof(path), "%s/%s/%s", folder, kind, name);
  return path;
}

static genie_status_t write_bytes(const char *path, const uint8_t *bytes, uint64_t size_bytes) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "%s: cannot write", path);
  }
  const bool is_written = fwrite(bytes, 1, size_bytes, file) == size_bytes;
  return fclose(file) == 0 && is_written ? GENIE_OK
                                         : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: cannot write", path);
}

// A plan of one entry that does nothing.
static void make_smallest(genie_plan_example_t *example) {
  genie_plan_example_make(example);
  example->symbol_count = example->expr_count = example->tensor_count = example->slice_count = 0;
  example->kernel_count = example->index_count = example->instruction_count = example->code_offset_count = 0;
  example->entry_count = 1;
  example->entries[0] = (genie_plan_entry_t){.name = example->entries[0].name, .stream_count = 1};
  example->places[0].slab_bytes = example->places[0].state_bytes = example->places[0].sum_bytes = 0;
  example->targets[0].code_bytes = example->targets[1].code_bytes = 0;
}

// A key that everybody knows: 32 bytes of 7.
static genie_status_t write_known_key(const char *path) {
  uint8_t secret[32];
  memset(secret, 7, sizeof(secret));
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
  FILE *file = fopen(path, "w");
  const bool is_written =
      key != NULL && file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
  if (file != NULL) {
    fclose(file);
  }
  EVP_PKEY_free(key);
  return is_written ? GENIE_OK : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "%s: cannot write", path);
}

static genie_status_t write_good(const char *folder) {
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  GENIE_RETURN_IF_ERROR(genie_plan_example_write(&example, in_folder(folder, "good", "two-streams.gplan"), NULL));
  char key[512];
  snprintf(key, sizeof(key), "%s/good/key.pem", folder);
  GENIE_RETURN_IF_ERROR(write_known_key(key));
  const genie_status_t status = genie_plan_example_write(&example, in_folder(folder, "good", "signed.gplan"), key);
  unlink(key);
  GENIE_RETURN_IF_ERROR(status);
  genie_plan_example_make_places(&example);
  GENIE_RETURN_IF_ERROR(genie_plan_example_write(&example, in_folder(folder, "good", "two-places.gplan"), NULL));
  make_smallest(&example);
  return genie_plan_example_write(&example, in_folder(folder, "good", "smallest.gplan"), NULL);
}

static genie_status_t write_bad(const char *folder) {
  for (int i = 0; i < genie_plan_bad_case_count; ++i) {
    const genie_plan_bad_case_t *bad = &genie_plan_bad_case_table[i];
    uint8_t *bytes = NULL;
    uint64_t size_bytes = 0;
    char name[128];
    GENIE_RETURN_IF_ERROR(genie_plan_bad_case_make(bad, folder, &bytes, &size_bytes));
    genie_plan_bad_case_file_name(bad, sizeof(name), name);
    const genie_status_t status = write_bytes(in_folder(folder, "bad", name), bytes, size_bytes);
    genie_allocator_free(genie_allocator_heap(), bytes);
    GENIE_RETURN_IF_ERROR(status);
  }
  return GENIE_OK;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: plan_corpus FOLDER    (with folders good and bad in it)\n");
    return 2;
  }
  genie_status_t status = write_good(argv[1]);
  if (status == GENIE_OK) {
    status = write_bad(argv[1]);
  }
  if (status != GENIE_OK) {
    fprintf(stderr, "plan_corpus: %s\n", genie_status_message(status));
    genie_status_free(status);
    return 1;
  }
  return 0;
}

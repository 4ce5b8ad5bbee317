// genie keygen: an Ed25519 key pair, to sign plans with and to trust them by.
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/genie/command.h"

typedef struct keygen_options {
  bool is_json;
} keygen_options_t;

static const genie_config_option_t kOptions[] = {
    {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(keygen_options_t, is_json), .help = "print JSON"},
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie keygen FILE",
    .summary =
        "Writes a new private key to FILE (for `geniec --sign FILE`), readable by its owner only, and its public key "
        "to\n"
        "FILE.pub (for `--trusted-keys FILE.pub`). Refuses to replace a file.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

enum { kPrivateMode = 0600, kPublicMode = 0644 };

// A key is never written over another: O_EXCL.
static genie_status_t write_new_file(const char *path, mode_t mode, BIO *contents) {
  char *text = NULL;
  const long length = BIO_get_mem_data(contents, &text);
  const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "cannot create %s: %m", path);
  }
  const bool is_written = write(file, text, (size_t)length) == length;
  if (close(file) != 0 || !is_written) {
    unlink(path);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot write %s: the disk is full", path);
  }
  return GENIE_OK;
}

static genie_status_t write_key(EVP_PKEY *key, const char *path, bool is_private) {
  BIO *memory = BIO_new(BIO_s_mem());
  const int is_encoded = memory == NULL ? 0
                         : is_private   ? PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL)
                                        : PEM_write_bio_PUBKEY(memory, key);
  const genie_status_t status = is_encoded == 1
                                    ? write_new_file(path, is_private ? kPrivateMode : kPublicMode, memory)
                                    : genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL cannot encode an Ed25519 key");
  BIO_free(memory);
  return status;
}

static genie_status_t write_pair(EVP_PKEY *key, const char *path, const char *public_path) {
  GENIE_RETURN_IF_ERROR(write_key(key, path, /*is_private=*/true));
  const genie_status_t status = write_key(key, public_path, /*is_private=*/false);
  if (status != GENIE_OK) {
    unlink(path);
  }
  return status;
}

static void print_public_key(EVP_PKEY *key, bool is_json) {
  unsigned char bytes[32];
  size_t length = sizeof(bytes);
  if (EVP_PKEY_get_raw_public_key(key, bytes, &length) != 1) {
    return;
  }
  printf("%s", is_json ? "{\"public_key\": \"" : "");
  for (size_t i = 0; i < length; ++i) {
    printf("%02x", bytes[i]);
  }
  printf("%s", is_json ? "\"}\n" : "\n");
}

genie_status_t genie_command_keygen(genie_command_t *command) {
  keygen_options_t options = {0};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  const char *path = positional.values[0];
  const size_t public_path_bytes = strlen(path) + sizeof(".pub");
  void *public_path = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(command->arena, public_path_bytes, 1, &public_path));
  snprintf(public_path, public_path_bytes, "%s.pub", path);
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  if (key == NULL) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "OpenSSL makes no Ed25519 key here");
  }
  const genie_status_t status = write_pair(key, path, public_path);
  if (status == GENIE_OK) {
    print_public_key(key, options.is_json);
  }
  EVP_PKEY_free(key);
  return status;
}

#include "remote_exec/identity/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct genie_identity {
  genie_allocator_t allocator;
  EVP_PKEY *key;
  X509 *certificate;
  genie_public_key_t public_key;
  char fingerprint[GENIE_FINGERPRINT_TEXT_BYTES];
};

enum { kOthersMode = 077, kPrivateMode = 0600, kPublicMode = 0644 };

// Its dates and names mean nothing: the peer looks at the key alone.
static bool fill_certificate(X509 *certificate, EVP_PKEY *key) {
  X509_NAME *name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
         ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200101000000Z") == 1 &&
         ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"genie", -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
         X509_sign(certificate, key, NULL) > 0;
}

// Takes `key`.
static genie_status_t identity_create(EVP_PKEY *key, genie_allocator_t allocator, genie_identity_t **out_identity) {
  void *memory = NULL;
  const genie_status_t status = genie_allocator_allocate_array(allocator, 1, sizeof(genie_identity_t), &memory);
  if (status != GENIE_OK) {
    EVP_PKEY_free(key);
    return status;
  }
  genie_identity_t *identity = memory;
  identity->allocator = allocator;
  identity->key = key;
  identity->certificate = X509_new();
  size_t key_bytes = GENIE_PUBLIC_KEY_BYTES;
  if (identity->certificate == NULL || !fill_certificate(identity->certificate, key) ||
      EVP_PKEY_get_raw_public_key(key, identity->public_key.bytes, &key_bytes) != 1) {
    ERR_clear_error();
    genie_identity_destroy(identity);
    return genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL cannot make a certificate of an Ed25519 key");
  }
  genie_fingerprint_t fingerprint;
  genie_public_key_fingerprint(&identity->public_key, &fingerprint);
  genie_fingerprint_format(&fingerprint, identity->fingerprint);
  *out_identity = identity;
  return GENIE_OK;
}

static genie_status_t check_owner_only(FILE *file, const char *path) {
  struct stat info;
  if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: a private key is a regular file", path);
  }
  if ((info.st_mode & kOthersMode) != 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                             "%s: others may read this private key: chmod 600 it, or make a new one", path);
  }
  return GENIE_OK;
}

genie_status_t genie_identity_load(const char *path, genie_allocator_t allocator, genie_identity_t **out_identity) {
  FILE *file = fopen(path, "rbe");
  if (file == NULL) {
    return genie_status_make(errno == EACCES ? GENIE_STATUS_PERMISSION_DENIED : GENIE_STATUS_NOT_FOUND,
                             "%s: cannot read the private key: %s", path, strerror(errno));
  }
  const genie_status_t status = check_owner_only(file, path);
  EVP_PKEY *key = status == GENIE_OK ? PEM_read_PrivateKey(file, NULL, NULL, "") : NULL;
  fclose(file);
  GENIE_RETURN_IF_ERROR(status);
  ERR_clear_error();
  if (key == NULL || EVP_PKEY_base_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "%s: no unencrypted Ed25519 private key in PEM (genie keygen %s)", path, path);
  }
  return identity_create(key, allocator, out_identity);
}

static genie_status_t make_key(EVP_PKEY **out_key) {
  *out_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  return *out_key != NULL ? GENIE_OK : genie_status_make(GENIE_STATUS_UNAVAILABLE, "OpenSSL makes no Ed25519 key here");
}

genie_status_t genie_identity_generate(genie_allocator_t allocator, genie_identity_t **out_identity) {
  EVP_PKEY *key = NULL;
  GENIE_RETURN_IF_ERROR(make_key(&key));
  return identity_create(key, allocator, out_identity);
}

// Writes a file that must not exist yet and that nobody sees half-written: made beside `path`, then linked to it.
static genie_status_t write_pem(const char *path, EVP_PKEY *key, bool is_private) {
  char temporary[4096];
  unsigned char random[8];
  if (RAND_bytes(random, sizeof(random)) != 1) {
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: no random numbers to be had", path);
  }
  unsigned long long suffix = 0;
  memcpy(&suffix, random, sizeof(suffix));
  if (snprintf(temporary, sizeof(temporary), "%s.%016llx", path, suffix) >= (int)sizeof(temporary)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the path of the key is longer than %zu bytes",
                             sizeof(temporary) - 18);
  }
  const int descriptor =
      open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_private ? kPrivateMode : kPublicMode);
  FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
  if (file == NULL) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: cannot create the key: %s", path, strerror(errno));
  }
  bool is_good =
      is_private ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 : PEM_write_PUBKEY(file, key) == 1;
  is_good = fclose(file) == 0 && is_good && link(temporary, path) == 0;
  const int error = errno;
  unlink(temporary);
  return is_good ? GENIE_OK
                 : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: cannot write the key: %s", path,
                                     strerror(error));
}

static genie_status_t create_files(const char *path) {
  char public_path[4096];
  if (snprintf(public_path, sizeof(public_path), "%s.pub", path) >= (int)sizeof(public_path)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the path of the key is too long");
  }
  EVP_PKEY *key = NULL;
  GENIE_RETURN_IF_ERROR(make_key(&key));
  genie_status_t status = write_pem(path, key, /*is_private=*/true);
  if (status == GENIE_OK) {
    unlink(public_path);
    status = write_pem(public_path, key, /*is_private=*/false);
  }
  EVP_PKEY_free(key);
  return status;
}

genie_status_t genie_identity_load_or_create(const char *path, genie_allocator_t allocator,
                                             genie_identity_t **out_identity) {
  if (access(path, F_OK) != 0 && errno == ENOENT) {
    const genie_status_t status = create_files(path);
    // Another process may have been first: its key is then the one.
    if (status != GENIE_OK && access(path, F_OK) != 0) {
      return status;
    }
    genie_status_free(status);
  }
  return genie_identity_load(path, allocator, out_identity);
}

void genie_identity_destroy(genie_identity_t *identity) {
  if (identity == NULL) {
    return;
  }
  X509_free(identity->certificate);
  EVP_PKEY_free(identity->key);
  genie_allocator_free(identity->allocator, identity);
}

const genie_public_key_t *genie_identity_get_public_key(const genie_identity_t *identity) {
  return &identity->public_key;
}

const char *genie_identity_get_fingerprint(const genie_identity_t *identity) {
  return identity->fingerprint;
}

void *genie_identity_get_evp_key(const genie_identity_t *identity) {
  return identity->key;
}

void *genie_identity_get_x509(const genie_identity_t *identity) {
  return identity->certificate;
}

static genie_status_t judge_pinned(void *self, const char *peer, const genie_fingerprint_t *key) {
  const genie_fingerprint_t *pinned = self;
  if (genie_fingerprint_is_equal(pinned, key)) {
    return GENIE_OK;
  }
  char expected[GENIE_FINGERPRINT_TEXT_BYTES];
  char found[GENIE_FINGERPRINT_TEXT_BYTES];
  genie_fingerprint_format(pinned, expected);
  genie_fingerprint_format(key, found);
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                           "%s: has the key %s, not the pinned %s: another node, or somebody in between", peer, found,
                           expected);
}

genie_trust_t genie_trust_pinned(const genie_fingerprint_t *key) {
  return (genie_trust_t){.self = (void *)key, .judge = judge_pinned};
}

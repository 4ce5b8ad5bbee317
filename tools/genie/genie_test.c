// The program `genie` as a person uses it, on the sample plan: what it prints, its exit status, and one clear line for
// each thing that can be wrong.
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/plan/format.h"
#include "tests/support/sample_plan.h"
#include "tools/tensor_file/tensor_file.h"

#include <cmocka.h>

enum { kMostArguments = 16, kMostText = 65536, kNoLimit = 0 };

static char folder[] = "/tmp/genie-test-XXXXXX";

typedef struct finished {
  int exit_status;
  char out[kMostText];
  char error[kMostText];
} finished_t;

static void read_text(const char *path, char *out_text) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  const size_t length = fread(out_text, 1, kMostText - 1, file);
  out_text[length] = '\0';
  fclose(file);
  unlink(path);
}

static void redirect(int target, const char *path) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, target);
  close(file);
}

static _Noreturn void exec_genie(const char *const *arguments, rlim_t file_size_limit) {
  const char *argv[kMostArguments + 2] = {GENIE_TOOL_PATH};
  for (int i = 0; i < kMostArguments && arguments[i] != NULL; ++i) {
    argv[i + 1] = arguments[i];
  }
  if (chdir(folder) != 0) {
    _exit(99);
  }
  redirect(STDOUT_FILENO, ".out");
  redirect(STDERR_FILENO, ".error");
  if (file_size_limit != kNoLimit) {
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_size_limit, file_size_limit});
  }
  execv(GENIE_TOOL_PATH, (char *const *)argv);
  _exit(99);
}

// Runs genie in the folder; the last argument is NULL.
static finished_t *run_limited(rlim_t file_size_limit, const char *const *arguments) {
  static finished_t finished;
  const pid_t child = fork();
  if (child == 0) {
    exec_genie(arguments, file_size_limit);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  finished.exit_status = WEXITSTATUS(status);
  char path[128];
  snprintf(path, sizeof(path), "%s/.out", folder);
  read_text(path, finished.out);
  snprintf(path, sizeof(path), "%s/.error", folder);
  read_text(path, finished.error);
  return &finished;
}

#define RUN(...) run_limited(kNoLimit, (const char *const[]){__VA_ARGS__, NULL})

static void assert_done(const finished_t *finished) {
  if (finished->exit_status != 0 || finished->error[0] != '\0') {
    fail_msg("exit status %d: %s", finished->exit_status, finished->error);
  }
}

// One line on stderr that says `part`.
static void assert_failed(const finished_t *finished, int exit_status, const char *part) {
  const char *newline = strchr(finished->error, '\n');
  if (finished->exit_status != exit_status || strstr(finished->error, part) == NULL || newline == NULL ||
      newline[1] != '\0') {
    fail_msg("exit status %d instead of %d, or no '%s' in: %s", finished->exit_status, exit_status, part,
             finished->error);
  }
}

static int file_count(void) {
  DIR *entries = opendir(folder);
  int count = 0;
  for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
    count += entry->d_name[0] != '.';
  }
  closedir(entries);
  return count;
}

static const char *in_folder(const char *name) {
  static char path[128];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void remove_file(const char *name) {
  assert_int_equal(unlink(in_folder(name)), 0);
}

static void write_f32(const char *file, const char *name, float *values, int64_t rows, int64_t columns) {
  genie_named_tensor_t tensor = {name, {.data = values, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {rows, columns}}};
  const genie_tensor_set_t set = {&tensor, 1};
  assert_int_equal(genie_safetensors_write(in_folder(file), &set, genie_allocator_heap()), GENIE_OK);
}

static int make_folder(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL || genie_sample_plan_write(in_folder("p.gplan"), NULL) != GENIE_OK) {
    return 1;
  }
  static float x[6] = {1, 2, 3, 4, 5, 6};
  static float y[6] = {4, 8, 12, 16, 20, 24};
  write_f32("x.safetensors", "x", x, 2, 3);
  write_f32("y.safetensors", "y", y, 2, 3);
  y[4] += 1;
  write_f32("wrong.safetensors", "y", y, 2, 3);
  return 0;
}

enum { kFilesInFolder = 4 };

static int remove_folder(void **state) {
  (void)state;
  const int left = file_count();
  static const char *const kNames[] = {"p.gplan", "x.safetensors", "y.safetensors", "wrong.safetensors"};
  for (int i = 0; i < kFilesInFolder; ++i) {
    unlink(in_folder(kNames[i]));
  }
  return rmdir(folder) != 0 || left != kFilesInFolder;
}

// ---- What works ----

static void test_outputs_are_printed(void **state) {
  (void)state;
  const finished_t *finished = RUN("run", "p.gplan", "--input", "x=2x3xf32=1,2,3,4,5,6");
  assert_done(finished);
  assert_string_equal(finished->out, "y: f32 [2, 3]\n4, 8, 12\n16, 20, 24\n");
  finished = RUN("run", "p.gplan", "--entry", "dynamic", "--input=x=1x3xf32=0.5", "--output", "y=-", "--json");
  assert_done(finished);
  assert_string_equal(finished->out,
                      "{\"outputs\": {\"y\": {\"dtype\": \"f32\", \"shape\": [1, 3], \"data\": [1, 1, 1]}}, "
                      "\"comparison\": {}}\n");
}

static void test_tensors_travel_through_files(void **state) {
  (void)state;
  assert_done(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--outputs", "o.safetensors", "--output", "y=@o.npy",
                  "--expect", "y.safetensors"));
  genie_tensor_file_t file;
  genie_tensor_t tensor;
  assert_int_equal(genie_tensor_file_read(in_folder("o.npy"), genie_allocator_heap(), &file), GENIE_OK);
  assert_int_equal(genie_npy_parse(file.bytes, file.size_bytes, &tensor), GENIE_OK);
  assert_true(((const float *)tensor.data)[5] == 24);
  genie_tensor_file_free(&file);
  assert_done(RUN("run", "p.gplan", "--entry", "dynamic", "--input", "x=@o.npy", "--output", "-"));
  remove_file("o.npy");
  remove_file("o.safetensors");
}

static void test_each_command_answers(void **state) {
  (void)state;
  static const char *const kCommands[] = {"run", "bench", "inspect", "verify", "keygen"};
  for (size_t i = 0; i < sizeof(kCommands) / sizeof(kCommands[0]); ++i) {
    const finished_t *finished = RUN(kCommands[i], "--help");
    assert_done(finished);
    assert_non_null(strstr(finished->out, "usage: genie"));
  }
  assert_done(RUN("--help"));
  assert_non_null(strstr(RUN("--version")->out, "plan format 1."));
  assert_non_null(strstr(RUN("inspect", "p.gplan")->out, "gplan.plan"));
  assert_non_null(strstr(RUN("inspect", "p.gplan", "--summary")->out, "size s0: 1 to 8"));
  assert_non_null(strstr(RUN("inspect", "p.gplan", "--json")->out, "\"slab_bytes\": 64"));
  assert_non_null(strstr(RUN("verify", "p.gplan")->out, "valid"));
  assert_non_null(
      strstr(RUN("verify", "p.gplan", "--run")->out, "dynamic: caller to local:cpu0: 96 bytes planned, 96"));
  const finished_t *finished = RUN("bench", "p.gplan", "--entry", "dynamic", "--size", "s0=3", "--runs", "7", "--json");
  assert_done(finished);
  assert_non_null(strstr(finished->out, "\"runs\": 7"));
  assert_non_null(strstr(finished->out, "\"p99_ms\""));
  assert_non_null(strstr(RUN("bench", "p.gplan", "--runs", "1", "--profile")->out, "add_0"));
}

// ---- What is wrong with a call ----

static void test_a_mismatch_says_which_and_where(void **state) {
  (void)state;
  const finished_t *finished = RUN("run", "p.gplan", "--inputs", "x.safetensors", "--expect", "wrong.safetensors");
  assert_failed(finished, 1, "output 'y' differs in 1 elements, most at [1, 1]: 20 where 21 is expected");
  assert_done(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--expect", "wrong.safetensors", "--rtol", "0.05"));
  assert_done(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--expect", "wrong.safetensors", "--atol", "1.1"));
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--expect", "x.safetensors"), 1, "no output 'x'");
}

static void test_a_wrong_input_is_named(void **state) {
  (void)state;
  assert_failed(RUN("run", "p.gplan"), 1, "no value for input 'x' (f32 [2, 3])");
  assert_failed(RUN("run", "p.gplan", "--input", "z=f32=1"), 1, "no input 'z'; entry 'static' has 'x'");
  assert_failed(RUN("run", "p.gplan", "--inputs", "y.safetensors"), 1, "y.safetensors: no input 'y'");
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--input", "x=f32=1"), 1, "given twice");
  assert_failed(RUN("run", "p.gplan", "--input", "x=2x3xi64=1"), 1, "input 'x' is f32 [2, 3]");
  assert_failed(RUN("run", "p.gplan", "--input", "x=1x3xf32=1"), 1, "'x'");
  assert_failed(RUN("run", "p.gplan", "--entry", "dynamic", "--input", "x=9x3xf32=1"), 1, "1 to 8");
  assert_failed(RUN("run", "p.gplan", "--input", "x=@missing.npy"), 1, "missing.npy");
  assert_failed(RUN("run", "p.gplan", "--input", "x=@p.gplan"), 1, "p.gplan: npy:");
  assert_failed(RUN("run", "p.gplan", "--inputs", "p.gplan"), 1, "p.gplan: safetensors:");
  assert_failed(RUN("run", "p.gplan", "--entry", "nothing"), 1, "nothing");
  assert_failed(RUN("run", "p.gplan", "--device", "abacus", "--inputs", "x.safetensors"), 1, "abacus");
  assert_failed(RUN("bench", "p.gplan", "--entry", "dynamic", "--size", "s0=9"), 1, "s0 is 9");
  assert_failed(RUN("bench", "p.gplan", "--entry", "dynamic", "--size", "s1=9"), 1, "no dynamic size 's1'");
}

static void test_wrong_usage_is_exit_status_2(void **state) {
  (void)state;
  assert_failed(RUN("jump"), 2, "no command 'jump'");
  assert_failed(RUN("run"), 2, "usage: genie run PLAN");
  assert_failed(RUN("run", "p.gplan", "--treads", "1"), 2, "did you mean '--threads'");
  assert_failed(RUN("run", "p.gplan", "--input", "x"), 2, "NAME=@FILE.npy");
  assert_failed(RUN("run", "p.gplan", "--input", "x=2x3xf33=1"), 2, "2x3xf33");
  assert_failed(RUN("run", "p.gplan", "--input", "x=2x3xf32=1,2"), 2, "6 elements");
  assert_failed(RUN("run", "p.gplan", "--input", "x=2x3xf32=1,2,3,4,5,6,7"), 2, "more");
  assert_failed(RUN("run", "p.gplan", "--input", "x=1xi8=300"), 2, "is no i8");
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--output", "y"), 2, "NAME=@FILE.npy");
  assert_failed(RUN("run", "p.gplan", "--threads", "-1"), 2, "--threads");
}

// ---- What is wrong with a plan or with the machine ----

static void test_a_wrong_plan_is_named(void **state) {
  (void)state;
  assert_failed(RUN("run", "missing.gplan"), 1, "missing.gplan");
  assert_failed(RUN("verify", "x.safetensors"), 1, "x.safetensors");
  assert_failed(RUN("inspect", "."), 1, ".");
  assert_failed(RUN("verify", "p.gplan", "--require-signed"), 1, "sign");
  assert_failed(RUN("run", "p.gplan", "--trusted-keys", "missing.keys"), 1, "p.gplan");
}

static void test_a_signed_plan_is_trusted_by_its_key_only(void **state) {
  (void)state;
  assert_done(RUN("keygen", "mine"));
  assert_done(RUN("keygen", "other"));
  assert_failed(RUN("keygen", "mine"), 1, "cannot create mine");
  struct stat info;
  assert_int_equal(stat(in_folder("mine"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  char key[128];
  snprintf(key, sizeof(key), "%s", in_folder("mine"));
  const genie_sample_options_t options = {.signing_key = key};
  assert_int_equal(genie_sample_plan_write(in_folder("signed.gplan"), &options), GENIE_OK);
  assert_done(RUN("verify", "signed.gplan", "--require-signed", "--trusted-keys", "mine.pub"));
  assert_done(
      RUN("run", "signed.gplan", "--require-signed", "--trusted-keys", "mine.pub", "--inputs", "x.safetensors"));
  assert_failed(RUN("verify", "signed.gplan", "--trusted-keys", "other.pub"), 1, "other.pub does not list");
  assert_failed(RUN("verify", "p.gplan", "--require-signed", "--trusted-keys", "mine.pub"), 1, "sign");
  static const char *const kNames[] = {"mine", "mine.pub", "other", "other.pub", "signed.gplan"};
  for (size_t i = 0; i < sizeof(kNames) / sizeof(kNames[0]); ++i) {
    remove_file(kNames[i]);
  }
}

static void set_byte(const char *name, long offset, int value) {
  FILE *file = fopen(in_folder(name), "r+b");
  assert_non_null(file);
  fseek(file, offset, SEEK_SET);
  fputc(value, file);
  fclose(file);
}

static void test_a_newer_plan_is_named(void **state) {
  (void)state;
  assert_int_equal(genie_sample_plan_write(in_folder("new.gplan"), NULL), GENIE_OK);
  set_byte("new.gplan", offsetof(genie_plan_header_t, version_major), 2);
  assert_failed(RUN("run", "new.gplan", "--inputs", "x.safetensors"), 1, "newer");
  remove_file("new.gplan");
}

static void test_a_plan_for_another_cpu_is_named(void **state) {
  (void)state;
  const genie_sample_options_t options = {.features = "sse2,avx9000"};
  assert_int_equal(genie_sample_plan_write(in_folder("other.gplan"), &options), GENIE_OK);
  assert_failed(RUN("run", "other.gplan", "--inputs", "x.safetensors"), 1, "avx9000");
  remove_file("other.gplan");
}

static void test_a_truncated_plan_is_refused_at_every_length(void **state) {
  (void)state;
  assert_int_equal(genie_sample_plan_write(in_folder("cut.gplan"), NULL), GENIE_OK);
  struct stat info;
  assert_int_equal(stat(in_folder("cut.gplan"), &info), 0);
  for (off_t size = info.st_size - 1; size > 0; size -= 7919) {
    assert_int_equal(truncate(in_folder("cut.gplan"), size), 0);
    assert_failed(RUN("verify", "cut.gplan"), 1, "cut.gplan");
  }
  remove_file("cut.gplan");
}

static void test_a_failed_output_leaves_nothing(void **state) {
  (void)state;
  const char *const to_npy[] = {"run", "p.gplan", "--inputs", "x.safetensors", "--output", "y=@o.npy", NULL};
  const char *const to_safetensors[] = {"run", "p.gplan", "--inputs", "x.safetensors", "--outputs", "o", NULL};
  assert_failed(run_limited(100, to_npy), 1, "o.npy");
  assert_failed(run_limited(90, to_safetensors), 1, "cannot write o");
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--outputs", "missing/o"), 1, "missing/o");
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--outputs", "/dev/full"), 1, "/dev/full");
  assert_failed(RUN("run", "p.gplan", "--inputs", "x.safetensors", "--output", "y=@."), 1, "cannot write .");
  assert_int_equal(file_count(), kFilesInFolder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_outputs_are_printed),
      cmocka_unit_test(test_tensors_travel_through_files),
      cmocka_unit_test(test_each_command_answers),
      cmocka_unit_test(test_a_mismatch_says_which_and_where),
      cmocka_unit_test(test_a_wrong_input_is_named),
      cmocka_unit_test(test_wrong_usage_is_exit_status_2),
      cmocka_unit_test(test_a_wrong_plan_is_named),
      cmocka_unit_test(test_a_signed_plan_is_trusted_by_its_key_only),
      cmocka_unit_test(test_a_newer_plan_is_named),
      cmocka_unit_test(test_a_plan_for_another_cpu_is_named),
      cmocka_unit_test(test_a_truncated_plan_is_refused_at_every_length),
      cmocka_unit_test(test_a_failed_output_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

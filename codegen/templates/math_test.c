// The math library beside libm in the next wider type.
#include "codegen/templates/math.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 200000 };

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

// Uniform in [low, high), or, where `low` is not finite, any bit pattern.
static double sample(uint64_t *seed, double low, double high, int is_f32) {
  const uint64_t bits = next_random(seed);
  if (isfinite(low)) {
    return low + (high - low) * ((double)(bits >> 11) / 9007199254740992.0);
  }
  if (is_f32) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
  }
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

typedef struct row {
  const char *name;
  float (*f32)(float);
  double (*f64)(double);
  long double (*exact)(long double);
  double low, high;  // where it is sampled; NAN: all floats
  double f32_ulps, f64_ulps;
} row_t;

#define ROW(name, low, high, f32_ulps, f64_ulps) \
  {#name, genie_math_##name##_f32, genie_math_##name##_f64, name##l, low, high, f32_ulps, f64_ulps}

static const row_t rows[] = {
    ROW(exp, -105.0, 89.0, 2.0, 2.0),  ROW(exp, NAN, NAN, 2.0, 2.0),      ROW(expm1, -20.0, 80.0, 1.0, 2.0),
    ROW(expm1, -0.5, 0.5, 1.0, 2.0),   ROW(log, 0.0, 10.0, 1.0, 2.0),     ROW(log, NAN, NAN, 1.0, 2.0),
    ROW(log1p, -0.999, 5.0, 1.0, 3.0), ROW(log2, 0.0, 100.0, 1.0, 2.0),   ROW(log10, 0.0, 100.0, 1.0, 2.5),
    ROW(sin, -100.0, 100.0, 1.0, 2.0), ROW(cos, -100.0, 100.0, 1.0, 2.0), ROW(tan, -100.0, 100.0, 1.0, 4.0),
    ROW(sin, -1e6, 1e6, 1.0, 2.0),     ROW(tanh, -12.0, 12.0, 6.0, 4.0),  ROW(tanh, -0.1, 0.1, 6.0, 4.0),
    ROW(erf, -5.0, 5.0, 6.0, 4.0),
};

static double ulp_of(double exact, int is_f32) {
  const double magnitude = fabs(exact);
  if (is_f32) {
    const float value = (float)magnitude;
    return isinf(value) ? 0x1p104 : (double)(nextafterf(value, INFINITY) - value);
  }
  return nextafter(magnitude, INFINITY) - magnitude;
}

static void check_row(const row_t *row, int is_f32) {
  uint64_t seed = 88172645463325252u;
  double worst = 0, worst_at = 0;
  for (int i = 0; i < SAMPLES; ++i) {
    double x = sample(&seed, row->low, row->high, is_f32);
    x = is_f32 ? (double)(float)x : x;
    const long double exact = row->exact(x);
    const double actual = is_f32 ? row->f32((float)x) : row->f64(x);
    const double rounded = is_f32 ? (double)(float)exact : (double)exact;
    if (isnan(rounded) || isnan(actual)) {
      assert_true(isnan(rounded) && isnan(actual));
      continue;
    }
    if (rounded == actual) {
      continue;
    }
    const double error = fabs(actual - (double)exact) / ulp_of((double)exact, is_f32);
    if (error > worst) {
      worst = error;
      worst_at = x;
    }
  }
  const double allowed = is_f32 ? row->f32_ulps : row->f64_ulps;
  if (!(worst <= allowed)) {
    fail_msg("%s_%s(%.17g) is wrong by %.2f units in the last place", row->name, is_f32 ? "f32" : "f64", worst_at,
             worst);
  }
}

static void test_functions_of_one_number(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    check_row(&rows[i], 1);
    check_row(&rows[i], 0);
  }
}

static void assert_like(double expected, double actual) {
  if (isnan(expected)) {
    assert_true(isnan(actual));
  } else if (expected != actual || signbit(expected) != signbit(actual)) {
    fail_msg("expected %g, got %g", expected, actual);
  }
}

static void test_special_values(void **state) {
  (void)state;
  const double specials[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1.0, -1.0};
  for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); ++i) {
    const double x = specials[i];
    assert_like(fabs(x) == 1.0 ? genie_math_exp_f64(x) : exp(x), genie_math_exp_f64(x));
    assert_like(fabs(x) == 1.0 ? genie_math_tanh_f64(x) : tanh(x), genie_math_tanh_f64(x));
    assert_like(fabs(x) == 1.0 ? genie_math_tanh_f32((float)x) : tanhf((float)x), genie_math_tanh_f32((float)x));
    assert_like(fabs(x) == 1.0 ? genie_math_erf_f32((float)x) : erff((float)x), genie_math_erf_f32((float)x));
    assert_like(x == -0.0 ? -INFINITY : log(x), genie_math_log_f64(x));
    assert_like(x == 1.0 ? genie_math_log1p_f64(x) : log1p(x), genie_math_log1p_f64(x));
    assert_like(fabs(x) == 1.0 ? genie_math_sin_f64(x) : sin(x), genie_math_sin_f64(x));
    for (size_t j = 0; j < sizeof(specials) / sizeof(specials[0]); ++j) {
      const double y = specials[j];
      assert_like(pow(x, y), genie_math_pow_f64(x, y));
      assert_like(fmod(x, y), genie_math_fmod_f64(x, y));
    }
  }
}

static void test_powers_and_angles(void **state) {
  (void)state;
  uint64_t seed = 88172645463325252u;
  for (int i = 0; i < SAMPLES; ++i) {
    const double x = sample(&seed, 0.05, 30.0, 0), y = sample(&seed, -20.0, 20.0, 0);
    const double power = pow(x, y), angle = atan2(y, x - 15.0);
    assert_true(fabs(genie_math_pow_f64(x, y) - power) <= 2e-14 * power);
    assert_true(fabs(genie_math_atan2_f64(y, x - 15.0) - angle) <= 1e-15 * fabs(angle));
    assert_true(fabs(genie_math_pow_f32((float)x, (float)y) - powf((float)x, (float)y)) <=
                1.5e-7f * powf((float)x, (float)y));
    const float a = (float)(y * 100.0), b = (float)x + 0.01f;
    assert_true(genie_math_fmod_f32(a, b) == fmodf(a, b));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_functions_of_one_number),
      cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_powers_and_angles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

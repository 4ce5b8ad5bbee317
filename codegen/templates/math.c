// Polynomials and range reductions after Cephes (exp f32), fdlibm (log, erf, sin, cos, atan) and Eigen (tanh, erf f32).
// Compiled without reassociation: the order of operations is part of the accuracy.
#include "codegen/templates/math.h"

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define INF_F64 (__builtin_inf())
#define NAN_F64 (__builtin_nan(""))

INLINE double fma64(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
INLINE float fma32(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
INLINE uint64_t bits64(double x) {
  return __builtin_bit_cast(uint64_t, x);
}
INLINE double from_bits64(uint64_t x) {
  return __builtin_bit_cast(double, x);
}
INLINE uint32_t bits32(float x) {
  return __builtin_bit_cast(uint32_t, x);
}
INLINE float from_bits32(uint32_t x) {
  return __builtin_bit_cast(float, x);
}
INLINE double abs64(double x) {
  return __builtin_fabs(x);
}
INLINE double sign64(double magnitude, double sign) {
  return __builtin_copysign(magnitude, sign);
}

// Adding these rounds to an integer, which then stands in the low bits.
static const double ROUND_F64 = 6755399441055744.0;
static const float ROUND_F32 = 12582912.0f;

// An integer below 2^51 as a double, without a conversion that only AVX-512 has.
INLINE double int_to_f64(int64_t n) {
  return from_bits64(bits64(ROUND_F64) + (uint64_t)n) - ROUND_F64;
}

//===-- f32 -------------------------------------------------------------------------------------------------------===//

// 2^n for -300 < n < 256 in two factors, so that results may be subnormal or overflow.
INLINE float scale_f32(float value, int32_t n) {
  const int32_t half = n >> 1;
  return value * from_bits32((uint32_t)(half + 127) << 23) * from_bits32((uint32_t)(n - half + 127) << 23);
}

float genie_math_exp_f32(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = fma32(x, 1.44269504f, ROUND_F32);
  const int32_t n = (int32_t)(bits32(shifted) - bits32(ROUND_F32));
  const float whole = shifted - ROUND_F32;
  float r = fma32(whole, -0.693359375f, x);
  r = fma32(whole, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fma32(p, r, 1.3981999507e-3f);
  p = fma32(p, r, 8.3334519073e-3f);
  p = fma32(p, r, 4.1665795894e-2f);
  p = fma32(p, r, 1.6666665459e-1f);
  p = fma32(p, r, 5.0000001201e-1f);
  p = fma32(p * r, r, r) + 1.0f;
  return scale_f32(p, n);
}

float genie_math_tanh_f32(float x) {
  float c = x > 7.90531110763549805f ? 7.90531110763549805f : x;
  c = c < -7.90531110763549805f ? -7.90531110763549805f : c;
  const float z = c * c;
  float p = -2.76076847742355e-16f;
  p = fma32(p, z, 2.00018790482477e-13f);
  p = fma32(p, z, -8.60467152213735e-11f);
  p = fma32(p, z, 5.12229709037114e-08f);
  p = fma32(p, z, 1.48572235717979e-05f);
  p = fma32(p, z, 6.37261928875436e-04f);
  p = fma32(p, z, 4.89352455891786e-03f);
  float q = 1.19825839466702e-06f;
  q = fma32(q, z, 1.18534705686654e-04f);
  q = fma32(q, z, 2.26843463243900e-03f);
  q = fma32(q, z, 4.89352518554385e-03f);
  const float magnitude = __builtin_fabsf(x);
  const float value = magnitude < 0.0004f ? x : c * p / q;
  return magnitude > 9.1f ? __builtin_copysignf(1.0f, x) : value;
}

float genie_math_erf_f32(float x) {
  float c = x > 4.0f ? 4.0f : x;
  c = c < -4.0f ? -4.0f : c;
  const float z = c * c;
  float p = -2.72614225801306e-10f;
  p = fma32(p, z, 2.77068142495902e-08f);
  p = fma32(p, z, -2.10102402082508e-06f);
  p = fma32(p, z, -5.69250639462346e-05f);
  p = fma32(p, z, -7.34990630326855e-04f);
  p = fma32(p, z, -2.95459980854025e-03f);
  p = fma32(p, z, -1.60960333262415e-02f);
  float q = -1.45660718464996e-05f;
  q = fma32(q, z, -2.13374055278905e-04f);
  q = fma32(q, z, -1.68282697438203e-03f);
  q = fma32(q, z, -7.37332916720468e-03f);
  q = fma32(q, z, -1.42647390514189e-02f);
  return __builtin_fabsf(x) > 4.0f ? __builtin_copysignf(1.0f, x) : c * p / q;
}

float genie_math_expm1_f32(float x) {
  return (float)genie_math_expm1_f64(x);
}
float genie_math_log_f32(float x) {
  return (float)genie_math_log_f64(x);
}
float genie_math_log1p_f32(float x) {
  return (float)genie_math_log1p_f64(x);
}
float genie_math_log2_f32(float x) {
  return (float)genie_math_log2_f64(x);
}
float genie_math_log10_f32(float x) {
  return (float)genie_math_log10_f64(x);
}
float genie_math_sin_f32(float x) {
  return (float)genie_math_sin_f64(x);
}
float genie_math_cos_f32(float x) {
  return (float)genie_math_cos_f64(x);
}
float genie_math_tan_f32(float x) {
  return (float)genie_math_tan_f64(x);
}
float genie_math_pow_f32(float x, float y) {
  return (float)genie_math_pow_f64(x, y);
}
float genie_math_atan2_f32(float y, float x) {
  return (float)genie_math_atan2_f64(y, x);
}
float genie_math_fmod_f32(float x, float y) {
  return (float)genie_math_fmod_f64(x, y);
}

//===-- f64: exponentials -----------------------------------------------------------------------------------------===//

// x = n ln 2 + r with |r| <= ln 2 / 2; n's value is returned in *whole and *n.
INLINE double reduce_exp(double x, double *whole, int64_t *n) {
  const double shifted = fma64(x, 1.44269504088896338700e+00, ROUND_F64);
  *n = (int64_t)(bits64(shifted) - bits64(ROUND_F64));
  *whole = shifted - ROUND_F64;
  return fma64(*whole, -1.90821492927058770002e-10, fma64(*whole, -6.93147180369123816490e-01, x));
}

// (e^r - 1 - r) / r^2 by its Taylor series, exact to 1e-17 for |r| <= 0.35.
INLINE double exp_tail(double r) {
  double p = 1.0 / 6227020800.0;
  p = fma64(p, r, 1.0 / 479001600.0);
  p = fma64(p, r, 1.0 / 39916800.0);
  p = fma64(p, r, 1.0 / 3628800.0);
  p = fma64(p, r, 1.0 / 362880.0);
  p = fma64(p, r, 1.0 / 40320.0);
  p = fma64(p, r, 1.0 / 5040.0);
  p = fma64(p, r, 1.0 / 720.0);
  p = fma64(p, r, 1.0 / 120.0);
  p = fma64(p, r, 1.0 / 24.0);
  p = fma64(p, r, 1.0 / 6.0);
  return fma64(p, r, 0.5);
}

INLINE double power_of_two(int64_t n) {
  return from_bits64((uint64_t)(n + 1023) << 52);
}

double genie_math_exp_f64(double x) {
  x = x > 710.0 ? 710.0 : x;
  x = x < -746.0 ? -746.0 : x;
  double whole;
  int64_t n;
  const double r = reduce_exp(x, &whole, &n);
  const double p = fma64(exp_tail(r) * r, r, r) + 1.0;
  const int64_t half = n >> 1;
  return p * power_of_two(half) * power_of_two(n - half);
}

double genie_math_expm1_f64(double x) {
  double c = x > 710.0 ? 710.0 : x;
  c = c < -50.0 ? -50.0 : c;
  double whole;
  int64_t n;
  const double r = reduce_exp(c, &whole, &n);
  const double p = fma64(exp_tail(r) * r, r, r);
  const double scale = power_of_two(n - 1);
  const double value = fma64(p, scale, scale - 0.5) * 2.0;
  return x == 0.0 ? x : value;
}

double genie_math_tanh_f64(double x) {
  double a = abs64(x);
  a = a > 30.0 ? 30.0 : a;
  const double t = genie_math_expm1_f64(2.0 * a);
  const double value = sign64(t / (t + 2.0), x);
  return x != x ? x : value;
}

//===-- f64: logarithms -------------------------------------------------------------------------------------------===//

double genie_math_log_f64(double x) {
  const int is_small = x < 2.2250738585072014e-308;
  const double scaled = is_small ? x * 18014398509481984.0 : x;
  const uint64_t offset = bits64(scaled) - 0x3fe6a09e667f3bcdULL;
  const int64_t k = (int64_t)offset >> 52;
  const double f = from_bits64(bits64(scaled) - ((uint64_t)k << 52)) - 1.0;
  const double exponent = int_to_f64(k) - (is_small ? 54.0 : 0.0);
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 1.479819860511658591e-01;
  p = fma64(p, z, 1.531383769920937332e-01);
  p = fma64(p, z, 1.818357216161805012e-01);
  p = fma64(p, z, 2.222219843214978396e-01);
  p = fma64(p, z, 2.857142874366239149e-01);
  p = fma64(p, z, 3.999999999940941908e-01);
  p = fma64(p, z, 6.666666666666735130e-01);
  const double half_square = 0.5 * f * f;
  const double correction = s * fma64(p, z, half_square) + exponent * 1.90821492927058770002e-10;
  double value = exponent * 6.93147180369123816490e-01 - ((half_square - correction) - f);
  value = x == INF_F64 ? x : value;
  value = x == 0.0 ? -INF_F64 : value;
  value = x < 0.0 ? NAN_F64 : value;
  return x != x ? x : value;
}

double genie_math_log1p_f64(double x) {
  const double u = 1.0 + x;
  const double rest = x - (u - 1.0);
  double value = genie_math_log_f64(u) + rest / u;
  value = u == 0.0 ? -INF_F64 : value;
  value = x == INF_F64 ? x : value;
  return u == 1.0 ? x : value;
}

double genie_math_log2_f64(double x) {
  // The exponent stays apart, so that powers of two are exact.
  const int is_small = x < 2.2250738585072014e-308;
  const double scaled = is_small ? x * 18014398509481984.0 : x;
  const uint64_t offset = bits64(scaled) - 0x3fe6a09e667f3bcdULL;
  const int64_t k = (int64_t)offset >> 52;
  const double mantissa = from_bits64(bits64(scaled) - ((uint64_t)k << 52));
  const double exponent = int_to_f64(k) - (is_small ? 54.0 : 0.0);
  const double value = fma64(genie_math_log_f64(mantissa), 1.44269504088896338700, exponent);
  return x > 0.0 && x < INF_F64 ? value : genie_math_log_f64(x);
}

double genie_math_log10_f64(double x) {
  return genie_math_log_f64(x) * 0.43429448190325182765;
}

//===-- f64: angles -----------------------------------------------------------------------------------------------===//

// x = n pi/2 + r with |r| <= pi/4.
INLINE double reduce_angle(double x, int64_t *n) {
  const double shifted = fma64(x, 6.36619772367581382433e-01, ROUND_F64);
  *n = (int64_t)(bits64(shifted) - bits64(ROUND_F64));
  const double whole = shifted - ROUND_F64;
  double r = fma64(whole, -1.57079632679489655800e+00, x);
  r = fma64(whole, -6.12323399573676603587e-17, r);
  return fma64(whole, 1.4973849048591833e-33, r);
}

INLINE double sin_kernel(double r) {
  const double z = r * r;
  double p = 1.58969099521155010221e-10;
  p = fma64(p, z, -2.50507602534068634195e-08);
  p = fma64(p, z, 2.75573137070700676789e-06);
  p = fma64(p, z, -1.98412698298579493134e-04);
  p = fma64(p, z, 8.33333333332248946124e-03);
  p = fma64(p, z, -1.66666666666666324348e-01);
  return fma64(p * z, r, r);
}

INLINE double cos_kernel(double r) {
  const double z = r * r;
  double p = -1.13596475577881948265e-11;
  p = fma64(p, z, 2.08757232129817482790e-09);
  p = fma64(p, z, -2.75573143513906633035e-07);
  p = fma64(p, z, 2.48015872894767294178e-05);
  p = fma64(p, z, -1.38888888888741095749e-03);
  p = fma64(p, z, 4.16666666666666019037e-02);
  return fma64(p * z, z, fma64(z, -0.5, 1.0));
}

// sin(x + quarter pi/2)
INLINE double sin_quarter(double x, int64_t quarter) {
  int64_t n;
  const double r = reduce_angle(x, &n);
  n += quarter;
  const double value = (n & 1) != 0 ? cos_kernel(r) : sin_kernel(r);
  const double angle = from_bits64(bits64(value) ^ ((uint64_t)(n & 2) << 62));
  return quarter == 0 && x == 0.0 ? x : angle;
}

double genie_math_sin_f64(double x) {
  return sin_quarter(x, 0);
}
double genie_math_cos_f64(double x) {
  return sin_quarter(x, 1);
}

double genie_math_tan_f64(double x) {
  int64_t n;
  const double r = reduce_angle(x, &n);
  const double s = sin_kernel(r), c = cos_kernel(r);
  return (n & 1) != 0 ? -c / s : s / c;
}

// atan of t in [0, 1]: reduced by tan(pi/8) to |u| <= 0.4143.
INLINE double atan_unit(double t) {
  const int is_large = t > 0.41421356237309503;
  const double u = is_large ? (t - 1.0) / (t + 1.0) : t;
  const double z = u * u;
  double p = 1.62858201153657823623e-02;
  p = fma64(p, z, -3.65315727442169155270e-02);
  p = fma64(p, z, 4.97687799461593236017e-02);
  p = fma64(p, z, -5.83357013379057348645e-02);
  p = fma64(p, z, 6.66107313738753120669e-02);
  p = fma64(p, z, -7.69187620504482999495e-02);
  p = fma64(p, z, 9.09088713343650656196e-02);
  p = fma64(p, z, -1.11111104054623557880e-01);
  p = fma64(p, z, 1.42857142725034663711e-01);
  p = fma64(p, z, -1.99999999998764832476e-01);
  p = fma64(p, z, 3.33333333333329318027e-01);
  return (is_large ? 7.85398163397448278999e-01 : 0.0) + (u - u * z * p);
}

double genie_math_atan2_f64(double y, double x) {
  const double ax = abs64(x), ay = abs64(y);
  const double large = ax > ay ? ax : ay, small = ax > ay ? ay : ax;
  double t = large == 0.0 ? 0.0 : small / large;
  t = small == INF_F64 ? 1.0 : t;
  double angle = atan_unit(t);
  angle = ay > ax ? 1.57079632679489655800e+00 - angle : angle;
  angle = (bits64(x) >> 63) != 0 ? 3.14159265358979311600e+00 - angle : angle;
  return x != x || y != y ? x + y : sign64(angle, y);
}

//===-- f64: others -----------------------------------------------------------------------------------------------===//

INLINE double polynomial(const double *coefficients, int degree, double x) {
  double p = coefficients[degree];
#pragma clang loop unroll(full)
  for (int i = degree - 1; i >= 0; --i) {
    p = fma64(p, x, coefficients[i]);
  }
  return p;
}

double genie_math_erf_f64(double x) {
  static const double pp[] = {1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
                              -5.77027029648944159157e-03, -2.37630166566501626084e-05};
  static const double qq[] = {1.0,
                              3.97917223959155352819e-01,
                              6.50222499887672944485e-02,
                              5.08130628187576562776e-03,
                              1.32494738004321644526e-04,
                              -3.96022827877536812320e-06};
  static const double pa[] = {-2.36211856075265944077e-03, 4.14856118683748331666e-01,  -3.72207876035701323847e-01,
                              3.18346619901161753674e-01,  -1.10894694282396677476e-01, 3.54783043256182359371e-02,
                              -2.16637559486879084300e-03};
  static const double qa[] = {1.0,
                              1.06420880400844228286e-01,
                              5.40397917702171048937e-01,
                              7.18286544141962662868e-02,
                              1.26171219808761642112e-01,
                              1.36370839120290507362e-02,
                              1.19844998467991074170e-02};
  static const double ra[] = {-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
                              -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
                              -8.12874355063065934246e+01, -9.81432934416914548592e+00};
  static const double sa[] = {1.0,
                              1.96512716674392571292e+01,
                              1.37657754143519042600e+02,
                              4.34565877475229228821e+02,
                              6.45387271733267880336e+02,
                              4.29008140027567833386e+02,
                              1.08635005541779435134e+02,
                              6.57024977031928170135e+00,
                              -6.04244152148580987438e-02};
  static const double rb[] = {-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
                              -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
                              -4.83519191608651397019e+02};
  static const double sb[] = {1.0,
                              3.03380607434824582924e+01,
                              3.25792512996573918826e+02,
                              1.53672958608443695994e+03,
                              3.19985821950859553908e+03,
                              2.55305040643316442583e+03,
                              4.74528541206955367215e+02,
                              -2.24409524465858183362e+01};
  const double a = abs64(x);
  const double z = x * x;
  const double small = fma64(polynomial(pp, 4, z) / polynomial(qq, 5, z), a, a);
  const double s = a - 1.0;
  const double middle = 8.45062911510467529297e-01 + polynomial(pa, 6, s) / polynomial(qa, 6, s);
  const double t = 1.0 / z;
  const double tail_a = polynomial(ra, 7, t) / polynomial(sa, 8, t);
  const double tail_b = polynomial(rb, 6, t) / polynomial(sb, 7, t);
  const double tail = genie_math_exp_f64(-z - 0.5625 + (a < 1.0 / 0.35 ? tail_a : tail_b)) / a;
  double value = 1.0 - tail;
  value = a < 1.25 ? middle : value;
  value = a < 0.84375 ? small : value;
  value = a > 6.0 ? 1.0 : value;
  return x != x ? x : sign64(value, x);
}

double genie_math_pow_f64(double x, double y) {
  const double a = abs64(x);
  const double logarithm = genie_math_log_f64(a);
  const double product = logarithm * y;
  // What the product's rounding lost, where its power is finite.
  const double residue = fma64(logarithm, y, -product);
  const double power = genie_math_exp_f64(product);
  double value = abs64(product) < 700.0 ? fma64(power, residue, power) : power;
  const double whole = __builtin_floor(y);
  const int is_integer = whole == y;
  const int is_odd = is_integer && whole * 0.5 != __builtin_floor(whole * 0.5);
  value = x < 0.0 ? (is_integer || abs64(y) == INF_F64 || a == INF_F64 ? value : NAN_F64) : value;
  value = a == 0.0 ? (y > 0.0 ? 0.0 : INF_F64) : value;
  value = (bits64(x) >> 63) != 0 && is_odd ? -value : value;
  value = a == 1.0 && abs64(y) == INF_F64 ? 1.0 : value;
  value = x != x || y != y ? x + y : value;
  return y == 0.0 || x == 1.0 ? 1.0 : value;
}

double genie_math_fmod_f64(double x, double y) {
  const double a = abs64(x), b = abs64(y);
  const double quotient = __builtin_trunc(a / b);
  double r = fma64(-quotient, b, a);
  r = r < 0.0 ? r + b : r;
  r = r >= b ? r - b : r;
  r = b == INF_F64 && a < INF_F64 ? a : r;
  r = b == 0.0 || a == INF_F64 ? NAN_F64 : r;
  return x != x || y != y ? x + y : sign64(r, x);
}

// Code with constants and a call: what an image resolves.
static const int table[] = {3, 5, 7, 11};

__attribute__((noinline, visibility("hidden"))) int pick(int i) {
  return table[i & 3];
}

__attribute__((visibility("hidden"))) int entry(int i) {
  return pick(i) + pick(i + 1);
}

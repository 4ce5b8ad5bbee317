// Code with data that it changes.
static int count = 1;

int entry(int i) {
  return count += i;
}

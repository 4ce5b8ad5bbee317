// Code that calls what nothing defines.
int absent(int i);

int entry(int i) {
  return absent(i) + 1;
}

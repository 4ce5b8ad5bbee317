#!/bin/sh
# Packs what run.sh needs on a machine with a GPU, which may have neither LLVM nor our libraries:
#   prepare.sh [OUTPUT]      default: build/device.tar.xz
# The sources travel beside it: run.sh is run from the repository there.
set -e
cd "$(dirname "$0")/../.."
output=${1:-build/device.tar.xz}
build=${GENIE_BUILD:-build/dev}
programs="geniec genie genied launch_bench write_sample_plan device_test cuda_device_test cuda_session_test library_test shared_memory_test"
ninja -C "$build" $programs libgenie.so >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bin" "$folder/lib" "$folder/lib-compiler"

# Libraries that the other machine brings itself, as every Linux of this age does.
ours() {
  ldd "$@" | awk '/=> \// {print $3}' | grep -v -e '/libc\.so' -e '/libm\.so' -e '/libstdc++' -e '/libgcc_s' \
    -e '/libcrypto' -e '/libz\.so' | sort -u
}
for program in $programs; do
  strip -o "$folder/bin/$program" "$build/bin/$program"
done
strip --strip-unneeded -o "$folder/lib/libgenie.so" "$build/lib/libgenie.so"
cp -L $(ours "$build/bin/genie" "$build/bin/genied" "$build/bin/library_test" "$build/lib/libgenie.so") "$folder/lib/"
cp -L $(ours "$build/bin/geniec") "$folder/lib-compiler/"
# The compiler's libraries are for the compiler alone.
mv "$folder/bin/geniec" "$folder/bin/geniec.bin"
cat > "$folder/bin/geniec" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$here/../lib-compiler exec "$here/geniec.bin" "$@"
END
chmod +x "$folder/bin/geniec"
mkdir -p "$(dirname "$output")"
tar -C "$folder" -cf - . | xz -T0 -1 > "$output"
ls -l "$output" >&2

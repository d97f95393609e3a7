#!/bin/sh
# Build the package with AddressSanitizer and UndefinedBehaviorSanitizer into build/sanitized, and
# run a command with it:  sh tools/sanitized.sh [COMMAND [ARGUMENT...]]
#
# Only what changed is built anew; the checkout keeps its ordinary extensions.  With clang the
# modules also count which paths they take, so that the fuzzer (tests/fuzz) uses the same build;
# gcc, where there is no clang, does for the tests.  SANITIZER_RUNTIME names another runtime library
# than the compiler's own: that of the fuzzer.
set -eu
base=build/sanitized
python=.venv/bin/python

compiler=
for name in clang clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    runtime=$("$name" -print-file-name="libclang_rt.asan-$(uname -m).so" 2>/dev/null) || continue
    [ -e "$runtime" ] && compiler=$name && break
done
if [ "$compiler" ]; then
    flavour=fuzz
    symbolizer=$("$compiler" -print-prog-name=llvm-symbolizer)
else
    flavour=1
    compiler=gcc
    runtime="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    symbolizer=
    echo "No clang with its runtime here: gcc's sanitizers instead (Debian: apt install clang-14 libclang-rt-14-dev llvm-14)." >&2
fi
case ${CC:-} in "ccache "*) cc="ccache $compiler" ;; *) cc=$compiler ;; esac

# Objects of other flags or another Python are of no use, nor is what the sources no longer have.
what="$compiler $flavour $("$python" -V) $(cksum < setup.py)"
[ "$(cat $base/flavour 2>/dev/null)" = "$what" ] || rm -rf $base
mkdir -p $base/lib
echo "$what" > $base/flavour
find $base/lib -type f ! -name '*.so' -delete
for module in $(find $base/lib -name '*.so'); do
    source=src${module#"$base/lib"}
    case $source in *_cython_shared.*) continue ;; esac
    [ -e "${source%%.*}.pxd" ] || rm "$module"
done
echo "with sanitizers ($compiler), into $base:"
RATSNAKE_SANITIZE=$flavour CC=$cc "$python" tools/build.py build --build-base $base --build-lib $base/lib

[ $# = 0 ] && exit
# Leaks are not looked for: the interpreter itself never frees everything.
LD_PRELOAD=${SANITIZER_RUNTIME:-$runtime} \
ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
ASAN_SYMBOLIZER_PATH=$symbolizer UBSAN_SYMBOLIZER_PATH=$symbolizer \
PYTHONPATH="$PWD/$base/lib" PYTHONMALLOC=malloc RATSNAKE_SANITIZED=1 CC=$cc \
    exec "$@"

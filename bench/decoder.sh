#!/usr/bin/env bash
# The reference decoder's training step, ours and PyTorch's in one run.
#   bench/decoder.sh [--threads 1,2] [--shapes 5M,25M] [--rounds 3] [--seconds 4] [--peer PYTHON]
# Without --peer only ours is measured. PYTHON needs torch.
#   BENCH=HouseLmBench bench/decoder.sh [THREADS] [SECONDS]      the house language model's step
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The program's own class path, and this module on top.
if ! ls bench/target/descant-bench-*.jar cli/target/dist/lib/descant-cli-*.jar >/dev/null 2>&1; then
  mvn -B -q -DskipTests -pl bench -am package
fi
jdk=$(for home in "${DESCANT_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*25*; do
  [ -x "$home/bin/java" ] && grep -q '^JAVA_VERSION="25' "$home/release" 2>/dev/null && echo "$home" && break
done)
[ -n "$jdk" ] || { echo "bench: no JDK 25 found; set JAVA_HOME to one." >&2; exit 2; }
export OPENBLAS_NUM_THREADS=1 GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-3000}"
exec "$jdk/bin/java" -Xms512m -Xmx512m -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED \
  --sun-misc-unsafe-memory-access=allow -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 \
  -cp "$(ls bench/target/descant-bench-*.jar):cli/target/dist/lib/*" \
  "org.descant.bench.${BENCH:-DecoderBench}" "$@"

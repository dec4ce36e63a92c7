#!/usr/bin/env bash
# The example from nothing to a plot, on this machine. `make demo` calls it with the project's environment on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."
given=(-f examples/cardio/populate.yaml --embedded)
plot=demo-out/heart-rate.png
mkdir -p demo-out

# Exit code 1 is right here: some windows have too poor a signal, and stay in the queue as errors.
populate run "${given[@]}" --once || [ $? -eq 1 ]
populate exec "${given[@]}" -- python examples/cardio/report.py $plot

cat <<END

Next:
  source $(dirname "$(command -v populate)")/activate
  populate errors ${given[*]}                          which windows failed, and why
  populate retry ${given[*]} --match "too few beats"   queue some of them again
  populate run ${given[*]} --once                      make what is queued
  populate exec ${given[*]} -- python                  look around: import cardio; cardio.Summary()
END

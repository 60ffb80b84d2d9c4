#!/bin/sh
# The runs behind the table of docs/factors.md, in outputs/score; those that are finished are kept.
# Usage: sh benchmarks/factor_runs.sh && .venv/bin/python -m benchmarks.factors outputs/score/*-*-[0-9] --out outputs/score
set -e
cd "$(dirname "$0")/.."
run() { # NAME SEEDS SETTINGS...
    name=$1 seeds=$2
    shift 2
    for class in cube sphere cylinder; do
        for seed in $seeds; do
            out=outputs/score/$name-$class-$seed
            [ -e "$out/directions.safetensors" ] || .venv/bin/direction-finder learn --generator shapes-64 --class $class \
                --seed "$seed" --threads 1 --out "$out" "$@"
        done
    done
}
run random "0 1 2" --method random
run coordinates 0 --method coordinates
run jacobian "0 1 2"
run jacobian-24 "0 1 2" --points 24 --keep-going
run whole-24 "0 1 2" --by whole --at image --points 24 --keep-going
run sefa-all "0 1 2" --method sefa
run sefa-first "0 1 2" --method sefa --read layer0
run sefa-three "0 1 2" --method sefa --read layer0 --read layer1 --read layer2
for points in 4 8 12; do
    run jacobian-$points "0 1 2" --points $points --keep-going
done
run hessian-direct-24 "0 1 2" --method hessian-direct --points 24 --keep-going
run hessian-joint "0 1 2" --method hessian-direct --solver joint --points 24 --keep-going
run mean-field-24 "0 1 2" --method mean-field --points 24 --keep-going
run local-basis "0 1 2" --method local-basis
run ganspace-layer3 "0 1 2" --method ganspace --at layer3
run ganspace-layer6 "0 1 2" --method ganspace --at layer6

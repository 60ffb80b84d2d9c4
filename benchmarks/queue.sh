#!/bin/sh
# The background queue: long runs on one thread, each begun or resumed, one after the other. Logs lie in outputs/queue.
# Usage: sh benchmarks/queue.sh &      Pause and resume it with kill -STOP and kill -CONT, and kill it when you like.
set -e
cd "$(dirname "$0")/.."
mkdir -p outputs/queue
renice -n 19 $$ >/dev/null
run() { .venv/bin/direction-finder "$@" >>outputs/queue/log.txt 2>&1; }

run scenes shapes --num 10000 --resolution 64 --seed 0 --out outputs/data/shapes # to train on; complete sets are kept
run scenes shapes --num 3000 --resolution 64 --seed 1 --out outputs/data/held-out # to measure with

# the ProGANs of docs/progan.md
sh benchmarks/progan_runs.sh >>outputs/queue/log.txt 2>&1

# shapes-64, trained on from the snapshot of the last sitting; the generator that ships is replaced once it is good enough
out=outputs/queue/shapes-64
if [ -e $out ]; then
    run train biggan --resume $out
else
    run train biggan outputs/data/shapes --start checkpoints/training/shapes-64.safetensors --steps 6500 --half \
        --threads 1 --seed 4 --preview-every 1000 --out $out
fi
run measure biggan-deep:$out/generator --metric fidelity --renders outputs/data/held-out --other-renders outputs/data/shapes \
    --out outputs/queue/fidelity

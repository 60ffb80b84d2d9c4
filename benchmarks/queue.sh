#!/bin/sh
# The background queue: long runs on one thread, each begun or resumed, one after the other. Logs lie in outputs/queue.
# Usage: sh benchmarks/queue.sh &      Pause and resume it with kill -STOP and kill -CONT, and kill it when you like.
set -e
cd "$(dirname "$0")/.."
mkdir -p outputs/queue
run() { nice -n 19 .venv/bin/direction-finder "$@" >>outputs/queue/log.txt 2>&1; }

for seed in 0 1; do # 10,000 renders to train on, and 3,000 held out
    data=outputs/data/$([ $seed = 0 ] && echo shapes || echo held-out)
    [ -e $data ] || run scenes shapes --num $([ $seed = 0 ] && echo 10000 || echo 3000) --resolution 64 --seed $seed --out $data
done

# shapes-64, trained on from its snapshot
if [ -e outputs/queue/shapes-64 ]; then
    run train biggan --resume outputs/queue/shapes-64
else
    run train biggan outputs/data/shapes --start checkpoints/training/shapes-64.safetensors --steps 6500 --half \
        --threads 1 --seed 2 --preview-every 1000 --out outputs/queue/shapes-64
fi
run measure biggan-deep:outputs/queue/shapes-64/generator --metric fidelity --renders outputs/data/held-out \
    --other-renders outputs/data/shapes --out outputs/queue/fidelity

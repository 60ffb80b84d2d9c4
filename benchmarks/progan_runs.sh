#!/bin/sh
# The ProGANs of docs/progan.md that do not ship. Each is begun, resumed, or left alone once it is finished. A baseline
# sees 200 kimg, all others 280. Many hours on a thread; repeat it after any interruption.
# Usage: sh benchmarks/progan_runs.sh
set -e
cd "$(dirname "$0")/.."
tool=.venv/bin/direction-finder
growth="--width 16 --max-width 64 --fade-kimg 12 --stable-kimg 12"
often="--threads 1 --preview-every 2000"
penalty="--penalty-weight 0.001 --penalty-layers 1-8"

render() { $tool scenes "$1" --num "$2" --resolution 32 --seed 0 --workers 1 --out "outputs/data/$1"; }
progan() { # name, data, kimg, more settings
    out=outputs/progan/$1 data=outputs/data/$2 kimg=$3
    shift 3
    if [ -e "$out/config.json" ]; then
        $tool train progan --resume "$out"
    else
        $tool train progan "$data" $growth $often --kimg "$kimg" "$@" --out "$out"
    fi
}
finetune() { # name, baseline, data, settings
    out=outputs/progan/$1 start=$2 data=outputs/data/$3
    shift 3
    if [ -e "$out/config.json" ]; then
        $tool finetune --resume "$out"
    else
        $tool finetune "$start" "$data" $often --kimg 80 "$@" --out "$out"
    fi
}

render clevr-1fov 4000
progan 1fov-infogan clevr-1fov 280 --codes 1
render clevr-simple 6000
progan u clevr-simple 200 --z-dim 3
finetune u-hp outputs/progan/u clevr-simple $penalty --ramp-kimg 20
progan simple-infogan clevr-simple 280 --codes 4
progan 1fov-scratch clevr-1fov 280 $penalty
progan simple-scratch clevr-simple 280 $penalty
for name in complex-clevr-complex edges-edges-and-shapes; do
    data=${name#*-} name=${name%%-*}
    render "$data" 6000
    progan "$name" "$data" 200
    finetune "$name-hp" "outputs/progan/$name" "$data" $penalty --ramp-kimg 20
done
progan u-infogan clevr-simple 280 --z-dim 3 --codes 3
finetune u-plus outputs/progan/u clevr-simple --penalty-weight 0
finetune 1fov-plus checkpoints/training/progan-1fov.safetensors clevr-1fov --penalty-weight 0
finetune simple-plus checkpoints/training/progan-simple.safetensors clevr-simple --penalty-weight 0

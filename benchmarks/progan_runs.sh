#!/bin/sh
# The ProGANs of docs/progan.md that do not ship. Each is begun, resumed, or left alone once it is finished. A baseline sees
# 200 kimg, all others 280. Half an hour to an hour of a free core for each; repeat it after any interruption.
# Usage: sh benchmarks/progan_runs.sh [NAME]...      without names, all of them, one after the other
#        printf '%s\n' u complex edges | xargs -n 1 -P 2 sh benchmarks/progan_runs.sh      two at a time
set -e
cd "$(dirname "$0")/.."
tool=.venv/bin/direction-finder
growth="--width 16 --max-width 64 --fade-kimg 12 --stable-kimg 12"
often="--threads 1 --preview-every 2000"
penalty="--penalty-weight 0.001 --penalty-layers 1-8"
ramp="$penalty --ramp-kimg 20"
lazy="--penalty-every 2" # long runs with the penalty: at every second step, twice as heavy
none="--penalty-weight 0"
snapshots=checkpoints/training/progan
all="u complex edges simple-scratch simple-infogan 1fov-scratch 1fov-infogan u-infogan simple-400 u-plus complex-plus edges-plus 1fov-plus simple-plus"

finished() { # run folder; a run that was stopped has written a generator too
    [ -e "$1/config.json" ] && ! grep -q '"finished": null' "$1/config.json"
}
render() { # data; two that begin at once would be in each other's way
    if [ -e "outputs/data/$1/checksums.sha256" ]; then return; fi
    case $1 in clevr-1fov) num=4000 ;; *) num=6000 ;; esac
    $tool scenes "$1" --num $num --resolution 32 --seed 0 --workers 1 --out "outputs/data/$1"
}
progan() { # name, data, kimg, more settings
    out=outputs/progan/$1 data=outputs/data/$2 kimg=$3
    if finished "$out"; then return; fi
    render "$2"
    shift 3
    if [ -e "$out/config.json" ]; then
        $tool train progan --resume "$out"
    else
        $tool train progan "$data" $growth $often --kimg "$kimg" "$@" --out "$out"
    fi
}
finetune() { # name, baseline, data, kimg, settings
    out=outputs/progan/$1 start=$2 data=outputs/data/$3 kimg=$4
    if finished "$out"; then return; fi
    render "$3"
    shift 4
    if [ -e "$out/config.json" ]; then
        $tool finetune --resume "$out"
    else
        $tool finetune "$start" "$data" $often --kimg "$kimg" "$@" --out "$out"
    fi
}

run() {
    case $1 in
    u)
        progan u clevr-simple 200 --z-dim 3
        finetune u-hp outputs/progan/u clevr-simple 80 $ramp
        ;;
    complex)
        progan complex clevr-complex 200
        finetune complex-hp outputs/progan/complex clevr-complex 80 $ramp
        ;;
    edges)
        progan edges edges-and-shapes 200
        finetune edges-hp outputs/progan/edges edges-and-shapes 80 $ramp
        ;;
    simple-scratch) progan simple-scratch clevr-simple 280 $penalty $lazy ;;
    simple-infogan) progan simple-infogan clevr-simple 280 --codes 4 ;;
    1fov-scratch) progan 1fov-scratch clevr-1fov 280 $penalty $lazy ;;
    1fov-infogan) progan 1fov-infogan clevr-1fov 280 --codes 1 ;;
    u-infogan) progan u-infogan clevr-simple 280 --z-dim 3 --codes 3 ;;
    simple-400) finetune simple-400 $snapshots-simple-hp.safetensors clevr-simple 300 --penalty-weight 0.003 --penalty-layers 1-8 $lazy ;;
    u-plus) finetune u-plus outputs/progan/u clevr-simple 80 $none ;;
    complex-plus) finetune complex-plus outputs/progan/complex clevr-complex 80 $none ;;
    edges-plus) finetune edges-plus outputs/progan/edges edges-and-shapes 80 $none ;;
    1fov-plus) finetune 1fov-plus $snapshots-1fov.safetensors clevr-1fov 80 $none ;;
    simple-plus) finetune simple-plus $snapshots-simple.safetensors clevr-simple 80 $none ;;
    *)
        echo "$1: expected one of $all" >&2
        exit 2
        ;;
    esac
}

for name in ${*:-$all}; do run "$name"; done

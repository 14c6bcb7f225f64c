#!/usr/bin/env bash
# One job of a run: STAGE RUN RAW REGION...; submitted by submit.sh, which lists the stages.
# A job lost with its node is queued again by Slurm; one that comes near its time limit does so itself.
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --time=24:00:00
#SBATCH --cpus-per-task=2
#SBATCH --mem=16G
set -euo pipefail
stage=$1 RUN=$2 RAW=$3
shift 3
regions=("$@")
. cluster/targets.sh
region=${regions[${SLURM_ARRAY_TASK_ID:-0}]}
# The number of an array's last task is that of the whole array: name the task.
job=$SLURM_JOB_ID
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID

stop() {
    echo "$RUN, $stage: $1" >&2
    exit 1
}

requeue() {
    local restarts=${SLURM_RESTART_COUNT:-0}
    [ "$restarts" -lt "${RESTARTS:-20}" ] || stop "at the time limit after $restarts restarts; give a longer --time."
    echo "$RUN, $stage: at the time limit; queued again, to continue from what is on disk (restart $((restarts + 1)))."
    scontrol requeue "$job"
    sleep infinity # until Slurm ends this job
}
trap requeue USR1

# make in the background: bash hears the signal while it waits.
build() {
    make "$@" RUN="$RUN" RAW="$RAW" &
    wait $!
}

# What the targets given lack that is not this region's own to make. Two jobs never make one thing.
lacking() { wanted "$@" | sed "\|^$OUT/$region/|d"; }

build_own() {
    local target needs waiting=() now=()
    for target in "$@"; do
        needs=$(lacking "$target")
        if [ -z "$needs" ]; then now+=("$target"); else waiting+=("$target"); fi
    done
    [ ${#now[@]} = 0 ] || build "${now[@]}"
    [ ${#waiting[@]} = 0 ] || stop "$region: ${waiting[*]} need(s) what is not made: $(lacking "${waiting[@]}" | paste -sd ' ')"
}

stitch() {
    local left first name failed=()
    # shellcheck disable=SC2046
    left=$(wanted $(steps "${regions[@]}"))
    for name in "${regions[@]}"; do
        first=$(sed -n "s|^$OUT/$name/\(.*\)\.ipynb$|\1|p" <<< "$left" | head -n 1)
        [ -z "$first" ] || failed+=("$name ($first)")
    done
    [ ${#failed[@]} = 0 ] || stop "${#failed[@]} of ${#regions[@]} regions not whole: ${failed[*]}. No product is written.
Logs: $OUT/slurm and $OUT/<region>/<step>.log. Submit the run again to continue: what is done is not done again."
    if [ -z "$(late)" ]; then build all; else build "$OUT/07-stitch.ipynb"; fi
}

# shellcheck disable=SC2046
case $stage in
    download) build "$OUT/01-download.ipynb" ;;
    regrid) build_own "$OUT/$region/02-regrid.ipynb" ;;
    shared) build $(shared "${regions[@]}") ;;
    region) build_own $(steps "$region") ;;
    stitch) stitch ;;
    late) if late | grep -qx "$region"; then build_own "$OUT/$region/$LATE.ipynb"; fi ;;
    end) build all ;;
esac

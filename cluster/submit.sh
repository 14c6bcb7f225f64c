#!/usr/bin/env bash
# Hand a run to Slurm: cluster/submit.sh RUN [RAW] [sbatch options]. cluster/README.md says more.
set -euo pipefail
if [ $# = 0 ] || [ "${1:0:1}" = - ]; then
    echo "usage: [GPUS=1] [RESTARTS=20] cluster/submit.sh RUN [RAW] [sbatch options]" >&2
    exit 2
fi
RUN=$1 RAW=
shift
if [ $# -gt 0 ] && [ "${1:0:1}" != - ]; then
    RAW=$(realpath "$1")
    shift
fi
options=("$@")
cd "$(dirname "$0")/.."
. cluster/targets.sh
names=$(regions)
mapfile -t regions <<< "$names"
network=$(shared "${regions[@]}")
array=--array=0-$((${#regions[@]} - 1))
gpu=(${GPUS:+"--gres=gpu:$GPUS"})
mkdir -p "$OUT/slurm"

# Submit a stage that starts when the one before has ended, whether or not all of its jobs went well.
last=
submit() {
    local stage=$1 log=$2
    shift 2
    last=$(sbatch --parsable --job-name="$RUN-$stage" --output="$OUT/slurm/$stage-$log.log" \
        ${last:+"--dependency=afterany:$last"} "$@" "${options[@]}" \
        cluster/step.sh "$stage" "$RUN" "$RAW" "${regions[@]}")
    last=${last%%;*}
    echo "$stage: job $last"
}

submit download %j
submit regrid %A_%a "$array"
[ -z "$network" ] || submit shared %j "${gpu[@]}"
submit region %A_%a "$array" "${gpu[@]}"
submit stitch %j
end=stitch
if [ -n "$(late)" ]; then
    submit late %A_%a "$array"
    submit end %j
    end=end
fi
echo "${#regions[@]} regions; squeue --me shows the jobs. The end of the run, or what failed: $OUT/slurm/$end-$last.log"

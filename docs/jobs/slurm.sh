#!/bin/sh
# One campaign as an array of 16 tasks:   sbatch slurm.sh
# Afterwards, or while it runs:           hopwise merge part-*.jsonl
# A task that was lost can be queued again alone: it goes on where its file ends.
#SBATCH --job-name=hopwise
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00
set -eu
exec hopwise sweep "${SCENARIO:-scenario.toml}" \
    --seeds "${SEEDS:-0..100000}" \
    --vary "${VARY:-links.wan.loss=0%..5%:1%}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --threads "$SLURM_CPUS_PER_TASK" \
    --out "part-$SLURM_ARRAY_TASK_ID.jsonl" --resume

#!/bin/bash
# Vectors of a manifest by eight tasks of four cores: MANIFEST=/shared/manifest VECTORS=/shared/vectors sbatch deploy/cluster/slurm.sh
# Both are folders that every node sees, or URLs. A task whose node dies is queued again and goes on.
#SBATCH --job-name=piaa-embed
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=1G
#SBATCH --requeue
set -euo pipefail
exec srun piaa embed "$MANIFEST" --out "$VECTORS" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"

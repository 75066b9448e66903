#!/usr/bin/env bash
# The whole way in one file: a folder of pictures → a trained model → scores → pictures → the page.
#
#   examples/quickstart.sh IMAGES [FOLDER [--key value …]]     IMAGES: some hundred pictures of one kind, also a .zip or .npz
#
# Everything goes into FOLDER ("quickstart"); what follows it is for `gan-hub train`, as `--total_kimg 8 --decay_kimg 2` for a
# first look, or `--resume` to go on with what was interrupted. At the end the page opens on http://127.0.0.1:7860; PAGE=no leaves it out.
set -euo pipefail
if [ $# = 0 ]; then
    echo "quickstart: give a folder of pictures of one kind: examples/quickstart.sh IMAGES [FOLDER [--key value …]]" >&2
    exit 2
fi
images=$1
folder=${2:-quickstart}
model=$folder/mine/export

# Train: 64 × 64 pixels in color, half an hour on a CPU (recipes/own-images.yaml).
gan-hub train own-images --name mine --output "$folder" --data "$images" "${@:3}"

# Is it what its files say, and how good is it? Of fd and kid lower is better; pr is precision and recall.
gan-hub verify "$model"
gan-hub evaluate "$model" --data "$images" --extractor mobilenet-v2 --metrics fd,kid,pr --num 1000 --out "$folder/scores.json"

# Images of seeds, and a walk between three of them.
gan-hub sample "$model" --seeds 0-63 --out "$folder/grid.png"
gan-hub interpolate "$model" --seeds 1,5,9 --out "$folder/walk.gif"

echo "gan-hub push $model OWNER/NAME   # publish it"
if [ "${PAGE:-yes}" != no ]; then
    gan-hub demo "$model" # until Ctrl-C
fi

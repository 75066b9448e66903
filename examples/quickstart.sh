#!/usr/bin/env bash
# The whole way in one file: data → training → scores → pictures → page.
#
#   examples/quickstart.sh [FOLDER [--key value …]]     MNIST's digits, fetched from the Hub; the rest is for `gan-hub train`
#   DATA=my-images examples/quickstart.sh               grey images of your own, a folder a class, brought to 28 × 28
set -euo pipefail
folder=${1:-quickstart}
data=${DATA:-mnist}
model=$folder/digits/export

# Train by the recipe of a published model: 200,000 images instead of its 500,000, which take 25 minutes of one CPU core.
# Interrupted, the same line with --resume goes on.
gan-hub train dcgan-mnist --name digits --output "$folder" --data "$data" --total_kimg 200 "${@:2}"

# Is it what its files say, and how good is it? Of fd and kid lower is better; pr is precision and recall.
gan-hub verify "$model"
gan-hub evaluate "$model" --data "$data" --extractor digits --metrics fd,kid,pr --num 2000 --out "$folder/scores.json"

# Images of seeds, and a walk between three of them.
gan-hub sample "$model" --seeds 0-63 --out "$folder/grid.png"
gan-hub interpolate "$model" --seeds 1,5,9 --out "$folder/walk.gif"

echo "gan-hub demo $model              # play with it in a browser"
echo "gan-hub push $model OWNER/NAME   # publish it"

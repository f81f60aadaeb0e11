#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can show, within ten minutes: the contract of the captured step, short runs of each
# family, and the benchmarks that use the GPU. The machine needs Python, torch, torchvision, tensorboard, rich, pytest and
# scikit-learn; nothing is downloaded.
#
#   bash benchmarks/gpu.sh WHEELS DATA OUT
#
#   WHEELS  a folder with the wheels of hydra-core, omegaconf and antlr4-python3-runtime
#   DATA    a folder with FashionMNIST and MNIST as torchvision lays them out
#   OUT     a folder for what is printed and for RESULTS.md
set -uo pipefail
wheels=$(realpath "$1") data=$(realpath "$2") out=$3
cd "$(dirname "$0")/.."
mkdir -p "$out"
out=$(realpath "$out")
export NNLAB_DATA=$data

part() { # NAME SECONDS COMMAND…: its output into a file, its end and its time onto the terminal
  local name=$1 seconds=$2 began=$SECONDS
  shift 2
  timeout "$seconds" "$@" >"$out/$name.txt" 2>&1
  printf '%-12s exit %3d  %4d s\n' "$name" $? $((SECONDS - began)) | tee -a "$out/summary.txt"
}

part install 60 python -m pip install --quiet --no-index --no-deps --no-build-isolation --find-links "$wheels" \
  hydra-core omegaconf antlr4-python3-runtime --editable .
part torch 30 python -c 'import torch; print(torch.__version__, torch.cuda.get_device_name(), torch.version.cuda)'
part contract 150 python -m pytest -q -x tests/training/test_graph.py tests/training/test_overlap.py
for model in vae gan rbm kmeans som; do
  part "train_$model" 25 python -m nnlab train "model=$model" data=fashion_mnist trainer.epochs=1 "hydra.run.dir=$out/$model"
done
part benchmarks 220 python -m benchmarks floor vae_epoch game_step gradient_models --rounds 2
cp benchmarks/RESULTS.md "$out"
cat "$out"/torch.txt "$out"/summary.txt
tail -n 20 "$out"/contract.txt "$out"/benchmarks.txt

#!/usr/bin/env bash
# Check everything about heed that needs a GPU, in at most eight minutes: run its tests, measure its speed, and run two
# trainings and two searches.
#
#   gpu.sh wheels              with a network: download the packages that heed needs into the folder `wheels`
#   gpu.sh OUT [MULTI30K]      on a machine with an NVIDIA GPU, Python 3.12, torch and numpy; it needs no other packages
#
# The machine needs this checkout and the folder `wheels` in it. Nothing is downloaded there and nothing is installed
# outside a temporary folder. MULTI30K is a folder with train.en.gz and so on; without it the embedded corpus is used
# throughout. OUT gets log.txt, figures.jsonl (a line for each measurement) and summary.txt (a line for each step). A
# step that fails or takes too long does not stop the later ones; the exit status is the number of such steps.
# GPU_SH_ONLY=PATTERN runs only the steps whose names match this regular expression, such as 'tests|training'. The
# searches need the model of the step `tiny`, or with MULTI30K that of the step `Multi30k, one epoch`.
# GPU_SH_DEVICE=cpu tries the script itself on a CPU, with two updates instead of a hundred and five times the time.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
longest=470 # seconds of all steps together
device=${GPU_SH_DEVICE:-cuda} times=1
[[ $device == cpu ]] && times=5 longest=$((5 * longest))

# Packages that training, tests and translation do not import; and numpy, which comes with torch.
left_out='aio.*|annotated-doc|anyio|fastapi|flatbuffers|frozenlist|grpcio|h11|hatchling|hydra-joblib-launcher'
left_out+='|ml-dtypes|multidict|networkx|numpy|onnx.*|pathspec|prometheus-client|propcache|starlette|sympy|mpmath|tomlkit'
left_out+='|tensorboard-data-server|trove-classifiers|uvicorn|wheel|yarl'
for_tests='beartype|hypothesis|iniconfig|pytest|sortedcontainers'
from_source='antlr4-python3-runtime' # has no wheel; pure Python, so a wheel built here works on the other machine

main() {
    case "${1-}" in
        wheels) fill_wheels ;;
        '' | -*) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
        *) run "$@" ;;
    esac
}

# Print the entries of a lock whose names match the pattern, or with `!` those whose names do not match.
entries() { # FILE [!] PATTERN
    local negated=
    [[ $2 == ! ]] && negated='!' && set -- "$1" "$3"
    awk -v pattern="^($2)\$" "/^[a-z0-9]/ { split(\$1, part, \"==\"); wanted = $negated(part[1] ~ pattern) } wanted" "$here/$1"
}

fill_wheels() {
    set -e
    local python=${PYTHON:-$here/.venv/bin/python} wheels=$here/wheels platforms=() minor
    for minor in 39 35 34 31 28 27 26 24 17; do platforms+=(--platform "manylinux_2_${minor}_x86_64"); done
    platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)
    rm -rf "$wheels" && mkdir "$wheels"
    entries constraints.txt ! "$left_out|$from_source" >"$wheels/needed.txt"
    entries constraints-dev.txt "$for_tests" >>"$wheels/needed.txt"
    "$python" -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --python-version 3.12 \
        --implementation cp --abi cp312 --abi abi3 --abi none "${platforms[@]}" -d "$wheels" -r "$wheels/needed.txt"
    entries constraints.txt "$from_source" >"$wheels/needed.txt"
    "$python" -m pip wheel --quiet --no-deps --require-hashes -w "$wheels" -r "$wheels/needed.txt"
    rm "$wheels/needed.txt"
    echo "$(find "$wheels" -name '*.whl' | wc -l) wheels, $(du -sm "$wheels" | cut -f 1) MiB, in $wheels"
}

run() {
    out=$1 multi30k=${2-} failed=0
    if [[ -n $multi30k && ! -e $multi30k/train.en.gz ]]; then
        echo "$multi30k/train.en.gz does not exist; give the folder that has Multi30k's files, or leave it out" >&2
        exit 2
    fi
    python=${PYTHON:-python3}
    if [[ ! -d $here/wheels ]] && ! "$python" -c 'import hydra, sentencepiece, pytest' 2>/dev/null; then
        echo "$here/wheels does not exist; make it with 'gpu.sh wheels' on a machine with a network, or install heed's packages" >&2
        exit 2
    fi
    site=$(mktemp -d)
    trap 'rm -rf "$site"' EXIT
    mkdir -p "$out" && out=$(cd "$out" && pwd)
    [[ -z $multi30k ]] || multi30k=$(cd "$multi30k" && pwd)
    cd "$here" && : >"$out/log.txt" && : >"$out/figures.jsonl" && : >"$out/summary.txt"
    export PYTHONPATH=$site:$here/src PYTHONUNBUFFERED=1 HEED_TEST_DEVICE=$device HEED_CACHE=$site/cache CUBLAS_WORKSPACE_CONFIG=:4096:8
    export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # the machine's plugins may be made for another pytest
    local many package size text=(--train data/tiny/train --languages en fr) counts=(--warmup 60 --updates 40) sentences=(64 256 1024) translated=1000
    local short=() lines=$site/lines.en references=()
    local model=$site/runs/tiny/model
    [[ $device == cpu ]] && counts=(--warmup 1 --updates 2) sentences=(64) translated=20 short=(trainer.max_steps=2)

    # heed runs from this checkout and is not installed, but it reads its version from the metadata of a package
    mkdir "$site/heed-0.dist-info"
    printf 'Metadata-Version: 2.1\nName: heed\nVersion: %s\n' "$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)" \
        >"$site/heed-0.dist-info/METADATA"
    for package in tests benchmarks; do # they lie before packages of these names that the machine may have
        mkdir "$site/$package" && printf '__path__ = ["%s"]\n' "$here/$package" >"$site/$package/__init__.py"
    done
    [[ -d wheels ]] && step packages 90 "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
        --target "$site" wheels/*.whl
    step machine 30 "$python" benchmarks/gpu_machine.py "$device" "$out/figures.jsonl"
    step tests 150 "$python" -m pytest -m gpu -v -p no:cacheprovider tests/gpu tests/models/fast/test_replay.py
    [[ -n $multi30k ]] && text=(--root "$multi30k" --languages en de)
    for many in "${sentences[@]}"; do speed "training $many" "$many" default launched; done
    if [[ -n $multi30k ]]; then
        step 'Multi30k, one epoch' 90 "$python" -m heed train experiment=multi30k_en_de "device=$device" runs="$site/runs" \
            progress_bar=false corpus.root="$multi30k" run=recipe trainer.max_epochs=1 "${short[@]}"
        model=$site/runs/recipe/model references=("$site/lines.de")
        gunzip -c "$multi30k/test_2016_flickr.en.gz" | head -n "$translated" >"$lines"
        gunzip -c "$multi30k/test_2016_flickr.de.gz" | head -n "$translated" >"$site/lines.de"
    else
        tiny
        head -n "$translated" data/tiny/train.en >"$lines"
    fi
    for size in 256 4096; do
        step "search, at most $size hypotheses" 60 "$python" benchmarks/translate_speed.py "$model" "$lines" "${references[@]}" \
            --device "$device" --batch-size "$size" --rounds 1 --max-len 100 --json "$out/figures.jsonl"
    done
    [[ -n $multi30k ]] && tiny
    for many in "${sentences[@]}"; do speed "training $many in float32" "$many" fp32; done
    for report in "$site"/runs/*/report.json; do
        [[ -e $report ]] && "$python" -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))))' "$report" \
            >>"$out/figures.jsonl"
    done
    echo "$failed steps failed, $SECONDS s" | tee -a "$out/summary.txt"
    grep -h -E '^(RESULT|RATIO|MEDIAN|LIMIT)|passed|failed' "$out/log.txt"
    exit "$failed"
}

# Measure the speed of training.
speed() { # NAME SENTENCES VARIANT…
    step "$1" 60 "$python" benchmarks/train_speed.py "${text[@]}" "${counts[@]}" --device "$device" --sentences "$2" \
        --rounds 1 --threads 4 --json "$out/figures.jsonl" --variants "${@:3}"
}

# Train on the embedded corpus.
tiny() {
    step tiny 90 "$python" -m heed train "device=$device" runs="$site/runs" progress_bar=false "${short[@]}"
}

# Run a command for at most SECONDS, and not longer than the time left for all steps; write its result to summary.txt.
step() { # NAME SECONDS COMMAND…
    local name=$1 limit=$((times * $2)) started=$SECONDS status=0
    shift 2
    [[ $name == packages || $name =~ ${GPU_SH_ONLY:-.} ]] || return 0
    ((limit > longest - SECONDS)) && limit=$((longest - SECONDS))
    echo "== $name" >>"$out/log.txt"
    if ((limit < 5)); then
        status=124
    else
        timeout --kill-after=5 "$limit" "$@" >>"$out/log.txt" 2>&1 || status=$?
    fi
    case $status in
        0) echo "$name: $((SECONDS - started)) s" ;;
        124 | 137) echo "$name: NOT DONE in $limit s" ;;
        *) echo "$name: FAILED with $status after $((SECONDS - started)) s" && tail -n 5 "$out/log.txt" ;;
    esac | tee -a "$out/summary.txt"
    ((status)) && failed=$((failed + 1))
    return 0
}

main "$@"

#!/usr/bin/env bash
# OpenNMT-py and JoeyNMT beside heed, as docs/performance.md quotes them, and Marian.
#
#   peers.sh install                  a virtual environment for each
#   peers.sh text [--root DIR]        Multi30k, plain and in pieces, by heed's own .venv; DIR holds a copy of its files
#   peers.sh train PEER [OPTION…]     --warmup, --updates, --seed, --threads; one RESULT line, and a checkpoint
#   peers.sh translate PEER [OPTION…] --threads; test 2016 by that checkpoint, greedy and with 5 beams, a RESULT line each
#
# PEER is opennmt, joeynmt or marian. All of it lies in the folder HEED_PEERS, ~/.cache/heed-peers where that is not set.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
heed_python=$here/../../.venv/bin/python
torch=$(sed -n 's/^TORCH := //p' "$here/../../Makefile") # heed's own
home=${HEED_PEERS:-$HOME/.cache/heed-peers}
[[ $home == /* ]] || home=$PWD/$home

# What OpenNMT-py imports when it starts. Its own list asks for torch < 2.3, so it is installed without.
opennmt_needs=(
    ConfigArgParse==1.9.0 PyYAML==6.0.4 pyahocorasick==2.3.1 pyonmttok==1.38.1 RapidFuzz==3.14.6 fasttext-wheel==0.9.2
    sacrebleu==2.6.0 spacy==3.8.18
)
# JoeyNMT imports importlib_metadata unasked, and calls SetVocabulary, which is gone from sentencepiece 0.2.2 on.
joeynmt_needs=(importlib_metadata==10.2.0 sentencepiece==0.2.0 sacrebleu==2.6.0)

main() {
    case "${1-} ${2-}" in
        'install ') install ;;
        'text '*) needs "$heed_python" 'make setup' && "$heed_python" "$here/text.py" "$home/text" "${@:2}" ;;
        'train opennmt' | 'train joeynmt' | 'train marian') measure "$2" train "${@:3}" ;;
        'translate opennmt' | 'translate joeynmt' | 'translate marian')
            measure "$2" translate --beam-size 1 "${@:3}"
            measure "$2" translate --beam-size 5 "${@:3}"
            ;;
        *) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
    esac
}

install() {
    needs "$heed_python" 'make setup'
    pip_into opennmt "$torch" "${opennmt_needs[@]}"
    pip_into opennmt --no-deps OpenNMT-py==3.5.1
    pip_into joeynmt "$torch" "${joeynmt_needs[@]}" JoeyNMT==2.3.0
    pip_into marian pymarian==1.12.42
    touch "$home/installed"
}

pip_into() {
    [[ -x $home/$1/bin/pip ]] || "$heed_python" -m venv "$home/$1"
    "$home/$1/bin/pip" install --quiet "${@:2}"
}

# One process for one measurement: its RESULT line, or, where there is none, the end of its log.
measure() {
    local python=$home/$1/bin/python log=$home/$1-$2.log
    [[ $1 != marian ]] || python=$heed_python # Marian is a program of its own, which needs no torch
    needs "$home/installed" 'peers.sh install'
    needs "$home/text/test.split.de" 'peers.sh text' # what text writes last
    cd "$home"
    if ! "$python" "$here/run_$1.py" "${@:2}" > "$log" 2>&1 || ! grep '^RESULT' "$log"; then
        tail -n 20 "$log" >&2
        echo "$1 did not $2; the whole log is $log" >&2
        exit 1
    fi
}

needs() {
    [[ -e $1 ]] || { echo "$1 is missing: '$2' makes it" >&2 && exit 2; }
}

main "$@"

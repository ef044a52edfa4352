#!/usr/bin/env bash
# Measure OpenNMT-py, JoeyNMT and Marian, as docs/performance.md quotes them.
#
#   peers.sh install                  make a virtual environment for each program
#   peers.sh text [--root DIR]        write Multi30k as text and as subwords, with heed's own .venv; DIR has its files
#   peers.sh train PEER [OPTION…]     train, print a RESULT line, and keep a checkpoint; options: --warmup, --updates,
#                                     --seed, --threads
#   peers.sh translate PEER [OPTION…] translate test 2016 with that checkpoint, with greedy search and with 5 beams, and
#                                     print a RESULT line for each; option: --threads
#
# PEER is opennmt, joeynmt or marian. All files are in the folder HEED_PEERS (default: ~/.cache/heed-peers).

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
heed_python=$here/../../.venv/bin/python
torch=$(sed -n 's/^TORCH := //p' "$here/../../Makefile") # the release that heed uses
home=${HEED_PEERS:-$HOME/.cache/heed-peers}
[[ $home == /* ]] || home=$PWD/$home

# The packages that OpenNMT-py imports when it starts. Its own list requires torch < 2.3, so it is installed without
# that list.
opennmt_needs=(
    ConfigArgParse==1.9.0 PyYAML==6.0.4 pyahocorasick==2.3.1 pyonmttok==1.38.1 RapidFuzz==3.14.6 fasttext-wheel==0.9.2
    sacrebleu==2.6.0 spacy==3.8.18
)
# JoeyNMT imports importlib_metadata, which it does not list, and calls SetVocabulary, which sentencepiece has only before
# 0.2.2.
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

# Run a measurement in its own process; print its RESULT line, or the end of its log if there is no such line.
measure() {
    local python=$home/$1/bin/python log=$home/$1-$2.log
    [[ $1 != marian ]] || python=$heed_python # Marian is a separate program, which does not need torch
    needs "$home/installed" 'peers.sh install'
    needs "$home/text/test.split.de" 'peers.sh text' # the last file that `text` writes
    cd "$home"
    if ! "$python" "$here/run_$1.py" "${@:2}" > "$log" 2>&1 || ! grep '^RESULT' "$log"; then
        tail -n 20 "$log" >&2
        echo "$1 did not $2; the whole log is $log" >&2
        exit 1
    fi
}

needs() {
    [[ -e $1 ]] || { echo "$1 is missing; run '$2' first" >&2 && exit 2; }
}

main "$@"

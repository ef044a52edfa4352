// @ts-check
// From normalised text to subwords: the segmentations of SentencePiece's unigram, BPE and character models.

import { toBytes } from "./utf8.mjs";

/**
 * @typedef {{
 *   ids: Map<string, number>, scores: Float32Array, types: Uint8Array, unk: number, longest: number, fixed: string[],
 *   lowest: number, highest: number,
 * }} Vocabulary `ids` are those of subwords that stand for text; `longest` is in characters; `fixed` are user-defined
 */

/** @typedef {[piece: string, id: number]} Segment */

export const UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6;

const UNKNOWN_PENALTY = 10;

/**
 * The most probable subwords (Kudo 2018, arXiv 1804.10959): EncodeOptimized of unigram_model.cc, with sums in float32.
 * @param {string} text
 * @param {Vocabulary} vocabulary
 * @returns {Segment[]}
 */
export function unigram(text, vocabulary) {
  const characters = [...text];
  const count = characters.length;
  const best = new Float32Array(count + 1);
  const starts = new Int32Array(count + 1).fill(-1);
  const ids = new Int32Array(count + 1).fill(-1);
  const unknown = Math.fround(vocabulary.lowest - UNKNOWN_PENALTY);
  /** @param {number} start @param {number} end @param {number} id @param {number} score */
  const offer = (start, end, id, score) => {
    if (starts[end] !== -1 && !(score > best[end])) return;
    best[end] = score;
    starts[end] = start;
    ids[end] = id;
  };
  for (let start = 0; start < count; start++) {
    let piece = "", single = false;
    for (let end = start + 1; end <= Math.min(count, start + vocabulary.longest); end++) {
      piece += characters[end - 1];
      const id = vocabulary.ids.get(piece);
      if (id === undefined || vocabulary.types[id] === UNUSED) continue;
      offer(start, end, id, Math.fround(scoreOf(id, piece, vocabulary) + best[start]));
      single ||= end === start + 1;
    }
    if (!single) offer(start, start + 1, vocabulary.unk, Math.fround(unknown + best[start]));
  }
  /** @type {Segment[]} */
  const segments = [];
  for (let end = count; end > 0; end = starts[end]) {
    segments.push([characters.slice(starts[end], end).join(""), ids[end]]);
  }
  return segments.reverse();
}

/** @param {number} id @param {string} piece @param {Vocabulary} vocabulary */
const scoreOf = (id, piece, { types, scores, highest }) =>
  (types[id] === USER_DEFINED ? toBytes(piece).length * highest - 0.1 : scores[id]);

/**
 * Neighbours merged, the best pair first (Sennrich et al. 2016, arXiv 1508.07909): bpe_model.cc.
 * @param {string} text
 * @param {Vocabulary} vocabulary
 * @returns {Segment[]}
 */
export function bpe(text, vocabulary) {
  const pieces = characters(text, vocabulary);
  const frozen = pieces.map((piece) => vocabulary.fixed.includes(piece));
  const before = pieces.map((_, at) => at - 1);
  const after = pieces.map((_, at) => (at + 1 < pieces.length ? at + 1 : -1));
  /** @type {Map<string, [string, string]>} */
  const merged = new Map();
  const agenda = new Agenda();
  /** @param {number} left @param {number} right */
  const offer = (left, right) => {
    if (left < 0 || right < 0 || frozen[left] || frozen[right]) return;
    const piece = pieces[left] + pieces[right];
    const id = vocabulary.ids.get(piece);
    if (id === undefined) return;
    agenda.push({ left, right, score: vocabulary.scores[id], piece });
    if (vocabulary.types[id] === UNUSED) merged.set(piece, [pieces[left], pieces[right]]);
  };
  for (let at = 1; at < pieces.length; at++) offer(at - 1, at);
  for (let top = agenda.pop(); top; top = agenda.pop()) {
    const { left, right, piece } = top;
    if (!pieces[left] || !pieces[right] || pieces[left].length + pieces[right].length !== piece.length) continue;
    pieces[left] = piece;
    pieces[right] = "";
    after[left] = after[right];
    if (after[right] >= 0) before[after[right]] = left;
    offer(before[left], left);
    offer(left, after[left]);
  }
  return pieces.filter(Boolean).flatMap((piece) => divided(piece, vocabulary, merged));
}

/**
 * A subword, or what it was merged from if it is marked as unused.
 * @param {string} piece
 * @param {Vocabulary} vocabulary
 * @param {Map<string, [string, string]>} merged
 * @returns {Segment[]}
 */
function divided(piece, vocabulary, merged) {
  const id = vocabulary.ids.get(piece) ?? vocabulary.unk;
  const parts = vocabulary.types[id] === UNUSED ? merged.get(piece) : undefined;
  return parts ? parts.flatMap((part) => divided(part, vocabulary, merged)) : [[piece, id]];
}

/**
 * Each character, or user-defined symbol, by itself.
 * @param {string} text
 * @param {Vocabulary} vocabulary
 * @returns {Segment[]}
 */
export const char = (text, vocabulary) =>
  characters(text, vocabulary).map((piece) => [piece, vocabulary.ids.get(piece) ?? vocabulary.unk]);

/** @param {string} text @param {Vocabulary} vocabulary @returns {string[]} */
function characters(text, { fixed }) {
  if (!fixed.length) return [...text];
  const pieces = [];
  for (let at = 0; at < text.length; at += pieces[pieces.length - 1].length) {
    pieces.push(fixed.find((symbol) => text.startsWith(symbol, at)) ?? String.fromCodePoint(text.codePointAt(at) ?? 0));
  }
  return pieces;
}

/** @typedef {{ left: number, right: number, score: number, piece: string }} Pair */

/** @param {Pair} a @param {Pair} b */
const isBefore = (a, b) => a.score > b.score || (a.score === b.score && a.left < b.left);

/** Pairs to merge, the best first: a binary heap, so that a word of many thousand letters costs no minutes. */
class Agenda {
  constructor() {
    /** @type {Pair[]} */
    this.heap = [];
  }

  /** @param {Pair} pair */
  push(pair) {
    const { heap } = this;
    let at = heap.length;
    for (let up = (at - 1) >> 1; at && isBefore(pair, heap[up]); up = (at - 1) >> 1) {
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = pair;
  }

  /** @returns {Pair | undefined} */
  pop() {
    const { heap } = this;
    const top = heap[0], last = heap.pop();
    if (last === undefined || !heap.length) return top;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (down + 1 < heap.length && isBefore(heap[down + 1], heap[down])) down++;
      if (!isBefore(heap[down], last)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = last;
    return top;
  }
}
